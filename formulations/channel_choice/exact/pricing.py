"""Pricing of coalitions: the best at given prices, or all that could still matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.pricing_kernels import HALVINGS, search_levels
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import gains, thresholds
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Neighbouring levels of received power differ by this factor.
_RATIO = 1.03
#: Loads this close (relative) are one.
_SAME = 1e-12
#: Units of load into which the packing table divides a level's power.
_UNITS = 64
_FINE_UNITS = 1024
#: A reduced gain below this is rounding.
NEGLIGIBLE = 1e-9
#: Where the best coalition is sought, levels without one of this part of the best may be skipped.
_PART = 0.3
_FOUND_A_ROUND = 2000
_QUICK = 1_000_000  # partial coalitions
#: Partial coalitions between two looks at the limits of the run, for less than a second.
_PIECE = 2_000_000
#: Partial coalitions of a level after which it is halved.
_PATIENCE = 300


class Cuts(NamedTuple):
    """Rows that count ``floor(sum_{i in S} weight_i / unit)`` of a coalition S, for the kernels.

    Attributes
    ----------
    start, cut, weight : the cuts of service i and its weights in them at start[i] : start[i + 1].
    unit : [C] divisors.
    price : [C] shadow prices, at least 0.
    """

    start: Ints
    cut: Ints
    weight: Ints
    unit: Ints
    price: Floats


class Prices(NamedTuple):
    """What services [N], an offloader, a channel and cuts cost at a point of the master."""

    service: Floats
    offloader: float
    channel: float
    cuts: Cuts


@dataclass(frozen=True)
class Coalitions:
    """Sets of services that may share a channel.

    Parameters
    ----------
    start, member : members of the j-th, ascending, at start[j] : start[j + 1].
    value : [J] what its members gain together.
    """

    start: Ints
    member: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, number: int) -> Ints:
        return self.member[self.start[number] : self.start[number + 1]]

    @classmethod
    def of(cls, members: Sequence[Ints], value: Floats) -> Coalitions:
        """From the members of each."""
        start = np.concatenate([[0], np.cumsum([len(those) for those in members])])
        empty = np.zeros(0, dtype=np.int64)
        return cls(start.astype(np.int64), np.concatenate([empty, *members]), value)

    def joined(self, other: Coalitions) -> Coalitions:
        """These, and others after them."""
        return Coalitions(
            np.concatenate([self.start, self.start[-1] + other.start[1:]]),
            np.concatenate([self.member, other.member]),
            np.concatenate([self.value, other.value]),
        )

    def take(self, numbers: Ints) -> Coalitions:
        """Some of them."""
        sizes = np.diff(self.start)[numbers]
        start = np.concatenate([[0], np.cumsum(sizes)])
        offset = np.repeat(self.start[numbers] - start[:-1], sizes)
        return Coalitions(start, self.member[np.arange(start[-1]) + offset], self.value[numbers])


class Walk(NamedTuple):
    """Where a search stands within a level: members so far, the last one last.

    Attributes
    ----------
    place, inside : [N + 1] their places in the order of the search, and their numbers.
    load, least, gained : [N + 1] power, least threshold and reduced gain of the first 0, 1, 2 ...
    state : [C] weights of the members in each cut.
    at : how many members there are, and the place that is looked at next.
    """

    place: Ints
    inside: Ints
    load: Floats
    least: Floats
    gained: Floats
    state: Ints
    at: Ints


class Search(NamedTuple):
    """Where a search stands among the levels.

    Attributes
    ----------
    number : place in the sequence of levels, parts left of this level (0: not begun), coalitions
        found, partial coalitions left for all levels, and for this part (-1: not begun).
    amount : lower end of the part, best reduced gain so far, bound on what was given up, and
        floor of the part.
    ends_w : upper ends of the parts that are left.
    """

    number: Ints
    amount: Floats
    ends_w: Floats


class Found(NamedTuple):
    """What a search gave: coalitions, their reduced gains, a bound on all, whether it ended."""

    coalitions: Coalitions
    reduced: Floats
    upper: float
    complete: bool


class Pricer:
    """Coalitions at speed F/k: levels of received power and what services gain in them at most.

    Parameters
    ----------
    o, k : the problem and the number of offloaders that sets the shares of the cloud.

    Attributes
    ----------
    limits : [N] thresholds T_i(k).
    """

    def __init__(self, o: Offloading, k: int) -> None:
        self.o, self.k = o, k
        self.limits = thresholds(o, k)
        power_w = o.power_w
        usable = power_w <= self.limits
        self.low_w, self.high_w = load_levels(power_w[usable], self.limits[usable])
        admitted = (self.limits[:, None] > self.low_w) & (power_w[:, None] <= self.high_w)
        admitted &= usable[:, None]
        self.table: Floats = np.where(admitted, gains(o, self.low_w, k), -np.inf)
        self._key = np.arange(len(self.low_w), dtype=float)

    def best(self, prices: Prices, nodes: int, run: Run | None = None) -> Found:
        """Coalitions of large reduced gain; if there are none, a search for the largest gain."""
        found = self.good(prices)
        if len(found.coalitions) or found.complete:
            return found
        return self._search(prices, NEGLIGIBLE, False, nodes, _FOUND_A_ROUND, True, run)

    def good(self, prices: Prices) -> Found:
        """Coalitions of large reduced gain, as far as they are found at once."""
        return self._search(prices, NEGLIGIBLE, False, _QUICK, _FOUND_A_ROUND, False)

    def above(
        self, prices: Prices, floor: float, nodes: int, most: int, run: Run | None = None
    ) -> Found:
        """All coalitions of a reduced gain above a floor but for dominated ones, if complete."""
        return self._search(prices, floor, True, nodes, most, False, run)

    def _search(
        self,
        prices: Prices,
        floor: float,
        keep_all: bool,
        nodes: int,
        most: int,
        thorough: bool,
        run: Run | None = None,
    ) -> Found:
        """In pieces between which the run may stop it; it then bounds nothing."""
        dual = prices.service + prices.offloader
        member = np.empty(most * min(len(dual), 16), dtype=np.int64)
        start = np.zeros(most + 1, dtype=np.int64)
        value, reduced = np.empty(most), np.empty(most)
        units = _FINE_UNITS if thorough or keep_all else _UNITS
        sequence = np.argsort(-self._key, kind="stable")
        walk = self._walk(len(prices.cuts.unit))
        search = Search(
            np.array([0, 0, 0, nodes, -1]),
            np.array([0.0, floor, floor, floor]),
            np.empty(HALVINGS + 2),
        )
        ended = False
        while not ended and (run is None or not run.stopped()):
            ended = search_levels(
                self.o, self.k, self.limits, prices.cuts, dual, prices.channel,
                self.low_w, self.high_w, self.table, sequence, -np.inf if keep_all else 0.0, floor,
                _PART, keep_all, _PATIENCE, thorough, units, member, start, value, reduced,
                self._key, walk, search, _PIECE,
            )  # fmt: skip
        found = int(search.number[2])
        _, top, upper, _ = search.amount.tolist()
        start = start[: found + 1].copy()
        return Found(
            Coalitions(start, member[: start[-1]].copy(), value[:found].copy()),
            reduced[:found].copy(),
            max(upper, top) if ended else np.inf,
            ended and upper <= top,
        )

    def _walk(self, cuts: int) -> Walk:
        """Before the first member."""
        room = len(self.o.power_w) + 1
        place, inside = np.zeros((2, room), dtype=np.int64)
        load, least, gained = np.zeros((3, room))
        state, at = np.zeros(cuts, dtype=np.int64), np.zeros(2, dtype=np.int64)
        return Walk(place, inside, load, least, gained, state, at)


def load_levels(power_w: Floats, limits: Floats) -> tuple[Floats, Floats]:
    """Intervals ``low < W <= high`` [L] that hold every load of a channel that may be shared.

    Geometric within what 1, 2, 3 ... services can weigh: where powers are nearly equal, no load
    lies between.

    Parameters
    ----------
    power_w, limits : received powers and thresholds of the services that may offload at all.
    """
    if not len(power_w):
        return np.zeros(0), np.zeros(0)
    most = float(limits.max()) * (1 + _SAME)
    ordered = np.sort(power_w)
    lows = np.cumsum(ordered) * (1 - _SAME)
    highs = np.cumsum(ordered[::-1]) * (1 + _SAME)
    reached = lows < most
    lows, highs = lows[reached], np.minimum(highs[reached], most)
    first = np.concatenate([[True], lows[1:] > np.maximum.accumulate(highs)[:-1]])
    begins = lows[first]
    ends = np.maximum.reduceat(highs, np.flatnonzero(first))
    counts = np.ceil(np.log(ends / begins) / np.log(_RATIO)).astype(int)
    parts = zip(begins, ends, counts, strict=True)
    edges = [b * (e / b) ** np.linspace(0, 1, n + 1) for b, e, n in parts]
    return np.concatenate([e[:-1] for e in edges]), np.concatenate([e[1:] for e in edges])
