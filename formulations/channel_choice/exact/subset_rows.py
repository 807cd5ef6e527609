"""Subset-row cuts: of any three services, at most one coalition holds two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.coalition_master import CoalitionMaster, Cut
from formulations.channel_choice.exact.cut_kernels import fill_triples

Floats = NDArray[np.float64]
_LEAST_EXCESS = 0.02
_MOST_FOUND = 20_000
#: A service appears in at most so many cuts of a round, or their prices stand in each other's way.
_EACH = 4


def violated(master: CoalitionMaster, most: int) -> list[Cut]:
    """The most violated triples at the master's last solution."""
    fractional = np.flatnonzero((master.weight > 1e-6) & (master.weight < 1 - 1e-6))
    if not len(fractional):
        return []
    members = [master.columns[number] for number in fractional]
    services = np.unique(np.concatenate(members))
    inside = np.array([np.isin(services, those) for those in members]).T
    triples = np.empty((_MOST_FOUND, 3), dtype=np.int64)
    excess = np.empty(_MOST_FOUND)
    found = fill_triples(inside, master.weight[fractional], _LEAST_EXCESS, triples, excess)
    used = np.zeros(len(services), dtype=np.int64)
    cuts: list[Cut] = []
    for number in np.argsort(-excess[:found], kind="stable"):
        if len(cuts) == most:
            break
        triple = triples[number]
        if (used[triple] < _EACH).all():
            used[triple] += 1
            names = services[triple]
            cuts.append(Cut((int(names[0]), int(names[1]), int(names[2])), (1, 1, 1), 2))
    return cuts
