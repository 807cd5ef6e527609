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

from optkit.exact.choice_kernels import CAPACITY, LINEAR, RELATIVE_SLACK, SHARING
from optkit.exact.choice_problem import ChoiceProblem, Floats, Integers
from optkit.exact.choice_search_kernels import completion_bounds, expand, finish, probe

MOST_STATES = 1 << 18
"""Partial choices of one layer; about 100 bytes each."""

CHUNK = 100_000
"""Extensions between two polls (about 10 ms)."""

MANY = 3_000
"""Extensions of a layer from which fresh prices repay their cost."""


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
) -> Enumeration:
    """Best choice of value <= ``limit``, or the proof that there is none.

    Parameters
    ----------
    price : [R], near the maximiser of the dual function.
    scale : magnitude of the objective, for the rounding of equal loads.
    work : most extensions of partial choices.
    """
    prices = _neighbours(problem, price, limit)
    priced = problem.cost[:, None] + problem.load @ prices.T
    least = np.minimum.reduceat(priced, problem.starts[:-1], axis=0)
    tail = completion_bounds(
        np.zeros(1, dtype=np.int64), *problem.columns[1:], *problem.costs[:3], prices
    )
    bounds = least.sum(axis=0) + tail + prices @ problem.base
    above = priced - np.repeat(least, problem.sizes, axis=0) + bounds
    kept = np.flatnonzero(above.max(axis=1) <= limit)
    counts = np.bincount(problem.owner[kept], minlength=problem.groups)
    if counts.min() == 0:
        return Enumeration(True, None, np.inf, 0)
    order = np.argsort(counts, kind="stable")
    kept = kept[np.argsort(np.argsort(order)[problem.owner[kept]], kind="stable")]
    starts = np.concatenate(([0], np.cumsum(counts[order])))
    cost, load = problem.cost[kept], problem.load[kept]
    offsets = tail + np.concatenate(
        (np.cumsum(least[order][::-1], axis=0)[::-1], np.zeros((1, len(prices))))
    )
    ceiling = np.where(problem.kind == CAPACITY, problem.size * (1.0 + RELATIVE_SLACK), np.inf)
    ceiling[problem.kind == SHARING] = 1.0
    smallest = np.minimum.reduceat(load, starts[:-1], axis=0)
    rooms = ceiling - np.concatenate(
        (np.cumsum(smallest[::-1], axis=0)[::-1], np.zeros((1, problem.resources)))
    )
    # Rounding the partial sums must not make a completion at the ceiling look impossible.
    rooms += 1e-12 * np.where(np.isfinite(ceiling), np.abs(ceiling), 0.0)
    quantum = _quantum(problem, price, scale)
    value, total = np.zeros(1), problem.base[None, :].copy()
    history: list[tuple[Integers, Integers]] = []
    fresh = np.empty((0, problem.resources))
    done = 0
    for i in range(problem.groups):
        first, last = starts[i], starts[i + 1]
        extensions = len(value) * int(last - first)
        if done + extensions > work:
            return Enumeration(False, None, np.inf, done)
        done += extensions
        if extensions > MANY and i + 2 < problem.groups:
            count = min(24, 4 + extensions // 10_000)
            sample = np.linspace(0, len(value) - 1, count).astype(np.int64)
            newer = probe(
                starts[i:], cost, load, *problem.costs[:3], total[sample], price, (limit - bounds[0]) / 10
            )
            fresh = np.concatenate((fresh[-8:], newer))
        if len(fresh):
            test = np.concatenate((prices, fresh))
            extra = completion_bounds(starts[i + 1 :], cost, load, *problem.costs[:3], fresh)
            offset = np.concatenate((offsets[i + 1], extra))
        else:
            test, offset = prices, offsets[i + 1]
        room = min(extensions, MOST_STATES + int(last - first))
        table = np.full(1 << int(2 * room).bit_length(), -1, dtype=np.int32)
        new_value, new_total = np.empty(room), np.empty((room, problem.resources))
        parent, column = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
        key = np.empty((room, problem.resources), dtype=np.int64)
        count, start = 0, 0
        step = max(1, CHUNK // int(last - first))
        while start < len(value):
            stop = min(len(value), start + step)
            start, count, _ = expand(
                value, total, start, stop, cost[first:last], load[first:last], test, offset,
                rooms[i + 1], limit, quantum, new_value, new_total, parent, column, key, table, count,
            )  # fmt: skip
            if start < stop or stopped():
                return Enumeration(False, None, np.inf, done)
        value, total = new_value[:count].copy(), new_total[:count].copy()
        history.append((parent[:count].copy(), kept[first + column[:count]]))
        if count == 0:
            return Enumeration(True, None, np.inf, done)
    best, where = finish(value, total, *problem.costs[:3])
    if best > limit:
        return Enumeration(True, None, np.inf, done)
    choice = np.empty(problem.groups, dtype=np.int64)
    for i in range(problem.groups - 1, -1, -1):
        parents, columns = history[i]
        choice[order[i]] = columns[where]
        where = parents[where]
    return Enumeration(True, choice, float(best), done)


def _quantum(problem: ChoiceProblem, price: Floats, scale: float) -> Floats:
    """Largest grid [R] on which merging loads shifts no value by more than 1e-11 of ``scale``."""
    weight = problem.groups * problem.resources * np.maximum(price, 1e-300)
    largest = problem.load.max(axis=0) + problem.base
    most = np.where(problem.kind == CAPACITY, 1e-13 * problem.size, 1e-12 * largest)
    return np.maximum(np.minimum(1e-11 * scale / weight, most), 1e-15 * largest + 1e-300)


def _neighbours(problem: ChoiceProblem, price: Floats, limit: float) -> Floats:
    """The price and prices around it, as far away as loads within the budget are, [J, R]."""
    budget = max(limit - problem.dual(price)[0], 1e-12)
    distance = np.empty(problem.resources)
    for r, code in enumerate(problem.kind):
        size, slope = problem.size[r], problem.slope[r]
        if code == SHARING:
            curvature = 2.0 * size * (max(price[r], size) / size) ** 1.5
        elif code == LINEAR:
            curvature = 2.0 * slope * size
        else:
            curvature = 0.1 * price[r] ** 2 / budget
        distance[r] = np.sqrt(2.0 * budget * curvature)
    rows = [price]
    identity = np.diag(distance)
    for part in (0.5, 1.0, 1.6):
        rows += list(price + part * identity) + list(price - part * identity)
    if problem.resources <= 6:
        rows += [price + 0.7 * (a - b) for a in identity for b in identity if a is not b]
    # A steep price on one capacity finds partial choices that can no longer keep it.
    steep = 1e3 * budget / np.maximum(problem.load.max(axis=0), 1e-300)
    rows += [price + np.eye(problem.resources)[r] * steep[r]
             for r in np.flatnonzero(problem.kind == CAPACITY)]
    return np.maximum(np.array(rows), 0.0)
