"""Vectors that differ in one position, and a measure of how badly constraints are broken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optkit.evaluation import BatchEvaluation
from optkit.space import Space


class Neighbourhood:
    """The vectors that differ from a given one in a single position, numbered from 0.

    Attributes
    ----------
    size : how many neighbours every vector of the space has.
    """

    def __init__(self, space: Space) -> None:
        self._choices = space.choices
        self._ends = np.cumsum(space.choices - 1)
        self.size = int(self._ends[-1]) if len(self._ends) else 0

    def moves(
        self, vectors: NDArray[np.int64], numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The position that each numbered neighbour changes, and its new option.

        Parameters
        ----------
        vectors : one vector [L] for all numbers, or a row [B, L] for each.
        numbers : [B] neighbours, from 0 to size - 1.
        """
        position = np.searchsorted(self._ends, numbers, side="right")
        away = self._ends[position] - numbers  # 1 .. choices - 1: never the present option
        rows = np.arange(len(numbers))
        present = vectors[position] if vectors.ndim == 1 else vectors[rows, position]
        return position, (present + away) % self._choices[position]


class Excess:
    """Total relative violation: each constraint's amount over the first amounts seen of it.

    Amounts have units that nothing compares, so each constraint is measured by the largest
    amount of the first batch that breaks it. That reference then stays, which keeps the order
    of two decisions the same for as long as the object lives.
    """

    def __init__(self) -> None:
        self._references: dict[str, float] = {}

    def __call__(self, evaluation: BatchEvaluation) -> NDArray[np.float64]:
        """Shape [B]: 0 where nothing is broken; infinite where an amount is."""
        total = np.zeros(len(evaluation))
        for name, amount in evaluation.violations.items():
            flat = np.abs(np.reshape(amount, (len(evaluation), -1)).astype(np.float64))
            amounts = np.sum(np.where(np.isnan(flat), np.inf, flat), axis=1)
            finite = amounts[np.isfinite(amounts)]
            if name not in self._references and np.any(finite > 0):
                self._references[name] = float(np.max(finite))
            total += amounts / self._references.get(name, 1.0)
        return total
