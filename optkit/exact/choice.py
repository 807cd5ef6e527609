"""Exact solution of choice problems: the best choice, and the proof that it is.

`prove` works in rounds. Each takes the columns within a budget above the Lagrangian bound, which
hold every choice of a value below bound + budget, and searches them exactly
(`optkit.exact.choice_branching`): either the optimum turns up, or the bound has risen by the
budget and the next round takes a larger one. So the first rounds are small, whatever is known of
the optimum.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optkit.exact.choice_branching import BranchAndBound
from optkit.exact.choice_problem import (
    ChoiceProblem,
    DualSolution,
    Floats,
    Integers,
    dual,
)
from optkit.exact.choice_search import improve, polish, starting_choices

__all__ = [
    "ChoiceProblem",
    "DualSolution",
    "dual",
    "improve",
    "polish",
    "prove",
    "starting_choices",
]

FIRST_COLUMNS = 12
"""Columns per group, on average, of the first round."""

GROWTH = 2.0
"""Ratio of successive budgets."""

SLACK = 2e-10
"""Relative allowance for rounding that is taken off the final bound."""


def prove(
    problem: ChoiceProblem,
    price: Floats,
    incumbent: Integers | None,
    tolerance: float = 1e-6,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Integers | None, float, float]:
    """Best choice and a lower bound, closed up to ``tolerance`` unless stopped.

    Parameters
    ----------
    price : [R], near the maximiser of the dual function.
    incumbent : int64 [K], the best choice known, or ``None``. **Precondition**: the problem holds
        every column whose reduced cost at ``price`` is at most the incumbent's value less
        D(price); without an incumbent of finite value, every column.
    tolerance : relative gap (value - bound) / abs(value) that counts as closed.
    stopped : polled about every 20 ms.

    Returns
    -------
    choice, value, bound : the best choice (``None`` if there is none), its objective (infinite
        then) and a bound on the optimum. An infinite bound proves that no choice keeps the limits.
    """
    proof = _Proof(problem, price, incumbent, tolerance)
    return proof.run(stopped)


class _Proof:
    """State of one call of `prove`: the incumbent, the bound and the columns of the round."""

    def __init__(
        self, problem: ChoiceProblem, price: Floats, incumbent: Integers | None, tolerance: float
    ) -> None:
        self.problem = problem
        self.price = price
        self.tolerance = tolerance
        self.choice = None if incumbent is None else incumbent.astype(np.int64)
        self.value = np.inf if self.choice is None else problem.value(self.choice)
        self.lower = problem.dual(price)[0]
        reduced = problem.reduced_costs(price)
        self.useful = np.flatnonzero(reduced <= max(self.value - self.lower, 0.0))
        self.useful = _distinct(problem, self.useful)
        self.reduced = reduced[self.useful]
        # What counts as nothing beside the costs, should the objective itself be near zero.
        largest = np.maximum.reduceat(np.abs(problem.cost), problem.starts[:-1])
        self.scale = 1e-6 * float(largest.sum()) or 1e-9 * float(problem.size.sum()) or 1.0
        self.ceiling = np.inf
        self.columns = np.zeros(0, dtype=np.int64)
        self.nodes = 0

    @property
    def goal(self) -> float:
        """The bound that closes the gap."""
        if not np.isfinite(self.value):
            return np.inf
        return self.value - max(self.tolerance * abs(self.value), 1e-9 * self.scale)

    @property
    def target(self) -> float:
        """The bound that ends the round: its columns prove no more than its ceiling."""
        return min(self.goal, self.ceiling)

    def offer(self, choice: Integers) -> None:
        """Keep ``choice`` (numbers in the round's columns) if it is the best so far."""
        whole = self.columns[choice]
        value = self.problem.value(whole)
        if value < self.value:
            self.choice, self.value = whole, value

    def run(self, stopped: Callable[[], bool]) -> tuple[Integers | None, float, float]:
        """Rounds of growing budget until the gap is closed or the time is up."""
        first = self.lower
        most = float(self.reduced.max())
        place = min(FIRST_COLUMNS * self.problem.groups, len(self.reduced) - 1)
        budget = float(np.partition(self.reduced, place)[place])
        budget = max(budget, 1e-9 * most, 1e-3 * self.scale)
        while self.lower < self.goal and not stopped():
            self.ceiling = first + budget if budget < most else np.inf
            self.columns = self.useful[self.reduced <= max(self.target - first, 0.0)]
            search = BranchAndBound(
                self.problem.restrict(self.columns), self.price, self.lower, self,
                tolerance=self.tolerance, scale=self.scale, stopped=stopped,
            )  # fmt: skip
            self.lower = max(self.lower, min(search.run(), self.ceiling))
            self.nodes += search.nodes
            budget *= GROWTH
        if np.isfinite(self.lower):
            self.lower -= SLACK * max(abs(self.lower), self.scale)
        return self.choice, self.value, min(self.value, self.lower)


def _distinct(problem: ChoiceProblem, kept: Integers) -> Integers:
    """``kept`` without columns that another of the group equals in load and beats in cost."""
    owner, load = problem.owner[kept], problem.load[kept]
    mark = load @ np.sqrt(np.arange(2.0, problem.resources + 2.0))
    order = np.lexsort((problem.cost[kept], mark, owner))
    owner, load = owner[order], load[order]
    again = (owner[1:] == owner[:-1]) & (load[1:] == load[:-1]).all(axis=1)
    return np.sort(kept[order[np.concatenate(([True], ~again))]])
