"""Compiled accounts of a placement: what each server holds, costs and breaks.

A placement keeps the twins of each server as a linked list and what a server needs to price one
more twin as sums, so that a move costs a few operations whatever the instance's size.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optkit.kernels import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: No twin and no server. A literal would be a type of its own, see `kernel`.
NONE: Any = np.int64(-1)


class Placement(NamedTuple):
    """Where every twin is; changed in place by the compiled loops."""

    server: Ints  # [M], -1 where a twin is nowhere
    head: Ints  # [S] first twin of each server, -1 where it is empty
    following: Ints  # [M] next twin on the same server, -1 at the end
    before: Ints  # [M]
    leave: Floats  # [M] what the group saves when the twin leaves, backhaul apart
    part_sum: Floats  # [S]
    other_sum: Floats  # [S]
    use: Floats  # [R, S]
    devices: Floats  # [S]
    cost: Floats  # [S] of the group
    shared: Floats  # [S] part of the cost that a shared backhaul adds
    excess: Floats  # [S] by which it breaks limits and deadlines, relative to them

    @classmethod
    def empty(cls, resources: int, servers: int, twins: int) -> Placement:
        """The one with every twin nowhere."""
        return cls(
            np.full(twins, -1),
            np.full(servers, -1),
            np.full(twins, -1),
            np.full(twins, -1),
            np.zeros(twins),
            np.zeros(servers),
            np.zeros(servers),
            np.zeros((resources, servers)),
            np.zeros(servers),
            np.zeros(servers),
            np.zeros(servers),
            np.zeros(servers),
        )


@kernel
def refresh(g, p, s):  # type: ignore[no-untyped-def]
    """Work out sums, cost and excess of server s from its list."""
    resources = p.use.shape[0]
    part_sum, other_sum, devices, cost = 0.0, 0.0, 0.0, 0.0
    for r in range(resources):
        p.use[r, s] = 0.0
    last, k = -1, p.head[s]
    while k >= 0:
        # Cost that k adds to those before it in the list (ordered: in Smith's order too).
        own = g.base[s, k] + g.slope[s, k] * part_sum
        p.leave[k] = own
        if not g.ordered:
            own += g.other_slope[s, k] * other_sum
        cost += own
        part_sum += g.part[s, k]
        other_sum += g.other_part[s, k]
        devices += g.devices[k]
        for r in range(resources):
            p.use[r, s] += g.demand[r, s, k]
        last, k = k, p.following[k]
    if g.ordered:
        behind, k = 0.0, last
        while k >= 0:
            p.leave[k] += g.part[s, k] * behind
            behind += g.slope[s, k]
            k = p.before[k]
    else:
        k = p.head[s]
        while k >= 0:
            p.leave[k] = (
                g.base[s, k]
                + g.slope[s, k] * (part_sum - g.part[s, k])
                + g.other_slope[s, k] * (other_sum - g.other_part[s, k])
            )
            k = p.following[k]
    p.part_sum[s], p.other_sum[s], p.devices[s] = part_sum, other_sum, devices
    over = overload(p.use, g.demand, g.room, g.scale, s, NONE, NONE)
    if g.strained:
        extra, late = strain(g, p, s, NONE, NONE)
        p.shared[s] = extra
        cost += extra
        over += late
    p.cost[s], p.excess[s] = cost, over


@kernel
def overload(use, demand, room, scale, s, add, drop):  # type: ignore[no-untyped-def]
    """Excess over the limits of server s with one twin more and one less (-1: none)."""
    total = 0.0
    for r in range(use.shape[0]):
        taken = use[r, s]
        if add >= 0:
            taken += demand[r, s, add]
        if drop >= 0:
            taken -= demand[r, s, drop]
        if taken > room[r, s]:
            total += (taken - room[r, s]) / scale[r, s]
    return total


@kernel
def strain(g, p, s, add, drop):  # type: ignore[no-untyped-def]
    """Cost of the shared backhaul and relative lateness on server s, one twin more, one less."""
    devices, total = p.devices[s], p.part_sum[s]
    if add >= 0:
        devices += g.devices[add]
        total += g.part[s, add]
    if drop >= 0:
        devices -= g.devices[drop]
        total -= g.part[s, drop]
    cost, late, running = 0.0, 0.0, 0.0
    k, pending = p.head[s], add >= 0
    while k >= 0 or pending:
        if pending and (k < 0 or (g.ordered and g.position[s, add] < g.position[s, k])):
            item, pending = add, False
        else:
            item = k
            k = p.following[k]
            if item == drop:
                continue
        running += g.part[s, item]
        alone_s = g.transfer_s[s, item]
        upload_s = max(alone_s, devices * g.largest_bits[item] * g.s_per_bit[s])
        cost += g.delay_weight[item] * (upload_s - alone_s)
        shared = running if g.ordered else total
        latency = upload_s + g.own_s[s, item] + g.share_s[s, item] * shared
        if latency > g.deadline_s[item]:
            late += latency / g.deadline_s[item] - 1.0
    return cost, late


@kernel
def ordered_sum(slope, part, position, head, following, s, m, skip):  # type: ignore[no-untyped-def]
    """Pair costs of twin m with the twins of server s, but m itself and `skip`, if ordered."""
    cost, own_slope, own_part, rank = 0.0, slope[s, m], part[s, m], position[s, m]
    k = head[s]
    while k >= 0:
        if k != skip and k != m:
            if position[s, k] < rank:
                cost += own_slope * part[s, k]
            else:
                cost += slope[s, k] * own_part
        k = following[k]
    return cost


@kernel
def joining(g, p, s, m):  # type: ignore[no-untyped-def]
    """Cost that twin m, which is elsewhere, adds to server s."""
    if g.ordered:
        pairs = ordered_sum(g.slope, g.part, g.position, p.head, p.following, s, m, NONE)
        return g.base[s, m] + pairs
    return g.base[s, m] + g.slope[s, m] * p.part_sum[s] + g.other_slope[s, m] * p.other_sum[s]


@kernel
def place(g, p, m, s):  # type: ignore[no-untyped-def]
    """Move twin m to server s (-1: nowhere)."""
    old = p.server[m]
    if old >= 0:
        a, b = p.before[m], p.following[m]
        if a >= 0:
            p.following[a] = b
        else:
            p.head[old] = b
        if b >= 0:
            p.before[b] = a
        refresh(g, p, old)
    p.server[m] = s
    if s < 0:
        return
    a, b = -1, p.head[s]
    if g.ordered:
        while b >= 0 and g.position[s, b] < g.position[s, m]:
            a, b = b, p.following[b]
    p.before[m], p.following[m] = a, b
    if a >= 0:
        p.following[a] = m
    else:
        p.head[s] = m
    if b >= 0:
        p.before[b] = m
    refresh(g, p, s)


@kernel
def load(g, p, server):  # type: ignore[no-untyped-def]
    """Fill an empty placement."""
    for m in range(len(server)):
        place(g, p, m, server[m])


@kernel
def fill(g, p, order):  # type: ignore[no-untyped-def]
    """Place the twins in order, each where it adds least within limits and deadlines.

    Where every server would break one, the twin goes where the excess grows least.
    """
    for n in range(len(order)):
        m = order[n]
        target, least, least_over = NONE, np.inf, np.inf
        for s in range(len(p.head)):
            if g.base[s, m] == np.inf:
                continue
            over = overload(p.use, g.demand, g.room, g.scale, s, m, NONE)
            cost = joining(g, p, s, m)
            if g.strained:
                extra, late = strain(g, p, s, m, NONE)
                now, _ = strain(g, p, s, NONE, NONE)
                cost += extra - now
                over += late
            over = max(0.0, over - p.excess[s])
            if over < least_over or (over == least_over and cost < least):
                target, least, least_over = s, cost, over
        place(g, p, m, target)


@kernel
def joining_all(g, p, cost):  # type: ignore[no-untyped-def]
    """Fill cost [S, M]: what every twin adds to every server, itself left out."""
    for s in range(cost.shape[0]):
        for m in range(cost.shape[1]):
            if g.base[s, m] == np.inf:
                cost[s, m] = np.inf
            elif p.server[m] == s:
                cost[s, m] = p.leave[m]
            else:
                cost[s, m] = joining(g, p, s, m)
