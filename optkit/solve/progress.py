"""Progress of a run on stderr: a status line on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from optkit.errors import one_line
from optkit.kernels import compiling_s, compiling_shown
from optkit.result import relative_gap

if TYPE_CHECKING:
    from optkit.run import Progress

_LINE_EVERY_S = 5.0
_STATUS_EVERY_S = 0.25
_COMPILING = "compiling kernels, on first use only"

Callback = Callable[["Progress"], None]


@contextlib.contextmanager
def progress(label: str, unit: str, quiet: bool) -> Iterator[Callback | None]:
    """A callback for ``solve`` that shows how the run goes; ``None`` where nothing is wanted."""
    with shown(lambda now: describe(now, label, unit), quiet) as callback:
        yield callback


@contextlib.contextmanager
def shown(line: Callable[[Any], str], quiet: bool) -> Iterator[Callable[[Any], None] | None]:
    """A callback that shows the line of what it is given, which has a ``time_s``."""
    if quiet:
        yield None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _status_line(line) as callback:
            yield callback
    else:
        with compiling_shown(_Once(lambda: _print(_COMPILING))):
            yield _Throttled(_LINE_EVERY_S, lambda now: _print(line(now)))


def describe(now: Progress, label: str, unit: str) -> str:
    """One line: elapsed time, objective, bound, gap and iterations."""
    facts = [f"{now.time_s:.0f} s"]
    if now.objective is None:
        facts.append("no feasible decision yet")
    else:
        facts.append(f"objective {now.objective:.6g} {unit}".rstrip())
    if now.bound is not None:
        facts.append(f"bound {now.bound:.6g}")
        if now.objective is not None:
            facts.append(f"gap {100 * relative_gap(now.objective, now.bound):.3g} %")
    if now.iterations:
        facts.append(f"{now.iterations:,} iterations")
    return one_line(f"{label}: {', '.join(facts)}")


class _Throttled:
    """Passes on at most one progress in so many seconds, none before that."""

    def __init__(self, every_s: float, show: Callable[[Any], None]) -> None:
        self._every_s = self._due_s = every_s
        self._show = show

    def __call__(self, now: Any) -> None:
        if now.time_s >= self._due_s:
            self._due_s = now.time_s + self._every_s
            with contextlib.suppress(OSError, ValueError):  # nobody reads stderr any more
                self._show(now)


class _Once:
    """Shows that kernels are compiled once that has taken long enough to be worth a line."""

    def __init__(self, show: Callable[[], None]) -> None:
        self._show = show
        self._from_s = compiling_s() + _LINE_EVERY_S

    def __call__(self) -> None:
        if compiling_s() >= self._from_s:
            self._from_s = math.inf
            with contextlib.suppress(OSError, ValueError):
                self._show()


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _status_line(line: Callable[[Any], str]) -> Iterator[Callable[[Any], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    # Without a thread of its own: refreshed by the callback alone.
    with Live(
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:

        def show(now: Any) -> None:
            text = Text(line(now), no_wrap=True, overflow="ellipsis")
            live.update(text, refresh=True)

        with compiling_shown(lambda: live.update(Text(_COMPILING), refresh=True)):
            yield _Throttled(_STATUS_EVERY_S, show)
