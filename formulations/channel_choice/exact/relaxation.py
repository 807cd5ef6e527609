"""Column generation: the linear programme over all coalitions at one speed of the cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.coalition_kernels import coalition_value
from formulations.channel_choice.exact.coalition_master import CoalitionMaster
from formulations.channel_choice.exact.pricing import NEGLIGIBLE, Coalitions, Pricer, Prices
from formulations.channel_choice.exact.shares import alone, best_alone
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import gain
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Partial coalitions of one search before it is cut off (a second or two).
_NODES = 20_000_000
_ROUNDS = 1000


class Relaxation:
    """At most `most` offloaders, each served as one of k: columns so far, and a bound.

    Parameters
    ----------
    o, k, most : the problem, and these numbers.
    report : called with every bound lower than those before.

    Attributes
    ----------
    least : no decision gains as little; what is bounded by it does not exist.
    bound : no decision of so many offloaders gains more.
    prices, reference : of the best bound of the linear programme so far, and that bound.
    converged : whether `bound` is the optimum of the linear programme with its cuts.
    """

    def __init__(
        self, o: Offloading, k: int, most: int, report: Callable[[float], None] | None = None
    ) -> None:
        self.o, self.k, self.most = o, k, most
        self._report = report
        self.pricer = Pricer(o, k)
        own = alone(o, k)
        late = o.late_at_home
        self.bound = best_alone(own, late, most)
        self.least = -1.0
        for i in np.flatnonzero(late & np.isfinite(own)):  # worst where it only just may
            self.least += min(0.0, gain(o, i, self.pricer.limits[i], k))
        penalty = 1.0 + max(self.bound - self.least, 0.0)
        self.master = CoalitionMaster(o, most, penalty)
        singles = np.flatnonzero(np.isfinite(own))
        self.master.add((np.array([i]), own[i]) for i in singles)
        self.prices: Prices | None = None
        self.reference = np.inf
        self.converged = False

    def valued(self, coalitions: Iterable[Ints]) -> Coalitions:
        """Sets of services at the shares here, but for those that may not share a channel."""
        members, values = [], []
        for those in coalitions:
            load_w = float(self.o.power_w[those].sum())
            if load_w <= self.pricer.limits[those].min():
                members.append(those)
                values.append(coalition_value(self.o, self.k, those, len(those), load_w))
        return Coalitions.of(members, np.array(values))

    @property
    def offloaders(self) -> float:
        """How many services the last solution offloads."""
        sizes = np.array([len(members) for members in self.master.columns])
        return float(sizes @ self.master.weight)

    def lower(self, bound: float) -> None:
        """Take over a bound if it is lower."""
        if bound < self.bound:
            self.bound = bound
            if self._report is not None:
                self._report(bound)

    def solve(self, run: Run, cutoff: float) -> None:
        """Add coalitions until none is worth its price, or the bound is down to the cutoff."""
        self.converged = False
        for _ in range(_ROUNDS):
            if run.stopped() or self.bound <= cutoff:
                return
            at_prices, prices = self.master.solve()
            found = self.pricer.best(prices, _NODES, run)
            bound = at_prices + self.o.channels * max(found.upper, 0.0)
            if bound < self.reference:
                self.prices, self.reference = prices, bound
                self.lower(bound)
            if found.upper <= 2 * NEGLIGIBLE or self.master.add(found.coalitions) == 0:
                self.converged = found.complete
                return
