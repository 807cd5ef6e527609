"""A linear or mixed-integer model as arrays, and the scaling under which solvers are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from optkit.errors import UsageError

Sense = Literal["minimise", "maximise"]

#: Values beyond this mean "no bound", as in every MPS reader.
_INFINITE = 1e20
#: Scaled objective coefficients centre on the first and do not exceed the second.
_COST_CENTRE = 1e2
_COST_LARGEST = 1e4
#: A row is divided by its right-hand side while that is at most this times its coefficients.
_ROW_REACH = 1e4


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Optimise ``cost @ x + offset`` with ``row_lower <= matrix @ x <= row_upper`` and bounds.

    Numbers are in the caller's own units: the backend scales objective and rows, and scales
    back. Units of *variables* are the caller's affair: keep times and amounts near 1. Rows,
    bounds and the mask may be given as one number for all.

    Parameters
    ----------
    cost : [n] finite coefficients of the objective.
    matrix : [m, n] sparse (or dense) coefficients of the rows.
    row_lower, row_upper : [m] sides of the rows; infinite where absent.
    lower, upper : [n] bounds of the variables; infinite where absent.
    integer : [n] mask of the variables that take whole values only.
    sense : "minimise" or "maximise".
    offset : constant of the objective.
    column_names, row_names : for exported files; empty for none.

    Raises
    ------
    UsageError
        Shapes that do not fit, or numbers that are not finite where they must be.
    """

    cost: NDArray[np.float64]
    matrix: Any
    row_lower: NDArray[np.float64]
    row_upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    integer: NDArray[np.bool_]
    sense: Sense = "minimise"
    offset: float = 0.0
    column_names: Sequence[str] = ()
    row_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        cost = np.array(self.cost, dtype=float, ndmin=1)
        matrix = sparse.csc_matrix(self.matrix, dtype=float, copy=True)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        rows, columns = matrix.shape
        if cost.shape != (columns,):
            raise UsageError(f"the matrix has {columns} columns, but cost has shape {cost.shape}")
        if self.sense not in ("minimise", "maximise"):
            raise UsageError(f"sense is {self.sense!r}, expected 'minimise' or 'maximise'")
        fields = {
            "cost": cost,
            "matrix": matrix,
            "row_lower": _vector("row_lower", self.row_lower, rows),
            "row_upper": _vector("row_upper", self.row_upper, rows),
            "lower": _vector("lower", self.lower, columns),
            "upper": _vector("upper", self.upper, columns),
            "integer": _vector("integer", self.integer, columns).astype(bool),
            "offset": float(self.offset),
        }
        if not (np.isfinite(cost).all() and np.isfinite(matrix.data).all()):
            raise UsageError("a coefficient of the objective or of a row is not a finite number")
        if not np.isfinite(fields["offset"]):
            raise UsageError("the offset of the objective is not a finite number")
        for names, count in ((self.column_names, columns), (self.row_names, rows)):
            if len(names) not in (0, count):
                raise UsageError(f"{len(names)} names for {count} rows or columns")
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self.row_lower), len(self.cost)

    def objective(self, values: NDArray[np.float64]) -> float:
        """Objective of a point [n], the offset included."""
        return float(self.cost @ values) + self.offset


@dataclass(frozen=True, eq=False)
class ScaledModel:
    """The minimisation that a solver is given instead of a `LinearModel`.

    Parameters
    ----------
    cost : [n] coefficients of about 1 to 1e4.
    matrix, row_lower, row_upper : rows whose largest coefficient is at most about 1.
    factor : scaled objective = factor * (objective - offset); negative for a maximisation.
    divisors : [m] what each row was divided by.
    """

    cost: NDArray[np.float64]
    matrix: Any
    row_lower: NDArray[np.float64]
    row_upper: NDArray[np.float64]
    factor: float
    divisors: NDArray[np.float64]
    source: LinearModel

    @classmethod
    def of(cls, model: LinearModel) -> ScaledModel:
        """Scale by powers of two, which rounds nothing."""
        factor = objective_factor(model.cost)
        if model.sense == "maximise":
            factor = -factor
        largest = np.zeros(len(model.row_lower))
        np.maximum.at(largest, model.matrix.indices, np.abs(model.matrix.data))
        divisors = row_divisors(model.row_lower, model.row_upper, largest)
        matrix = model.matrix.copy()
        matrix.data /= divisors[matrix.indices]
        return cls(
            cost=model.cost * factor,
            matrix=matrix,
            row_lower=model.row_lower / divisors,
            row_upper=model.row_upper / divisors,
            factor=factor,
            divisors=divisors,
            source=model,
        )

    def unscaled(self, value: float) -> float:
        """A scaled objective or bound in the model's own units."""
        return value / self.factor + self.source.offset

    def violation(self, values: NDArray[np.float64]) -> float:
        """Largest amount by which a point breaks a scaled row, a bound or integrality."""
        if values.shape != self.cost.shape or not np.isfinite(values).all():
            return np.inf
        activity = self.matrix @ values
        whole = values[self.source.integer]
        amounts = [
            self.row_lower - activity,
            activity - self.row_upper,
            self.source.lower - values,
            values - self.source.upper,
            abs(whole - np.round(whole)),
        ]
        return float(max((np.max(amount) for amount in amounts if amount.size), default=0.0))


def objective_factor(cost: NDArray[np.float64]) -> float:
    """Power of two that brings objective coefficients to about 1 to 1e4.

    Solvers judge optimality by absolute tolerances: with costs of 1e-7 a false optimum passes.
    """
    size = np.abs(cost[cost != 0])
    if not size.size:
        return 1.0
    smallest, largest = float(size.min()), float(size.max())
    wanted = min(_COST_CENTRE / np.sqrt(smallest) / np.sqrt(largest), _COST_LARGEST / largest)
    return float(np.exp2(np.floor(np.log2(wanted))))


def row_divisors(
    row_lower: NDArray[np.float64], row_upper: NDArray[np.float64], largest: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Powers of two [m] near each row's right-hand side, or near its largest coefficient.

    Rows of raw cycles or bytes gave wrong optima. A right-hand side smaller than the
    coefficients, or far larger, does not decide: it would only move the trouble.
    """
    sides = [np.where(np.isfinite(side), np.abs(side), 0.0) for side in (row_lower, row_upper)]
    wanted = np.clip(np.maximum(*sides), largest, _ROW_REACH * largest)
    wanted = np.where(largest > 0, wanted, 1.0)
    return np.asarray(np.exp2(np.round(np.log2(wanted))))


def _vector(name: str, value: ArrayLike, length: int) -> NDArray[np.float64]:
    try:
        vector = np.array(np.broadcast_to(np.asarray(value, dtype=float), (length,)))
    except ValueError:
        raise UsageError(f"{name} has shape {np.shape(value)}, expected {length} numbers") from None
    if np.isnan(vector).any():
        raise UsageError(f"{name} holds a value that is not a number")
    return np.where(np.abs(vector) >= _INFINITE, np.copysign(np.inf, vector), vector)
