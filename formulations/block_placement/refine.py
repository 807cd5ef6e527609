"""Solve a linear relaxation, make it exact at the decision it gives, and solve it again."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.tangents import LoadCurves
from optkit.backends.feed import Solution, SolveStatus
from optkit.run import Run


class Relaxation(Protocol):
    """A linear model that admits every decision of the instance, at no more than its objective."""

    def solve(self, run: Run) -> Solution:
        """Solve it, from the run's incumbent on, and report to the run."""

    def decision(self, solution: Solution) -> NDArray[np.int64]:
        """The decision vector of a solution."""

    def touch(self, curves: LoadCurves, added: list[tuple[int, int, float]]) -> None:
        """Add tangents (slot's row, server, utilisation)."""

    def forbid(self, x: NDArray[np.int64]) -> None:
        """Cut off one decision, which the evaluator found to be infeasible."""


def refine(
    instance: BlockPlacement, run: Run, relaxation: Relaxation, curves: LoadCurves | None
) -> None:
    """Solve until the evaluator agrees with the relaxation about its optimum.

    A tangent is exact where it touches, so no decision comes back with a wrong load; one that
    comes back infeasible all the same breaks a row by less than the solver's tolerance, and is
    forbidden. Both can happen to a decision only once, so the loop ends.

    Parameters
    ----------
    instance, run : as for every method.
    relaxation : what is solved; it reports incumbents, bounds and infeasibility to the run.
    curves : the curves of loads where there is congestion.
    """
    rounds = 0
    while not run.stopped():
        rounds += 1
        run.note(rounds=rounds)
        solution = relaxation.solve(run)
        if solution.status is not SolveStatus.OPTIMAL or solution.values is None:
            return
        x = relaxation.decision(solution)
        evaluation = run.found(x)
        added = []
        if curves is not None:
            curves.cap(objective=run.objective)
            added = curves.visit(np.asarray(evaluation.terms["rho"])[curves.slots])
            relaxation.touch(curves, added)
        if not added:
            if evaluation.feasible:
                return  # what is left of the gap is the solver's tolerance
            relaxation.forbid(x)
