"""Enumeration of all choices within a budget above a Lagrangian bound, group by group.

At a price y the objective of a choice is D(y) plus the reduced costs of its columns plus, for
each resource, the distance of phi(W) from its tangent of slope y: all terms are >= 0, so a
choice of value <= limit is built of partial choices whose bound never exceeds the limit. Partial
choices with equal loads are merged (the cheapest stays), which leaves few of them when tasks share
a network model. Each partial choice is tested at several prices, some of them optimal for the
groups still open and loads met on the way: those bounds also see what the loads cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optkit.exact.choice_kernels import CAPACITY, RELATIVE_SLACK, SHARING, cheapest
from optkit.exact.choice_problem import ChoiceProblem, Floats, Integers
from optkit.exact.choice_search_kernels import completion_bounds, expand, finish, probe

CHUNK = 10_000
"""Partial choices extended between two polls."""

MANY = 300
"""Partial choices of a layer from which fresh prices repay their cost."""

INTERVAL = 3
"""Layers between fresh prices, unless the partial choices double before."""

SAMPLE = 12
"""Partial choices for which fresh prices are found; those of the last two times are in use."""

PROBED = 6
"""Columns per group in the search of a fresh price, which need only be good, not best."""


@dataclass(frozen=True)
class Enumeration:
    """Outcome of `enumerate_within`.

    complete : every choice of value <= limit was covered; else the work or the time ran out.
    choice, value : the best choice if its value is within the limit, else ``None``, infinity.
    work : extensions made.
    """

    complete: bool
    choice: Integers | None
    value: float
    work: int


def enumerate_within(
    problem: ChoiceProblem,
    price: Floats,
    limit: float,
    scale: float,
    *,
    work: int,
    stopped: Callable[[], bool],
) -> Enumeration:
    """Best choice of value <= ``limit``, or the proof that there is none.

    Parameters
    ----------
    price : [R], near the maximiser of the dual function.
    scale : magnitude of the objective, for the rounding of equal loads.
    work : most extensions of partial choices.
    """
    arranged = _arrange(problem, price, limit)
    if arranged is None:
        return Enumeration(True, None, np.inf, 0)
    order, kept, starts = arranged
    cost, load = problem.cost[kept], problem.load[kept]
    shape = problem.costs[:3]
    budget = min(limit - problem.dual(price)[0], scale)
    own = prices = _first_prices(problem, price, budget)
    offsets = completion_bounds(starts, cost, load, *shape, 0, prices)
    some, places = cheapest(starts, cost, load, price, PROBED)
    rooms = _rooms(problem, starts, load)
    quantum = _quantum(problem, price, scale)
    value, total = np.zeros(1), problem.base[None, :].copy()
    history: list[tuple[Integers, Integers]] = []
    done, renewed, size = 0, 0, 0
    for i in range(problem.groups):
        group = slice(starts[i], starts[i + 1])
        due = i >= renewed + INTERVAL or len(value) > 2 * size
        if len(value) > MANY and due and i + 2 < problem.groups:
            renewed, size = i, len(value)
            sample = total[np.linspace(0, len(value) - 1, SAMPLE).astype(np.int64)]
            fresh = probe(places[i:], cost[some], load[some], *shape, sample, price, 0.1 * budget)
            prices = np.concatenate((own, prices[len(own) :][-SAMPLE:], fresh))
            later = completion_bounds(starts, cost, load, *shape, i + 1, prices[len(own) :])
            offsets = np.concatenate((offsets[:, : len(own)], later), axis=1)
        # The columns are sorted, so those that the first price does not exclude come first.
        slack = limit - (value + total @ price) - offsets[i + 1, 0]
        tests = np.searchsorted(cost[group] + load[group] @ price, slack, side="right")
        done += int(tests.sum())
        if done > work:
            return Enumeration(False, None, np.inf, done)
        layer = _extend(
            value, total, cost[group], load[group], prices, offsets[i + 1], rooms[i + 1], limit,
            quantum, int(tests.sum()), stopped,
        )  # fmt: skip
        if layer is None:
            return Enumeration(False, None, np.inf, done)
        value, total, parent, column = layer
        if len(value) == 0:
            return Enumeration(True, None, np.inf, done)
        history.append((parent, kept[group][column]))
    best, where = finish(value, total, *shape)
    if best > limit:
        return Enumeration(True, None, np.inf, done)
    choice = np.empty(problem.groups, dtype=np.int64)
    for i in range(problem.groups - 1, -1, -1):
        parent, chosen = history[i]
        choice[order[i]] = chosen[where]
        where = parent[where]
    return Enumeration(True, choice, float(best), done)


def _extend(
    value: Floats,
    total: Floats,
    cost: Floats,
    load: Floats,
    prices: Floats,
    offset: Floats,
    room: Floats,
    limit: float,
    quantum: Floats,
    tests: int,
    stopped: Callable[[], bool],
) -> tuple[Floats, Floats, Integers, Integers] | None:
    """The next layer: costs, loads, parents and columns of group; ``None`` when stopped."""
    # The kernel may count a few tests more, by rounding.
    places = tests + len(cost) + 64
    table = np.full(1 << (2 * places).bit_length(), -1, dtype=np.int32)
    new_value, new_total = np.empty(places), np.empty((places, len(quantum)))
    parent, column = np.empty(places, dtype=np.int64), np.empty(places, dtype=np.int64)
    key = np.empty((places, len(quantum)), dtype=np.int64)
    count, start = 0, 0
    while start < len(value):
        stop = min(len(value), start + CHUNK)
        start, count = expand(
            value, total, start, stop, cost, load, prices, offset, room, limit, quantum,
            new_value, new_total, parent, column, key, table, count,
        )  # fmt: skip
        if start < stop or stopped():
            return None
    return new_value[:count], new_total[:count], parent[:count].copy(), column[:count].copy()


def _arrange(
    problem: ChoiceProblem, price: Floats, limit: float
) -> tuple[Integers, Integers, Integers] | None:
    """Groups by ascending number of useful columns, and those columns by ascending reduced cost.

    Returns the groups in order, int64 [K], the column numbers and their starts [K+1]; ``None`` if
    some group has no column whose reduced cost fits the limit.
    """
    reduced = problem.reduced_costs(price)
    kept = np.flatnonzero(reduced <= limit - problem.dual(price)[0])
    counts = np.bincount(problem.owner[kept], minlength=problem.groups)
    if counts.min() == 0:
        return None
    order = np.argsort(counts, kind="stable")
    kept = kept[np.lexsort((reduced[kept], np.argsort(order)[problem.owner[kept]]))]
    return order, kept, np.concatenate(([0], np.cumsum(counts[order])))


def _rooms(problem: ChoiceProblem, starts: Integers, load: Floats) -> Floats:
    """Largest loads after the first k groups that the others can complete, [K+1, R]."""
    ceiling = np.where(problem.kind == CAPACITY, problem.size * (1.0 + RELATIVE_SLACK), np.inf)
    ceiling[problem.kind == SHARING] = 1.0
    least = np.minimum.reduceat(load, starts[:-1], axis=0)
    later = np.zeros((problem.groups + 1, problem.resources))
    later[:-1] = np.cumsum(least[::-1], axis=0)[::-1]
    # The partial sums are rounded; that must not make a completion at the ceiling look impossible.
    return np.asarray(ceiling * (1.0 + 1e-12) - later)


def _quantum(problem: ChoiceProblem, price: Floats, scale: float) -> Floats:
    """Largest grid [R] on which merging loads shifts no value by more than 1e-11 of ``scale``."""
    weight = problem.groups * problem.resources * np.maximum(price, 1e-300)
    largest = problem.load.max(axis=0) + problem.base
    most = np.where(problem.kind == CAPACITY, 1e-13 * problem.size, 1e-12 * largest)
    grid = np.minimum(1e-11 * scale / weight, most)
    return np.asarray(np.maximum(grid, 1e-15 * largest + 1e-300))


def _first_prices(problem: ChoiceProblem, price: Floats, budget: float) -> Floats:
    """The price, then it with one capacity made steeply dear, [J, R]."""
    # A steep price on one capacity finds partial choices that can no longer keep it.
    largest = problem.load.max(axis=0)
    steep = np.flatnonzero((problem.kind == CAPACITY) & (largest > 1e-9 * problem.size))
    rise = 1e3 * budget / largest[steep]
    return np.vstack((price, price + np.eye(problem.resources)[steep] * rise[:, None]))
