"""Shortest paths in layered graphs, compiled: one task at a time, over buffers of its caller.

A task has `length` layers; layer m is entered from location a at location b at cost
``arc[m, a, b]`` (infinite where impossible), starts at location 0 and ends at a with ``end[a]``.
"""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel


@kernel
def cost_to_go(arc, end, length, value, best):  # type: ignore[no-untyped-def]
    """Fill value[m, a], the least cost from location a with m layers done, and best[m, a], the
    location to go to (the lowest of equal ones). ``value[0, 0]`` is the cost of the task."""
    locations = arc.shape[1]
    for a in range(locations):
        value[length, a] = end[a]
    for m in range(length - 1, -1, -1):
        for a in range(locations if m > 0 else 1):
            least = np.inf
            choice = 0
            for b in range(locations):
                cost = arc[m, a, b] + value[m + 1, b]
                if cost < least:
                    least = cost
                    choice = b
            value[m, a] = least
            best[m, a] = choice


@kernel
def follow(best, length, path):  # type: ignore[no-untyped-def]
    """Write the locations of the cheapest path into path[:length]."""
    at = 0
    for m in range(length):
        at = best[m, at]
        path[m] = at


@kernel
def paths_within(arc, value, length, budget, paths, costs):  # type: ignore[no-untyped-def]
    """List every path of cost at most ``value[0, 0] + budget``.

    Depth first with the exact cost to go as the guide, so that no branch is a dead end. Fills
    paths [room, length] and costs [room]; returns how many there are, or -1 if there is no room.
    """
    locations = arc.shape[1]
    room = costs.shape[0]
    count = 0
    limit = value[0, 0] + budget
    if not np.isfinite(value[0, 0]):
        return 0
    spent = np.zeros(length + 1)
    at = np.zeros(length + 1, dtype=np.int64)
    option = np.zeros(length + 1, dtype=np.int64)
    m = 0
    while m >= 0:
        if m == length:
            if count == room:
                return -1
            for j in range(length):
                paths[count, j] = at[j + 1]
            costs[count] = spent[m] + value[m, at[m]]
            count += 1
            m -= 1
            continue
        b = option[m]
        if b == locations:
            option[m] = 0
            m -= 1
            continue
        option[m] += 1
        cost = spent[m] + arc[m, at[m], b]
        reach = cost + value[m + 1, b]
        if reach <= limit and reach < np.inf:
            spent[m + 1] = cost
            at[m + 1] = b
            option[m + 1] = 0
            m += 1
    return count
