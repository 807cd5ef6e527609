"""Compiled search for violated cuts on few services."""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel

#: What a unit that rounding takes away counts, so that a search has a slope to climb.
_NEARLY = 1e-3


@kernel
def fill_triples(inside, weight, least, triples, excess):  # type: ignore[no-untyped-def]
    """Triples of which the chosen coalitions with two members or more weigh above 1.

    Parameters
    ----------
    inside : [S, F] whether a service is in a fractional coalition; weight : [F] of these.
    least : smallest excess over 1 of interest.
    triples, excess : [most, 3] and [most] what is found, while there is room.

    Returns
    -------
    how many
    """
    services, columns = inside.shape
    together = np.zeros((services, services))
    for f in range(columns):
        for a in range(services):
            if inside[a, f]:
                for b in range(services):
                    if inside[b, f]:
                        together[a, b] += weight[f]
    found = 0
    for a in range(services):
        for b in range(a + 1, services):
            for c in range(b + 1, services):
                pairs = together[a, b] + together[a, c] + together[b, c]
                if pairs <= 1.0 + least:  # all three count thrice here, once below
                    continue
                total = pairs
                for f in range(columns):
                    if inside[a, f] and inside[b, f] and inside[c, f]:
                        total -= 2.0 * weight[f]
                if total > 1.0 + least and found < len(excess):
                    triples[found, 0], triples[found, 1], triples[found, 2] = a, b, c
                    excess[found] = total - 1.0
                    found += 1
    return found


@kernel
def _left_side(inside, weight, chosen, multiplier, unit, nearly):  # type: ignore[no-untyped-def]
    """Weight of the rounded-down coalitions, and so much for a unit that rounding takes away."""
    total = 0.0
    for f in range(len(weight)):
        count = 0
        for a in range(len(chosen)):
            if chosen[a] >= 0 and inside[chosen[a], f]:
                count += multiplier[a]
        whole = count // unit
        total += weight[f] * (whole + nearly * (count - whole * unit))
    return total


@kernel
def climb_cut(inside, weight, chosen, multiplier, unit):  # type: ignore[no-untyped-def]
    """Choose a service for each multiplier: greedily where `chosen` is -1, then one at a time for
    another as long as that raises the left side. Returns the left side of the cut."""
    services = inside.shape[0]
    value = _left_side(inside, weight, chosen, multiplier, unit, _NEARLY)
    improved = True
    while improved:
        improved = False
        for a in range(len(chosen)):
            old = chosen[a]
            best, best_i = value + _NEARLY**2 if old >= 0 else -1.0, old
            for i in range(services):
                taken = False
                for b in range(len(chosen)):
                    taken |= chosen[b] == i
                if taken:
                    continue
                chosen[a] = i
                trial = _left_side(inside, weight, chosen, multiplier, unit, _NEARLY)
                if trial > best:
                    best, best_i = trial, i
            chosen[a] = best_i
            if best_i != old:
                value = best
                improved = True
    return _left_side(inside, weight, chosen, multiplier, unit, 0.0)
