"""Compiled enumeration of the coalitions that could matter."""

from __future__ import annotations

import numpy as np

from formulations.channel_choice.coalition_kernels import coalition_value, dominated
from optkit.kernels import kernel


@kernel
def enumerate_on(  # type: ignore[no-untyped-def]
    o, k, limits, order, most_members, place, depth, nodes, member, start, value, found
):
    """Append every coalition, but for dominated ones, from where the last call ended.

    Services come by falling threshold, so that the last member's is the one that binds; a
    feasible coalition is feasible without its last member.

    Parameters
    ----------
    limits, order : [N] thresholds at k offloaders, and services by falling threshold.
    most_members : larger coalitions are left out.
    place, depth : the next coalition: order[place[:depth]]; a depth of 0 begins.
    nodes : how many feasible coalitions may be looked at.
    member, start, value, found : coalitions so far; members of the j-th at start[j] : start[j + 1].

    Returns
    -------
    found, depth (0 at the end, -1 where there is no room), nodes left
    """
    services = len(order)
    power_w = o.power_w
    inside = np.empty(services, dtype=np.int64)
    load = np.empty(services)
    total_w = 0.0
    for a in range(depth):
        inside[a] = order[place[a]]
        total_w += power_w[inside[a]]
        load[a] = total_w
    fresh, following = depth > 0, 0
    while True:
        if fresh:
            if nodes == 0:
                return found, depth, nodes
            nodes -= 1
            total = coalition_value(o, k, inside, depth, load[depth - 1])
            if not dominated(o, k, inside, depth, load[depth - 1], total):
                begin = start[found]
                if found >= len(value) or begin + depth > len(member):
                    return found, -1, nodes
                for a in range(depth):
                    member[begin + a] = inside[a]
                start[found + 1] = begin + depth
                value[found] = total
                found += 1
            following = place[depth - 1] + 1
        fresh = False
        if depth < most_members:
            before_w = load[depth - 1] if depth > 0 else 0.0
            while following < services:
                i = order[following]
                if before_w + power_w[i] <= limits[i]:
                    break
                following += 1
            if following < services:
                place[depth], inside[depth] = following, order[following]
                load[depth] = before_w + power_w[inside[depth]]
                depth += 1
                fresh = True
                continue
        if depth == 0:
            return found, depth, nodes
        depth -= 1
        following = place[depth] + 1
