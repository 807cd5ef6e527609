"""Exact method: column generation over coalitions, then every coalition that could matter."""

from __future__ import annotations

import heapq
from functools import partial

import numpy as np

from formulations.channel_choice.exact.equal_powers import choose_sizes, equal_powers
from formulations.channel_choice.exact.held import Held, coalitions_of
from formulations.channel_choice.exact.proof import Proof
from formulations.channel_choice.exact.relaxation import Relaxation
from formulations.channel_choice.exact.shares import alone, best_alone, share_counts
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.search import Searcher
from optkit.run import Run

_KICKS = 5


def cg(instance: ChannelChoice, run: Run) -> None:
    """The best number of offloaders by bisection, best bound first; each by `prove`.

    Shares of the cloud at a offloaders overvalue every decision of a and more, so that one linear
    programme bounds all of an interval.
    """
    held = Held(instance, run)
    o = held.offloading
    run.built()
    first, last = share_counts(o)[0], share_counts(o)[-1]
    waiting = [(-best_alone(alone(o, first), o.late_at_home, last), first, last)]
    closed = -np.inf  # the bound of what is not looked into any further
    _report(held, -waiting[0][0])
    searcher = Searcher(o, run)
    _start(held, searcher, run)
    while waiting and not run.stopped():
        negative, a, b = heapq.heappop(waiting)
        if -negative <= held.target:
            break
        others = max(closed, *(-entry[0] for entry in waiting), -np.inf)
        relaxation = Relaxation(o, a, b, partial(_report, held, others))
        relaxation.lower(-negative)
        if held.channels is not None:
            relaxation.master.add(relaxation.valued(coalitions_of(held.channels)))
        if a == b:
            if equal_powers(o, relaxation.pricer.limits):
                relaxation.lower(choose_sizes(o, a, b, held, run))
            closed = max(closed, Proof(relaxation, held, searcher, run).prove())
        else:
            relaxation.solve(run, held.target)
            if relaxation.bound > relaxation.least:
                middle = int(min(max((a + relaxation.offloaders) // 2, a), b - 1))
                for part in ((a, middle), (middle + 1, b)):
                    heapq.heappush(waiting, (-relaxation.bound, *part))
        run.iterations += 1
        _report(held, closed, *(-entry[0] for entry in waiting))
    if closed > held.target and not run.stopped():
        run.note(left_open="too many coalitions within a thousandth of the gap")
    if not waiting and closed == -np.inf and held.channels is None and not run.stopped():
        held.infeasible()


def _report(held: Held, *bounds: float) -> None:
    """The largest of some bounds that hold each for a part of all decisions."""
    held.bound(max(held.gain, *bounds))


def _start(held: Held, searcher: Searcher, run: Run) -> None:
    """All at home, the warm start, the greedy choice, and local optima above it."""
    held.found(np.zeros(len(held.offloading.power_w), dtype=np.int64))
    if held.start is not None:
        held.found(held.start)
    grown = searcher.grown()
    held.found(grown)
    held.found(searcher.climbed(grown)[1])
    searcher.improve(held, _KICKS)
