"""What is read off a run and compared: seconds to a gap, gaps at a time, who contradicts whom."""

from __future__ import annotations

import math
from typing import Any

from optkit.errors import BoundError
from optkit.result import Result, Status, TracePoint, relative_gap

#: Solvers keep their rows to about 1e-6, so what they claim may be off by as much.
_CLAIMED = 1e-5
#: Gaps below this are the same: nobody calls them anything but optimal.
_CLOSED = 1e-6
_ROUNDING = 1e-12


def check(result: Result, objective: float | None, bound: float | None, name: str) -> None:
    """Compare our result of an instance with that of an alternative.

    Raises
    ------
    BoundError
        One has found what the other has proved impossible.
    """
    ours = result.objective if result.feasible else None
    sign = 1.0 if result.sense == "minimise" else -1.0
    if objective is not None and result.status is Status.INFEASIBLE:
        raise BoundError(f"ours claims that nothing is feasible, {name} found {objective!r}")
    if None not in (ours, bound) and _beats(sign * ours, sign * bound, _CLAIMED):
        raise BoundError(f"{name} claims the bound {bound!r}, ours found {ours!r}")
    if None not in (objective, result.bound) and _beats(
        sign * objective, sign * result.bound, _CLOSED
    ):
        raise BoundError(f"ours claims the bound {result.bound!r}, {name} found {objective!r}")


def seconds_of(result: Result) -> float:
    """Seconds of the whole run, building included."""
    return (result.build_s or 0.0) + (result.solve_s or 0.0)


def reached_s(result: Result, gap: float) -> float | None:
    """Seconds after which a run's own gap was at most this (or closed), if it ever was."""
    enough = max(gap, _CLOSED)
    for point in result.trace:
        reached = _gap_of(point)
        if reached is not None and reached <= enough:
            return max(point.time_s, 1e-4)
    return None


def gap_at(result: Result, time_s: float) -> float | None:
    """The gap that a run had after so many seconds."""
    gap = None
    for point in result.trace:
        if point.time_s <= time_s and (now := _gap_of(point)) is not None:
            gap = now
    return gap


def gap_text(gap: float | None) -> str:
    """A gap as a short number."""
    if gap is None:
        return "-"
    return "0" if gap < _ROUNDING else f"{gap:.1e}"


def in_time(result: Result | None) -> str:
    """Gap and seconds of a run in words."""
    if result is None:
        return "failed"
    return f"gap {gap_text(result.gap)} in {seconds_of(result):.3g} s"


def known(value: Any) -> bool:
    """Whether a solver's number says anything."""
    # SCIP's infinity is a number of its own, 1e20.
    return value is not None and math.isfinite(value) and abs(value) < 1e19


def _gap_of(point: TracePoint) -> float | None:
    if point.objective is None or point.bound is None:
        return None
    return relative_gap(point.objective, point.bound)


def _beats(objective: float, bound: float, tolerance: float) -> bool:
    """Whether an objective to minimise is below a bound by more than the tolerance."""
    return objective < bound - tolerance * abs(bound)
