"""Compiled local search over placements: shifts and swaps of twins, with kicks.

Limits and deadlines may be broken at a price; the search raises and lowers it.
"""

from __future__ import annotations

import numpy as np

from formulations.dt_assignment.placement_kernels import NONE, ordered_sum, overload, place, strain
from optkit.kernels import kernel

#: A move must gain more than this part of the typical loss of a twin.
_GAIN = 1e-10
#: Twins of one server that are tried as partners of a swap.
_PARTNERS = 64
#: Twins that one kick moves at most.
_KICKED = 5


@kernel
def strain_change(g, p, s, t, m, j, price):  # type: ignore[no-untyped-def]
    """Change of backhaul cost and priced lateness when m goes from s to t, j (or -1) back."""
    change = 0.0
    for server, add, drop in ((s, j, m), (t, m, j)):
        cost, late = strain(g, p, server, add, drop)
        now, late_now = strain(g, p, server, NONE, NONE)
        change += cost - now + price * (late - late_now)
    return change


@kernel
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
            relief = overload(use, demand, room, scale, s, NONE, m)
            relief -= overload(use, demand, room, scale, s, NONE, NONE)
        for c in range(near.shape[1]):
            t = near[m, c]
            if t < 0:
                break
            if t == s:
                continue
            j = NONE  # first the shift, then swaps with the twins of t
            for _ in range(_PARTNERS + 1):
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
                            over -= overload(use, demand, room, scale, t, NONE, NONE)
                            if j < 0:
                                over += relief
                            else:
                                over += overload(use, demand, room, scale, s, j, m)
                                over -= overload(use, demand, room, scale, s, NONE, NONE)
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
            change += ordered_sum(slope, part, position, head, following, s, m, NONE)
        else:
            change += slope[s, m] * part_sum[s] + other_slope[s, m] * other_sum[s]
        if change - price * (excess[s] + excess[t]) - shared[s] - shared[t] < least:
            if limited:
                over = overload(use, demand, room, scale, s, m, NONE)
                over -= overload(use, demand, room, scale, s, NONE, NONE)
                over += overload(use, demand, room, scale, t, NONE, m)
                over -= overload(use, demand, room, scale, t, NONE, NONE)
                change += price * over
            if strained:
                change += strain_change(g, p, t, s, m, NONE, price)
            if change < least:
                least, twin, target, back = change, m, s, -1
    return twin, target, back


@kernel
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


@kernel
def draw(state):  # type: ignore[no-untyped-def]
    """Next number in [0, 1) of a xorshift generator with 64 bits of state."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return np.float64(x >> np.uint64(11)) / 9007199254740992.0


@kernel
def kicked(g, p, near, guests, first_guest, best, best_value, counts, price, heat, unit, state):  # type: ignore[no-untyped-def]
    """Kick, descend and accept or undo, again and again; without kicks descend once.

    Parameters
    ----------
    counts : how many kicks, and how many moves each descent may take.
    best : [M] receives the best placement; best_value : its (excess, cost) so far, updated.
    price : of one unit of excess, raised while limits are broken and lowered while they hold.
    heat : mean worsening that is accepted; unit : typical loss of a twin.

    Returns
    -------
    the price at the end.
    """
    twins, servers = near.shape[0], len(p.head)
    queue, queued = np.zeros(servers, np.int64), np.zeros(servers, np.bool_)
    kicks, moves = counts
    log = np.zeros((moves + 2 + (_KICKED if kicks > 0 else 0), 2), np.int64)
    gain, waiting, turn = _GAIN * unit, servers, 0
    for s in range(servers):
        queue[s], queued[s] = s, True
    while True:
        cost, excess, logged = p.cost.sum(), p.excess.sum(), np.int64(0)
        if turn > 0:
            waiting, m = 0, int(draw(state) * twins)
            for _ in range(1 + int(draw(state) * _KICKED)):
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
