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
from scipy import sparse

from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.cuts import Prices, entries, violated
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.pricing import Priced, Pricer
from optkit.backends.feed import SolveStatus
from optkit.exact.master import ColumnMaster
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
#: Groups of so many last steps enter the master.
_KEPT = 40
#: By how much the cost of an unplaced twin grows while some twin stays unplaced.
_GROWTH = 4.0
#: It ends at so many times the worst cost of all twins together.
_HOPELESS = 1e2


class GroupMaster:
    """The linear master over the groups found so far.

    Every twin is covered (at least once, see ``pricing``), every server is used at most once.

    Parameters
    ----------
    pricer : finds groups.
    center : [M] prices to begin with.
    columns : to begin with.
    goal : receives bounds.

    Attributes
    ----------
    best : of all prices so far, those with the largest bound; None before the first pricing.
    value : of the last linear programme, infinite while a twin is not covered.
    converged : whether the last call of `generate` ended with the linear programme's optimum.
    rounds : linear programmes solved.
    """

    def __init__(self, pricer: Pricer, center: Floats, columns: Columns, goal: Goal) -> None:
        self.pricer = pricer
        self._goal = goal
        self._unit = max(float(np.abs(center).mean()), 1e-9)
        self._center = Prices.of(center)
        self._elements = self._center.elements
        self.best: Priced | None = None
        self.value = math.inf
        self.rounds = 0
        self.converged = False
        twins, servers = pricer.twins, pricer.servers
        lower = np.concatenate([np.ones(twins), np.full(servers, -np.inf)])
        upper = np.concatenate([np.full(twins, np.inf), np.ones(servers)])
        self._master = ColumnMaster(lower, upper, cost_scale=self._unit)
        self._batches: list[Columns] = []
        self._numbers: list[NDArray[np.int64]] = []
        self._seen: set[bytes] = set()
        self._values = np.zeros(0)
        self._unplaced = 0.0
        self._artificial = range(0)
        self._raise_unplaced(3.0 * max(float(center.max()), self._unit))
        self.add(columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the linear programme."""
        return self._master.shape

    @property
    def bound(self) -> float:
        """Best bound so far."""
        return -math.inf if self.best is None else self.best.bound

    def columns(self) -> Columns:
        """Every group of the master whose pairs are open."""
        every = Columns.joined(self._batches)
        return every.take(every.fits(self.pricer.is_open))

    def add(self, columns: Columns) -> int:
        """Add the groups that are new; returns how many there are."""
        new = []
        for k, key in enumerate(columns.keys()):
            if key not in self._seen:
                self._seen.add(key)
                new.append(k)
        if not new:
            return 0
        fresh = columns.take(np.array(new))
        twins, servers = self.pricer.twins, self.pricer.servers
        rows = fresh.rows(twins, servers)
        if len(self._elements):
            rows = sparse.vstack([rows, entries(self._elements, fresh, twins, servers)])
        numbers = self._master.add_columns(fresh.cost, rows)
        self._batches.append(fresh)
        self._numbers.append(np.array(numbers))
        return len(fresh)

    def retire(self) -> None:
        """Take the groups with a closed pair out of the linear programme."""
        if not self._batches:
            return
        closed = ~Columns.joined(self._batches).fits(self.pricer.is_open)
        self._master.change_bounds(
            np.concatenate(self._numbers), 0.0, np.where(closed, 0.0, math.inf)
        )

    def ascend(self, run: Run, *, rounds: int = 200) -> None:
        """Raise the bound by steps along a smoothed subgradient, and keep the groups met.

        Much cheaper than linear programmes while the prices are poor (Polyak's step towards the
        target, shortened where nothing is gained).
        """
        target = self._goal.cut
        pi: Floats = self._center.twin
        step, stalled = 1.0, 0
        direction = np.zeros(len(pi))
        start, met = -math.inf, []
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
            if stalled >= _PATIENCE:
                step, stalled, pi = step * _SHORTER, 0, self._center.twin
                direction = np.zeros(len(pi))
                continue
            if count % _CHECK == _CHECK - 1 and count > _FIRST:
                if self.bound - start < _WORTH * (target - self.bound):
                    break
                start = self.bound
            slope = 1.0 - np.bincount(priced.columns.twins, minlength=len(pi))
            direction = slope if count == 0 else 0.7 * direction + 0.3 * slope
            length = float(direction @ direction)
            if length <= 1e-12:
                break
            step_length = step * (target - priced.bound) / length
            pi = np.maximum(pi + step_length * direction, 0.0)
        self.add(Columns.joined(met[-_KEPT:]))

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
        self.converged = False
        last = self.rounds + rounds
        while not run.stopped() and self.rounds < last and not self._goal.enough(self.bound):
            prices = self._solve()
            if prices is None:
                return
            if self.value - self.bound <= _SMALL * self._unit:
                self.converged = True
                return
            added = self._improve(prices, run, keep)
            if not quiet:
                self._goal.report(self.bound)
            if added is None:
                return
            if added == 0:
                if self.value < math.inf:
                    self.converged = True
                    return
                if self._unplaced > _HOPELESS * (self._goal.worst + self._unit):
                    return
                self._raise_unplaced(_GROWTH * self._unplaced)

    def fraction(self) -> tuple[Columns, Floats]:
        """The groups in the last linear programme's solution, and their parts of it."""
        numbers = np.concatenate(self._numbers)
        values = self._values[numbers[numbers < len(self._values)]]
        used = values > 1e-9
        return Columns.joined(self._batches).take(np.flatnonzero(used)), values[used]

    @contextmanager
    def on_trial(self) -> Iterator[None]:
        """Within it pairs may be closed for a trial; afterwards everything is as it was."""
        open_pairs, center, best = self.pricer.is_open.copy(), self._center, self.best
        value, values, converged = self.value, self._values, self.converged
        try:
            yield
        finally:
            self.pricer.is_open[:] = open_pairs
            self._center, self.best = center, best
            self.value, self._values, self.converged = value, values, converged
            self.retire()

    def narrow(self) -> None:
        """Go on with the pairs that are still open; earlier bounds do not speak of them."""
        self.best = None
        self.retire()

    def cut_off(self, *, most: int = 150, least: float = 0.02) -> int:
        """Add cuts that the last linear programme breaks; returns how many."""
        used, values = self.fraction()
        twins, servers = self.pricer.twins, self.pricer.servers
        found = violated(used, values, twins, servers, most=most, least=least)
        if len(found):
            columns = Columns.joined(self._batches)
            matrix = sparse.lil_matrix((len(found), self._master.shape[1]))
            matrix[:, np.concatenate(self._numbers)] = entries(found, columns, twins, servers)
            self._master.add_rows(np.full(len(found), -np.inf), np.ones(len(found)), matrix)
            self._elements = np.vstack([self._elements, found])
        return len(found)

    def _solve(self) -> tuple[Prices, Floats] | None:
        """Prices and server duals [S] of the linear programme."""
        point = self._master.solve()
        self.rounds += 1
        if point.status is not SolveStatus.OPTIMAL or point.objective is None:
            return None
        self._values = point.values
        used = point.values[list(self._artificial)]
        self.value = point.objective if float(used.max(initial=0.0)) <= 1e-9 else math.inf
        twins, servers = self.pricer.twins, self.pricer.servers
        cut = np.maximum(-point.duals[twins + servers :], 0.0)
        prices = Prices(np.maximum(point.duals[:twins], 0.0), self._elements, cut)
        return prices, np.minimum(point.duals[twins : twins + servers], 0.0)

    def _improve(self, duals: tuple[Prices, Floats], run: Run, keep: int) -> int | None:
        """Price between the best prices and the master's; returns how many groups were added."""
        prices, sigma = duals
        weight = _SMOOTHING
        while True:
            point = self._center.mixed(prices, weight)
            priced = self.pricer.price(point, run, keep=keep)
            if priced is None:
                return None
            if priced.bound > self.bound:
                self.best, self._center = priced, point
            found = priced.columns
            reduced = found.cost + prices.paid(found, self.pricer.servers) - sigma[found.server]
            added = self.add(found.take(reduced < -_SMALL * self._unit))
            if added or weight == 0.0:
                return added
            weight = weight / 2 if weight >= _LITTLE else 0.0

    def _raise_unplaced(self, cost: float) -> None:
        """Let a twin stay unplaced at a cost; earlier offers are withdrawn."""
        if self._artificial:
            self._master.change_bounds(list(self._artificial), 0.0, 0.0)
        twins = self.pricer.twins
        offered = sparse.eye(self._master.shape[0], twins)
        self._artificial = self._master.add_columns(np.full(twins, cost), offered)
        self._unplaced = cost
