"""Compiled searches of the choice problem: local search and layered enumeration.

Array names and shapes are those of `optkit.exact.choice_kernels`.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from optkit.exact.choice_kernels import (
    CAPACITY,
    KNEE,
    RELATIVE_SLACK,
    SHARING,
    conjugate,
    evaluate_choice,
    interior,
    load_cost,
)
from optkit.kernels import kernel

FULL = KNEE / (1.0 - KNEE)
STEEP = 1.0 / (1.0 - KNEE) ** 2


@kernel
def soft_cost(kind, size, slope, load, penalty):
    """Cost of a load, continued finitely beyond its limit so that descent leaves overload.

    A broken capacity costs ``penalty`` plus ``penalty`` times its relative excess, so that no
    gain below ``penalty`` is worth breaking it.
    """
    if kind == CAPACITY:
        if load <= size * (1.0 + RELATIVE_SLACK):
            return 0.0
        return penalty * (1.0 + (load - size) / size if size > 0.0 else 1.0 + load)
    if kind == SHARING:
        if load <= KNEE:
            return size * load / (1.0 - load)
        return size * (FULL + STEEP * (load - KNEE)) + (penalty if load >= 1.0 else 0.0)
    return size * load * (1.0 + slope * load)


@kernel
def descend(starts, cost, load, kind, size, slope, base, penalty, near, near_starts, choice):
    """Local search by best responses of one group, then of pairs of groups.

    A group moves to its best column of all; when no group can, each pair of groups tries the
    columns ``near[near_starts[k]:near_starts[k+1]]`` of both. ``choice`` is improved in place.
    Returns the exact value reached (infinite if a limit is still broken) and whether a pair moved
    (then another round may help).
    """
    groups = len(choice)
    resources = len(base)
    total = base.copy()
    for k in range(groups):
        for r in range(resources):
            total[r] += load[choice[k], r]
    phi = np.empty(resources)
    for r in range(resources):
        phi[r] = soft_cost(kind[r], size[r], slope[r], total[r], penalty)
    scale = 1e-13
    for k in range(groups):
        scale += 1e-13 * abs(cost[choice[k]])
    quiet = 0
    k = 0
    while quiet < groups:
        now = choice[k]
        best = -scale
        best_c = now
        for c in range(starts[k], starts[k + 1]):
            delta = cost[c] - cost[now]
            for r in range(resources):
                shift = load[c, r] - load[now, r]
                if shift != 0.0:
                    delta -= phi[r]
                    delta += soft_cost(kind[r], size[r], slope[r], total[r] + shift, penalty)
            if delta < best:
                best = delta
                best_c = c
        quiet += 1
        if best_c != now:
            choice[k] = best_c
            for r in range(resources):
                total[r] += load[best_c, r] - load[now, r]
                phi[r] = soft_cost(kind[r], size[r], slope[r], total[r], penalty)
            quiet = 0
        k = (k + 1) % groups
    moved = False
    for i in range(groups):
        for j in range(i + 1, groups):
            a = choice[i]
            b = choice[j]
            best = -scale
            best_a = a
            best_b = b
            for p in range(near_starts[i], near_starts[i + 1]):
                c = near[p]
                if c == a:
                    continue
                for q in range(near_starts[j], near_starts[j + 1]):
                    d = near[q]
                    if d == b:
                        continue
                    delta = cost[c] - cost[a] + cost[d] - cost[b]
                    for r in range(resources):
                        shift = load[c, r] - load[a, r] + load[d, r] - load[b, r]
                        if shift != 0.0:
                            delta += (
                                soft_cost(kind[r], size[r], slope[r], total[r] + shift, penalty)
                                - phi[r]
                            )
                    if delta < best:
                        best = delta
                        best_a = c
                        best_b = d
            if best < -scale:
                moved = True
                choice[i] = best_a
                choice[j] = best_b
                for r in range(resources):
                    total[r] += load[best_a, r] - load[a, r] + load[best_b, r] - load[b, r]
                    phi[r] = soft_cost(kind[r], size[r], slope[r], total[r], penalty)
    return evaluate_choice(cost, load, kind, size, slope, base, choice)[0], moved


@kernel
def expand(
    value, total, first, last, cost, load, prices, offset, room, limit, quantum,
    new_value, new_total, parent, column, key, table, count,
):  # fmt: skip
    """Extend partial choices by one group, merge equal loads and drop the hopeless ones.

    Parameters
    ----------
    value, total : cost [n] and loads [n, R] of the partial choices; ``first:last`` are extended.
    cost, load : [q] and [q, R], the columns of the group by ascending cost at ``prices[0]``.
    prices, offset : [J, R] and [J]; ``value + prices[j] @ total + offset[j]`` is a lower bound
        of every completion.
    room : [R], largest load after this group that can still be completed.
    limit : choices with a bound above it are dropped.
    quantum : [R], loads that fall in one cell of this grid count as equal.
    new_value, new_total, parent, column, key : room for the new partial choices, the first
        ``count`` of them in use; ``table`` is their hash table (-1 = free, length a power of 2).

    Returns
    -------
    The first partial choice not extended (``last`` unless the room is used up) and the new count.
    """
    resources = total.shape[1]
    points = len(prices)
    columns = len(cost)
    mask = np.uint64(len(table) - 1)
    own = np.empty((columns, points))
    for c in range(columns):
        for j in range(points):
            v = cost[c] + offset[j]
            for r in range(resources):
                v += prices[j, r] * load[c, r]
            own[c, j] = v
    past = np.empty(points)
    cell = np.empty(resources, np.int64)
    for s in range(first, last):
        if count + columns > len(new_value):
            return s, count
        for j in range(points):
            v = value[s]
            for r in range(resources):
                v += prices[j, r] * total[s, r]
            past[j] = v
        for c in range(columns):
            if past[0] + own[c, 0] > limit:
                break
            bound = -np.inf
            for j in range(1, points):
                bound = max(bound, past[j] + own[c, j])
            if bound > limit:
                continue
            fits = True
            code = np.uint64(1469598103934665603)
            for r in range(resources):
                w = total[s, r] + load[c, r]
                fits = fits and w <= room[r]
                cell[r] = np.int64(np.rint(w / quantum[r]))
                code = (code ^ np.uint64(cell[r])) * np.uint64(0x9E3779B97F4A7C15)
                code ^= code >> np.uint64(29)
            if not fits:
                continue
            v = value[s] + cost[c]
            place = np.int64(code & mask)
            while True:
                t = table[place]
                if t < 0:
                    t = count
                    table[place] = t
                    count += 1
                    key[t, :] = cell
                    new_value[t] = np.inf
                    break
                same = True
                for r in range(resources):
                    same = same and key[t, r] == cell[r]
                if same:
                    break
                place = (place + 1) & np.int64(mask)
            if v < new_value[t]:
                new_value[t] = v
                parent[t] = s
                column[t] = c
                for r in range(resources):
                    new_total[t, r] = total[s, r] + load[c, r]
    return last, count


@kernel
def probe(starts, cost, load, kind, size, slope, total, price, barrier):
    """Prices [J, R] that give good bounds on the completions of the loads ``total`` [J, R].

    Each is a rough maximiser of the dual function of the groups in ``starts`` with that base load.
    """
    prices = np.empty(total.shape)
    for j in range(len(total)):
        prices[j] = interior(
            starts, cost, load, kind, size, slope, total[j], price, barrier, 1e-7, np.inf, 15
        )[0]
    return prices


@kernel
def completion_bounds(starts, cost, load, kind, size, slope, first, prices):
    """Bounds [K+1, J] on the cost of groups k.. and of all loads, at each of ``prices`` [J, R].

    Row k is the least priced cost of the groups k, k+1, ... plus the conjugates; only the rows
    from ``first`` on are filled.
    """
    groups = len(starts) - 1
    resources = prices.shape[1]
    bounds = np.zeros((groups + 1, len(prices)))
    for j in range(len(prices)):
        for r in range(resources):
            bounds[groups, j] += conjugate(kind[r], size[r], slope[r], prices[j, r])[0]
    for k in range(groups - 1, first - 1, -1):
        for j in range(len(prices)):
            best = np.inf
            for c in range(starts[k], starts[k + 1]):
                v = cost[c]
                for r in range(resources):
                    v += prices[j, r] * load[c, r]
                best = min(best, v)
            bounds[k, j] = bounds[k + 1, j] + best
    return bounds


@kernel
def finish(value, total, kind, size, slope):
    """Least objective of complete choices with costs ``value`` [n] and loads [n, R], and where."""
    best = np.inf
    where = -1
    for i in range(len(value)):
        v = value[i]
        for r in range(total.shape[1]):
            v += load_cost(kind[r], size[r], slope[r], total[i, r])
        if v < best:
            best = v
            where = i
    return best, where
