"""Cheap groups of twins at given prices, the bound that follows, and pairs that may be closed.

For any prices pi of the twins, ``sum(pi) + sum_s min(0, min_A [g_s(A) - pi(A)])`` is at most the
optimum. Costs of a twin are counted from its cheapest open server, so that every cost and price
is at least 0 and a decision may as well place a twin more than once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact import pricing_kernels
from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.cuts import Prices
from formulations.dt_assignment.groups import Groups
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Points of the grid of the sum: alone, and beside resources.
_SUMS, _SUMS_BESIDE = 64, 24
#: Cells of the grid of a resource: alone, with a second one or beside a sum, and in all three.
_CELLS, _CELLS_BESIDE, _CELLS_THREE = 200, 64, 24
#: Groups that are looked at on one server at most, before its price is only bounded.
_NODES = 300_000
#: Twins of the groups in a list, on average at most.
_ENTRIES = 12
#: Servers that are priced in one call, after which the run is asked whether to stop.
_SERVERS = 32


class Grid(NamedTuple):
    """States of the table of completions, see ``pricing_kernels``.

    Attributes
    ----------
    by_count : whether groups are looked for size by size ("equal").
    rise, part : [S, M] what the sum costs a twin, and what the twin adds to it; pair costs with
        two sums are bounded by one (the geometric below the arithmetic mean).
    sums : points of the grid of the sum, 1 without pair costs.
    resource : [S, 2] resources in the table, -1 none.
    step : [S, 2] amount of a cell; cells : [S, 2] how many, 1 where there is none.
    """

    by_count: bool
    rise: Floats
    part: Floats
    sums: int
    resource: Ints
    step: Floats
    cells: Ints

    @classmethod
    def of(cls, g: Groups, by_count: bool) -> Grid:
        """The grid for an instance's groups."""
        rise, part = g.slope, g.part
        if not g.ordered and g.other_slope.any():
            rise = 2.0 * np.sqrt(g.slope * g.other_slope)
            part = np.sqrt(g.part * g.other_part)
        pairs = bool(rise.any()) and not by_count
        servers = len(g.base)
        resource = np.full((servers, 2), -1)
        step, cells = np.ones((servers, 2)), np.ones((servers, 2), dtype=np.int64)
        sums = 1
        for s in range(servers):
            ways = cls._binding(g, s)
            resource[s, : len(ways)] = ways
            count = _CELLS if len(ways) == 1 and not pairs else _CELLS_BESIDE
            if len(ways) == 2 and pairs:
                count = _CELLS_THREE
            for way, r in enumerate(ways):
                step[s, way], cells[s, way] = cls._cells(g, s, r, count)
        if pairs:
            sums = _SUMS_BESIDE if (resource >= 0).any() else _SUMS
        return cls(by_count, rise, part, sums, resource, step, cells)

    @staticmethod
    def _binding(g: Groups, s: int) -> list[int]:
        """At most two resources of a server that its open twins could exceed, the tightest."""
        twins = np.isfinite(g.base[s])
        tightness = [
            (float(g.demand[r, s, twins].sum() / max(g.room[r, s], 1e-300)), r)
            for r in range(len(g.room))
            if np.isfinite(g.room[r, s]) and g.room[r, s] > 0
        ]
        return [r for ratio, r in sorted(tightness, reverse=True)[:2] if ratio > 1]

    @staticmethod
    def _cells(g: Groups, s: int, r: int, count: int) -> tuple[float, int]:
        """Amount and number of the cells; whole demands are told apart where that is not more."""
        room = g.room[r, s]
        demand = g.demand[r, s, np.isfinite(g.base[s])]
        if room < 2 * count and (demand == np.rint(demand)).all():
            return 1.0, int(room) + 1
        return room / count, count + 1


@dataclass(frozen=True, eq=False)
class Priced:
    """What pricing says.

    Parameters
    ----------
    prices : at which the groups were priced.
    bound : on the optimum, costs counted as in the pricer.
    price : [S] at most 0; bound on the cheapest group of each server, the empty one included.
    columns : of negative reduced cost at the prices.
    exact : whether the price of every server is that of a group.
    """

    prices: Prices
    bound: float
    price: Floats
    columns: Columns
    exact: bool

    def above(self, columns: Columns) -> Floats:
        """[n] what a choice of each group costs above the bound, at these prices."""
        paid = self.prices.paid(columns, len(self.price))
        return columns.cost + paid - self.price[columns.server]


class Pricer:
    """Prices the groups of an instance over the pairs that are open.

    Parameters
    ----------
    groups : of the instance; every twin has an open server.
    by_count : whether the rule is "equal".

    Attributes
    ----------
    offset : what all costs are counted from.
    is_open : [S, M] pairs in use; closed by `close`.
    """

    def __init__(self, groups: Groups, by_count: bool) -> None:
        cheapest = groups.base.min(axis=0)
        self.offset = float(cheapest.sum())
        self.groups = groups._replace(base=groups.base - cheapest)
        self.grid = Grid.of(self.groups, by_count)
        self.is_open = np.isfinite(groups.base)
        self.servers, self.twins = groups.base.shape

    def worst(self) -> float:
        """An upper bound on what any decision can cost."""
        g = self.groups
        total = np.where(np.isfinite(g.base), g.base, 0.0)
        total = total + g.slope * g.part.sum(axis=1)[:, None]
        if not g.ordered:
            total = total + g.other_slope * g.other_part.sum(axis=1)[:, None]
        return float(total.max(axis=0).sum())

    def price(self, prices: Prices, run: Run, *, keep: int = 8) -> Priced | None:
        """The best groups of every server; None if the run stops meanwhile."""
        threshold = np.zeros(self.servers)
        price, exact, batches = np.zeros(self.servers), np.ones(self.servers, np.bool_), []
        for first in range(0, self.servers, _SERVERS):
            if first and run.stopped():
                return None
            chosen = np.arange(first, min(first + _SERVERS, self.servers))
            room = len(chosen) * keep
            batch = self._scan(
                prices, chosen, threshold, keep, _NODES, price, exact, room, room * self.twins
            )
            batches.append(batch)
        bound = prices.total + float(price.sum())
        return Priced(prices, bound, price, Columns.joined(batches), bool(exact.all()))

    def within(
        self, prices: Prices, threshold: Floats, run: Run, *, limit: int, nodes: int
    ) -> Columns | None:
        """Every group of reduced cost at most threshold [S]; None if there are too many."""
        price, exact, batches = np.zeros(self.servers), np.ones(self.servers, np.bool_), []
        left = limit
        for s in range(self.servers):
            if run.stopped():
                return None
            batch = self._scan(
                prices, np.array([s]), threshold, 0, nodes, price, exact, left,
                _ENTRIES * left + self.twins,
            )  # fmt: skip
            if not exact[s]:
                return None
            left -= len(batch)
            batches.append(batch)
        return Columns.joined(batches)

    def least(self, pi: Floats, slack: Floats, run: Run) -> Floats:
        """[S, M] bounds on the reduced cost of a group with the twin; infinite where closed.

        They are only worked out as far as they tell whether they exceed slack [S], and not at all
        (minus infinity) for servers that the end of the run leaves out.
        """
        least = np.full((self.servers, self.twins), -np.inf)
        for s in range(self.servers):
            if run.stopped():
                break
            pricing_kernels.forced(
                self.groups, self.grid, pi, self.is_open, np.array([s]), slack, least
            )
        return least

    def close(self, priced: Priced, cut: float, run: Run) -> int:
        """Close the pairs that only decisions of cost `cut` or more use; returns how many."""
        slack = cut - priced.bound + priced.price
        least = self.least(priced.prices.twin, slack, run)
        closed = self.is_open & (least > slack[:, None])
        self.is_open &= ~closed
        return int(closed.sum())

    def _scan(
        self,
        prices: Prices,
        servers: Ints,
        threshold: Floats,
        keep: int,
        nodes: int,
        price: Floats,
        exact: NDArray[np.bool_],
        room: int,
        entries: int,
    ) -> Columns:
        """Call the compiled search; returns the groups it found."""
        state = np.zeros(4)
        costs, starts = np.empty(room), np.zeros(room + 1, dtype=np.int64)
        twins, server = np.empty(entries, np.int64), np.empty(room, np.int64)
        cuts, cut_server = prices.compiled()
        pricing_kernels.scan(
            self.groups, self.grid, (prices.twin, cuts, cut_server), self.is_open, servers,
            threshold, keep, nodes, (price, exact, server), (costs, starts, twins, state),
        )  # fmt: skip
        count, used = int(state[1]), int(state[2])
        starts, twins = starts[: count + 1].copy(), twins[:used].copy()
        found = Columns(server[:count].copy(), costs[:count], starts, twins)
        return replace(found, cost=found.cost + found.sums(prices.twin))
