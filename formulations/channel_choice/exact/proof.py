"""Proves the best decision at one number of offloaders: relaxation, incumbents, enumeration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.held import Held
from formulations.channel_choice.exact.choosing import best_choice
from formulations.channel_choice.exact.pool import Pool
from formulations.channel_choice.exact.pricing import Coalitions
from formulations.channel_choice.exact.relaxation import Relaxation
from formulations.channel_choice.exact.subset_rows import violated
from formulations.channel_choice.search import Searcher
from optkit.run import Run

Ints = NDArray[np.int64]
_MOST_COALITIONS = 150_000
_MOST_NODES = 30_000_000
_CUTS_A_ROUND = 60
_CUT_ROUNDS = 30
#: A column of less weight is not rounded up.
_WEIGHTY = 0.05
_KICKS = 10
_FIRST_CHOICE = 1500


def prove(relaxation: Relaxation, held: Held, searcher: Searcher, run: Run) -> float:
    """Bound on what at most `relaxation.most` offloaders gain, served as one of k.

    Down to the target of the incumbent (which rises on the way), unless the run stops or there
    is too much to enumerate; -inf where there is no decision.
    """

    def target() -> float:
        return max(held.target, relaxation.least)

    relaxation.solve(run, target())
    nodes = _MOST_NODES // 10
    for _ in range(_CUT_ROUNDS):
        prices = relaxation.prices
        if run.stopped() or relaxation.bound <= target() or prices is None:
            break
        floor = target() - relaxation.bound
        found = relaxation.pricer.above(prices, floor, nodes, _MOST_COALITIONS)
        if found.complete:
            relaxation.bound = _over_pool(relaxation, found.coalitions, held, run)
            break
        improve(relaxation, held, searcher, run)
        cuts = violated(relaxation.master, _CUTS_A_ROUND)
        if not cuts:
            if nodes >= _MOST_NODES:
                break
            nodes = _MOST_NODES
            continue
        before = relaxation.bound
        relaxation.master.add_cuts(cuts)
        relaxation.solve(run, target())
        if before - relaxation.bound < 0.05 * (before - target()):
            nodes = min(10 * nodes, _MOST_NODES)
    return -np.inf if relaxation.bound <= relaxation.least else relaxation.bound


def improve(relaxation: Relaxation, held: Held, searcher: Searcher, run: Run) -> None:
    """Better decisions near what the linear programme chooses, and near the best so far."""
    master = relaxation.master
    if run.stopped() or not len(master.columns):
        return
    channels = np.zeros(len(relaxation.o.power_w), dtype=np.int64)
    used = 0
    for column in np.argsort(-master.weight, kind="stable"):
        if master.weight[column] < _WEIGHTY or used == relaxation.o.channels:
            break
        members = master.columns[column]
        if not channels[members].any():
            used += 1
            channels[members] = used
    held.found(searcher.climbed(channels)[1])
    searcher.improve(held, run, _KICKS)


def _over_pool(
    relaxation: Relaxation, coalitions: Coalitions, held: Held, run: Run
) -> float:
    """Bound once every coalition of a better decision is known.

    A decision that gains more than ``reference - margin`` has no coalition of a reduced gain below
    ``-margin``. So the integer programme over the others is tried with small margins first.
    """
    pool = Pool(relaxation.o, relaxation.master, coalitions, relaxation.bound)
    size = _FIRST_CHOICE
    while True:
        target = max(held.target, relaxation.least)
        pool.tighten(run, target)
        if run.stopped() or pool.bound <= target:
            return max(pool.bound, target)
        margin = pool.reference - target
        if size < len(pool.coalitions):
            margin = min(margin, -float(np.partition(pool.reduced, -size)[-size]))
        near = pool.coalitions.take(np.flatnonzero(pool.reduced >= -margin))
        bound = best_choice(relaxation.o, relaxation.most, near, held, run, nodes=None)
        pool.bound = min(pool.bound, max(bound, pool.reference - margin, target))
        size *= 4
