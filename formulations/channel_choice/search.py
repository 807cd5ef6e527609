"""Local search over channels: moves and swaps of services from several starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.acco_kernels import commit_pairs
from formulations.channel_choice.exact.held import Held
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.search_kernels import Climbing, climb
from optkit.errors import UsageError
from optkit.run import Run
from optkit.search.games import TOLERANCE

Ints = NDArray[np.int64]
#: Services that fail, negative, and what the others gain: larger is better.
Worth = tuple[int, float]
#: Services that a kick moves.
_KICKED = 4
#: Moves and swaps that are valued between two looks at the limits.
_VALUED = 100_000
_STEPS = 8  # pairs of the greedy choice between two looks at the limits


class Searcher:
    """Local search on one choice of channels.

    Channels are alike, so that no more of them are looked at than there are services.

    Parameters
    ----------
    o : the problem.
    run : gives the orders in which services are looked at, and ends a climb.
    """

    def __init__(self, o: Offloading, run: Run) -> None:
        self._o = o._replace(channels=min(o.channels, len(o.power_w)))
        self._run, self._rng = run, run.rng

    def climbed(self, channels: Ints, optimum: Ints | None = None) -> tuple[Worth, Ints]:
        """The local optimum above channels [N], or what the run let it come to.

        Its worth, and its channels.

        Parameters
        ----------
        channels : at most min(M, N) each.
        optimum : a local optimum that differs little from the channels.
        """
        result = np.array(channels, dtype=np.int64)
        stale = np.ones(self._o.channels + 1, dtype=np.bool_)
        if optimum is not None:
            differ = result != optimum
            stale[:] = False
            stale[result[differ]] = stale[optimum[differ]] = True
            if self._o.equal_share and (result > 0).sum() != (optimum > 0).sum():
                stale[:] = True
        order = self._rng.permutation(len(stale))
        climbing, done = Climbing.begin(result, stale), False
        while not done:
            failed, gain, done = climb(self._o, result, order, climbing, _VALUED)
            if self._run.stopped():
                break
        return (-int(failed), float(gain)), result

    def grown(self) -> Ints:
        """Channels [N] of the greedy choice from all at home, as far as the run lets it come."""
        result = np.zeros(len(self._o.power_w), dtype=np.int64)
        while not self._run.stopped() and not commit_pairs(self._o, result, TOLERANCE, _STEPS):
            pass
        return result

    def improve(self, held: Held, kicks: int) -> None:
        """Climb from kicks of the best decision so far, and report what is better."""
        for _ in range(kicks):
            if self._run.stopped() or held.channels is None:
                return
            worth, result = self.climbed(self.kicked(held.channels, _KICKED), held.channels)
            if worth > (0, held.gain):
                held.found(result)

    def kicked(self, channels: Ints, count: int) -> Ints:
        """Channels [N] with some services somewhere else, at home with probability 1/2."""
        result = channels.copy()
        moved = self._rng.choice(len(result), min(count, len(result)), replace=False)
        somewhere = self._rng.integers(0, self._o.channels + 1, len(moved))
        result[moved] = np.where(self._rng.random(len(moved)) < 0.5, 0, somewhere)
        return result


def local_search(instance: ChannelChoice, run: Run, *, starts: int = 20) -> None:
    """Climb from the greedy choice, from all at home and from the warm start, then from kicks of
    the best choice so far.

    Parameters
    ----------
    starts : how often to climb.
    """
    if starts < 1:
        raise UsageError(f"option starts is {starts}, expected an integer of at least 1")
    held = Held(instance, run)
    run.built()
    searcher = Searcher(held.offloading, run)
    home = np.zeros(instance.services, dtype=np.int64)
    held.found(home)
    first = [searcher.grown(), home] + ([] if held.start is None else [held.start])
    held.found(first[0])
    best, channels = (-instance.services - 1, 0.0), home
    for start in run.steps(range(starts)):
        if start < len(first):
            worth, result = searcher.climbed(first[start])
        else:
            worth, result = searcher.climbed(searcher.kicked(channels, _KICKED), channels)
        held.found(result)
        if worth > best:
            best, channels = worth, result
