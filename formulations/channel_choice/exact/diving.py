"""Good decisions from a linear programme: coalitions are fixed one after another."""

from __future__ import annotations

import numpy as np

from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.exact.relaxation import Relaxation
from formulations.channel_choice.search import Searcher
from optkit.run import Run

_ROUNDS = 3
#: Coalitions of so much weight are fixed together, else the one of most weight.
_ALMOST = 0.85
_NONE = 1e-6
_KICKS = 5


def dive(relaxation: Relaxation, held: Held, searcher: Searcher, run: Run) -> None:
    """Fix the coalitions that the linear programme chooses most of, price new ones that go with
    them, and climb from the decision at the end.

    The master is then solved without them, for the cuts that follow.
    """
    master = relaxation.master
    taken: list[int] = []
    while not run.stopped():
        for _ in range(_ROUNDS):
            _, prices = master.solve()
            if master.add(relaxation.pricer.good(prices).coalitions) == 0:
                break
        chosen = _chosen(relaxation, taken)
        if not chosen:
            break
        master.fix(chosen, 1.0)
        taken += chosen
    if taken:
        master.fix(taken, 0.0)
        master.solve()
        members = [master.columns[number] for number in taken]
        channels = channels_of(members, len(relaxation.o.power_w))
        held.found(searcher.climbed(channels)[1])
        searcher.improve(held, _KICKS)


def _chosen(relaxation: Relaxation, taken: list[int]) -> list[int]:
    """The next coalitions to be fixed, beside those that are: disjoint, and no more of them and
    of their members than there may be. Of a fractional one nothing of that is sure."""
    master = relaxation.master
    used = np.zeros(len(relaxation.o.power_w), dtype=np.bool_)
    for number in taken:
        used[master.columns[number]] = True
    chosen: list[int] = []
    for number in np.argsort(-master.weight, kind="stable").tolist():
        weight, members = master.weight[number], master.columns[number]
        if weight < _NONE or (chosen and weight < _ALMOST):
            break
        fits = used.sum() + len(members) <= relaxation.most
        if fits and len(taken) + len(chosen) < relaxation.o.channels and not used[members].any():
            chosen.append(number)
            used[members] = True
    return chosen
