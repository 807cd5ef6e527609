"""Greedy placement and local search with kicks (ours)."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment import placement_kernels, search_kernels
from formulations.dt_assignment.baselines import cheapest
from formulations.dt_assignment.groups import Groups
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.placement_kernels import Placement
from optkit.kernels import now_s
from optkit.run import Run
from optkit.search.batches import at_least

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Servers between which a twin is moved: those where it adds least.
_NEAR = 12
#: Kicks in one call of the compiled search, for one twin: some hundredths of a second.
_CALL_KICKS = 30_000
#: Moves tried in one descent, about; moves made for each twin in one at most.
_CALL_TRIED, _MOVES = 3e7, 4
#: How much longer a try takes where latencies depend on the group.
_STRAIN = 8.0
#: Servers whose best move is looked for after one kick, about.
_KICK_SERVERS = 10
#: Accepted worsening at the start, in parts of the typical loss of a twin; it falls to 0. With
#: shared processors, and without.
_HEAT_SHARED, _HEAT = 0.4, 0.04
#: Price of a relative excess in a plain descent, in parts of the typical loss of a twin.
_DEAR = 1e3
#: Least typical loss, in parts of the typical cost: what is smaller is lost in rounding.
_ROUNDING = 1e-9


def greedy(instance: TwinAssignment, run: Run) -> None:
    """Place the heaviest or most urgent twins first, each where it adds least within the limits.

    The order is by decreasing W_m p_m, the least over the servers that are open to the twin.
    With measured costs no twin is heavier: those come first for which the second cheapest server
    costs most beyond the cheapest. A twin for which every server would break something goes where
    the least is broken.
    """
    if not instance.open.any(axis=1).all():
        run.found(cheapest(instance))
        return
    run.built()
    run.found(filled(instance, Groups.of(instance)))


def local_search(
    instance: TwinAssignment, run: Run, *, kicks: int = 30_000, near: int = _NEAR
) -> None:
    """Shifts and swaps of twins, from the better of greedy and each twin's cheapest server.

    After every kick (a few twins move at random, each next one from where the last one went) the
    servers that changed are searched for their best moves until none gains; what is worse is
    undone, with a probability that rises to 1. Broken limits and deadlines have a price.

    Parameters
    ----------
    kicks : how many; 0 for a plain descent.
    near : servers between which a twin is moved, those where it adds least.
    """
    at_least(0, kicks=kicks)
    at_least(1, near=near)
    if not instance.open.any(axis=1).all():
        run.found(cheapest(instance))
        return
    run.built()
    groups = Groups.of(instance)
    starts = [filled(instance, groups), cheapest(instance)]
    if run.warm_start is not None:
        starts.append(run.warm_start[0])
    for x in starts:
        run.found(x)
    # By how much limits are exceeded, not how many are: else the cheapest start wins everywhere.
    begin = min(starts, key=lambda x: _value(_placed(groups, x)))
    Search(instance, groups, begin, run, near=near).improve(kicks=kicks)


def _placed(groups: Groups, x: Ints) -> Placement:
    """The placement of x, closed pairs replaced by the twin's cheapest open one."""
    servers, twins = groups.base.shape
    closed = ~np.isfinite(groups.base[x, np.arange(twins)])
    placement = Placement.empty(len(groups.room), servers, twins)
    placement_kernels.load(groups, placement, np.where(closed, groups.base.argmin(axis=0), x))
    return placement


def _value(placement: Placement) -> tuple[float, float]:
    """Relative excess over limits and deadlines (0: feasible), and cost."""
    return float(placement.excess.sum()), float(placement.cost.sum())


def filled(instance: TwinAssignment, groups: Groups) -> Ints:
    """The greedy placement; every twin must have an open server."""
    tables = instance.tables
    work = (tables.weight[:, None] * tables.compute_s).T
    if instance.measured_cost:
        two = np.sort(groups.base, axis=0)[:2]
        urgency = two[-1] - two[0]
    else:
        urgency = np.where(np.isfinite(groups.base), work, np.inf).min(axis=0)
    placement = Placement.empty(len(groups.room), instance.servers, instance.twins)
    placement_kernels.fill(groups, placement, np.argsort(-urgency, kind="stable"))
    return placement.server


@dataclass
class Improvement:
    """Best placement so far: relative excess over limits and deadlines (0: feasible), cost."""

    x: Ints
    excess: float
    cost: float


class Search:
    """Local search with kicks that can be taken up again.

    Parameters
    ----------
    instance, groups : what is solved.
    x : [M] where to begin; closed pairs are replaced by the twin's cheapest open one.
    run : its random numbers and its limits; every better placement goes to it.
    near : how many servers a twin is moved between.
    rank : [S, M] smaller is nearer, infinite where a twin must not go; by default what the twin
        would add to the servers as they are in x.
    """

    def __init__(
        self,
        instance: TwinAssignment,
        groups: Groups,
        x: Ints,
        run: Run,
        *,
        near: int = _NEAR,
        rank: Floats | None = None,
    ) -> None:
        self._groups, self._run = groups, run
        self._placement = _placed(groups, x)
        if rank is None:
            rank = np.empty_like(groups.base)
            placement_kernels.joining_all(groups, self._placement, rank)
        self._set_near(rank, min(near, instance.servers))
        self.best = Improvement(self._placement.server.copy(), *_value(self._placement))
        self._price = self._unit = self._typical_loss()
        self._state = run.rng.integers(1, 2**63, size=1, dtype=np.uint64)
        # A move is the best of so many; no call of the compiled search should last long.
        size = instance.twins / instance.servers
        tried = size * self._near.shape[1] * (2.0 + min(size, 64.0))
        if groups.ordered or groups.strained:  # a try looks at the whole group
            tried *= size * (_STRAIN if groups.strained else 1.0)
        self._moves = int(np.clip(_CALL_TRIED / tried, 2, _MOVES * instance.twins))
        kicks = min(_CALL_KICKS / instance.twins, _CALL_TRIED / (_KICK_SERVERS * tried))
        self._batch = max(1, int(kicks))

    def _typical_loss(self) -> float:
        """What a twin costs beyond its cheapest server on one that is near, and to its company.

        A constant that is added to all costs of a twin changes nothing.
        """
        base, placement = self._groups.base, self._placement
        twins = np.arange(len(placement.server))
        least = base.min(axis=0)
        costs = np.where(self._near >= 0, base[self._near, twins[:, None]], np.nan)
        further = float(np.nanmean(costs - least[:, None]))
        company = float(placement.cost.sum() - base[placement.server, twins].sum()) / len(twins)
        loss = further + max(company, 0.0)
        return max(loss, _ROUNDING * float(np.abs(least).mean())) or 1.0

    def _set_near(self, rank: Floats, count: int) -> None:
        order = np.argsort(rank, axis=0, kind="stable")[:count]
        known = np.isfinite(np.take_along_axis(rank, order, axis=0))
        self._near = np.ascontiguousarray(np.where(known, order, -1).T)
        server = self._near.ravel()
        twin = np.repeat(np.arange(len(self._near)), count)[server >= 0]
        server = server[server >= 0]
        self._guests = twin[np.argsort(server, kind="stable")]
        self._first_guest = np.zeros(rank.shape[0] + 1, dtype=np.int64)
        np.cumsum(np.bincount(server, minlength=rank.shape[0]), out=self._first_guest[1:])

    def restart(self, x: Ints) -> None:
        """Go on from another placement, whose pairs are all open."""
        old = self._placement
        self._placement = Placement.empty(len(old.use), len(old.head), len(old.server))
        placement_kernels.load(self._groups, self._placement, x)

    def improve(
        self, *, kicks: int, time_s: float = math.inf, heat: float | None = None
    ) -> Improvement:
        """Descend, then kick and descend.

        Parameters
        ----------
        kicks, time_s : whichever ends first.
        heat : accepted worsening at the start, in parts of the typical loss of a twin.
        """
        if heat is None:
            heat = _HEAT_SHARED if self._groups.slope.any() else _HEAT
        run = self._run
        begin, done, quiet, settled = now_s(), 0, 0, False
        best_value = np.array([self.best.excess, self.best.cost])
        best = self.best.x.copy()
        while True:
            spent = (now_s() - begin) / time_s
            left = max(0.0, 1.0 - max(spent, done / kicks if kicks else 1.0))
            count = 0
            if settled:
                count = min(self._batch, kicks - done, _steps_left(run, quiet))
            before, value = best_value.copy(), _value(self._placement)
            price = search_kernels.kicked(
                self._groups, self._placement, self._near, self._guests, self._first_guest,
                best, best_value, (count, self._moves),
                self._price if settled else _DEAR * self._unit, left * heat * self._unit,
                self._unit, self._state,
            )  # fmt: skip
            if settled:
                self._price = price
            quiet += count
            if (best_value != before).any():
                quiet = count
                self.best = Improvement(best.copy(), float(best_value[0]), float(best_value[1]))
                run.found(best)
            settled = (
                settled or self._moves >= _MOVES * len(best) or _value(self._placement) == value
            )
            done += count
            run.iterations += count
            late = now_s() - begin >= time_s
            if (settled and done >= kicks) or late or run.stopped():
                return self.best


def _steps_left(run: Run, quiet: int) -> int:
    """Steps to the run's limits on all of them and on those without an improvement."""
    stop = run.stop
    total = math.inf if stop.iterations is None else stop.iterations - run.iterations
    stalled = math.inf if stop.stall is None else stop.stall - quiet
    left = min(total, stalled)
    return sys.maxsize if math.isinf(left) else max(1, int(left))
