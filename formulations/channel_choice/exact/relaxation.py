"""Column generation: the linear programme over all coalitions at one speed of the cloud."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.coalition_master import CoalitionMaster
from formulations.channel_choice.exact.pricing import NEGLIGIBLE, Pricer, Prices
from formulations.channel_choice.offloading import Offloading
from optkit.run import Run

Floats = NDArray[np.float64]
#: Partial coalitions of one search before it is cut off (a second or two).
_NODES = 20_000_000
_ROUNDS = 1000


class Relaxation:
    """At most `most` offloaders, each served as one of k: columns so far, and a bound.

    Attributes
    ----------
    bound : no decision of so many offloaders gains more.
    prices : of the best bound so far.
    converged : whether `bound` is the optimum of the linear programme with its cuts.
    """

    def __init__(self, o: Offloading, k: int, most: int, penalty: float) -> None:
        self.o, self.k, self.most = o, k, most
        self.pricer = Pricer(o, k)
        self.master = CoalitionMaster(o, most, penalty)
        self.bound = np.inf
        self.prices: Prices | None = None
        self.converged = False

    def solve(self, run: Run, cutoff: float) -> None:
        """Add coalitions until none is worth its price, or the bound is down to the cutoff."""
        self.converged = False
        for _ in range(_ROUNDS):
            if run.stopped() or self.bound <= cutoff:
                return
            at_prices, prices = self.master.solve()
            found = self.pricer.best(prices, _NODES)
            bound = at_prices + self.o.channels * max(found.upper, 0.0)
            if self.prices is None or bound < self.bound:
                self.bound, self.prices = bound, prices
            if found.upper <= 2 * NEGLIGIBLE or self.master.add(found.coalitions) == 0:
                self.converged = found.complete
                return
