"""Result files that hold the truth at every moment of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from optkit.console import fail
from optkit.result import Result

#: Seconds before a file is written, and between two writings, while a run goes on.
FIRST_S = 1.0
EVERY_S = 5.0
#: Writing a large result may take at most one part in so many of a run.
PATIENCE = 20.0


class Snapshots:
    """Writes the result so far every few seconds, as of a run that has crashed.

    A process that is killed leaves the last one behind, so what its file says is true.

    Parameters
    ----------
    path : the result file; its last content is written by `finish`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._due_s = time.monotonic() + FIRST_S
        self._broken = False

    def __call__(self, so_far: Callable[[], Result]) -> None:
        """Write the result so far if it is time to."""
        now = time.monotonic()
        if now < self._due_s or self._broken:
            return
        try:
            so_far().save(self.path)
        except OSError as error:  # not worth the run; the last writing will tell
            fail(f"{self.path}: cannot be written for now: {error.strerror}")
            self._broken = True
        took = time.monotonic() - now
        self._due_s = now + took + max(EVERY_S, PATIENCE * took)


def finish(result: Result, out: Path | None, trace: Path | None) -> bool:
    """Write the result and the trace for good; say on stderr what could not be written."""
    written = True
    for path, save in ((out, result.save), (trace, result.save_trace)):
        if path is None:
            continue
        try:
            save(path)
        except OSError as error:
            fail(f"{path}: cannot be written: {error.strerror}")
            written = False
    return written
