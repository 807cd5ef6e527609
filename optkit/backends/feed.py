"""Incumbents and bounds on their way from a solver's thread to the run."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.instance import Instance
from optkit.run import Run

#: Takes the values of a model's variables to ``(x, parts)``, or to ``None`` where they give no
#: decision.
Decode = Callable[[NDArray[Any]], tuple[ArrayLike, Mapping[str, Any]] | None]

#: Incumbents held between two polls; a solver that finds more has found better ones.
_WAITING = 64


class SolveStatus(StrEnum):
    """How a solver ended, as far as the backend believes it."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    LIMIT = "limit"


@dataclass(frozen=True, eq=False)
class Solution:
    """What is known of a *model* after its solve; absent numbers are ``None``.

    Parameters
    ----------
    status : "limit" covers every limit and interrupt, and a run that was proved before the
        solver had finished: whether the instance is solved, the run knows.
    objective : the model's objective at `values`, recomputed in its own units.
    bound : valid for the model (a rounding slack is taken off); says nothing of an instance.
    values : [n] of the best point, integer variables rounded.
    row_duals : [m] of a linear programme: change of the objective per unit of the row's side.
    reduced_costs : [n] of a linear programme: change of the objective per unit of the variable.
    """

    status: SolveStatus
    objective: float | None = None
    bound: float | None = None
    values: NDArray[Any] | None = None
    row_duals: NDArray[np.float64] | None = None
    reduced_costs: NDArray[np.float64] | None = None


class Feed:
    """Takes what a solver reports in its own thread and hands it on in the polling thread.

    `Run.found` evaluates and records, which must not happen in two threads at once.

    Parameters
    ----------
    run : receives incumbents, and bounds if they are about its instance.
    bound_of : the instance whose optimum the solver's bound bounds, or ``None``.
    decode : takes the solver's values to a decision; ``None`` to report no incumbents.
    """

    def __init__(self, run: Run, bound_of: Instance | None, decode: Decode | None) -> None:
        self.claims = bound_of is not None and bound_of is run.instance
        self._run = run
        self._decode = decode
        self._points: deque[NDArray[Any]] = deque(maxlen=_WAITING)
        self._bound: float | None = None

    def point(self, values: NDArray[Any]) -> None:
        """Leave an incumbent (any thread)."""
        self._points.append(values)

    def bound(self, value: float | None) -> None:
        """Leave a bound that is valid for the model; what is no number is dropped (any thread)."""
        if value is not None and math.isfinite(value):
            self._bound = value

    def drain(self) -> None:
        """Report what was left here (polling thread)."""
        while self._points:
            values = self._points.popleft()
            decoded = None if self._decode is None else self._decode(values)
            if decoded is not None:
                x, parts = decoded
                self._run.found(x, **parts)
        bound, self._bound = self._bound, None
        if bound is not None and self.claims:
            self._run.bound(bound)

    def infeasible(self) -> None:
        """Claim infeasibility, if the model is the run's own instance."""
        if self.claims:
            self._run.infeasible()
