"""The linear programme over coalitions, its prices and its cuts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.channel_choice.exact.pricing import Coalitions, Cuts, Prices
from formulations.channel_choice.offloading import Offloading
from optkit.backends.feed import SolveStatus
from optkit.errors import SolverError
from optkit.exact.master import ColumnMaster

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Cut(NamedTuple):
    """``sum_S floor(sum_{i in S} weight_i / unit) z_S <= floor(sum_i weight_i / unit)``.

    Valid since it rounds down a combination of the rows that let each service be in at most one
    coalition (a Chvatal-Gomory cut; "subset row" with three services and weights of 1/2).
    """

    services: tuple[int, ...]
    weights: tuple[int, ...]
    unit: int

    @property
    def side(self) -> int:
        """Right-hand side."""
        return sum(self.weights) // self.unit


class CoalitionMaster:
    """Maximise the gain of chosen coalitions: each service in at most one (exactly one where it
    is late at home), at most M of them, at most k members in all.

    Parameters
    ----------
    o, k : the problem and the number of offloaders that sets the shares of the cloud.
    penalty : what a service that must offload costs while it is in no coalition.

    Attributes
    ----------
    columns : the coalitions so far.
    value : [columns] their gains.
    weight : [columns] how much of each the last solution chooses.
    cuts : the rows added so far.
    """

    def __init__(self, o: Offloading, k: int, penalty: float) -> None:
        services = len(o.power_w)
        self._services, self._late = services, o.late_at_home
        self._sides = np.concatenate([np.ones(services), [o.channels, k]])
        lower = np.concatenate([np.where(o.late_at_home, 1.0, -np.inf), [-np.inf, -np.inf]])
        self._master = ColumnMaster(lower, self._sides, cost_scale=1.0)
        self.columns: list[Ints] = []
        self.value: Floats = np.zeros(0)
        self.weight: Floats = np.zeros(0)
        self._known: set[bytes] = set()
        self.cuts: list[Cut] = []
        self._in_cut: Ints = np.zeros((services, 0), dtype=np.int64)
        late = np.flatnonzero(o.late_at_home)
        for i in late:
            self._master.add_column(penalty, [int(i)], [1.0])
        self._artificial = len(late)

    def add(self, coalitions: Coalitions | Iterable[tuple[Ints, float]]) -> int:
        """Add those that are new; their number."""
        pairs = (
            ((coalitions[j], coalitions.value[j]) for j in range(len(coalitions)))
            if isinstance(coalitions, Coalitions)
            else coalitions
        )
        fresh: list[Ints] = []
        values: list[float] = []
        for members, value in pairs:
            ordered = np.sort(members)
            key = ordered.tobytes()
            if key not in self._known:
                self._known.add(key)
                fresh.append(ordered)
                values.append(float(value))
        if fresh:
            self.weight = np.concatenate([self.weight, np.zeros(len(fresh))])
            self._master.add_columns(-np.array(values), self._entries(fresh))
            self.columns.extend(fresh)
            self.value = np.concatenate([self.value, values])
        return len(fresh)

    def add_cuts(self, cuts: list[Cut]) -> None:
        """Add rows that hold for every decision."""
        fresh = np.zeros((self._services, len(cuts)), dtype=np.int64)
        for number, cut in enumerate(cuts):
            fresh[list(cut.services), number] = cut.weights
        entries = _counts(
            fresh, np.array([cut.unit for cut in cuts]), self._incidence(self.columns)
        )
        absent = sparse.csr_matrix((len(cuts), self._artificial))
        sides = [float(cut.side) for cut in cuts]
        self._master.add_rows(
            np.full(len(cuts), -np.inf), sides, sparse.hstack([absent, entries], format="csr")
        )
        self.cuts.extend(cuts)
        self._in_cut = np.hstack([self._in_cut, fresh])

    def solve(self) -> tuple[float, Prices]:
        """Solve; the prices, and what they bound if no coalition is worth more than it costs.

        Raises
        ------
        SolverError
            Columns are fixed that do not go together.
        """
        point = self._master.solve()
        if point.status is not SolveStatus.OPTIMAL:
            raise SolverError(f"HiGHS calls the programme over coalitions {point.status.value}")
        self.weight = point.values[self._artificial :]
        services = self._services
        free = np.zeros(len(point.duals), dtype=bool)
        free[:services] = self._late
        price = np.where(free, -point.duals, np.maximum(-point.duals, 0.0))
        sides = np.concatenate([self._sides, [cut.side for cut in self.cuts]])
        cuts = self._kernel_cuts(price[services + 2 :])
        prices = Prices(price[:services], float(price[services + 1]), float(price[services]), cuts)
        return float(price @ sides), prices

    def fix(self, numbers: Sequence[int], least: float) -> None:
        """Choose at least so much of some columns."""
        columns = np.array(numbers) + self._artificial
        self._master.change_bounds(columns, np.full(len(columns), least), np.inf)

    def _entries(self, columns: list[Ints]) -> sparse.csc_matrix:
        inside = self._incidence(columns)
        sizes = np.asarray(inside.sum(axis=0)).ravel()
        both = sparse.csc_matrix(np.vstack([np.ones(len(columns)), sizes]))
        units = np.array([cut.unit for cut in self.cuts])
        return sparse.vstack([inside, both, _counts(self._in_cut, units, inside)], format="csc")

    def _incidence(self, columns: list[Ints]) -> sparse.csc_matrix:
        """Which services [N] are in which coalition."""
        start = np.concatenate([[0], np.cumsum([len(members) for members in columns])])
        shape = (self._services, len(columns))
        return sparse.csc_matrix((np.ones(start[-1]), np.concatenate(columns), start), shape)

    def _kernel_cuts(self, price: Floats) -> Cuts:
        """The cuts that cost something, service by service."""
        active = np.flatnonzero(price > 0)
        weights = self._in_cut[:, active]
        service, cut = np.nonzero(weights)
        start = np.concatenate([[0], np.cumsum(np.bincount(service, minlength=len(weights)))])
        units = np.array([self.cuts[number].unit for number in active], dtype=np.int64)
        return Cuts(start, cut, weights[service, cut], units, price[active])


def _counts(in_cut: Ints, units: Ints, inside: sparse.csc_matrix) -> sparse.csr_matrix:
    """Entries [C, columns] of cuts of weights [N, C] for coalitions given by an incidence."""
    if in_cut.shape[1] == 0:
        return sparse.csr_matrix((0, inside.shape[1]))
    return _floors((sparse.csr_matrix(in_cut.T.astype(float)) @ inside).tocsr(), units)


def cut_entries(cuts: Cuts, inside: sparse.csc_matrix) -> sparse.csr_matrix:
    """Entries [C, J] of cuts for coalitions of incidence [N, J]."""
    shape = (inside.shape[0], len(cuts.unit))
    weights = sparse.csr_matrix((cuts.weight.astype(float), cuts.cut, cuts.start), shape)
    return _floors((weights.T @ inside).tocsr(), cuts.unit)


def reduced_gains(value: Floats, inside: sparse.csc_matrix, prices: Prices) -> Floats:
    """Gains [J] less what coalitions of incidence [N, J] cost."""
    gain = value - prices.channel - inside.T @ (prices.service + prices.offloader)
    if len(prices.cuts.price):
        gain -= cut_entries(prices.cuts, inside).T @ prices.cuts.price
    return np.asarray(gain)


def _floors(sums: sparse.csr_matrix, units: Ints) -> sparse.csr_matrix:
    """Whole numbers of units in sums [C, J] of weights."""
    sums.data = np.floor(sums.data / np.repeat(units, np.diff(sums.indptr)) + 1e-9)
    sums.eliminate_zeros()
    return sums
