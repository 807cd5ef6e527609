"""Local search over where heads run, for work sharing with too many sets to enumerate."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.balance_values import HeldChannels
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Move = tuple[int, ...]
#: A gain below this is rounding.
_RISE = 1e-12
_MOVES = 2_000


def improved(
    held: HeldChannels, omega: Ints, other: Ints, free: Ints, run: Run | None = None
) -> Ints:
    """A local optimum over moving one or two heads, from the better one of two starts.

    Parameters
    ----------
    held : with ``work`` sharing.
    omega : [N] first start, kept where services are not free.
    other : [N] second start, for the free services.
    free : services whose heads may be moved.
    run : ends the search.
    """
    second = omega.copy()
    second[free] = other[free]
    search = max((_Search(held, start) for start in (omega, second)), key=lambda s: s.total)
    singles: list[Move] = [(i,) for i in free.tolist()]
    while True:
        if search.sweep(singles, run):
            continue
        if not search.sweep(_pairs(held, free), run):
            return search.omega


def _pairs(held: HeldChannels, free: Ints) -> Iterator[Move]:
    """Pairs of free services that a server can host both."""
    home, away = held.heads.home[free], held.heads.away[free]
    seen: set[Move] = set()
    for h in range(len(held.nearest)):
        for pair in itertools.combinations(free[(home == h) | (away == h)].tolist(), 2):
            if pair not in seen:
                seen.add(pair)
                yield pair


class _Search:
    """A point of the search: who is on which server, and what every server is worth.

    Broken constraints come first, as in every comparison of decisions.
    """

    def __init__(self, held: HeldChannels, omega: Ints) -> None:
        self._held = held
        self.omega = omega.copy()
        self._place = np.where(omega > 0, held.heads.away, held.heads.home)
        everywhere = [
            (h, np.flatnonzero(self._place == h).tolist()) for h in range(len(held.nearest))
        ]
        self._members = dict(everywhere)
        self._worth = self._valued([members for _, members in everywhere], list(self._members))

    @property
    def total(self) -> tuple[float, float]:
        """Minus the number of broken constraints, then the sum of qualities."""
        broken, quality = self._worth.sum(axis=0).tolist()
        return broken, quality

    def sweep(self, moves: Iterable[Move], run: Run | None) -> bool:
        """Make the best moves of disjoint servers, a chunk after another; whether there was one."""
        found = False
        source = iter(moves)
        while chunk := list(itertools.islice(source, _MOVES)):
            if run is not None and run.stopped():
                return False
            found |= self._make(chunk)
        return found

    def _make(self, moves: list[Move]) -> bool:
        """Make those moves of a chunk that help, the best first, none beside another."""
        owner: list[int] = []
        servers: list[int] = []
        groups: list[list[int]] = []
        for number, move in enumerate(moves):
            for h, members in self._after(move).items():
                owner.append(number)
                servers.append(h)
                groups.append(members)
        change = self._valued(groups, servers) - self._worth[servers]
        gain = np.stack([np.bincount(owner, column, len(moves)) for column in change.T], axis=1)
        better = (gain[:, 0] > 0) | ((gain[:, 0] == 0) & (gain[:, 1] > _RISE))
        touched: set[int] = set()
        for number in np.lexsort((-gain[:, 1], -gain[:, 0])).tolist():
            if not better[number]:
                break
            after = self._after(moves[number])
            if touched.isdisjoint(after):
                touched |= after.keys()
                self._apply(moves[number], after)
        return bool(touched)

    def _after(self, move: Move) -> dict[int, list[int]]:
        """Who is on each server that a move touches, afterwards."""
        heads = self._held.heads
        members: dict[int, list[int]] = {}
        for i in move:
            home, away = int(heads.home[i]), int(heads.away[i])
            source, target = (away, home) if self.omega[i] else (home, away)
            for h in (source, target):
                members.setdefault(h, list(self._members[h]))
            members[source].remove(i)
            members[target].append(i)
        return members

    def _apply(self, move: Move, after: dict[int, list[int]]) -> None:
        self.omega[list(move)] ^= 1
        self._members |= after
        self._worth[list(after)] = self._valued(list(after.values()), list(after))

    def _valued(self, groups: list[list[int]], servers: list[int]) -> Floats:
        """What groups of services on servers are worth: minus what they break, and quality."""
        heads = self._held.heads
        sizes = [len(group) for group in groups]
        service = np.fromiter(itertools.chain(*groups), dtype=np.int64, count=sum(sizes))
        group_of = np.repeat(np.arange(len(groups)), sizes)
        place = np.repeat(np.array(servers, dtype=np.int64), sizes)
        work = np.bincount(group_of, heads.head_flop[service, 0], len(groups))
        waited = (heads.backlog_flop[place] + work[group_of])[:, None]
        worth = self._held.worth(service, place, waited)
        columns = [np.bincount(group_of, v, len(groups)) for v in (-worth.broken, worth.quality)]
        return np.stack(columns, axis=1)
