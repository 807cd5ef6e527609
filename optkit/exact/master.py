"""The master of a column or cut generation: a small linear programme that grows and is re-solved.

Always a minimisation, since row duals change sign with the sense. Solved in the calling thread
with one thread, so that a re-solve costs little more than its simplex iterations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from optkit.backends.feed import Decode, Solution, SolveStatus
from optkit.backends.highs import TOLERANCE, Option, set_options, solve_model
from optkit.backends.linear import LinearModel, objective_factor, row_divisors
from optkit.backends.native import highspy
from optkit.errors import SolverError, UsageError
from optkit.run import Run

_SETTINGS: Mapping[str, Option] = {
    "output_flag": False,
    "log_to_console": False,
    "threads": 1,
    "presolve": "off",  # it would throw the basis away
    "solver": "simplex",
    "simplex_strategy": 0,  # primal after new columns, dual after new rows
    "primal_feasibility_tolerance": TOLERANCE,
    "dual_feasibility_tolerance": TOLERANCE,
    "small_matrix_value": 1e-12,
}
#: A batch of columns whose median scaled cost leaves this range has all costs scaled anew.
_MEDIAN_COST = (1.0, 1e5)
_STATUSES = {
    "kOptimal": SolveStatus.OPTIMAL,
    "kInfeasible": SolveStatus.INFEASIBLE,
    "kUnbounded": SolveStatus.UNBOUNDED,
    "kTimeLimit": SolveStatus.LIMIT,
}


@dataclass(frozen=True, eq=False)
class MasterPoint:
    """What a solve of the master ends with; no numbers unless the status is "optimal".

    Parameters
    ----------
    status : optimal, infeasible, unbounded or limit.
    objective : least cost, or ``None``.
    duals : [m] derivative of the objective by each row's side: >= 0 where the lower side binds,
        <= 0 where the upper one does. A new column of cost c and entries a improves the master
        only if ``c - a @ duals < 0``.
    values : [n] of the columns.
    """

    status: SolveStatus
    objective: float | None
    duals: NDArray[np.float64]
    values: NDArray[np.float64]


class ColumnMaster:
    """Minimise ``cost @ x`` with ``row_lower <= A @ x <= row_upper``; columns and rows are added.

    Objective and rows are scaled inside. Each first row is divided by its right-hand side; one
    whose sides are 0 or infinite is taken as it is and should be written in units near 1.

    Parameters
    ----------
    row_lower, row_upper : [m] sides of the first rows, infinite where absent.
    cost_scale : typical size of a cost; by default the median of the columns' own. Give it where
        costly artificial columns come first.

    Examples
    --------
    >>> master = ColumnMaster([1.0, 2.0], [1.0, 4.0])
    >>> master.add_column(3.0, rows=[0, 1], values=[1.0, 2.0])
    0
    >>> master.solve().objective
    3.0
    """

    def __init__(
        self, row_lower: ArrayLike, row_upper: ArrayLike, *, cost_scale: float | None = None
    ) -> None:
        if cost_scale is not None and not 0 < cost_scale < math.inf:
            raise UsageError(f"cost_scale is {cost_scale!r}, expected a number > 0")
        self._own_scale = cost_scale is None
        self._factor = 0.0 if cost_scale is None else objective_factor(np.array([cost_scale]))
        self._costs: list[float] = []
        self._divisors = np.zeros(0)
        self._solver = highspy().Highs()
        set_options(self._solver, _SETTINGS)
        lower, upper = np.atleast_1d(np.asarray(row_lower, float), np.asarray(row_upper, float))
        sides = [np.where(np.isfinite(side), np.abs(side), 0.0) for side in (lower, upper)]
        empty = sparse.csr_matrix((len(lower), 0))
        self._insert_rows(lower, upper, empty, row_divisors(lower, upper, np.maximum(*sides)))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns now."""
        return len(self._divisors), len(self._costs)

    def add_column(
        self,
        cost: float,
        rows: ArrayLike,
        values: ArrayLike,
        lower: float = 0.0,
        upper: float = math.inf,
    ) -> int:
        """Add one column with its nonzero entries; returns its number."""
        rows = np.asarray(rows, dtype=np.int32)
        entries = np.asarray(values, dtype=float)
        starts = np.zeros(1, dtype=np.int32)
        return self._insert_columns(
            np.array([cost], float), starts, rows, entries, np.array([lower]), np.array([upper])
        )

    def add_columns(
        self, cost: ArrayLike, matrix: Any, lower: ArrayLike = 0.0, upper: ArrayLike = math.inf
    ) -> range:
        """Add columns: cost [k], entries [m, k] (sparse or dense); returns their numbers."""
        costs = np.atleast_1d(np.asarray(cost, dtype=float))
        entries = sparse.csc_matrix(matrix, dtype=float)
        if entries.shape != (len(self._divisors), len(costs)):
            raise UsageError(
                f"the columns have shape {entries.shape}, expected "
                f"{(len(self._divisors), len(costs))}"
            )
        first = self._insert_columns(
            costs,
            entries.indptr[:-1].astype(np.int32),
            entries.indices.astype(np.int32),
            entries.data,
            np.broadcast_to(np.asarray(lower, dtype=float), costs.shape),
            np.broadcast_to(np.asarray(upper, dtype=float), costs.shape),
        )
        return range(first, first + len(costs))

    def add_rows(self, lower: ArrayLike, upper: ArrayLike, matrix: Any) -> range:
        """Add rows: sides [k], entries [k, n] over the present columns; returns their numbers."""
        entries = sparse.csr_matrix(matrix, dtype=float)
        low, high = np.atleast_1d(np.asarray(lower, float), np.asarray(upper, float))
        if entries.shape != (len(low), len(self._costs)):
            raise UsageError(
                f"the rows have shape {entries.shape}, expected {(len(low), len(self._costs))}"
            )
        largest = np.zeros(len(low))
        row_of = np.repeat(np.arange(len(low)), np.diff(entries.indptr))
        np.maximum.at(largest, row_of, np.abs(entries.data))
        first = len(self._divisors)
        self._insert_rows(low, high, entries, row_divisors(low, high, largest))
        return range(first, len(self._divisors))

    def change_bounds(self, columns: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> None:
        """Set the bounds of some columns (to branch, or to retire a column)."""
        numbers = np.atleast_1d(np.asarray(columns, dtype=np.int32))
        low = np.broadcast_to(np.asarray(lower, dtype=float), numbers.shape)
        high = np.broadcast_to(np.asarray(upper, dtype=float), numbers.shape)
        self._ok(self._solver.changeColsBounds(len(numbers), numbers, low, high))

    def change_sides(self, row: int, lower: float, upper: float) -> None:
        """Set the sides of a row."""
        divisor = self._divisors[row]
        self._ok(self._solver.changeRowBounds(row, lower / divisor, upper / divisor))

    def solve(self, time_s: float | None = None) -> MasterPoint:
        """Solve the linear programme from the last basis.

        Raises
        ------
        SolverError
            HiGHS ended, from scratch too, in a way that says nothing about the model.
        """
        if not self._costs:
            return self._solve_empty()
        solver = self._solver
        limit = math.inf if time_s is None else solver.getRunTime() + time_s
        set_options(solver, {"time_limit": limit})
        solver.run()
        status = _STATUSES.get(solver.getModelStatus().name)
        if status not in (SolveStatus.OPTIMAL, SolveStatus.LIMIT):
            # A bad basis, or a scheduler that was left with another number of threads.
            type(solver).resetGlobalScheduler(True)
            solver.clearSolver()
            solver.run()
            name = solver.getModelStatus().name
            status = _STATUSES.get(name)
            if status is None:
                raise SolverError(f"HiGHS ended the master with {name}")
        if status is not SolveStatus.OPTIMAL:
            return MasterPoint(status, None, np.zeros(0), np.zeros(0))
        found = solver.getSolution()
        factor = self._factor or 1.0
        return MasterPoint(
            status,
            solver.getObjectiveValue() / factor,
            np.array(found.row_dual) / self._divisors / factor,
            np.array(found.col_value),
        )

    def _solve_empty(self) -> MasterPoint:
        """Without columns, at which HiGHS does not look at the rows."""
        lp = self._solver.getLp()
        if any(side > 0 for side in lp.row_lower_) or any(side < 0 for side in lp.row_upper_):
            return MasterPoint(SolveStatus.INFEASIBLE, None, np.zeros(0), np.zeros(0))
        return MasterPoint(SolveStatus.OPTIMAL, 0.0, np.zeros(self.shape[0]), np.zeros(0))

    def model(self, integer: ArrayLike = True) -> LinearModel:
        """The present columns and rows as a model in the caller's units."""
        self._solver.ensureColwise()
        lp = self._solver.getLp()
        index = np.array(lp.a_matrix_.index_, dtype=np.int64)
        entries = np.array(lp.a_matrix_.value_) * self._divisors[index]
        start = np.array(lp.a_matrix_.start_, dtype=np.int64)
        return LinearModel(
            cost=np.array(self._costs),
            matrix=sparse.csc_matrix((entries, index, start), shape=self.shape),
            row_lower=np.array(lp.row_lower_) * self._divisors,
            row_upper=np.array(lp.row_upper_) * self._divisors,
            lower=np.array(lp.col_lower_),
            upper=np.array(lp.col_upper_),
            integer=np.asarray(integer, dtype=bool),
        )

    def integer_finish(
        self,
        run: Run,
        *,
        integer: ArrayLike = True,
        decode: Decode | None = None,
        start: ArrayLike | None = None,
        rel_gap: float = 0.0,
        time_s: float | None = None,
    ) -> Solution:
        """Best whole-numbered combination of the present columns.

        A restriction of the problem, so its bound stays in the `Solution` and out of the run.

        Parameters
        ----------
        run, decode, start, rel_gap, time_s : as for `optkit.backends.highs.solve_model`.
        integer : [n] mask of the columns that must be whole; one value serves for all.
        """
        return solve_model(
            self.model(integer),
            run,
            bound_of=None,
            decode=decode,
            start=start,
            rel_gap=rel_gap,
            time_s=time_s,
        )

    def _insert_columns(
        self,
        cost: NDArray[np.float64],
        starts: NDArray[np.int32],
        rows: NDArray[np.int32],
        entries: NDArray[np.float64],
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
    ) -> int:
        if not (np.isfinite(cost).all() and np.isfinite(entries).all()):
            raise UsageError("a cost or an entry of a column is not a finite number")
        first = len(self._costs)
        self._costs.extend(cost.tolist())
        self._scale_costs(cost)
        scaled = entries / self._divisors[rows]
        self._ok(
            self._solver.addCols(
                len(cost), cost * (self._factor or 1.0), lower, upper,
                len(scaled), starts, rows, scaled,
            )
        )  # fmt: skip
        return first

    def _insert_rows(
        self,
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
        matrix: Any,
        divisors: NDArray[np.float64],
    ) -> None:
        data = matrix.data / np.repeat(divisors, np.diff(matrix.indptr))
        self._ok(
            self._solver.addRows(
                len(lower), lower / divisors, upper / divisors, len(data),
                matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32), data,
            )
        )  # fmt: skip
        self._divisors = np.concatenate([self._divisors, divisors])

    def _scale_costs(self, batch: NDArray[np.float64]) -> None:
        """Choose the objective's factor anew when a batch of costs shows that it is wrong."""
        size = np.abs(batch[batch != 0])
        if not self._own_scale or not size.size:
            return
        low, high = _MEDIAN_COST
        if low <= float(np.median(size)) * self._factor <= high:
            return
        costs = np.array(self._costs)
        self._factor = objective_factor(np.array([np.median(np.abs(costs[costs != 0]))]))
        old = len(costs) - len(batch)
        if old:
            self._ok(
                self._solver.changeColsCost(
                    old, np.arange(old, dtype=np.int32), costs[:old] * self._factor
                )
            )

    def _ok(self, status: Any) -> None:
        if status == highspy().HighsStatus.kError:
            raise SolverError("HiGHS refuses rows or columns of the master")
