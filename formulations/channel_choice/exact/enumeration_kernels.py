"""Compiled enumeration of the coalitions that could matter."""

from __future__ import annotations

from formulations.channel_choice.coalition_kernels import coalition_value, dominated
from optkit.kernels import kernel


@kernel
def enumerate_from(  # type: ignore[no-untyped-def]
    o, k, limits, order, first, most_members, nodes, member, start, value, found
):
    """Append every coalition, but for dominated ones, whose first member is order[first].

    Services come by falling threshold, so that the last member's is the one that binds; a
    feasible coalition is feasible without its last member.

    Parameters
    ----------
    limits, order : [N] thresholds at k offloaders, and services by falling threshold.
    most_members : larger coalitions are left out.
    nodes : how many feasible coalitions may still be looked at.
    member, start, value, found : coalitions so far; members of the j-th at start[j] : start[j + 1].

    Returns
    -------
    found, nodes left (negative where there was no room or too many)
    """
    services = len(order)
    power_w = o.power_w
    place = [first]
    inside = order[:1].repeat(services)
    load = power_w * 0.0
    inside[0] = order[first]
    load[0] = power_w[order[first]]
    if most_members < 1 or load[0] > limits[order[first]]:
        return found, nodes
    fresh = True
    while True:
        depth = len(place)
        if fresh:
            nodes -= 1
            total = coalition_value(o, k, inside, depth, load[depth - 1])
            if nodes < 0:
                return found, nodes
            if not dominated(o, k, inside, depth, load[depth - 1], total):
                begin = start[found]
                if found >= len(value) or begin + depth > len(member):
                    return found, -1
                for a in range(depth):
                    member[begin + a] = inside[a]
                start[found + 1] = begin + depth
                value[found] = total
                found += 1
            following = place[-1] + 1
        fresh = False
        if depth < most_members:
            while following < services:
                i = order[following]
                if load[depth - 1] + power_w[i] <= limits[i]:
                    break
                following += 1
            if following < services:
                place.append(following)
                inside[depth] = i
                load[depth] = load[depth - 1] + power_w[i]
                fresh = True
                continue
        following = place.pop() + 1
        if len(place) == 0:
            return found, nodes
