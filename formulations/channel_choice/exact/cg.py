"""Exact method: column generation over coalitions, then every coalition that could matter."""

from __future__ import annotations

import heapq

import numpy as np

from formulations.channel_choice.exact.equal_powers import choose_sizes, equal_powers
from formulations.channel_choice.exact.held import Held, coalitions_of
from formulations.channel_choice.exact.proof import Proof
from formulations.channel_choice.exact.relaxation import Relaxation
from formulations.channel_choice.exact.shares import share_counts
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.search import Searcher
from optkit.run import Run

_KICKS = 5


def applies(instance: ChannelChoice) -> str | None:
    """Always."""
    return None


def cg(instance: ChannelChoice, run: Run) -> None:
    """The best number of offloaders by bisection, best bound first; each by `prove`.

    Shares of the cloud at a offloaders overvalue every decision of a and more, so that one linear
    programme bounds all of an interval.
    """
    held = Held(instance, run)
    o = held.offloading
    run.built()
    searcher = Searcher(o, run.rng)
    _start(held, searcher, run)
    counts = share_counts(o)
    waiting = [(-np.inf, counts[0], counts[-1])]
    closed = -np.inf
    while waiting and not run.stopped():
        negative, a, b = heapq.heappop(waiting)
        if -negative <= held.target:
            break
        relaxation = Relaxation(o, a, b)
        relaxation.bound = min(relaxation.bound, -negative)
        if held.channels is not None:
            relaxation.master.add(relaxation.valued(coalitions_of(held.channels)))
        if a == b:
            if equal_powers(o, relaxation.pricer.limits):
                relaxation.bound = min(relaxation.bound, choose_sizes(o, a, b, held, run))
            closed = max(closed, Proof(relaxation, held, searcher, run).prove())
        else:
            relaxation.solve(run, held.target)
            if relaxation.bound > relaxation.least:
                middle = int(min(max((a + relaxation.offloaders) // 2, a), b - 1))
                for part in ((a, middle), (middle + 1, b)):
                    heapq.heappush(waiting, (-relaxation.bound, *part))
        run.iterations += 1
        held.bound(max(closed, held.gain, *(-entry[0] for entry in waiting), -np.inf))
    if not waiting and closed == -np.inf and held.channels is None and not run.stopped():
        held.infeasible()


def _start(held: Held, searcher: Searcher, run: Run) -> None:
    """All at home, the warm start, and local optima above the greedy choice."""
    home = np.zeros(len(held.offloading.power_w), dtype=np.int64)
    held.found(home)
    if held.start is not None:
        held.found(held.start)
    held.found(searcher.climbed(searcher.grown(home))[1])
    searcher.improve(held, run, _KICKS)
