"""What an evaluator says of one decision, and of a batch of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: A decision is called optimal, and a bound called false, beyond this tolerance.
RELATIVE_TOLERANCE = 1e-6
SCALE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Evaluation:
    """One decision, judged by the evaluator of its problem.

    Parameters
    ----------
    objective : the paper's own objective in its SI unit; may be infinite.
    scale : sum of the absolute values of what adds up to the objective.
    terms : the named parts of the objective and what is reported beside them.
    violations : amount by which each named constraint is broken; 0 means satisfied.
    """

    objective: float
    scale: float
    terms: Mapping[str, Any] = field(default_factory=dict)
    violations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def broken(self) -> dict[str, Any]:
        """The violations that are not 0."""
        return {name: amount for name, amount in self.violations.items() if np.any(amount)}

    @property
    def feasible(self) -> bool:
        """Whether no constraint is broken and the objective is a finite number."""
        return bool(np.isfinite(self.objective)) and not self.broken

    def rank(self, sense: str) -> tuple[bool, int, float]:
        """Key of the one order of decisions, smaller is better.

        Feasible before infeasible, then fewer broken rows, then the objective; an objective
        that is not a number is the worst.
        """
        rows = sum(int(np.count_nonzero(amount)) for amount in self.broken.values())
        return not self.feasible, rows, float(_to_minimise(self.objective, sense))

    @property
    def tolerance(self) -> float:
        """How far a bound may lie beyond the objective and still be rounding."""
        scale = self.scale if np.isfinite(self.scale) else 0.0
        return RELATIVE_TOLERANCE * abs(self.objective) + SCALE_TOLERANCE * scale


@dataclass(frozen=True)
class BatchEvaluation:
    """B decisions judged at once: every field of `Evaluation` with a leading axis B."""

    objective: NDArray[np.float64]
    scale: NDArray[np.float64]
    terms: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    violations: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.objective)

    def __getitem__(self, row: int) -> Evaluation:
        def pick(values: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
            rows = {name: array[row] for name, array in values.items()}
            return {name: v.item() if np.ndim(v) == 0 else v for name, v in rows.items()}

        return Evaluation(
            float(self.objective[row]),
            float(self.scale[row]),
            pick(self.terms),
            pick(self.violations),
        )

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Shape [B]: which decisions break nothing and have a finite objective."""
        return ~self.rank("minimise")[0]

    @property
    def broken_rows(self) -> NDArray[np.int64]:
        """Shape [B]: how many violations of each decision are not 0."""
        rows = np.zeros(len(self), dtype=np.int64)
        for amount in self.violations.values():
            rows += np.count_nonzero(np.reshape(amount, (len(self), -1)), axis=1)
        return rows

    def rank(self, sense: str) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64]]:
        """`Evaluation.rank` of every decision, as three arrays of shape [B]."""
        rows = self.broken_rows
        infeasible = (rows > 0) | ~np.isfinite(self.objective)
        return infeasible, rows, _to_minimise(self.objective, sense)

    def best(self, sense: str) -> int:
        """Row of the best decision in the order of `rank`, the first one of equals."""
        return int(np.lexsort(self.rank(sense)[::-1])[0])


def _to_minimise(objective: ArrayLike, sense: str) -> NDArray[np.float64]:
    value = np.asarray(objective, dtype=np.float64)
    value = value if sense == "minimise" else -value
    return np.where(np.isnan(value), np.inf, value)
