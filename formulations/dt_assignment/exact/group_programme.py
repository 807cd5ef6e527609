"""The linear programme of a column generation over groups, with cuts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.cuts import Prices, entries, violated
from optkit.backends.feed import SolveStatus
from optkit.exact.master import ColumnMaster

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class GroupProgramme:
    """Choose parts of groups: every twin covered, every server used at most once.

    A twin may be covered more than once, see ``pricing``, or stay unplaced at a cost.

    Parameters
    ----------
    twins, servers : M and S.
    unit : typical cost of a twin.
    unplaced : cost of an unplaced twin at first.
    elements : [K, 3] of cuts to begin with, see ``cuts``.

    Attributes
    ----------
    value : of the last solution, infinite while a twin is not covered.
    prices : of the last solution.
    server_duals : [S] at most 0.
    solved : how many programmes were solved.
    unplaced : cost of an unplaced twin now.
    """

    _master: ColumnMaster
    _batches: list[Columns]
    _seen: set[bytes]
    _number: Ints  # [n] column of the programme of each group
    _upper: Floats  # [n] its upper bound
    _elements: Ints  # [K, 3] of the cuts
    _last_used: Ints  # [K] solution in which the cut had a price
    _offers: Ints  # [M] columns of the unplaced twins
    _values: Floats
    _recalled: tuple[Columns, Floats] | None

    def __init__(
        self,
        twins: int,
        servers: int,
        unit: float,
        unplaced: float,
        elements: Ints | None = None,
    ) -> None:
        self._twins, self._servers, self._unit = twins, servers, unit
        self.unplaced = unplaced
        self.value = math.inf
        self.prices = Prices.of(np.zeros(twins))
        self.server_duals = np.zeros(servers)
        self.solved = 0
        self._build(Columns.empty(), self.prices.elements if elements is None else elements)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._master.shape

    @property
    def elements(self) -> Ints:
        """Elements of every cut [K, 3], see ``cuts``."""
        return self._elements

    @property
    def columns(self) -> Columns:
        """Every group."""
        if len(self._batches) > 1:
            self._batches = [Columns.joined(self._batches)]
        return self._batches[0]

    def add(self, columns: Columns) -> int:
        """Add the groups that are new; returns how many there are."""
        new = []
        for k, key in enumerate(columns.keys()):
            if key not in self._seen:
                self._seen.add(key)
                new.append(k)
        if new:
            self._insert(columns.take(np.array(new)))
        return len(new)

    def restrict(self, is_open: Bools) -> None:
        """Use only the groups whose pairs are all open [S, M]."""
        self.allow(self.columns.fits(is_open))

    def allow(self, allowed: Bools) -> None:
        """Use only some of the groups [n]."""
        upper = np.where(allowed, math.inf, 0.0)
        changed = np.flatnonzero(upper != self._upper)
        if len(changed):
            self._master.change_bounds(self._number[changed], 0.0, upper[changed])
            self._upper = upper

    def solve(self, time_s: float) -> bool:
        """Solve within so many seconds; False where that failed."""
        point = self._master.solve(time_s)
        self.solved += 1
        if point.status is not SolveStatus.OPTIMAL or point.objective is None:
            return False
        covering, serving = self._twins, self._twins + self._servers
        self._recalled = None
        self._values = point.values
        used = float(point.values[self._offers].max(initial=0.0))
        self.value = point.objective if used <= 1e-9 else math.inf
        twin = np.maximum(point.duals[:covering], 0.0)
        cut = np.maximum(-point.duals[serving:], 0.0)
        self.prices = Prices(twin, self._elements, cut)
        self.server_duals = np.minimum(point.duals[covering:serving], 0.0)
        self._last_used[cut > 0] = self.solved
        return True

    @property
    def parts(self) -> Floats:
        """Of the groups that were there in the last solution."""
        return self._values[self._number[self._number < len(self._values)]]

    def fraction(self) -> tuple[Columns, Floats]:
        """The groups in the last solution, and their parts of it."""
        if self._recalled is not None:
            return self._recalled
        parts = self.parts
        used = np.flatnonzero(parts > 1e-9)
        return self.columns.take(used), parts[used]

    def recall(self, solution: tuple[Columns, Floats]) -> None:
        """Take an earlier `fraction` for that of the last solution."""
        self._recalled = solution

    def cut_off(self, *, most: int = 150, least: float = 0.02) -> int:
        """Add cuts that the last solution breaks, the last of `elements`; returns how many."""
        chosen, part = self.fraction()
        found = violated(chosen, part, self._twins, self._servers, most=most, least=least)
        if len(found):
            matrix = sparse.lil_matrix((len(found), self.shape[1]))
            matrix[:, self._number] = entries(found, self.columns.rows(self._twins, self._servers))
            self._master.add_rows(np.full(len(found), -np.inf), np.ones(len(found)), matrix)
            self._elements = np.vstack([self._elements, found])
            self._last_used = np.append(self._last_used, np.full(len(found), self.solved))
        return len(found)

    def rebuild(self, keep: Bools, recent: int) -> Bools:
        """Start anew with some groups, and the cuts in use in the last `recent` solutions.

        Returns
        -------
        which cuts stay.
        """
        used = self._last_used > self.solved - recent
        last_used = self._last_used[used]
        self._build(self.columns.take(keep), self._elements[used])
        self._last_used = last_used
        return np.asarray(used)

    def offer(self, cost: float) -> None:
        """Let a twin stay unplaced at a cost; an earlier offer is withdrawn."""
        if len(self._offers):
            self._master.change_bounds(self._offers, 0.0, 0.0)
        offered = sparse.eye(self.shape[0], self._twins)
        self._offers = np.array(self._master.add_columns(np.full(self._twins, cost), offered))
        self.unplaced = cost

    def _build(self, columns: Columns, elements: Ints) -> None:
        cuts = len(elements)
        lower = np.concatenate([np.ones(self._twins), np.full(self._servers + cuts, -np.inf)])
        upper = np.concatenate([np.full(self._twins, np.inf), np.ones(self._servers + cuts)])
        self._master = ColumnMaster(lower, upper, cost_scale=self._unit)
        self._elements = elements
        self._last_used = np.full(cuts, self.solved)
        self._values = np.zeros(0)
        self._recalled = None
        self._batches = [Columns.empty()]
        self._number, self._upper = np.zeros(0, dtype=np.int64), np.zeros(0)
        self._seen = set()
        self._offers = np.zeros(0, dtype=np.int64)
        self.offer(self.unplaced)
        self.add(columns)

    def _insert(self, columns: Columns) -> None:
        rows = columns.rows(self._twins, self._servers)
        if len(self._elements):
            rows = sparse.vstack([rows, entries(self._elements, rows)])
        number = np.array(self._master.add_columns(columns.cost, rows))
        self._batches.append(columns)
        self._number = np.append(self._number, number)
        self._upper = np.append(self._upper, np.full(len(columns), math.inf))
