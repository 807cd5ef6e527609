"""Compiled local search over placements: shifts and swaps of twins, with kicks.

A placement keeps the twins of each server as a linked list and what a server needs to price one
more twin as sums, so that a move costs a few operations whatever the instance's size. Limits and
deadlines may be broken at a price; the search raises and lowers it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: A move must gain more than this part of the typical cost of a twin.
_GAIN = 1e-10


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


@njit(cache=True)
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
    over = overload(p.use, g.demand, g.room, g.scale, s, -1, -1)
    if g.strained:
        extra, late = strain(g, p, s, -1, -1)
        p.shared[s] = extra
        cost += extra
        over += late
    p.cost[s], p.excess[s] = cost, over


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True)
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


@njit(cache=True)
def joining(g, p, s, m):  # type: ignore[no-untyped-def]
    """Cost that twin m, which is elsewhere, adds to server s."""
    if g.ordered:
        pairs = ordered_sum(g.slope, g.part, g.position, p.head, p.following, s, m, -1)
        return g.base[s, m] + pairs
    return (
        g.base[s, m] + g.slope[s, m] * p.part_sum[s] + g.other_slope[s, m] * p.other_sum[s]
    )


@njit(cache=True)
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


@njit(cache=True)
def strain_change(g, p, s, t, m, j, price):  # type: ignore[no-untyped-def]
    """Change of backhaul cost and priced lateness when m goes from s to t, j (or -1) back."""
    change = 0.0
    for server, add, drop in ((s, j, m), (t, m, j)):
        cost, late = strain(g, p, server, add, drop)
        now, late_now = strain(g, p, server, -1, -1)
        change += cost - now + price * (late - late_now)
    return change


@njit(cache=True)
def best_move(g, p, s, near, guests, first_guest, price, gain):  # type: ignore[no-untyped-def]
    """Best shift or swap that changes server s: (twin, its new server, twin that comes back).

    Gains of at most `gain` do not count; the twin is -1 where nothing is gained.
    """
    base, slope, part, position = g.base, g.slope, g.part, g.position
    other_slope, other_part, part_sum, other_sum = (
        g.other_slope,
        g.other_part,
        p.part_sum,
        p.other_sum,
    )
    head, following, leave, server = p.head, p.following, p.leave, p.server
    excess, shared = p.excess, p.shared
    use, demand, room, scale = p.use, g.demand, g.room, g.scale
    ordered, strained = g.ordered, g.strained
    limited = use.shape[0] > 0
    least, twin, target, back = -gain, -1, -1, -1
    m = head[s]
    while m >= 0:
        relief = 0.0
        if limited:
            relief = overload(use, demand, room, scale, s, -1, m)
            relief -= overload(use, demand, room, scale, s, -1, -1)
        for c in range(near.shape[1]):
            t = near[m, c]
            if t < 0:
                break
            if t == s:
                continue
            j = -1  # first the shift, then swaps with every twin of t
            while True:
                if j < 0 or base[s, j] < np.inf:
                    change = base[t, m] - leave[m]
                    if j >= 0:
                        change += base[s, j] - leave[j]
                    if ordered:
                        change += ordered_sum(slope, part, position, head, following, t, m, j)
                        if j >= 0:
                            change += ordered_sum(slope, part, position, head, following, s, j, m)
                    else:
                        total, other_total = part_sum[t], other_sum[t]
                        if j >= 0:
                            total -= part[t, j]
                            other_total -= other_part[t, j]
                            change += slope[s, j] * (part_sum[s] - part[s, m])
                            change += other_slope[s, j] * (other_sum[s] - other_part[s, m])
                        change += slope[t, m] * total + other_slope[t, m] * other_total
                    relieved = price * (excess[s] + excess[t]) + shared[s] + shared[t]
                    if change - relieved < least:
                        if limited:
                            over = overload(use, demand, room, scale, t, m, j)
                            over -= overload(use, demand, room, scale, t, -1, -1)
                            if j < 0:
                                over += relief
                            else:
                                over += overload(use, demand, room, scale, s, j, m)
                                over -= overload(use, demand, room, scale, s, -1, -1)
                            change += price * over
                        if strained:
                            change += strain_change(g, p, s, t, m, j, price)
                        if change < least:
                            least, twin, target, back = change, m, t, j
                j = head[t] if j < 0 else following[j]
                if j < 0:
                    break
        m = following[m]
    for n in range(first_guest[s], first_guest[s + 1]):
        m = guests[n]
        t = server[m]
        if t == s:
            continue
        change = base[s, m] - leave[m]
        if ordered:
            change += ordered_sum(slope, part, position, head, following, s, m, -1)
        else:
            change += slope[s, m] * part_sum[s] + other_slope[s, m] * other_sum[s]
        if change - price * (excess[s] + excess[t]) - shared[s] - shared[t] < least:
            if limited:
                over = overload(use, demand, room, scale, s, m, -1)
                over -= overload(use, demand, room, scale, s, -1, -1)
                over += overload(use, demand, room, scale, t, -1, m)
                over -= overload(use, demand, room, scale, t, -1, -1)
                change += price * over
            if strained:
                change += strain_change(g, p, t, s, m, -1, price)
            if change < least:
                least, twin, target, back = change, m, s, -1
    return twin, target, back


@njit(cache=True)
def descend(g, p, queue, queued, waiting, near, guests, first_guest, price, gain, log, logged):  # type: ignore[no-untyped-def]
    """Best moves of the waiting servers until none gains; moves go to the log [.., 2].

    Returns how many moves the log holds; it ends early where the log is full.
    """
    start, size = 0, len(queue)
    while waiting > 0:
        s = queue[start]
        start = (start + 1) % size
        waiting -= 1
        queued[s] = False
        while logged + 2 <= len(log):
            m, t, j = best_move(g, p, s, near, guests, first_guest, price, gain)
            if m < 0:
                break
            old = p.server[m]
            other = old if t == s else t
            log[logged, 0], log[logged, 1] = m, old
            logged += 1
            place(g, p, m, t)
            if j >= 0:
                log[logged, 0], log[logged, 1] = j, t
                logged += 1
                place(g, p, j, old)
            if not queued[other]:
                queue[(start + waiting) % size] = other
                waiting += 1
                queued[other] = True
    return logged


@njit(cache=True)
def draw(state):  # type: ignore[no-untyped-def]
    """Next number in [0, 1) of a xorshift generator with 64 bits of state."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return np.float64(x >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True)
def load(g, p, server):  # type: ignore[no-untyped-def]
    """Fill an empty placement."""
    for m in range(len(server)):
        place(g, p, m, server[m])


@njit(cache=True)
def fill(g, p, order):  # type: ignore[no-untyped-def]
    """Place the twins in order, each where it adds least within limits and deadlines.

    Where every server would break one, the twin goes where the excess grows least.
    """
    for n in range(len(order)):
        m = order[n]
        target, least, least_over = -1, np.inf, np.inf
        for s in range(len(p.head)):
            if g.base[s, m] == np.inf:
                continue
            over = overload(p.use, g.demand, g.room, g.scale, s, m, -1)
            cost = joining(g, p, s, m)
            if g.strained:
                extra, late = strain(g, p, s, m, -1)
                now, _ = strain(g, p, s, -1, -1)
                cost += extra - now
                over += late
            over = max(0.0, over - p.excess[s])
            if over < least_over or (over == least_over and cost < least):
                target, least, least_over = s, cost, over
        place(g, p, m, target)


@njit(cache=True)
def kicked(g, p, near, guests, first_guest, best, best_value, kicks, price, heat, unit, state):  # type: ignore[no-untyped-def]
    """Kick, descend and accept or undo, `kicks` times; 0 kicks: descend once.

    Parameters
    ----------
    best : [M] receives the best placement; best_value : its (excess, cost) so far, updated.
    price : of one unit of excess, raised while limits are broken and lowered while they hold.
    heat : mean worsening that is accepted; unit : typical cost of a twin.

    Returns
    -------
    the price at the end.
    """
    twins, servers = near.shape[0], len(p.head)
    queue, queued = np.zeros(servers, np.int64), np.zeros(servers, np.bool_)
    log = np.zeros((4 * twins + 100, 2), np.int64)
    gain, waiting, turn = _GAIN * unit, servers, 0
    for s in range(servers):
        queue[s], queued[s] = s, True
    while True:
        cost, excess, logged = p.cost.sum(), p.excess.sum(), 0
        if turn > 0:
            waiting, m = 0, int(draw(state) * twins)
            for _ in range(1 + int(draw(state) * 5)):
                ways = 0
                while ways < near.shape[1] and near[m, ways] >= 0:
                    ways += 1
                t, old = near[m, int(draw(state) * ways)], p.server[m]
                if t == old:
                    m = int(draw(state) * twins)
                    continue
                log[logged, 0], log[logged, 1] = m, old
                logged += 1
                place(g, p, m, t)
                for s in (old, t):
                    if not queued[s]:
                        queue[waiting], queued[s] = s, True
                        waiting += 1
                # Go on with a twin of the server that was entered.
                size, k = 0, p.head[t]
                while k >= 0:
                    size += 1
                    k = p.following[k]
                skip, m = int(draw(state) * size), p.head[t]
                for _ in range(skip):
                    m = p.following[m]
        logged = descend(
            g, p, queue, queued, waiting, near, guests, first_guest, price, gain, log, logged
        )
        new_cost, new_excess = p.cost.sum(), p.excess.sum()
        if new_excess < best_value[0] or (
            new_excess <= best_value[0] and new_cost < best_value[1] - gain
        ):
            best_value[0], best_value[1] = new_excess, new_cost
            best[:] = p.server
        worse = new_cost - cost + price * (new_excess - excess)
        if turn > 0 and worse > 0 and (heat <= 0 or draw(state) >= np.exp(-worse / heat)):
            for n in range(logged - 1, -1, -1):
                place(g, p, log[n, 0], log[n, 1])
        if p.excess.sum() > 0:
            price = min(price * 1.05, 1e6 * unit)
        else:
            price = max(price / 1.02, 1e-2 * unit)
        turn += 1
        if turn > kicks:
            return price


@njit(cache=True)
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
