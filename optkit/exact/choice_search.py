"""Local search for choice problems: the primal side of the bound in `choice_problem`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optkit.exact.choice_kernels import cheapest
from optkit.exact.choice_problem import (
    ChoiceProblem,
    DualSolution,
    Floats,
    Integers,
    dual,
    priced_spread,
)
from optkit.exact.choice_search_kernels import descend

PAIR_WORK = 2e9
"""Load costs that a round of `improve` over pairs of groups may take (some seconds)."""


def improve(
    problem: ChoiceProblem,
    choice: Integers,
    price: Floats | None = None,
    *,
    near: int = 8,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Integers, float]:
    """Local search from ``choice``: best responses of one group, then pairs of groups.

    A single group tries all its columns, a pair the ``near`` columns of least reduced cost of
    each. Broken limits are charged finitely, so an overloaded start is repaired where moves can.

    Parameters
    ----------
    choice : int64 [K], column numbers; not changed.
    price : [R], the price of the reduced costs (default: that of `dual`).
    stopped : polled between rounds; the choice reached so far is returned.

    Returns
    -------
    The improved choice, int64 [K], and its objective (infinite if a limit is still broken).
    """
    if price is None:
        price = dual(problem, tolerance=1e-6).price
    if 0.5 * (problem.groups * near) ** 2 * problem.resources > PAIR_WORK:
        near = 0  # a round over pairs would take minutes
    some, places = cheapest(*problem.columns, price, near)
    penalty = 1.0 + float(priced_spread(problem, np.zeros(problem.resources)).sum())
    better = choice.astype(np.int64)
    value = np.inf
    for _ in range(50):
        before = value
        value, moved = descend(*problem.columns, *problem.costs, penalty, some, places, better)
        if not moved or stopped():
            break
        if np.isfinite(before) and before - value <= 1e-13 * abs(before):
            break
    return better, float(value)


def polish(
    problem: ChoiceProblem,
    choice: Integers,
    price: Floats,
    rng: np.random.Generator,
    *,
    rounds: int = 200,
    kick: int = 4,
    pool: int = 60,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Integers, float]:
    """Iterated local search: change some groups at random, `improve`, keep what is no worse.

    Worth its time with capacities, where `improve` alone stops early (about 3 ms a round for 60
    groups).

    Parameters
    ----------
    choice : int64 [K]; ``price`` : [R], as in `improve`.
    kick : groups changed at random in a round.
    pool : columns per group, on average, in use: those of least reduced cost.

    Returns
    -------
    The best choice, int64 [K], and its objective.
    """
    reduced = problem.reduced_costs(price)
    place = min(pool * problem.groups, len(reduced)) - 1
    useful = reduced <= np.partition(reduced, place)[place]
    useful[choice] = True
    kept = np.flatnonzero(useful)
    part = problem.restrict(kept)
    best, value = improve(part, np.searchsorted(kept, choice), price, stopped=stopped)
    for _ in range(rounds):
        if stopped():
            break
        trial = best.copy()
        for k in rng.choice(part.groups, min(kick, part.groups), replace=False):
            trial[k] = rng.integers(part.starts[k], part.starts[k + 1])
        trial, found = improve(part, trial, price, stopped=stopped)
        if found <= value:
            best, value = trial, found
    return kept[best], value


def starting_choices(problem: ChoiceProblem, solution: DualSolution) -> list[Integers]:
    """Choices to improve: cheapest at the price, rounded shares, and cheapest by cost alone."""
    rounded = np.empty(problem.groups, dtype=np.int64)
    for k in range(problem.groups):
        first, last = problem.starts[k], problem.starts[k + 1]
        rounded[k] = first + int(np.argmax(solution.share[first:last]))
    free = problem.dual(np.zeros(problem.resources))[2]
    return [rounded, problem.dual(solution.price)[2], free]
