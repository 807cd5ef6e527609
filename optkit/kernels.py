"""Compiled loops: the decorator of every kernel, and a clock that stands while one is compiled.

A kernel is compiled when it is first called and kept in the cache beside its file, so that the
first run after an installation takes some seconds more than all later ones. `now_s` leaves them
out: neither the time limit nor the figures of a run depend on which run came first.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function with Numba when it is first called, and keep the code for later runs.

    A literal integer among the arguments of a call from another kernel is a type of its own to
    Numba, and the callee is compiled once more for it: ``np.int64(0)`` and constants made of it
    are not. Nor should what a loop hands on begin as a literal.

    Parameters
    ----------
    options : of ``numba.njit``; ``@kernel`` alone takes none.
    """
    if function is None:
        return lambda decorated: kernel(decorated, **options)
    import numba

    _listen()
    return numba.njit(cache=True, **options)(function)


def now_s() -> float:
    """Seconds of a clock that stands still while kernels are compiled."""
    return time.monotonic() - compiling_s()


def compiling_s() -> float:
    """Seconds for which kernels have been compiled in this process so far."""
    return _spent_s + (time.monotonic() - _began_s if _depth else 0.0)


@contextlib.contextmanager
def compiling_shown(show: Callable[[], None]) -> Iterator[None]:
    """Within it ``show`` is called whenever kernels begin to be compiled."""
    _shows.append(show)
    try:
        yield
    finally:
        _shows.remove(show)


# Numba's lock lets one thread compile at a time, and a kernel compiles those it calls within it.
_spent_s = 0.0
_began_s = 0.0
_depth = 0
_shows: list[Callable[[], None]] = []


@cache
def _listen() -> None:
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            global _began_s, _depth
            if _depth == 0:
                _began_s = time.monotonic()
                for show in _shows:
                    show()
            _depth += 1

        def on_end(self, event: Any) -> None:
            global _depth, _spent_s
            _depth -= 1
            if _depth == 0:
                _spent_s += time.monotonic() - _began_s

    event.register("numba:compile", Listener())
