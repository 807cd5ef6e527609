"""Exact method for one shared backhaul: a knapsack for each number of devices behind it.

Suppose that v devices are behind the backhaul. Then uploads have known times, every twin gains or
loses by moving behind it, and which twins do is a knapsack with room for v devices. Taking fewer
than v only makes uploads faster than supposed, so the best of all levels v is the optimum. Levels
are searched best first, as intervals: gains of the lowest level with the room of the highest bound
all between, and only single levels need an exact knapsack.
"""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.backhaul_kernels import fill, knapsack
from formulations.dt_assignment.exact.pairs import begin, others
from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def applies(instance: TwinAssignment) -> str | None:
    """None where one server has a backhaul and nothing else couples twins."""
    reason = others(instance, "backhaul", "deadlines")
    if reason is not None:
        return reason
    shared = np.count_nonzero(instance.tables.backhaul_s_per_bit)
    return None if shared == 1 else f"{shared} servers have a backhaul limit, not one"


def backhaul(instance: TwinAssignment, run: Run) -> None:
    """Split intervals of levels until no bound is below the best decision."""
    if begin(instance, run) is None:
        return
    levels = _Levels(instance)
    run.built()
    best = math.inf
    everything = (0, int(levels.devices.sum()))
    queue = [(levels.bound(*everything).bound, *everything)]
    for _ in run.steps():
        bound, low, high = heapq.heappop(queue)
        if bound >= best:  # of all that is left, infinite where no twin order can be
            queue.clear()
            break
        relaxed = levels.bound(low, high)
        behind = levels.chosen(relaxed, best) if low == high else relaxed.behind
        decision, value = levels.judge(behind)
        if value < best:
            best = value
            run.found(decision)
        if low < high:
            middle = (low + high) // 2
            for part in ((low, middle), (middle + 1, high)):
                heapq.heappush(queue, (max(bound, levels.bound(*part).bound), *part))
        least = min(best, queue[0][0] if queue else math.inf)
        if math.isfinite(least):
            run.bound(least)
        if not queue:
            break
    if not queue and math.isinf(best):
        run.infeasible()


class _Relaxed(NamedTuple):
    """Bound of an interval of levels, and the knapsack that it comes from."""

    bound: float
    behind: Mask
    gain: Floats
    price: float
    room: int


class _Levels:
    """Costs of twins behind the backhaul at any level, and of the best server elsewhere."""

    def __init__(self, instance: TwinAssignment) -> None:
        t = instance.tables
        self.server = s = int(np.argmax(t.backhaul_s_per_bit))
        elsewhere = instance.open_cost
        elsewhere[:, s] = np.inf
        self.other = elsewhere.argmin(axis=1)
        least = elsewhere.min(axis=1)
        self.forced = np.isinf(least)
        self.elsewhere = np.where(self.forced, 0.0, least)
        self.devices = t.devices
        self.open = instance.open[:, s]
        self.cost = t.cost[:, s]
        self.transfer_s, self.compute_s = t.transfer_s[:, s], t.compute_s[:, s]
        self.shared_s = t.backhaul_s_per_bit[s] * t.largest_input_bits
        self.latest_s = t.latest_s
        self.delay_cost = t.delay_factor * t.weight

    def costs(self, level: int) -> Floats:
        """Cost [M] behind the backhaul with so many devices; infinite where a twin may not."""
        upload = np.maximum(self.transfer_s, level * self.shared_s)
        cost = self.cost + self.delay_cost * (upload - self.transfer_s)
        return np.where(self.open & (upload + self.compute_s <= self.latest_s), cost, np.inf)

    def bound(self, low: int, high: int) -> _Relaxed:
        """A bound on every decision with low to high devices behind the backhaul."""
        cost = self.costs(low)
        room = high - int(self.devices[self.forced].sum())
        gain = np.where(self.forced, 0.0, self.elsewhere - cost)
        if room < 0 or np.isinf(cost[self.forced]).any():
            return _Relaxed(math.inf, self.forced, gain, 0.0, room)
        order = np.argsort(-gain / self.devices, kind="stable")
        gained, price, taken = fill(gain, self.devices, order, room)
        base = cost[self.forced].sum() + self.elsewhere.sum()
        return _Relaxed(float(base) - gained, self.forced | taken, gain, price, room)

    def chosen(self, relaxed: _Relaxed, best: float) -> Mask:
        """Who is behind the backhaul in the best decision of a level, if one is below `best`.

        A twin whose change of place costs more than the distance of the bound from `best` stays
        where the relaxed knapsack has it.
        """
        if math.isinf(relaxed.bound):
            return relaxed.behind
        extra = relaxed.gain - relaxed.price * self.devices  # of taking a twin, at the price
        far = relaxed.bound + np.abs(extra) > best
        useful = (relaxed.gain > 0) & (self.devices <= relaxed.room) & ~self.forced
        settled = useful & far & (extra > 0)
        free = np.flatnonzero(useful & ~far)
        room = relaxed.room - int(self.devices[settled].sum())
        behind: Mask = self.forced | settled
        if room >= 0:
            behind[free[knapsack(relaxed.gain[free], self.devices[free], room)]] = True
        return behind

    def judge(self, behind: Mask) -> tuple[Ints, float]:
        """The decision with these twins behind the backhaul, and its cost."""
        cost = self.costs(int(self.devices[behind].sum()))
        decision = np.where(behind, self.server, self.other)
        return decision, float(np.where(behind, cost, self.elsewhere).sum())
