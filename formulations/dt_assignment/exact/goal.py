"""What a search over groups is after: decisions below the incumbent, and bounds up to it."""

from __future__ import annotations

import math

from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

#: Whole costs are told from rounding by this.
_WHOLE = 1e-6
#: Relative gap that counts as none; the house calls 1e-6 optimal.
_NEAR = 1e-7


class Goal:
    """Incumbent and bound of a run, costs counted from an offset.

    Parameters
    ----------
    instance, run : what is solved.
    offset : see ``pricing``.
    worst : upper bound on the cost of any decision, counted from the offset.
    """

    def __init__(self, instance: TwinAssignment, run: Run, offset: float, worst: float) -> None:
        self.run = run
        self.offset = offset
        self.worst = worst * (1.0 + 1e-9) + max(1e-9, 1e-9 * abs(offset))
        self._whole = instance.integer_cost

    @property
    def cut(self) -> float:
        """Only decisions that cost less than this are of interest."""
        objective = self.run.objective
        if objective is None:
            return self.worst
        return objective - self.offset - (1.0 - _WHOLE if self._whole else 0.0)

    @property
    def nothing_known(self) -> bool:
        """Whether no feasible decision is known."""
        return self.run.objective is None

    def enough(self, bound: float) -> bool:
        """Whether a bound is so near the cut that nothing below it is of interest."""
        objective = self.run.objective
        slack = 0.0 if objective is None or self._whole else _NEAR * abs(objective)
        return bound >= self.cut - slack

    def report(self, bound: float) -> bool:
        """Report a bound on decisions below the cut; returns whether it ends the search."""
        if bound == -math.inf:
            return False
        done = bound >= self.cut
        if done and self.nothing_known:
            self.run.infeasible()
            return True
        value = bound + self.offset
        if self.run.objective is not None:
            value = self.run.objective if done else min(value, self.run.objective)
        if self._whole:
            value = math.ceil(value - _WHOLE)
        self.run.bound(value)
        return done
