"""Scenarios solved exactly, as labels to learn and as references to measure against."""

from __future__ import annotations

import contextlib
import threading

from optkit import registry
from optkit.errors import RunEnded
from optkit.instance import Instance
from optkit.run import Run
from optkit.stop import Stop


def solved(instance: Instance, time_s: float, interrupt: threading.Event) -> Run:
    """The run of the first exact method that applies, ended after so many seconds.

    Raises
    ------
    MethodUnavailable
        No exact method applies.
    """
    method = registry.method("auto", instance)
    run = Run(instance, Stop(time_s=time_s), proves_bound=method.proves_bound, interrupt=interrupt)
    with contextlib.suppress(RunEnded):
        method.load()(instance, run)
    return run
