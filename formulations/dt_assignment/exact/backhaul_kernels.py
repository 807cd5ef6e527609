"""Compiled knapsacks of twins behind one backhaul."""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel


@kernel
def fill(gain, weight, order, room):  # type: ignore[no-untyped-def]
    """Dantzig's bound: items by falling gain per weight until the room is full.

    Parameters
    ----------
    gain, weight : [n]; what does not gain is left out.
    order : [n] items by falling gain per weight.
    room : weight that fits.

    Returns
    -------
    bound, price : the most that can be gained with the last item in parts, and the gain per
        weight of that item (0 where everything fits).
    taken : [n] bool, the whole items before it and what still fits behind it.
    """
    taken = np.zeros(len(gain), dtype=np.bool_)
    bound, price, left = 0.0, 0.0, room
    relaxed = True
    for i in order:
        if gain[i] <= 0.0:
            break
        if weight[i] <= left:
            taken[i] = True
            left -= weight[i]
            if relaxed:
                bound += gain[i]
        elif relaxed:
            price = gain[i] / weight[i]
            bound += price * left
            relaxed = False
    return bound, price, taken


@kernel
def knapsack(gain, weight, room):  # type: ignore[no-untyped-def]
    """The items [n] bool of most gain whose whole weights fit, by dynamic programming."""
    items = len(gain)
    best = np.zeros(room + 1)
    better = np.zeros((items, room + 1), dtype=np.bool_)
    for i in range(items):
        own = weight[i]
        for left in range(room, own - 1, -1):
            value = best[left - own] + gain[i]
            if value > best[left]:
                best[left] = value
                better[i, left] = True
    taken = np.zeros(items, dtype=np.bool_)
    left = room
    for i in range(items - 1, -1, -1):
        if better[i, left]:
            taken[i] = True
            left -= weight[i]
    return taken
