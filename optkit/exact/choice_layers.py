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

MOST_STATES = 1 << 18
"""Partial choices of one layer; about 100 bytes each."""

CHUNK = 100_000
"""Extensions between two polls (about 10 ms)."""

SAMPLE = 12
INTERVAL = 3
PROBED = 6
MANY = 300
"""Partial choices of a layer from which fresh prices repay their cost."""


@dataclass(frozen=True)
class Enumeration:
    """Outcome of `enumerate_within`.

    complete : every choice of value <= limit was covered; else room, work or time ran out.
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
    beam: int | None = None,
) -> Enumeration:
    """Best choice of value <= ``limit``, or the proof that there is none.

    Parameters
    ----------
    price : [R], near the maximiser of the dual function.
    scale : magnitude of the objective, for the rounding of equal loads.
    work : most extensions of partial choices.
    beam : keep only so many partial choices per layer, those of least bound: a heuristic, whose
        result is never complete once it has dropped one.
    """
    arranged = _arrange(problem, price, limit)
    if arranged is None:
        return Enumeration(True, None, np.inf, 0)
    order, kept, starts = arranged
    cost, load = problem.cost[kept], problem.load[kept]
    budget = min(limit - problem.dual(price)[0], scale)
    own = prices = _first_prices(problem, price, budget)
    offsets = completion_bounds(starts, cost, load, *problem.costs[:3], 0, prices)
    some, places = cheapest(starts, cost, load, price, PROBED)
    rooms = _rooms(problem, starts, load)
    quantum = _quantum(problem, price, scale)
    value, total = np.zeros(1), problem.base[None, :].copy()
    history: list[tuple[Integers, Integers]] = []
    done, renewed, size = 0, 0, 0
    complete = True
    for i in range(problem.groups):
        first, last = starts[i], starts[i + 1]
        if len(value) > MANY and i + 2 < problem.groups and (
            i >= renewed + INTERVAL or len(value) > 2 * size
        ):
            renewed, size = i, len(value)
            sample = np.linspace(0, len(value) - 1, SAMPLE).astype(np.int64)
            fresh = probe(
                places[i:], cost[some], load[some], *problem.costs[:3], total[sample], price, 0.1 * budget
            )
            fresh = np.concatenate((prices[-SAMPLE:], fresh)) if len(prices) > len(own) else fresh
            prices = np.concatenate((own, fresh))
            extra = completion_bounds(starts, cost, load, *problem.costs[:3], i + 1, fresh)
            offsets = np.concatenate((offsets[:, : len(own)], extra), axis=1)
        room = min(len(value) * int(last - first), MOST_STATES + int(last - first))
        table = np.full(1 << int(2 * room).bit_length(), -1, dtype=np.int32)
        new_value, new_total = np.empty(room), np.empty((room, problem.resources))
        parent, column = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
        key = np.empty((room, problem.resources), dtype=np.int64)
        count, start = 0, 0
        while start < len(value):
            stop = min(len(value), start + CHUNK)
            start, count, tested = expand(
                value, total, start, stop, cost[first:last], load[first:last], prices, offsets[i + 1],
                rooms[i + 1], limit, quantum, new_value, new_total, parent, column, key, table, count,
            )  # fmt: skip
            done += tested
            if start < stop or done > work or stopped():
                return Enumeration(False, None, np.inf, done)
        if beam is not None and count > beam:
            bound = new_total[:count] @ prices.T + offsets[i + 1]
            chosen = np.argpartition(new_value[:count] + bound.max(axis=1), beam)[:beam]
            complete = False
        else:
            chosen = np.arange(count)
        value, total = new_value[chosen], new_total[chosen]
        history.append((parent[chosen], kept[first + column[chosen]]))
        if len(chosen) == 0:
            return Enumeration(complete, None, np.inf, done)
    best, where = finish(value, total, *problem.costs[:3])
    if best > limit:
        return Enumeration(complete, None, np.inf, done)
    choice = np.empty(problem.groups, dtype=np.int64)
    for i in range(problem.groups - 1, -1, -1):
        parents, columns = history[i]
        choice[order[i]] = columns[where]
        where = parents[where]
    return Enumeration(complete, choice, float(best), done)


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
    return np.maximum(np.minimum(1e-11 * scale / weight, most), 1e-15 * largest + 1e-300)


def _first_prices(problem: ChoiceProblem, price: Floats, budget: float) -> Floats:
    """The price, then it with one capacity made steeply dear, [J, R]."""
    # A steep price on one capacity finds partial choices that can no longer keep it.
    largest = problem.load.max(axis=0)
    steep = np.flatnonzero((problem.kind == CAPACITY) & (largest > 1e-9 * problem.size))
    return np.vstack((price, price + np.eye(problem.resources)[steep] * (1e3 * budget / largest[steep])[:, None]))
