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

from formulations.dt_assignment.exact.pairs import (
    assigned,
    begin,
    equal_weights,
    most_twins,
    others,
)
from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: More ways would take minutes; a table of ways by servers of this size takes 80 MB, and so does
#: the matrix of one assignment.
_LARGEST_WAYS, _LARGEST_TABLE = 300_000, 10_000_000
#: Ways whose bounds are computed at once, and costs of pairs in them at most.
_CHUNK, _CHUNK_COSTS = 1_024, 5_000_000
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
    ways = _count_ways(twins, servers)
    if ways > _LARGEST_WAYS:
        return f"more than {_LARGEST_WAYS:,} ways to split the twins among the servers"
    if max(ways * servers, twins * twins) > _LARGEST_TABLE:
        return "too many twins or servers for a table of ways and the matrix of an assignment"
    return None


def _count_ways(twins: int, servers: int) -> int:
    """binom(M + S - 1, S - 1), or some number above the largest."""
    ways = 1
    for k in range(1, min(servers - 1, twins) + 1):
        ways = ways * (twins + servers - k) // k
        if ways > _LARGEST_WAYS:
            break
    return ways


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
    cost, work : [M, S] cost of a twin alone on a server, infinite where it may not be, and what
        each further twin there adds to it.
    ways : [W, S] numbers of twins on the servers.
    bounds : [W] of the cost of a decision with these numbers.
    best_value : the least cost so far.
    """

    def __init__(self, instance: TwinAssignment, most: Ints) -> None:
        t = instance.tables
        self._tables = t
        self._timed = bool(np.isfinite(t.latest_s).any())
        self.cost = instance.open_cost
        self.work = t.delay_factor * t.weight[:, None] * t.compute_s
        self.ways = _splits(len(instance.open), most)
        self._chunk = max(1, min(_CHUNK, _CHUNK_COSTS // self.cost.size))
        self.bounds = np.full(len(self.ways), -np.inf)
        self.best_value = math.inf

    def _costs(self, ways: Ints) -> Floats:
        """Cost [W, M, S] of pairs; infinite on servers without twins."""
        count = ways[:, None, :]
        cost = self.cost + self.work * (count - 1)
        if self._timed:
            t = self._tables
            late = t.transfer_s + t.compute_s * count > t.latest_s[:, None]
            cost[late] = np.inf
        return np.where(count > 0, cost, np.inf)

    def bound_ways(self, run: Run, steps: int) -> None:
        """Raise the bounds by prices of places, and forget ways that cannot be best."""
        for start in range(0, len(self.ways), self._chunk):
            if run.stopped():
                return
            some = slice(start, start + self._chunk)
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
        column = assigned(matrix, run)
        if column is None:  # no twin for some place
            return
        value = float(matrix[np.arange(len(matrix)), column].sum())
        if value < self.best_value:
            self.best_value = value
            run.found(server[column])

    def _report(self, run: Run) -> None:
        least = float(self.bounds.min()) if len(self.bounds) else math.inf
        if min(least, self.best_value) < math.inf:
            run.bound(min(least, self.best_value))


def _splits(total: int, most: Ints) -> Ints:
    """All vectors [W, S] of whole numbers from 0 to most [S] with that sum."""
    left = np.array([total])
    behind = np.cumsum(most[::-1])[::-1] - most
    rows, values = [], []
    for s in range(len(most)):
        least, largest = np.maximum(left - behind[s], 0), np.minimum(left, most[s])
        options = np.maximum(largest - least + 1, 0)
        row = np.repeat(np.arange(len(left)), options)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(options) - options, options)
        value = least[row] + offset
        left = left[row] - value
        rows.append(row)
        values.append(value)
    splits = np.empty((len(left), len(most)), dtype=np.int64)
    row = np.arange(len(left))
    for s in range(len(most) - 1, -1, -1):
        splits[:, s] = values[s][row]
        row = rows[s][row]
    return splits
