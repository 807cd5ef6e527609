"""Run an alternative in a process of its own: a crash or a deaf solver costs that run alone."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

#: Seconds beyond its own limit, building included, before a run is ended.
GRACE_S = 60.0
#: Seconds that it may take to end after its answer.
_FAREWELL_S = 10.0
#: Seconds that the unmeasured call may take.
_FIRST_S = 2.0


def in_child(
    function: Callable[..., dict[str, Any]],
    document: Mapping[str, Any],
    *arguments: Any,
    limit_s: float,
    first: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What ``function(document, *arguments)`` returns, or ``{"error": why not}``.

    Parameters
    ----------
    function : of a module, as the other process imports it.
    document, arguments : sent to the other process.
    limit_s : after this and a grace the process is ended.
    first : a small document to call the function with before, unmeasured: what the first call
        of a process pays alone, such as imports, is left out of ours too.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, first, document, arguments))
    process.start()
    theirs.close()
    try:
        if not ours.poll(limit_s + GRACE_S):
            return {"error": f"no answer after {limit_s + GRACE_S:.0f} s"}
        answer: dict[str, Any] = ours.recv()
        process.join(_FAREWELL_S)
        return answer
    except EOFError:
        process.join()
        return {"error": f"the process crashed (exit status {process.exitcode})"}
    finally:
        process.kill()
        process.join()


def _answer(
    to: Connection,
    function: Callable[..., dict[str, Any]],
    first: Any,
    document: Any,
    arguments: Any,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # solvers write there whatever they are told
        os.dup2(silence, stream)
    if first is not None:
        with contextlib.suppress(Exception):  # what fails here may still do the other
            function(first, *(min(value, _FIRST_S) for value in arguments))
    try:
        to.send(function(document, *arguments))
    except Exception as error:
        to.send({"error": f"{type(error).__name__}: {error}"})
