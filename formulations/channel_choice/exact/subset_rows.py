"""Subset-row cuts: of any three services, at most one coalition holds two; and their like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.coalition_master import CoalitionMaster, Cut
from formulations.channel_choice.exact.cut_kernels import climb_cut, fill_triples

Floats = NDArray[np.float64]
_LEAST_EXCESS = 0.02
_MOST_FOUND = 20_000
#: A service appears in at most so many cuts of a round, or their prices stand in each other's way.
_EACH = 4
#: Services from which cuts on more of them are sought.
_CLIMBS = 80


#: Multipliers and units of cuts on more than three services (Pecin et al. 2017).
_KINDS = (
    ((1, 1, 1, 1, 1), 2),
    ((2, 1, 1, 1), 3),
    ((1, 1, 1, 1, 1), 3),
    ((2, 2, 1, 1, 1), 3),
    ((2, 2, 1, 1, 1), 4),
    ((3, 1, 1, 1, 1), 4),
    ((3, 2, 2, 1, 1), 5),
    ((1, 1, 1, 1, 1, 1, 1), 2),
)


class _Fraction:
    """The fractional coalitions of the master's last solution.

    Attributes
    ----------
    services : [S] who is in some; inside : [S, F] who is in which; weight : [F] of each.
    """

    def __init__(self, master: CoalitionMaster) -> None:
        numbers = np.flatnonzero((master.weight > 1e-6) & (master.weight < 1 - 1e-6))
        members = [master.columns[number] for number in numbers]
        empty = np.zeros(0, dtype=np.int64)
        self.services = np.unique(np.concatenate([empty, *members]))
        self.weight = master.weight[numbers]
        self.inside = np.zeros((len(self.services), len(numbers)), dtype=np.bool_)
        for column, those in enumerate(members):
            self.inside[np.searchsorted(self.services, those), column] = True


def violated(master: CoalitionMaster, most: int) -> list[Cut]:
    """The most violated triples at the master's last solution."""
    fraction = _Fraction(master)
    triples = np.empty((_MOST_FOUND, 3), dtype=np.int64)
    excess = np.empty(_MOST_FOUND)
    found = fill_triples(fraction.inside, fraction.weight, _LEAST_EXCESS, triples, excess)
    used = np.zeros(len(fraction.services), dtype=np.int64)
    cuts: list[Cut] = []
    for number in np.argsort(-excess[:found], kind="stable"):
        if len(cuts) == most:
            break
        triple = triples[number]
        if (used[triple] < _EACH).all():
            used[triple] += 1
            a, b, c = (int(i) for i in fraction.services[triple])
            cuts.append(Cut((a, b, c), (1, 1, 1), 2))
    return cuts


def violated_larger(master: CoalitionMaster, most: int) -> list[Cut]:
    """Violated cuts on four to seven services, climbed to from each fractional service."""
    fraction = _Fraction(master)
    if len(fraction.services) < 7:
        return []
    found: dict[Cut, float] = {}
    for multipliers, unit in _KINDS:
        side = sum(multipliers) // unit
        for first in range(min(len(fraction.services), _CLIMBS)):
            chosen = np.full(len(multipliers), -1, dtype=np.int64)
            chosen[0] = first
            weights = np.array(multipliers)
            left = climb_cut(fraction.inside, fraction.weight, chosen, weights, unit)
            if left > side + _LEAST_EXCESS:
                pairs = sorted(zip(fraction.services[chosen].tolist(), multipliers, strict=True))
                services, ordered = zip(*pairs, strict=True)
                found[Cut(services, ordered, unit)] = left - side
    return sorted(found, key=lambda cut: (-found[cut], cut))[:most]
