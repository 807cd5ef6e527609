"""Local search over channels: moves and swaps of services from several starts."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from formulations.channel_choice.exact.held import Held
from formulations.channel_choice.exact.shares import alone
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.search_kernels import climb, grow
from optkit.errors import UsageError
from optkit.run import Run

Ints = NDArray[np.int64]
#: Services that a kick moves.
_KICKED = 4


class Searcher:
    """Local search on one choice of channels.

    Parameters
    ----------
    o : the problem.
    rng : gives the orders in which services are looked at.
    """

    def __init__(self, o: Offloading, rng: Generator) -> None:
        self.o, self._rng = o, rng
        best = alone(o, 1)
        self.penalty = 1.0 + float(best[best > 0].sum())

    def climbed(self, channels: Ints, optimum: Ints | None = None) -> tuple[float, Ints]:
        """The local optimum above channels [N]: its gain less penalties, and its channels.

        Parameters
        ----------
        optimum : a local optimum that differs little from the channels.
        """
        result = np.array(channels, dtype=np.int64)
        stale = np.ones(self.o.channels + 1, dtype=np.bool_)
        if optimum is not None:
            differ = result != optimum
            stale[:] = False
            stale[result[differ]] = stale[optimum[differ]] = True
            if self.o.equal_share and (result > 0).sum() != (optimum > 0).sum():
                stale[:] = True
        order = self._rng.permutation(len(stale))
        return float(climb(self.o, result, order, stale, self.penalty)), result

    def grown(self, channels: Ints) -> Ints:
        """Channels [N] and whoever is worth adding, the best pair first."""
        result = np.array(channels, dtype=np.int64)
        grow(self.o, result, self.penalty)
        return result

    def improve(self, held: Held, run: Run, kicks: int) -> None:
        """Climb from kicks of the best decision so far, and report what is better."""
        for _ in range(kicks):
            if run.stopped() or held.channels is None:
                return
            gain, result = self.climbed(self.kicked(held.channels, _KICKED), held.channels)
            if gain > held.gain:
                held.found(result)

    def kicked(self, channels: Ints, count: int) -> Ints:
        """Channels [N] with some services somewhere else, at home with probability 1/2."""
        result = channels.copy()
        moved = self._rng.choice(len(result), min(count, len(result)), replace=False)
        somewhere = self._rng.integers(0, self.o.channels + 1, len(moved))
        result[moved] = np.where(self._rng.random(len(moved)) < 0.5, 0, somewhere)
        return result


def local_search(instance: ChannelChoice, run: Run, *, starts: int = 20) -> None:
    """Climb from all at home, from the greedy choice and from the warm start, then from kicks of
    the best choice so far.

    Parameters
    ----------
    starts : how often to climb.
    """
    if starts < 1:
        raise UsageError(f"option starts is {starts}, expected an integer of at least 1")
    held = Held(instance, run)
    run.built()
    searcher = Searcher(held.offloading, run.rng)
    home = np.zeros(instance.services, dtype=np.int64)
    first = [searcher.grown(home), home] + ([] if held.start is None else [held.start])
    best, channels = -np.inf, home
    held.found(home)
    for start in run.steps(range(starts)):
        if start < len(first):
            gain, result = searcher.climbed(first[start])
        else:
            gain, result = searcher.climbed(searcher.kicked(channels, _KICKED), channels)
        held.found(result)
        if gain > best:
            best, channels = gain, result
