"""Proves the best decision at one number of offloaders: relaxation, incumbents, enumeration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.choosing import best_choice
from formulations.channel_choice.exact.diving import dive
from formulations.channel_choice.exact.held import Held, coalitions_of
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
_CUT_ROUNDS = 8
#: Rounds of cuts go on while each closes so much of the gap.
_WORTHWHILE = 0.02
#: Where even the coalitions of so small a part of the gap are too many, it stays open.
_LEAST_SHARE = 1e-3
#: Coalitions of the first integer programme, and how they grow.
_FIRST_CHOICE = 500
_GROWTH = 2.5
#: Of branch and bound while more coalitions will join.
_NODES = 300


class Proof:
    """Bounds what at most `relaxation.most` offloaders gain, served as one of k.

    Parameters
    ----------
    relaxation : its linear programme.
    held, searcher, run : where decisions go, how they are improved, and what ends it all.
    """

    def __init__(self, relaxation: Relaxation, held: Held, searcher: Searcher, run: Run) -> None:
        self._relaxation, self._held, self._searcher = relaxation, held, searcher
        self._run = run

    @property
    def _target(self) -> float:
        return max(self._held.target, self._relaxation.least)

    @property
    def _ended(self) -> bool:
        return self._run.stopped() or self._relaxation.bound <= self._target

    def prove(self) -> float:
        """The bound, down to the target of the incumbent (which rises on the way) unless the run
        stops or coalitions are too many; -inf where there is no decision."""
        relaxation = self._relaxation
        relaxation.solve(self._run, self._target)
        share = 1.0
        while not self._ended and share > _LEAST_SHARE:
            prices, reference = relaxation.prices, relaxation.reference
            assert prices is not None
            margin = share * (relaxation.bound - self._target) + reference - relaxation.bound
            found = relaxation.pricer.above(
                prices, -margin, _MOST_NODES, _MOST_COALITIONS, self._run
            )
            if found.complete:
                self._choose(found.coalitions, reference - margin)
                if share == 1.0:  # nothing better is left
                    break
                share = min(1.0, 2.0 * share)
                continue
            if not self._cut():
                share *= 0.5
            if not self._ended:
                dive(relaxation, self._held, self._searcher, self._run)
        return -np.inf if relaxation.bound <= relaxation.least else relaxation.bound

    def _cut(self) -> bool:
        """Rounds of cuts; whether they closed some of the gap."""
        relaxation = self._relaxation
        begin = relaxation.bound
        for _ in range(_CUT_ROUNDS):
            cuts = violated(relaxation.master, _CUTS_A_ROUND)
            if not cuts or not relaxation.converged or self._ended:
                break
            before = relaxation.bound
            relaxation.master.add_cuts(cuts)
            relaxation.solve(self._run, self._target)
            if before - relaxation.bound < _WORTHWHILE * (before - self._target):
                break
        return begin - relaxation.bound >= _WORTHWHILE * (begin - self._target)

    def _choose(self, coalitions: Coalitions, value: float) -> None:
        """Lower the bound to the best decision, or to `value`, once all coalitions are known of
        decisions that gain more.

        A decision that gains more than ``reference - margin`` has no coalition of a reduced gain
        below ``-margin``: the integer programme is solved with small margins first.
        """
        relaxation = self._relaxation
        pool = Pool(relaxation.o, relaxation.master, coalitions, relaxation.bound)
        size = float(_FIRST_CHOICE)
        while True:
            least = max(self._target, value)
            pool.tighten(self._run, least)
            relaxation.lower(max(pool.bound, least))
            if self._run.stopped() or pool.bound <= least:
                return
            margin = pool.reference - least
            all_of_them = size >= len(pool.coalitions)
            if not all_of_them:
                margin = min(margin, -float(np.partition(pool.reduced, -int(size))[-int(size)]))
            near = pool.coalitions.take(np.flatnonzero(pool.reduced >= -margin))
            bound = self._best_choice(near, None if all_of_them else _NODES)
            pool.bound = min(pool.bound, max(bound, pool.reference - margin, self._target))
            if all_of_them:
                relaxation.lower(max(pool.bound, self._target, value))
                return
            size *= _GROWTH

    def _best_choice(self, coalitions: Coalitions, nodes: int | None) -> float:
        """Bound on all decisions out of some coalitions; the incumbent's are there to start from.

        It is not improved on where it has more than `most` offloaders: then it is no start.
        """
        relaxation, held = self._relaxation, self._held
        known = relaxation.valued([] if held.channels is None else coalitions_of(held.channels))
        start = np.concatenate([np.zeros(len(coalitions)), np.ones(len(known))])
        return best_choice(
            relaxation.o, relaxation.most, coalitions.joined(known), held, self._run,
            start=start, nodes=nodes,
        )  # fmt: skip
