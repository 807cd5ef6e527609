"""Where heads run when servers share by work: dynamic programme over the sets that they host.

A server h can host its own services and those of the servers whose nearest it is. With A the
set that it hosts and o those of its own that run elsewhere, a tree below h is worth to its
nearest server ``M_h(o) = max_{A without o} worth_h(A) + sum_c M_c(A on c)`` over its children c:
exact for any worth of a set, within O(2^|hosted|) for each server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.balance_trees import Forest, forest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Hosted(NamedTuple):
    """What a server can host.

    Attributes
    ----------
    services : its own services, then those of its children in trees, then of the one on a cycle;
        service number b of these is bit b of a set.
    sizes : how many of them come from each, in that order.
    """

    services: Ints
    sizes: list[int]

    def members(self, number: int) -> Iterator[tuple[int, bool]]:
        """Services of the set of that number, and whether each is away from its home here."""
        for bit, service in enumerate(self.services.tolist()):
            if number >> bit & 1:
                yield service, bit >= self.sizes[0]


def hosted_services(home: Ints, nearest: Ints, graph: Forest | None = None) -> list[Hosted]:
    """What each server [H] can host."""
    graph = forest(nearest) if graph is None else graph
    own = np.split(
        np.argsort(home, kind="stable"), np.cumsum(np.bincount(home, minlength=len(nearest)))[:-1]
    )
    sources = [[h, *children] for h, children in enumerate(graph.children)]
    for cycle in graph.cycles:
        for h in cycle:
            sources[int(nearest[h])].append(h)
    return [
        Hosted(np.concatenate([own[c] for c in group]), [len(own[c]) for c in group])
        for group in sources
    ]


def components(nearest: Ints, graph: Forest) -> Ints:
    """Number of the cycle [H] that each server's path of nearest servers ends in."""
    number = np.zeros(len(nearest), dtype=np.int64)
    for index, cycle in enumerate(graph.cycles):
        number[cycle] = index
    for h in reversed(graph.order):
        number[h] = number[nearest[h]]
    return number


def balance_by_set(
    nearest: Ints, graph: Forest, hosted: list[Hosted], worth: dict[int, Floats], omega: Ints
) -> None:
    """Fill in the best omega [N] of the components all of whose servers have a `worth`.

    Parameters
    ----------
    nearest, graph : [H] nearest servers, and their `forest`.
    hosted : [H] as of `hosted_services`.
    worth : of a server: [2^|hosted|] value of hosting each set, the services in it taken together.
    omega : [N] 1 where the head runs on the nearest server; filled in.
    """
    values: dict[int, Floats] = {}
    message: dict[int, Floats] = {}  # [2^own] by the set sent

    def collect(h: int) -> None:
        # One axis for each source, the own services last: bits count from the lowest.
        table = worth[h].reshape([1 << size for size in reversed(hosted[h].sizes)]).copy()
        for position, child in enumerate(graph.children[h], start=1):
            shape = [1] * table.ndim
            shape[-1 - position] = -1
            table += message[child].reshape(shape)
        values[h] = table

    for h in graph.order:
        if h in worth:
            collect(h)
            staying = values[h].reshape(-1, values[h].shape[-1]).max(axis=0)
            message[h] = staying[::-1]  # those not sent stay
    sent: dict[int, int] = {}
    for cycle in graph.cycles:
        if all(h in worth for h in cycle):
            for h in cycle:
                collect(h)
            sent |= _around(cycle, [values[h] for h in cycle])
    before = {int(nearest[h]): h for cycle in graph.cycles for h in cycle}
    inner = [h for cycle in graph.cycles for h in cycle]
    for h in [*inner, *reversed(graph.order)]:
        if h not in values:
            continue
        table = values[h][..., ~sent[h]]  # counted from the end: those not sent stay
        if h in before:
            table = table[sent[before[h]]]
        parts = np.unravel_index(int(np.argmax(table)), table.shape)
        for child, part in zip(graph.children[h], reversed(parts), strict=True):
            sent[child] = int(part)
        own = hosted[h].services[: hosted[h].sizes[0]]
        omega[own] = sent[h] >> np.arange(len(own)) & 1


def _around(cycle: list[int], values: list[Floats]) -> dict[int, int]:
    """What each server of a cycle sends, from their values (first axis: what comes along it)."""
    matrices = []
    for table in values:
        inner = table.reshape(table.shape[0], -1, table.shape[-1]).max(axis=1)
        matrices.append(inner[:, ::-1])  # (what comes, what it sends)
    # best[a, b]: the first server sends a, the one reached so far sends b.
    best = matrices[1]
    through: list[Ints] = []
    for matrix in matrices[2:]:
        choice = np.array([np.argmax(row[:, None] + matrix, axis=0) for row in best])
        through.append(choice)
        best = np.take_along_axis(best, choice, axis=1) + matrix[choice, np.arange(matrix.shape[1])]
    top = int(np.argmax(best + matrices[0].T))
    first, last = divmod(top, best.shape[1])
    sent = [last]
    for choice in reversed(through):
        sent.append(int(choice[first, sent[-1]]))
    return dict(zip(cycle, [first, *reversed(sent)], strict=True))
