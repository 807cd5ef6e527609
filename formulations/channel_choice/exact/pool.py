"""All coalitions that could still matter: bounded by their linear programme, and thinned out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.coalition_models import incidence
from formulations.channel_choice.exact.coalition_master import CoalitionMaster, reduced_gains
from formulations.channel_choice.exact.pricing import NEGLIGIBLE, Coalitions
from formulations.channel_choice.exact.subset_rows import violated, violated_larger
from formulations.channel_choice.offloading import Offloading
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ADDED = 300
_CUTS_A_ROUND = 60
_CUT_ROUNDS = 40
_FEW_CUTS = 15  # before larger ones are sought
#: So few coalitions go to the integer programme without further cuts.
_FEW = 1500


class Pool:
    """Every coalition of a decision that gains more than `value` is among these.

    Parameters
    ----------
    o : the problem.
    master : linear programme that holds some of them; grows.
    coalitions : all of them.
    bound : no decision gains more (nor more than `value`).
    reduced, reference : what each gains less its price, and the bound at these prices.
    """

    def __init__(
        self, o: Offloading, master: CoalitionMaster, coalitions: Coalitions, bound: float
    ) -> None:
        self.o, self.master = o, master
        self.coalitions, self.bound = coalitions, bound
        self._inside = incidence(coalitions, len(o.power_w))
        self.reduced: Floats = np.zeros(len(coalitions))
        self.reference = np.inf

    def tighten(self, run: Run, value: float) -> None:
        """Cut and drop what cannot be in a better decision, until few are left or nothing helps."""
        self._relax(run, value)
        for _ in range(_CUT_ROUNDS):
            if run.stopped() or self.bound <= value or len(self.coalitions) <= _FEW:
                return
            cuts = violated(self.master, _CUTS_A_ROUND)
            if len(cuts) < _FEW_CUTS:
                cuts += violated_larger(self.master, _CUTS_A_ROUND)
            if not cuts:
                return
            before, count = self.bound, len(self.coalitions)
            self.master.add_cuts(cuts)
            self._relax(run, value)
            stuck = before - self.bound < 0.01 * (before - value)
            if stuck and len(self.coalitions) > 0.98 * count:
                return

    def _relax(self, run: Run, value: float) -> None:
        """Solve the linear programme over all by column generation; drop the hopeless."""
        while not run.stopped():
            at_prices, prices = self.master.solve()
            reduced = reduced_gains(self.coalitions.value, self._inside, prices)
            most = float(reduced.max(initial=0.0))
            bound = at_prices + self.o.channels * max(most, 0.0)
            if bound < self.bound:
                self.bound = bound
            worthy = np.flatnonzero(reduced > NEGLIGIBLE)
            best = worthy[np.argsort(-reduced[worthy], kind="stable")[:_ADDED]]
            fresh = self.master.add(self.coalitions.take(best))
            keep = np.flatnonzero(reduced >= value - bound)
            self.reduced, self.reference = reduced[keep], bound
            if len(keep) < len(reduced):
                self.coalitions = self.coalitions.take(keep)
                self._inside = incidence(self.coalitions, len(self.o.power_w))
            if fresh == 0:
                return
