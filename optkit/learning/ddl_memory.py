"""The database of paper 004: labelled scenarios in a ring, the oldest replaced first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optkit.learning.archive import Arrays


class Memory:
    """Features and labels of the last scenarios.

    Parameters
    ----------
    rows : R.
    positions, features : sizes of one scenario.
    """

    def __init__(self, rows: int, positions: int, features: int) -> None:
        self.features = np.zeros((rows, positions, features), dtype=np.float32)
        self.labels = np.zeros((rows, positions), dtype=np.int32)
        self.added = 0

    @property
    def missing(self) -> int:
        """Rows that nothing has been written to yet."""
        return max(0, len(self.labels) - self.added)

    def add(self, features: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Write scenarios [B, n, f] and their labels [B, n] over the oldest."""
        rows = (self.added + np.arange(len(labels))) % len(self.labels)
        self.features[rows] = features
        self.labels[rows] = labels
        self.added += len(labels)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What `restore` takes."""
        used = len(self.labels) - self.missing
        return {"memory_features": self.features[:used], "memory_labels": self.labels[:used]}

    def restore(self, arrays: Arrays, added: int) -> None:
        """Back to the state of `arrays`, after so many scenarios.

        Raises
        ------
        KeyError, ValueError
            The arrays are missing, or those of another memory.
        """
        used = min(added, len(self.labels))
        for name, own in (("memory_features", self.features), ("memory_labels", self.labels)):
            if arrays[name].shape != own[:used].shape:
                raise ValueError(f"{name} is {arrays[name].shape}, expected {own[:used].shape}")
            own[:used] = arrays[name]
        self.added = added
