"""Column generation over groups: prices of twins whose bound is that of the linear master.

Prices are smoothed towards those of the best bound (Wentges 1997), without which the duals of the
degenerate master swing and the bound comes late.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.cuts import Prices
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_programme import GroupProgramme
from formulations.dt_assignment.exact.pricing import Priced, Pricer
from optkit.run import Run

Floats = NDArray[np.float64]
#: Weight of the prices of the best bound; below the second it becomes 0.
_SMOOTHING, _LITTLE = 0.8, 0.3
#: Reduced costs and gaps are judged in parts of the typical cost of a twin.
_SMALL = 1e-9
#: Subgradient steps without gain before the step is shortened, and by how much.
_PATIENCE, _SHORTER = 10, 0.7
#: So often, after the first steps, the gain must be at least a part of the gap.
_CHECK, _WORTH, _FIRST = 20, 0.1, 60
#: Part of the last direction in the next one.
_INERTIA = 0.7
#: Groups of so many last steps enter the master.
_KEPT = 40
#: Cost of an unplaced twin at first, in the largest first price; it grows while one is unplaced,
#: up to so many times the worst cost of all twins together.
_UNPLACED, _GROWTH, _HOPELESS = 3.0, 4.0, 1e2


class GroupMaster:
    """Prices and groups, improved in turn.

    Parameters
    ----------
    pricer : finds groups.
    center : [M] prices to begin with.
    columns : to begin with.
    goal : receives bounds.

    Attributes
    ----------
    programme : over the groups found so far.
    best : of all prices so far, those with the largest bound; None before the first pricing.
    value : of the last linear programme, infinite while a twin is not covered.
    converged : whether the last call of `generate` ended with the linear programme's optimum; not
        where pricing was cut short, which may have missed groups.
    """

    def __init__(self, pricer: Pricer, center: Floats, columns: Columns, goal: Goal) -> None:
        self.pricer = pricer
        self._goal = goal
        self._unit = max(float(np.abs(center).mean()), 1e-9)
        self._center = Prices.of(center)
        self.best: Priced | None = None
        self.value = math.inf
        self.converged = False
        self._exact = False  # of the last pricing
        unplaced = _UNPLACED * max(float(center.max()), self._unit)
        self.programme = GroupProgramme(pricer.twins, pricer.servers, self._unit, unplaced)
        self.programme.add(columns)

    @property
    def bound(self) -> float:
        """Best bound so far."""
        return -math.inf if self.best is None else self.best.bound

    def ascend(self, run: Run, *, rounds: int = 200) -> None:
        """Raise the bound by steps along a smoothed subgradient, and keep the groups met.

        Much cheaper than linear programmes while the prices are poor (Polyak's step towards the
        incumbent, shortened where nothing is gained).
        """
        target = self._goal.cut
        pi, step, stalled, start = self._center.twin, 1.0, 0, -math.inf
        last = np.zeros(len(pi))
        fresh = True
        met: list[Columns] = []
        for count in range(rounds):
            if run.stopped() or self._goal.enough(self.bound):
                break
            priced = self.pricer.price(Prices.of(pi), run, keep=1)
            if priced is None:
                break
            met.append(priced.columns)
            stalled += 1
            if priced.bound > self.bound:
                self.best, self._center, stalled = priced, priced.prices, 0
                self._goal.report(self.bound)
            if stalled >= _PATIENCE:
                last[:] = 0.0
                step, stalled, pi, fresh = step * _SHORTER, 0, self._center.twin, True
                continue
            if count % _CHECK == _CHECK - 1 and count > _FIRST:
                if self.bound - start < _WORTH * (target - self.bound):
                    break
                start = self.bound
            slope = 1.0 - np.bincount(priced.columns.twins, minlength=len(pi))
            last *= _INERTIA
            last += slope if fresh else (1.0 - _INERTIA) * slope
            fresh = False
            length = float(last @ last)
            if length <= 1e-12:
                break
            move = step * (target - priced.bound) / length
            pi = np.maximum(0.0, pi + move * last)
        self.programme.add(Columns.joined(met[-_KEPT:]))

    def generate(
        self, run: Run, *, keep: int = 8, rounds: int = 10**9, quiet: bool = False
    ) -> None:
        """Add groups until none improves the master, the bound says enough or the run stops.

        Parameters
        ----------
        keep : groups added of one server at most, at a time.
        rounds : linear programmes at most.
        quiet : whether the bound is not to be reported, as some open pairs were closed on trial.
        """
        programme, goal = self.programme, self._goal
        self.converged = False
        last = programme.solved + rounds
        while not run.stopped() and programme.solved < last and not goal.enough(self.bound):
            if not programme.solve(run.remaining_s):
                return
            self.value = programme.value
            if self.value - self.bound <= _SMALL * self._unit:
                self.converged = True
                return
            added = self._improve(run, keep)
            if not quiet:
                goal.report(self.bound)
            if added is None:
                return
            if added == 0:
                if self.value < math.inf:
                    self.converged = self._exact
                    return
                if programme.unplaced > _HOPELESS * (goal.worst + self._unit):
                    return
                programme.offer(_GROWTH * programme.unplaced)

    @contextmanager
    def on_trial(self) -> Iterator[None]:
        """Within it pairs may be closed for a trial; afterwards prices and pairs are as before."""
        open_pairs, center, best = self.pricer.is_open.copy(), self._center, self.best
        value, converged, solution = self.value, self.converged, self.programme.fraction()
        try:
            yield
        finally:
            self.pricer.is_open[:] = open_pairs
            self._center, self.best = center, best
            self.value, self.converged = value, converged
            self.programme.recall(solution)
            self.programme.restrict(open_pairs)

    def narrow(self) -> None:
        """Go on with the pairs that are still open; earlier bounds do not speak of them."""
        self.best = None
        self.programme.restrict(self.pricer.is_open)

    def compact(self, priced: Priced, recent: int) -> None:
        """Drop groups that no decision below the cut has, and cuts that were long without use."""
        above = priced.above(self.programme.columns)
        kept = self.programme.rebuild(above <= self._goal.cut - priced.bound, recent)
        center = self._center
        cut = np.zeros(len(kept))
        cut[: len(center.cut)] = center.cut
        elements = self.programme.elements
        self._center = Prices(center.twin, elements, cut[kept])

    def _improve(self, run: Run, keep: int) -> int | None:
        """Price between the best prices and the master's; returns how many groups were added."""
        programme = self.programme
        prices, weight = programme.prices, _SMOOTHING
        while True:
            point = self._center.mixed(prices, weight)
            priced = self.pricer.price(point, run, keep=keep)
            if priced is None:
                return None
            self._exact = priced.exact
            if priced.bound > self.bound:
                self.best, self._center = priced, point
            found = priced.columns
            reduced = found.cost + prices.paid(found, self.pricer.servers)
            reduced -= programme.server_duals[found.server]
            added = programme.add(found.take(reduced < -_SMALL * self._unit))
            if added or weight == 0.0:
                return added
            weight = weight / 2 if weight >= _LITTLE else 0.0
