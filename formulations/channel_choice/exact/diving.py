"""Good decisions from a linear programme: coalitions are fixed one after another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.exact.relaxation import Relaxation
from formulations.channel_choice.search import Searcher
from optkit.run import Run

Ints = NDArray[np.int64]
_ROUNDS = 3
#: Coalitions of so much weight are fixed together, else the one of most weight.
_ALMOST = 0.85
_KICKS = 5


def dive(relaxation: Relaxation, held: Held, searcher: Searcher, run: Run) -> None:
    """Fix the coalitions that the linear programme chooses most of, price new ones that go with
    them, and climb from the decision at the end."""
    master = relaxation.master
    fixed: list[Ints] = []
    while not run.stopped():
        for _ in range(_ROUNDS):
            _, prices = master.solve()
            if master.add(relaxation.pricer.good(prices).coalitions) == 0:
                break
        weight = master.weight
        taken = np.concatenate([np.zeros(0, dtype=np.int64), *fixed])
        free = weight.copy()
        free[taken] = 0.0
        chosen = np.flatnonzero(free >= _ALMOST)
        if not len(chosen):
            chosen = np.array([np.argmax(free)])
            if free[chosen[0]] < 1e-6:
                break
        master.fix(chosen, 1.0)
        fixed.append(chosen)
    if fixed:
        taken = np.concatenate(fixed)
        master.fix(taken, 0.0)
        members = [master.columns[number] for number in taken]
        channels = channels_of(members, len(relaxation.o.power_w))
        held.found(searcher.climbed(channels)[1])
        searcher.improve(held, run, _KICKS)
