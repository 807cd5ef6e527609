"""Where heads run when servers share by count: dynamic programme over nearest-server trees.

Every head runs on its home server or on that server's nearest one, so who can meet whom is a
graph with one outgoing edge a server: trees that hang on cycles, which are pairs of mutually
nearest servers where distances decide. (Paper 000, module C, learns what this solves.)
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.balance_kernels import join, meet, send_up
from optkit.errors import RunEnded
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Values of a server in all cases of a cycle that are looked at together.
_CELLS = 4_000_000


class Forest(NamedTuple):
    """The graph of nearest servers.

    Attributes
    ----------
    order : servers in trees, each before its nearest one.
    cycles : the others, cycle after cycle, each server before its nearest one.
    children : [H] of each server those of `order` whose nearest it is.
    """

    order: list[int]
    cycles: list[list[int]]
    children: list[list[int]]


def forest(nearest: Ints) -> Forest:
    """Trees and cycles of the nearest servers [H]."""
    target = nearest.tolist()
    waiting = np.bincount(nearest, minlength=len(target)).tolist()
    order = [h for h, count in enumerate(waiting) if count == 0]
    children: list[list[int]] = [[] for _ in target]
    for h in order:  # which grows
        parent = target[h]
        children[parent].append(h)
        waiting[parent] -= 1
        if waiting[parent] == 0:
            order.append(parent)
    cycles, seen = [], set(order)
    for h in range(len(target)):
        cycle = []
        while h not in seen:
            seen.add(h)
            cycle.append(h)
            h = target[h]
        if cycle:
            cycles.append(cycle)
    return Forest(order, cycles, children)


def most_heads(home: Ints, nearest: Ints) -> Ints:
    """Heads that each server [H] can come to host: its own services and its children's."""
    own = np.bincount(home, minlength=len(nearest))
    return own + np.bincount(nearest[home], minlength=len(nearest))


def balance_by_count(
    home: Ints, nearest: Ints, stay: Floats, send: Floats, run: Run | None = None
) -> Ints | None:
    """The best omega where a value depends on the server and on how many heads it hosts.

    Parameters
    ----------
    home : [N] home server of each service.
    nearest : [H] server nearest to each.
    stay, send : [N, P + 1] value of each service with its head at home, or on the nearest server,
        by the number of heads there; P is at least the largest of `most_heads`. All finite.
    run : may end it where there is a cycle of three servers or more, which takes long.

    Returns
    -------
    [N] 1 where the head runs on the nearest server; the sum of values is the largest there is.
    ``None`` where the run stopped before.
    """
    omega = np.zeros(len(home), dtype=np.int64)
    if len(home):
        try:
            _Counts(home, nearest, stay, send, run).solve(omega)
        except RunEnded:
            return None
    return omega


class _Counts:
    """Tables of every server, from the leaves up; then choices from the cycles down.

    A choice of a server is (services that it sends, heads that it hosts).
    """

    def __init__(
        self, home: Ints, nearest: Ints, stay: Floats, send: Floats, run: Run | None
    ) -> None:
        self._run = run
        self._forest = forest(nearest)
        self._nearest = nearest.tolist()
        self._services = np.argsort(home, kind="stable")
        own = np.bincount(home, minlength=len(nearest))
        self._own = own.tolist()
        first = [0, *np.cumsum(own).tolist()]
        self._rows = [slice(a, b) for a, b in itertools.pairwise(first)]
        self._most = most_heads(home, nearest).tolist()
        self._stay = stay[self._services]
        self._send = send[self._services]
        self._stay[:, 0] = self._send[:, 0] = 0.0
        # Of a server in a tree, by (sent, heads on its nearest server): value, and heads here.
        self._message: dict[int, tuple[Floats, Ints]] = {}
        # Of each server, by (what its trees send, heads here): value, and each child's part.
        self._arrivals: dict[int, Floats] = {}
        self._taken: dict[int, list[Ints]] = {}

    def solve(self, omega: Ints) -> None:
        order, cycles, children = self._forest
        for h in order:
            self._collect(h)
            value, count = self._passed(h, self._arrivals[h][None])
            self._message[h] = value[0], count[0]
        choices: dict[int, tuple[int, int]] = {}
        came: dict[int, int] = {}  # to servers on cycles, along these
        for cycle in cycles:
            for h in cycle:
                self._collect(h)
            choices |= self._pair(*cycle) if len(cycle) == 2 else self._ring(cycle)
            came |= {self._nearest[h]: choices[h][0] for h in cycle}
        for h in [*itertools.chain(*cycles), *reversed(order)]:
            sent, heads = choices[h]
            arriving = heads - self._own[h] + sent - came.get(h, 0)
            joined = list(zip(children[h], self._taken[h], strict=True))
            for child, taken in reversed(joined):
                part = int(taken[arriving, heads])
                choices[child] = part, int(self._message[child][1][part, heads])
                arriving -= part
        for h, (sent, heads) in choices.items():
            if sent:
                differences = self._send[self._rows[h], choices[self._nearest[h]][1]]
                differences = differences - self._stay[self._rows[h], heads]
                best = np.argsort(-differences, kind="stable")[:sent]
                omega[self._services[self._rows[h]][best]] = 1

    def _tables(self, h: int) -> tuple[Floats, Floats]:
        """Values of the server's own services by the heads here, and on the nearest server."""
        here, there = self._most[h] + 1, self._most[self._nearest[h]] + 1
        rows = self._rows[h]
        return (
            np.ascontiguousarray(self._stay[rows, :here]),
            np.ascontiguousarray(self._send[rows, :there]),
        )

    def _collect(self, h: int) -> None:
        """Join what the trees below a server send."""
        arrivals = np.zeros((1, self._most[h] + 1))
        self._taken[h] = []
        for child in self._forest.children[h]:
            joined, taken = _joined(arrivals, self._message[child][0][None])
            arrivals = joined[0]
            self._taken[h].append(taken[0])
        self._arrivals[h] = arrivals

    def _passed(self, h: int, arrivals: Floats, there: int | None = None) -> tuple[Floats, Ints]:
        """What a server is worth to its nearest one in K cases [K, sent, heads there], and the
        heads here; only for so many heads there, if given."""
        most = self._most[self._nearest[h]]
        best = np.empty((len(arrivals), self._own[h] + 1, most + 1))
        count = np.zeros(best.shape, dtype=np.int64)
        counts = np.arange(most + 1) if there is None else np.array([there])
        send_up(*self._tables(h), arrivals, counts, best, count)
        return best, count

    def _pair(self, u: int, v: int) -> dict[int, tuple[int, int]]:
        best = np.zeros(4, dtype=np.int64)
        meet(*self._tables(u), self._arrivals[u], *self._tables(v), self._arrivals[v], best)
        o_u, n_u, o_v, n_v = best.tolist()
        return {u: (o_u, n_u), v: (o_v, n_v)}

    def _ring(self, cycle: list[int]) -> dict[int, tuple[int, int]]:
        """A cycle of any length: a tree once it is held what its first server sends and hosts."""
        first, own = cycle[0], self._own[cycle[0]]
        cases = max(1, _CELLS // (1 + max(self._most[h] for h in cycle)) ** 2)
        top = -np.inf
        choices: dict[int, tuple[int, int]] = {}
        for heads in range(self._most[first] + 1):
            for least in range(max(0, own - heads), own + 1, cases):
                if self._run is not None and self._run.stopped():
                    raise RunEnded
                sent = np.arange(least, min(least + cases, own + 1))
                value, those = self._around(cycle, heads, sent)
                if value > top:
                    top, choices = value, those
        return choices

    def _around(
        self, cycle: list[int], heads: int, sent: Ints
    ) -> tuple[float, dict[int, tuple[int, int]]]:
        """The best value and choices where the first server hosts so many heads and sends one of
        the numbers `sent` [K]: each is a case of the recursion along the cycle."""
        first, last, own = cycle[0], cycle[-1], self._own[cycle[0]]
        stay, send = self._tables(first)
        differences = -np.sort(stay[:, heads, None] - send, axis=0)
        worth = np.zeros((own + 1, send.shape[1]))
        np.cumsum(differences, axis=0, out=worth[1:])
        worth += stay[:, heads].sum()
        worth[np.arange(send.shape[1]) < np.arange(own + 1)[:, None]] = -np.inf
        message = np.full((len(sent), *worth.shape), -np.inf)
        message[np.arange(len(sent)), sent] = worth[sent]
        counts: list[Ints] = []
        parts: list[Ints] = []
        for h in cycle[1:]:
            joined, taken = _joined(self._arrivals[h], message)
            message, count = self._passed(h, joined, heads if h == last else None)
            parts.append(taken)
            counts.append(count)
        arrivals = self._arrivals[first]
        arriving = heads - own + sent[:, None] - np.arange(message.shape[1])
        possible = (arriving >= 0) & (arriving < len(arrivals))
        values = np.where(possible, message[:, :, heads], -np.inf)
        values[possible] += arrivals[arriving[possible], heads]
        case, o = divmod(int(np.argmax(values)), values.shape[1])
        value, n = float(values[case, o]), heads
        choices = {first: (int(sent[case]), heads)}
        if value == -np.inf:
            return value, choices
        for h, count, taken in zip(cycle[:0:-1], counts[::-1], parts[::-1], strict=True):
            n = int(count[case, o, n])
            choices[h] = o, n
            o = int(taken[case, n - self._own[h] + o, n])
        return value, choices


def _joined(arrivals: Floats, message: Floats) -> tuple[Floats, Ints]:
    cases, sent = message.shape[:2]
    joined = np.empty((cases, len(arrivals) + sent - 1, arrivals.shape[1]))
    taken = np.zeros(joined.shape, dtype=np.int64)
    join(arrivals, message, joined, taken)
    return joined, taken
