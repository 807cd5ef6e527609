"""Compiled search for violated subset rows of three services."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
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
