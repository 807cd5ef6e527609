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
from optkit.run import Run

Ints = NDArray[np.int64]
_MOST_COALITIONS = 150_000
_MOST_NODES = 30_000_000
_CUTS_A_ROUND = 60
_CUT_ROUNDS = 30
#: Coalitions of the master that an incumbent is sought among.
_RESTRICTED = 1500
_NODES = 200


def prove(relaxation: Relaxation, held: Held, run: Run) -> float:
    """Bound on what at most `relaxation.most` offloaders gain, served as one of k.

    Down to the target of the incumbent (which rises on the way), unless the run stops or there
    is too much to enumerate; -inf where there is no decision.
    """

    def target() -> float:
        return max(held.target, relaxation.least)

    relaxation.solve(run, target())
    if not run.stopped() and relaxation.bound > target():
        improve(relaxation, held, run)
    nodes = _MOST_NODES // 100
    for _ in range(_CUT_ROUNDS):
        prices = relaxation.prices
        if run.stopped() or relaxation.bound <= target() or prices is None:
            break
        floor = target() - relaxation.bound
        found = relaxation.pricer.above(prices, floor, nodes, _MOST_COALITIONS)
        if found.complete:
            relaxation.bound = _over_pool(relaxation, found.coalitions, target(), held, run)
            break
        cuts = violated(relaxation.master, _CUTS_A_ROUND)
        if not cuts:
            if nodes >= _MOST_NODES:
                break
            nodes = _MOST_NODES
            continue
        before = relaxation.bound
        relaxation.master.add_cuts(cuts)
        relaxation.solve(run, target())
        improve(relaxation, held, run)
        if before - relaxation.bound < 0.05 * (before - target()):
            nodes = min(10 * nodes, _MOST_NODES)
    return -np.inf if relaxation.bound <= relaxation.least else relaxation.bound


def improve(relaxation: Relaxation, held: Held, run: Run) -> None:
    """Better decisions from the best coalitions of the master."""
    master, prices = relaxation.master, relaxation.prices
    if prices is None or run.stopped():
        return
    best = np.argsort(-master.reduced(prices), kind="stable")[:_RESTRICTED]
    chosen = master.coalitions(best)
    best_choice(relaxation.o, relaxation.most, chosen, held, run, nodes=_NODES)


def _over_pool(
    relaxation: Relaxation, coalitions: Coalitions, target: float, held: Held, run: Run
) -> float:
    """Bound once every coalition of a better decision is known."""
    pool = Pool(relaxation.o, relaxation.master, coalitions, relaxation.bound)
    pool.tighten(run, target)
    if run.stopped() or pool.bound <= target:
        return max(pool.bound, target)
    bound = best_choice(relaxation.o, relaxation.most, pool.coalitions, held, run, nodes=None)
    return max(min(bound, pool.bound), target)
