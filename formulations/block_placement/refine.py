"""Solve a linear relaxation, make it exact at the decision it gives, and solve it again."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.tangents import LoadCurves
from optkit.backends.feed import Solution, SolveStatus
from optkit.run import Run


class Sharpened(Protocol):
    """A linear model that admits every decision of the instance, at no more than its objective."""

    def touch(self, curves: LoadCurves, added: list[tuple[int, int, float]]) -> None:
        """Add tangents (slot's row, server, utilisation)."""

    def forbid(self, x: NDArray[np.int64]) -> None:
        """Cut off one decision, which the evaluator found to be infeasible."""


class Relaxation(Sharpened, Protocol):
    """One that is solved anew after each change."""

    def solve(self, run: Run) -> Solution:
        """Solve it, from the run's incumbent on, and report to the run."""

    def decision(self, solution: Solution) -> NDArray[np.int64]:
        """The decision vector of a solution."""


def refine(run: Run, relaxation: Relaxation, curves: LoadCurves | None) -> None:
    """Solve until the evaluator agrees with the relaxation about its optimum.

    Parameters
    ----------
    run : as for every method.
    relaxation : what is solved; it reports incumbents, bounds and infeasibility to the run.
    curves : the curves of loads where there is congestion.
    """
    rounds = 0
    while not run.stopped():
        rounds += 1
        run.note(rounds=rounds)
        solution = relaxation.solve(run)
        if solution.status is not SolveStatus.OPTIMAL or solution.values is None:
            run.stopped()  # by the limit that the solver kept, if by any
            return
        if not sharpen(run, relaxation, curves, relaxation.decision(solution)):
            return  # what is left of the gap is the solver's tolerance


def sharpen(
    run: Run,
    relaxation: Sharpened,
    curves: LoadCurves | None,
    x: NDArray[np.int64],
) -> bool:
    """Make the relaxation exact at a decision; False if it is already.

    A tangent is exact where it touches, so no decision comes back with a wrong load; one that
    comes back infeasible all the same breaks a row by less than the solver's tolerance, and is
    forbidden. Either happens to a decision only once, so the solves come to an end.
    """
    evaluation = run.found(x)
    if curves is not None:
        curves.cap(objective=run.objective)
        added = curves.visit(np.asarray(evaluation.terms["rho"])[curves.slots])
        relaxation.touch(curves, added)
        if added:
            return True
    if not evaluation.feasible:
        relaxation.forbid(x)
    return not evaluation.feasible
