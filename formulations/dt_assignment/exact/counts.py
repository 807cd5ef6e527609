"""Exact method for equal time shares on few servers: all ways to split the number of twins.

Once it is known how many twins each server hosts, equal shares make the cost a sum over twins
(the computing time of each is multiplied by that number), deadlines delete pairs, and what is
left is an assignment. There are binom(M + S - 1, S - 1) ways; prices of the places bound them,
and few of them need their assignment.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from formulations.dt_assignment.exact.pairs import (
    begin,
    equal_weights,
    most_twins,
    others,
)
from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: More ways would take minutes.
_LARGEST_WAYS = 300_000
#: Ways whose bounds are computed at once.
_CHUNK = 1_024
#: Steps of the prices, and by what their length falls.
_STEPS = 12
_FALL = 0.8
#: Assignments solved before the prices are used, for a good incumbent.
_FIRST = 8


def applies(instance: TwinAssignment) -> str | None:
    """None where the number of twins on a server is all that its twins feel of each other."""
    reason = others(instance, "sharing", "limits", "deadlines")
    if reason is not None:
        return reason
    same = instance.cpu_sharing == "proportional" and equal_weights(instance)
    if same and "deadlines" in instance.couplings:
        return "deadlines depend on the work of the other twins"
    if instance.cpu_sharing != "equal" and not same:
        return f"cpu_sharing is {instance.cpu_sharing}, not equal"
    if most_twins(instance) is None:
        return "limits are about more than the number of twins"
    twins, servers = instance.open.shape
    ways = math.comb(twins + servers - 1, servers - 1)
    if ways > _LARGEST_WAYS:
        return f"{ways:,} ways to split the twins among the servers, at most {_LARGEST_WAYS:,}"
    return None


def counts(instance: TwinAssignment, run: Run) -> None:
    """Bound every way, then solve the assignments of those that could be best."""
    if begin(instance, run) is None:
        return
    most = most_twins(instance)
    assert most is not None
    search = _Search(instance, most)
    run.built()
    search.bound_ways(run, steps=0)
    search.solve_ways(run, _FIRST)
    search.bound_ways(run, steps=_STEPS)
    search.solve_ways(run, len(search.ways))
    if search.best_value == math.inf and not len(search.ways):
        run.infeasible()


class _Search:
    """The ways that are open, and the best decision so far.

    Attributes
    ----------
    cost : [M, S, K] cost of a twin on a server that hosts 1..K twins; infinite where it may not.
    ways : [W, S] numbers of twins on the servers.
    bounds : [W] of the cost of a decision with these numbers.
    best_value : the least cost so far.
    """

    def __init__(self, instance: TwinAssignment, most: Ints) -> None:
        t = instance.tables
        twins = len(instance.open)
        count = np.arange(1, most.max() + 1)
        work = t.delay_factor * t.weight[:, None] * t.compute_s
        cost = t.cost[:, :, None] + work[:, :, None] * (count - 1)
        latency = t.transfer_s[:, :, None] + t.compute_s[:, :, None] * count
        late = latency > t.latest_s[:, None, None]
        full = (count > most[:, None])[None]
        self.cost = np.where(instance.open[:, :, None] & ~late & ~full, cost, np.inf)
        self.ways = _splits(twins, most)
        self.bounds = np.full(len(self.ways), -np.inf)
        self.best_value = math.inf

    def _costs(self, ways: Ints) -> Floats:
        """Cost [W, M, S] of pairs; infinite on servers without twins."""
        server = np.arange(ways.shape[1])
        cost = self.cost[:, server, np.maximum(ways, 1) - 1]  # [M, W, S]
        return np.where(ways[:, None, :] > 0, np.moveaxis(cost, 0, 1), np.inf)

    def bound_ways(self, run: Run, steps: int) -> None:
        """Raise the bounds by prices of places, and forget ways that cannot be best."""
        for start in range(0, len(self.ways), _CHUNK):
            if run.stopped():
                return
            some = slice(start, start + _CHUNK)
            self.bounds[some] = np.maximum(self.bounds[some], self._priced(self.ways[some], steps))
        kept = np.flatnonzero(self.bounds < self.best_value)
        order = kept[np.argsort(self.bounds[kept], kind="stable")]
        self.ways, self.bounds = self.ways[order], self.bounds[order]
        self._report(run)

    def _priced(self, ways: Ints, steps: int) -> Floats:
        """Bounds [W]: each twin takes its cheapest server, prices included."""
        cost = self._costs(ways)
        price = np.zeros(ways.shape)
        best = np.full(len(ways), -np.inf)
        share = 1.0
        for step in range(steps + 1):
            priced = cost + price[:, None, :]
            chosen = priced.argmin(axis=2)
            value = np.take_along_axis(priced, chosen[:, :, None], axis=2)[:, :, 0].sum(axis=1)
            value -= (price * ways).sum(axis=1)
            best = np.maximum(best, value)
            if step == steps or not np.isfinite(self.best_value):
                break
            hosted = (chosen[:, :, None] == np.arange(ways.shape[1])).sum(axis=1)
            excess = hosted - ways
            length = share * (self.best_value - value) / np.maximum((excess**2).sum(axis=1), 1)
            open_way = np.isfinite(length)
            price[open_way] += (np.maximum(length, 0.0)[:, None] * excess)[open_way]
            share *= _FALL
        return best

    def solve_ways(self, run: Run, count: int) -> None:
        """Solve the assignments of the first ways, as long as they could be best."""
        solved = 0
        for way in run.steps(self.ways[:count]):
            if self.bounds[solved] >= self.best_value:
                solved = len(self.ways)
                break
            self._solve(run, way)
            solved += 1
        self.ways, self.bounds = self.ways[solved:], self.bounds[solved:]
        self._report(run)

    def _solve(self, run: Run, way: Ints) -> None:
        server = np.repeat(np.arange(len(way)), way)
        matrix = self._costs(way[None])[0][:, server]
        try:
            row, column = linear_sum_assignment(matrix)
        except ValueError:  # no twin for some place
            return
        value = float(matrix[row, column].sum())
        if value < self.best_value:
            self.best_value = value
            run.found(server[column])

    def _report(self, run: Run) -> None:
        least = float(self.bounds.min()) if len(self.bounds) else math.inf
        if min(least, self.best_value) < math.inf:
            run.bound(min(least, self.best_value))


def _splits(total: int, most: Ints) -> Ints:
    """All vectors [W, S] of whole numbers from 0 to most [S] with that sum."""
    splits = np.zeros((1, 0), dtype=np.int64)
    for s in range(len(most)):
        left = total - splits.sum(axis=1)
        behind = int(most[s + 1 :].sum())
        least, largest = np.maximum(left - behind, 0), np.minimum(left, most[s])
        options = np.maximum(largest - least + 1, 0)
        row = np.repeat(np.arange(len(splits)), options)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(options) - options, options)
        splits = np.column_stack([splits[row], least[row] + offset])
    return splits
