"""Greedy placement and local search with kicks (ours)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment import placement_kernels, search_kernels
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
#: Accepted worsening at the start, in parts of the typical cost of a twin; it falls to 0. With
#: shared processors, and without.
_HEAT_SHARED, _HEAT = 0.3, 0.02
#: Price of a relative excess in a plain descent, in parts of the typical cost of a twin.
_DEAR = 1e3


def greedy(instance: TwinAssignment, run: Run) -> None:
    """Place the heaviest twins first, each where it adds least within limits and deadlines.

    The order is by decreasing W_m p_m, the least over the servers that are open to the twin;
    with measured costs, by the gap between the two cheapest servers. A twin for which every
    server would break something goes where the least is broken.
    """
    if not instance.open.any(axis=1).all():
        run.found(_cheapest(instance))
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
        run.found(_cheapest(instance))
        return
    run.built()
    groups = Groups.of(instance)
    starts = [filled(instance, groups), _cheapest(instance)]
    if run.warm_start is not None:
        starts.append(run.warm_start[0])
    ranked = [(run.found(x).rank("minimise"), n) for n, x in enumerate(starts)]
    search = Search(instance, groups, starts[min(ranked)[1]], run, near=near)
    search.improve(run, kicks=kicks)


def _cheapest(instance: TwinAssignment) -> Ints:
    """Every twin on its cheapest server that is open, or allowed, or any, as there are."""
    tables = instance.tables
    kind = instance.open.astype(int) + tables.allowed
    best = kind.max(axis=1, keepdims=True)
    return np.asarray(np.where(kind == best, tables.cost, np.inf).argmin(axis=1))


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
    run : source of random numbers.
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
        self._groups = groups
        twins = np.arange(instance.twins)
        closed = ~np.isfinite(groups.base[x, twins])
        x = np.where(closed, groups.base.argmin(axis=0), x)
        self._placement = Placement.empty(len(groups.room), instance.servers, instance.twins)
        placement_kernels.load(groups, self._placement, x)
        if rank is None:
            rank = np.empty_like(groups.base)
            placement_kernels.joining_all(groups, self._placement, rank)
        self._set_near(rank, min(near, instance.servers))
        value = self._value()
        self.best = Improvement(x.copy(), *value)
        self._unit = max(abs(value[1]) / instance.twins, 1e-9)
        self._price = self._unit
        self._state = run.rng.integers(1, 2**63, size=1, dtype=np.uint64)
        self._batch = max(1, _CALL_KICKS // instance.twins)
        # A move is the best of so many; no call of the compiled search should last long.
        size = instance.twins / instance.servers
        tried = size * near * (2.0 + min(size, 64.0))
        self._moves = int(np.clip(_CALL_TRIED / tried, 50, _MOVES * instance.twins))

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

    def _value(self) -> tuple[float, float]:
        return float(self._placement.excess.sum()), float(self._placement.cost.sum())

    def restart(self, x: Ints) -> None:
        """Go on from another placement, whose pairs are all open."""
        old = self._placement
        self._placement = Placement.empty(len(old.use), len(old.head), len(old.server))
        placement_kernels.load(self._groups, self._placement, x)

    def improve(
        self, run: Run, *, kicks: int, time_s: float = math.inf, heat: float | None = None
    ) -> Improvement:
        """Descend, then kick and descend; every better placement goes to the run.

        Parameters
        ----------
        kicks, time_s : whichever ends first.
        heat : accepted worsening at the start, in parts of the typical cost of a twin.
        """
        if heat is None:
            heat = _HEAT_SHARED if self._groups.slope.any() else _HEAT
        begin, done, settled = now_s(), 0, False
        best_value = np.array([self.best.excess, self.best.cost])
        best = self.best.x.copy()
        while True:
            spent = (now_s() - begin) / time_s
            left = max(0.0, 1.0 - max(spent, done / kicks if kicks else 1.0))
            count = min(self._batch, kicks - done) if settled else 0
            before, value = best_value.copy(), self._value()
            price = search_kernels.kicked(
                self._groups, self._placement, self._near, self._guests, self._first_guest,
                best, best_value, (count, self._moves),
                self._price if settled else _DEAR * self._unit, left * heat * self._unit,
                self._unit, self._state,
            )  # fmt: skip
            if settled:
                self._price = price
            if (best_value != before).any():
                self.best = Improvement(best.copy(), float(best_value[0]), float(best_value[1]))
                run.found(best)
            settled = settled or self._moves >= _MOVES * len(best) or self._value() == value
            done += count
            run.iterations += count
            late = now_s() - begin >= time_s
            if (settled and done >= kicks) or late or run.stopped():
                return self.best
