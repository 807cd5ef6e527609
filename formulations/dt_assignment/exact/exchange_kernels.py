"""Compiled exchanges of twins among few servers, with kicks.

The last server of a problem stands for "no server": it takes every twin at a great cost, so that
decisions on the way may leave twins out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optkit.kernels import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: An exchange must gain more than this, relative to the cost of the twins.
_LEAST_GAIN = 1e-9
#: More twins than this on few servers are not exchanged.
_MOST_ITEMS = 120
#: How often a neighbour is drawn for a group of servers.
_DRAWS = 50


class Hosting(NamedTuple):
    """A decision and what follows from it.

    Attributes
    ----------
    server : [M] of each twin.
    member, members : [S, M] the twins of each server, and [S] how many.
    used : [R, S] shares of its limits.
    """

    server: Ints
    member: Ints
    members: Ints
    used: Floats


@kernel
def host(problem, hosting):  # type: ignore[no-untyped-def]
    """Fill members and use from the servers of the twins; the cost of the decision."""
    cost, demand = problem.cost, problem.demand
    server, member, members, used = hosting.server, hosting.member, hosting.members, hosting.used
    for s in range(len(members)):
        members[s] = 0
        for r in range(demand.shape[0]):
            used[r, s] = 0.0
    total = 0.0
    for m in range(len(server)):
        s = server[m]
        member[s, members[s]] = m
        members[s] += 1
        total += cost[m, s]
        for r in range(demand.shape[0]):
            used[r, s] += demand[r, m, s]
    return total


@kernel
def exchange(problem, price, hosting, group, limit):  # type: ignore[no-untyped-def]
    """Share the twins of a group of servers out among them at least cost.

    Depth first, twins with most to lose first. Paying prices for shares bounds what is left: no
    completion costs less than its cheapest paid pairs, less the price of all that is admitted.

    Parameters
    ----------
    price : [R, S] of whole limits.
    group : [K] distinct servers.
    limit : pairs that are tried at most.

    Returns
    -------
    What the best exchange gains; 0 where there is none, and nothing has changed.
    """
    cost, demand = problem.cost, problem.demand
    server, member, members, used = hosting.server, hosting.member, hosting.members, hosting.used
    resources, size = demand.shape[0], len(group)
    items = 0
    for a in range(size):
        items += members[group[a]]
    if items == 0 or items > _MOST_ITEMS:
        return 0.0
    twin = np.empty(items, dtype=np.int64)
    paid, option = np.empty((items, size)), np.empty((items, size), dtype=np.int64)
    options, regret = np.zeros(items, dtype=np.int64), np.empty(items)
    order = np.empty(items, dtype=np.int64)
    current, admitted, i = 0.0, 0.0, 0
    for a in range(size):
        s = group[a]
        for r in range(resources):
            admitted += price[r, s]
        for j in range(members[s]):
            m = member[s, j]
            twin[i] = m
            current += cost[m, s]
            for b in range(size):
                pays, fits = cost[m, group[b]], cost[m, group[b]] < np.inf
                for r in range(resources):
                    fits = fits and demand[r, m, group[b]] <= 1.0
                    pays += price[r, group[b]] * demand[r, m, group[b]]
                if not fits:
                    continue
                k = options[i]
                while k > 0 and paid[i, k - 1] > pays:
                    paid[i, k], option[i, k] = paid[i, k - 1], option[i, k - 1]
                    k -= 1
                paid[i, k], option[i, k] = pays, b
                options[i] += 1
            regret[i] = paid[i, 1] - paid[i, 0] if options[i] > 1 else np.inf
            i += 1
    for i in range(items):  # by falling regret
        p = i
        while p > 0 and regret[order[p - 1]] < regret[i]:
            order[p] = order[p - 1]
            p -= 1
        order[p] = i
    rest = np.zeros(items + 1)
    for p in range(items - 1, -1, -1):
        rest[p] = rest[p + 1] + paid[order[p], 0]
    best = current - _LEAST_GAIN * abs(current)
    if rest[0] >= best + admitted:
        return 0.0
    left = np.empty((resources, size))
    for a in range(size):
        for r in range(resources):
            left[r, a] = 1.0
    at, found_at = np.empty(items, dtype=np.int64), np.empty(items, dtype=np.int64)
    for p in range(items):
        at[p] = -1
    paid_so_far, cost_so_far = np.zeros(items + 1), np.zeros(items + 1)
    p, tried, found = 0, 0, False
    while p >= 0:
        i = order[p]
        m = twin[i]
        if at[p] >= 0:
            b = option[i, at[p]]
            for r in range(resources):
                left[r, b] += demand[r, m, group[b]]
        at[p] += 1
        tried += 1
        if tried > limit:
            break
        if at[p] >= options[i] or paid_so_far[p] + paid[i, at[p]] + rest[p + 1] >= best + admitted:
            at[p] = -1
            p -= 1
            continue
        b = option[i, at[p]]
        fits = True
        for r in range(resources):
            left[r, b] -= demand[r, m, group[b]]
            fits = fits and left[r, b] >= 0.0
        if not fits:
            continue
        paid_so_far[p + 1] = paid_so_far[p] + paid[i, at[p]]
        cost_so_far[p + 1] = cost_so_far[p] + cost[m, group[b]]
        if p < items - 1:
            p += 1
        elif cost_so_far[items] < best:
            best, found = cost_so_far[items], True
            for q in range(items):
                found_at[q] = option[order[q], at[q]]
    if not found:
        return 0.0
    for s in group:
        members[s] = 0
        for r in range(resources):
            used[r, s] = 0.0
    for q in range(items):
        m, s = twin[order[q]], group[found_at[q]]
        server[m] = s
        member[s, members[s]] = m
        members[s] += 1
        for r in range(resources):
            used[r, s] += demand[r, m, s]
    return current - best


@kernel
def draw_group(first, size, near, hosting, group, rng):  # type: ignore[no-untyped-def]
    """Servers around the first one: each is near to a twin of one before it; how many."""
    member, members = hosting.member, hosting.members
    group[0] = first
    count = 1
    for _ in range(_DRAWS):
        if count == size:
            break
        s = group[int(rng.random() * count)]
        if members[s] > 0:
            m = member[s, int(rng.random() * members[s])]
        else:
            m = int(rng.random() * len(near))
        width = near.shape[1]
        other = near[m, min(int(rng.random() * width), int(rng.random() * width))]
        known = False
        for a in range(count):
            known = known or group[a] == other
        if not known:
            group[count] = other
            count += 1
    return count


@kernel
def _kick(problem, hosting, near, group, count, moves, rng):  # type: ignore[no-untyped-def]
    """Move twins of some servers to near ones, in exchange for others where there is no room."""
    demand = problem.demand
    server, member, members, used = hosting.server, hosting.member, hosting.members, hosting.used
    resources, outside = demand.shape[0], len(members) - 1
    for _ in range(moves):
        s = group[int(rng.random() * count)]
        if members[s] == 0:
            continue
        j = int(rng.random() * members[s])
        m = member[s, j]
        to = near[m, int(rng.random() * min(4, near.shape[1]))]
        if to == s:
            continue
        fits = problem.cost[m, to] < np.inf
        for r in range(resources):
            fits = fits and used[r, to] + demand[r, m, to] <= 1.0
        if not fits and members[to] > 0 and rng.random() < 0.7:
            i = int(rng.random() * members[to])
            n = member[to, i]
            swaps = problem.cost[m, to] < np.inf and problem.cost[n, s] < np.inf
            for r in range(resources):
                swaps = swaps and used[r, to] + demand[r, m, to] - demand[r, n, to] <= 1.0
                swaps = swaps and used[r, s] + demand[r, n, s] - demand[r, m, s] <= 1.0
            if swaps:
                member[to, i], member[s, j] = m, n
                server[m], server[n] = to, s
                for r in range(resources):
                    used[r, to] += demand[r, m, to] - demand[r, n, to]
                    used[r, s] += demand[r, n, s] - demand[r, m, s]
                continue
        if not fits:
            to = outside
        members[s] -= 1
        member[s, j] = member[s, members[s]]
        member[to, members[to]] = m
        members[to] += 1
        server[m] = to
        for r in range(resources):
            used[r, s] -= demand[r, m, s]
            used[r, to] += demand[r, m, to]


@kernel
def shake(problem, price, hosting, near, best, best_value, effort, heat, rng):  # type: ignore[no-untyped-def]
    """Kick the decision somewhere, exchange around there, and take it back if it got worse.

    Parameters
    ----------
    near : [M, K] servers by what they cost the twin.
    best : [M] the best decision so far, of value `best_value`; written.
    effort : rounds, moves of a kick, exchanges after it, most servers in one, and pairs tried.
    heat : how much worse a decision may get in a round at most.
    rng : a generator.

    Returns
    -------
    The best value.
    """
    server, members, member = hosting.server, hosting.members, hosting.member
    rounds, kicks, tries, largest, limit = effort
    outside = len(members) - 1
    around, group = np.empty(largest + 2, dtype=np.int64), np.empty(largest + 2, dtype=np.int64)
    value = host(problem, hosting)
    saved = server.copy()
    for _ in range(rounds):
        for m in range(len(server)):
            saved[m] = server[m]
        where = draw_group(int(rng.random() * outside), largest + 1, near, hosting, around, rng)
        _kick(problem, hosting, near, around, where, kicks, rng)
        for _ in range(tries):
            size = 2 + int(rng.random() * (largest - 1))
            if members[outside] > 0 and rng.random() < 0.6:
                m = member[outside, int(rng.random() * members[outside])]
                first = near[m, int(rng.random() * near.shape[1])]
                count = draw_group(first, size, near, hosting, group, rng)
                group[count] = outside
                count += 1
            else:
                first = around[int(rng.random() * where)]
                count = draw_group(first, size, near, hosting, group, rng)
            exchange(problem, price, hosting, group[:count], limit)
        new = host(problem, hosting)
        if new > value + heat * rng.random():
            for m in range(len(server)):
                server[m] = saved[m]
            host(problem, hosting)
            continue
        value = new
        if value < best_value:
            best_value = value
            for m in range(len(server)):
                best[m] = server[m]
    return best_value
