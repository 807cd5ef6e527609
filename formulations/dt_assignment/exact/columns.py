"""Groups of twins on servers as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Columns:
    """Column k is the group ``twins[starts[k]:starts[k + 1]]`` on ``server[k]``.

    Parameters
    ----------
    server : [n].
    cost : [n] of the group on the server.
    starts : [n + 1].
    twins : the members, group after group.
    """

    server: Ints
    cost: Floats
    starts: Ints
    twins: Ints

    def __len__(self) -> int:
        return len(self.server)

    @classmethod
    def empty(cls) -> Columns:
        """None."""
        none = np.zeros(0, dtype=np.int64)
        return cls(none, np.zeros(0), np.zeros(1, dtype=np.int64), none)

    @classmethod
    def joined(cls, batches: Sequence[Columns]) -> Columns:
        """All of them, one batch after another."""
        sizes = np.concatenate([np.zeros(0, np.int64), *(np.diff(b.starts) for b in batches)])
        starts = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes, out=starts[1:])
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(b.server for b in batches)]),
            np.concatenate([np.zeros(0), *(b.cost for b in batches)]),
            starts,
            np.concatenate([np.zeros(0, np.int64), *(b.twins for b in batches)]),
        )

    @property
    def owner(self) -> Ints:
        """The column of each entry of `twins`."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def sums(self, values: Floats) -> Floats:
        """[n] sum of values [M] over the twins of each group."""
        total = np.bincount(self.owner, weights=values[self.twins], minlength=len(self))
        return total.astype(np.float64)

    def take(self, chosen: NDArray[Any]) -> Columns:
        """Some of them, by mask or by number."""
        number = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        sizes = np.diff(self.starts)[number]
        starts = np.zeros(len(number) + 1, dtype=np.int64)
        np.cumsum(sizes, out=starts[1:])
        entries = np.arange(starts[-1]) + np.repeat(self.starts[number] - starts[:-1], sizes)
        return Columns(self.server[number], self.cost[number], starts, self.twins[entries])

    def fits(self, is_open: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """[n] whether every pair of the group is open [S, M]."""
        owner = self.owner
        closed = ~is_open[self.server[owner], self.twins]
        return np.asarray(np.bincount(owner, weights=closed, minlength=len(self)) == 0)

    def placed(self, twins: int) -> Ints:
        """[M] the server of each twin; -1 where no group has it, the last of several groups."""
        x = np.full(twins, -1)
        x[self.twins] = self.server[self.owner]
        return x

    def keys(self) -> list[bytes]:
        """What tells two groups apart, whatever the order of their twins."""
        order = np.lexsort((self.twins, self.owner))
        twins = self.twins[order]
        return [
            int(s).to_bytes(4, "little") + twins[a:b].tobytes()
            for s, a, b in zip(self.server, self.starts[:-1], self.starts[1:], strict=True)
        ]

    def rows(self, twins: int, servers: int) -> sparse.csc_matrix:
        """Entries [M + S, n]: a one for every twin of the group and one for its server."""
        owner = self.owner
        row = np.concatenate([self.twins, twins + self.server])
        column = np.concatenate([owner, np.arange(len(self))])
        ones = np.ones(len(row))
        return sparse.csc_matrix((ones, (row, column)), shape=(twins + servers, len(self)))
