"""Cuts on triples of rows: of the groups with two of three elements, a decision uses at most one.

The elements are twins and servers. Each of the groups would hold two of the three rows, which
leaves one for any other (subset-row cuts of rank 1: Jepsen, Petersen, Spoorendonk, Pisinger 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.dt_assignment.exact.columns import Columns
from optkit.kernels import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices of the twins, and of cuts.

    Parameters
    ----------
    twin : [M] at least 0.
    elements : [K, 3] of each cut, twins and M + server, increasing.
    cut : [K] at least 0: what a group with two of the elements pays.
    """

    twin: Floats
    elements: Ints
    cut: Floats

    @classmethod
    def of(cls, twin: Floats) -> Prices:
        """Without cuts."""
        return cls(twin, np.zeros((0, 3), dtype=np.int64), np.zeros(0))

    def mixed(self, other: Prices, weight: float) -> Prices:
        """Between these prices (weight 1) and others of the same and perhaps further cuts."""
        cut = np.zeros(len(other.cut))
        cut[: len(self.cut)] = weight * self.cut
        twin = weight * self.twin + (1.0 - weight) * other.twin
        return Prices(twin, other.elements, cut + (1.0 - weight) * other.cut)

    @property
    def total(self) -> float:
        """What the rows of twins and cuts give to the bound."""
        return float(self.twin.sum() - self.cut.sum())

    def paid(self, columns: Columns, servers: int) -> Floats:
        """[n] what each group pays to the cuts, less what its twins bring."""
        paid = -columns.sums(self.twin)
        used = self.cut > 0
        if used.any():
            rows = columns.rows(len(self.twin), servers)
            paid += entries(self.elements[used], rows).T @ self.cut[used]
        return paid

    def compiled(self) -> tuple[tuple[Ints, Ints, Floats], Ints]:
        """The cuts of a price above 0 as the compiled search takes them."""
        twins = len(self.twin)
        used = self.cut > 0
        elements = self.elements[used]
        is_twin = elements < twins
        number = np.broadcast_to(np.arange(len(elements))[:, None], elements.shape)[is_twin]
        member = elements[is_twin]
        first = np.zeros(twins + 1, dtype=np.int64)
        np.cumsum(np.bincount(member, minlength=twins), out=first[1:])
        server = np.where(is_twin.all(axis=1), -1, elements.max(axis=1, initial=0) - twins)
        return (first, number[np.argsort(member, kind="stable")], self.cut[used]), server


def entries(elements: Ints, rows: sparse.csc_matrix) -> sparse.csr_matrix:
    """Entries [K, n] in cuts, of groups by their rows [M + S, n]: a one where two elements are."""
    count = len(elements)
    pick = sparse.csr_matrix(
        (np.ones(elements.size), (np.repeat(np.arange(count), 3), elements.ravel())),
        shape=(count, rows.shape[0]),
    )
    both = (pick @ rows).tocsr()
    both.data = (both.data >= 2).astype(float)
    both.eliminate_zeros()
    return both


def violated(
    columns: Columns, values: Floats, twins: int, servers: int, *, most: int, least: float
) -> Ints:
    """Elements [K, 3] of cuts that a fractional choice breaks, the worst first.

    Parameters
    ----------
    values : [n] of the columns.
    most : so many cuts at most, and few for one element.
    least : amount by which a cut must be broken.
    """
    used = values > 1e-9
    chosen, part = columns.take(used), values[used]
    rows = chosen.rows(twins, servers)
    together = (rows @ sparse.diags(part) @ rows.T).toarray()
    np.fill_diagonal(together, 0.0)
    by_row = rows.tocsr()
    found, amount = triples(together, by_row.indptr, by_row.indices, part, 1.0 + least, 50 * most)
    times = np.zeros(twins + servers, dtype=np.int64)
    kept: list[int] = []
    for k in np.argsort(-amount, kind="stable"):
        if len(kept) < most and (times[found[k]] < 6).all():
            times[found[k]] += 1
            kept.append(int(k))
    return np.asarray(found[np.array(kept, dtype=np.int64)])


@kernel
def triples(together, first, member, part, least, most):  # type: ignore[no-untyped-def]
    """Triples [K, 3] whose groups with two of them sum to more than `least`, and the sums.

    Parameters
    ----------
    together : [E, E] sum over the groups with both elements, 0 on the diagonal.
    first, member : groups of each element; part : [n] of the groups.
    """
    count = len(together)
    found, amount, size = np.empty((most, 3), np.int64), np.empty(most), 0
    for j in range(count):
        near = np.flatnonzero(together[j])
        for a in range(len(near)):
            i = near[a]
            for b in range(a + 1, len(near)):
                k = near[b]
                third = together[i, k]
                if third > 0 and (i < j or k < j):
                    continue  # met from another middle
                value = together[i, j] + together[j, k] + third
                if value <= least:
                    continue
                if third > 0:  # those with all three were counted three times
                    for e in range(first[j], first[j + 1]):
                        c = member[e]
                        in_i, in_k = False, False
                        for f in range(first[i], first[i + 1]):
                            in_i = in_i or member[f] == c
                        for f in range(first[k], first[k + 1]):
                            in_k = in_k or member[f] == c
                        if in_i and in_k:
                            value -= 2.0 * part[c]
                if value > least and size < most:
                    found[size, 0], found[size, 1], found[size, 2] = i, j, k
                    found[size].sort()
                    amount[size] = value
                    size += 1
    return found[:size], amount[:size]
