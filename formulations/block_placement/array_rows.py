"""Columns and rows of a linear model while it is put together from arrays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Columns:
    """Variables, added in batches."""

    def __init__(self) -> None:
        self._batches: list[tuple[Floats, Floats, Floats, NDArray[np.bool_]]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, cost: Floats, lower: ArrayLike, upper: ArrayLike, integer: bool = False) -> Ints:
        """Add one column for each cost; returns their numbers."""
        size = len(cost)
        self._batches.append(
            (
                np.asarray(cost, dtype=float),
                np.broadcast_to(np.asarray(lower, dtype=float), size),
                np.broadcast_to(np.asarray(upper, dtype=float), size),
                np.full(size, integer),
            )
        )
        self._count += size
        return np.arange(self._count - size, self._count)

    def arrays(self) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
        """Cost, lower and upper bounds and integrality of all of them, as new arrays."""
        cost, lower, upper, integer = (
            np.concatenate(part) for part in zip(*self._batches, strict=True)
        )
        return cost, lower, upper, integer


class Rows:
    """Rows with two sides, added in batches of coordinates."""

    def __init__(self) -> None:
        self._entries: list[tuple[Ints, Ints, Floats]] = []
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._marks: dict[str, list[tuple[Ints, Ints]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def lower(self) -> Floats:
        """Lower sides."""
        return np.concatenate([np.zeros(0), *self._lower])

    @property
    def upper(self) -> Floats:
        """Upper sides."""
        return np.concatenate([np.zeros(0), *self._upper])

    def add(
        self,
        row: Ints,
        column: Ints,
        value: ArrayLike,
        size: int,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> int:
        """Add `size` rows with entries whose `row` counts from 0; returns the first's number."""
        first = self._count
        self._count += size
        self._lower.append(np.broadcast_to(np.asarray(lower, dtype=float), size))
        self._upper.append(np.broadcast_to(np.asarray(upper, dtype=float), size))
        self.extend(first + np.asarray(row), column, value)
        return first

    def extend(self, row: Ints, column: Ints, value: ArrayLike) -> None:
        """Add entries to rows that are there."""
        values = np.broadcast_to(np.asarray(value, dtype=float), row.shape)
        self._entries.append((row, column, values))

    def mark(self, name: str, row: Ints, column: Ints) -> None:
        """Remember which column each of some rows determines."""
        self._marks.setdefault(name, []).append((row, column))

    def marked(self, name: str) -> Iterator[tuple[Ints, Ints]]:
        """What was remembered under a name."""
        yield from self._marks.get(name, [])

    def matrix(self, columns: int) -> sparse.coo_matrix:
        """All entries."""
        if not self._entries:
            return sparse.coo_matrix((self._count, columns))
        row, column, value = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        return sparse.coo_matrix((value, (row, column)), shape=(self._count, columns))
