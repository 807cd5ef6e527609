"""Compiled search for cheap groups of twins on one server, guided by a table of completions.

Costs here are reduced costs, g_s(A) less the prices of the twins in A. A depth-first search over
groups leaves out what the table says cannot come below the threshold; as the table is a bound, the
search is exact, whatever the grid.
"""

from __future__ import annotations

import numpy as np

from formulations.dt_assignment.exact.completion_kernels import cell, gather, look, tabulate
from optkit.kernels import kernel

#: Where only the best groups are wanted, those of a cost above this part of the bound are not.
_NEAR = 0.9

# Groups of any size, and the first row: literals would be types of their own, see `kernel`.
_ANY, _FIRST = np.int64(0), np.int64(0)


@kernel
def search(items, n, level, ordered, row, completion, limits, cuts, met, kept, out, nodes):  # type: ignore[no-untyped-def]
    """Every group of cost at most the threshold, or the best few of them.

    Parameters
    ----------
    items : costs and sums of the n items, see `gather`; level : wanted size of a group, 0 for any.
    ordered : whether only the newest twin's latency changes when it joins.
    row : [n] row of the table for the items i...
    completion : the table, its shape and width, see `fill_table`.
    limits : the two resources of the table (-1 none), the amounts and numbers of their cells, and
        the room of all resources.
    cuts : first [M + 1] and numbers of the cuts of each twin, and the price of each cut, paid by
        groups with two of its elements.
    met : [K] elements of each cut that every group has; as it was at the end.
    kept : best groups so far where only those are wanted (size 0: all).
    out : the arrays that receive groups, their costs without cuts; and the state: threshold,
        number of groups, number of entries, least cost.
    nodes : at most so many groups are looked at.

    Returns
    -------
    nodes that are left; negative where the search was cut short.
    """
    twin, v, slope, part, other_slope, other_part, z_part, cap, demand, ahead = items
    table, shape, width = completion
    ways, steps, cells, room = limits
    costs, starts, entries, state = out
    kept_cost, kept_pure, kept_size, kept_twin = kept
    first_cut, cut_number, cut_price = cuts
    keep, resources = len(kept_cost), demand.shape[0]
    deepest = n if level == 0 else level
    cost = np.zeros(deepest + 1)
    sums = np.zeros((deepest + 1, 5))  # part, other part, sum of the table, least cap, cuts
    use = np.zeros((deepest + 1, resources))
    following = np.zeros(deepest + 1, np.int64)
    chosen = np.zeros(deepest + 1, np.int64)
    sums[0, 3] = np.inf
    full, d = False, 0
    while d >= 0:
        i = following[d]
        over = True
        if i < n and (level == 0 or (d < level and n - i >= level - d)):
            b, c = 0, 0
            if ways[0] >= 0:
                b = cell(use[d, ways[0]], steps[0], cells[0])
            if ways[1] >= 0:
                c = cell(use[d, ways[1]], steps[1], cells[1])
            bound = look(table, row[i], shape, width, sums[d, 2], b, c)
            if level > 0:
                bound = max(bound, ahead[i + level - d] - ahead[i])
            over = cost[d] + bound > state[0]
        if over:
            if d > 0:
                for q in range(first_cut[chosen[d]], first_cut[chosen[d] + 1]):
                    met[cut_number[q]] -= 1
            d -= 1
            continue
        following[d] = i + 1
        nodes -= 1
        if nodes < 0:
            break
        total = sums[d, 0] + part[i]
        limit = cap[i] if ordered else min(sums[d, 3], cap[i])
        if total > limit:
            continue
        fits = True
        for r in range(resources):
            use[d + 1, r] = use[d, r] + demand[r, i]
            if use[d + 1, r] > room[r]:
                fits = False
        if not fits:
            continue
        now = cost[d] + v[i] + slope[i] * sums[d, 0] + other_slope[i] * sums[d, 1]
        paid, m = sums[d, 4], twin[i]
        for q in range(first_cut[m], first_cut[m + 1]):
            if met[cut_number[q]] == 1:
                now += cut_price[cut_number[q]]
                paid += cut_price[cut_number[q]]
            met[cut_number[q]] += 1
        d += 1
        cost[d], following[d], chosen[d] = now, i + 1, m
        sums[d, 0], sums[d, 1] = total, sums[d - 1, 1] + other_part[i]
        sums[d, 2], sums[d, 3], sums[d, 4] = sums[d - 1, 2] + z_part[i], limit, paid
        if now > state[0] or (level > 0 and d < level):
            continue
        state[3] = min(state[3], now)
        if keep == 0:
            count, used = int(state[1]), int(state[2])
            if count >= len(costs) or used + d > len(entries):
                full = True
                break
            costs[count] = now - paid
            for e in range(d):
                entries[used + e] = chosen[e + 1]
            starts[count + 1] = used + d
            state[1], state[2] = count + 1, used + d
            continue
        slot = int(np.argmax(kept_cost))
        kept_cost[slot], kept_pure[slot], kept_size[slot] = now, now - paid, d
        for e in range(d):
            kept_twin[slot, e] = chosen[e + 1]
        worst = kept_cost.max()
        if worst < np.inf:  # equal ones are not wanted either
            state[0] = min(state[0], worst - 1e-12 * abs(worst))
    while d > 0:  # cut short
        for q in range(first_cut[chosen[d]], first_cut[chosen[d] + 1]):
            met[cut_number[q]] -= 1
        d -= 1
    return -1 if full else nodes


@kernel
def scan(g, grid, prices, is_open, servers, threshold, keep, nodes, result, out):  # type: ignore[no-untyped-def]
    """Cheap groups on some servers, and a bound on the cheapest one of each.

    Parameters
    ----------
    prices : of the twins [M]; the cuts as for `search`; the server among the elements of each
        cut [K], or -1.
    is_open : [S, M] pairs that may be used.
    threshold : [S] groups that cost more are left out.
    keep : so many of the best groups a server; 0 for all.
    nodes : groups that are looked at on one server at most.
    result : arrays that receive, for each server [S], a bound on the cheapest group (the least
        that the threshold leaves out, where all are more) and whether every group up to the
        threshold was reached; for each group [capacity] its server.
    out : as for `search`.
    """
    pi, cuts, cut_server = prices
    price, exact, out_server = result
    twins = len(pi)
    largest = 1
    for s in servers:
        largest = max(largest, grid.sums * grid.cells[s, 0] * grid.cells[s, 1])
    table = np.empty((twins + 1, largest))
    kept = (
        np.full(keep, np.inf),
        np.zeros(keep),
        np.zeros(keep, np.int64),
        np.zeros((keep, twins), np.int64),
    )
    met = np.zeros(len(cut_server), np.int64)
    costs, starts, entries, state = out
    resources = g.demand.shape[0]
    room, none = np.empty(resources), np.zeros(twins)
    for s in servers:
        state[0], state[3] = threshold[s], np.inf
        kept[0][:] = np.inf
        met[:] = cut_server == s
        limits = (grid.resource[s], grid.step[s], grid.cells[s], room)
        first, left = int(state[1]), nodes
        lowest, complete = np.inf, True
        for r in range(resources):
            room[r] = g.room[r, s]
        level = 1 if grid.by_count else 0
        # Without a twin of cost at least 0 no group costs more.
        most = 0.0 if keep > 0 and threshold[s] <= 0 else np.inf
        while True:
            items, row, negative = gather(g, grid, s, pi, is_open, level, most)
            n = len(items[0])
            if n == 0 or n < level:
                break
            bound, worth = items[9][level], True
            if level > 0:
                worth = bound <= state[0]
                # An item stays if it fits with the cheapest level - 1 others.
                while worth and n > level and items[1][n - 1] + items[9][level - 1] > state[0]:
                    n -= 1
                small = 0
                while small < len(negative) and negative[small] < n:
                    small += 1
                negative = negative[:small]
            if worth:
                shape, width = tabulate(grid, s, items, negative, level, none, table)
                bound = max(bound, table[0, 0]) if level > 0 else table[0, 0]
                loose = state[0]
                for trial in range(2):
                    # First only what is near the bound is looked for, where the best is wanted.
                    tight = min(loose, _NEAR * bound) if keep > 0 and trial == 0 else loose
                    state[0] = tight
                    left = search(
                        items, n, level, g.ordered, row, (table, shape, width), limits, cuts, met,
                        kept, out, left,
                    )  # fmt: skip
                    if left < 0 or keep == 0 or state[3] <= tight:
                        break
                if left < 0:
                    complete, lowest = False, min(lowest, bound)
                    if keep == 0:
                        break
                    left = 0
            elif len(negative) < level:
                break
            if level == 0:
                break
            level += 1
        for k in range(keep):
            count, used = int(state[1]), int(state[2])
            size = kept[2][k]
            if kept[0][k] == np.inf or count >= len(costs) or used + size > len(entries):
                continue
            costs[count] = kept[1][k]
            entries[used : used + size] = kept[3][k, :size]
            starts[count + 1] = used + size
            state[1], state[2] = count + 1, used + size
        out_server[first : int(state[1])] = s
        price[s], exact[s] = min(lowest, state[3], threshold[s]), complete


@kernel
def forced(g, grid, pi, is_open, servers, slack, least):  # type: ignore[no-untyped-def]
    """Bound least [S, M] on the cost of a group of server s with twin m, for the open pairs.

    Bounds need not be worked out any further once they exceed slack [S].
    """
    twins = len(pi)
    largest = 1
    for s in servers:
        largest = max(largest, grid.sums * grid.cells[s, 0] * grid.cells[s, 1])
    table, none, extra = np.empty((twins + 1, largest)), np.zeros(twins), np.zeros(twins)
    for s in servers:
        least[s, :] = np.inf
        level = 1 if grid.by_count else 0
        while True:
            items, row, negative = gather(g, grid, s, pi, is_open, level, np.inf)
            twin, v, demand, ahead = items[0], items[1], items[8], items[9]
            n = len(twin)
            if n == 0 or n < level:
                break
            shape, width = tabulate(grid, s, items, negative, level, none, table)
            for i in range(n):
                m = twin[i]
                b, c = 0, 0
                if grid.resource[s, 0] >= 0:
                    b = cell(demand[grid.resource[s, 0], i], grid.step[s, 0], grid.cells[s, 0])
                if grid.resource[s, 1] >= 0:
                    c = cell(demand[grid.resource[s, 1], i], grid.step[s, 1], grid.cells[s, 1])
                z = 0.0 if g.ordered or level > 0 else grid.part[s, m]
                bound = v[i] + look(table, _FIRST, shape, width, z, b, c)
                if level > 0:
                    others = ahead[level] - v[i] if i < level else ahead[level - 1]
                    bound = max(bound, v[i] + others)
                least[s, m] = min(least[s, m], bound)
            if g.ordered:
                for i in range(n):
                    m = twin[i]
                    if least[s, m] > slack[s]:
                        continue
                    for e in negative:
                        if e < i:
                            extra[e] = g.slope[s, m] * g.part[s, twin[e]]
                        else:
                            extra[e] = g.slope[s, twin[e]] * g.part[s, m]
                    others = negative[negative != i]
                    shape, width = tabulate(grid, s, items, others, _ANY, extra, table)
                    b, c = 0, 0
                    if grid.resource[s, 0] >= 0:
                        b = cell(demand[grid.resource[s, 0], i], grid.step[s, 0], grid.cells[s, 0])
                    if grid.resource[s, 1] >= 0:
                        c = cell(demand[grid.resource[s, 1], i], grid.step[s, 1], grid.cells[s, 1])
                    bound = v[i] + look(table, _FIRST, shape, width, 0.0, b, c)
                    least[s, m] = max(least[s, m], bound)
            if level == 0:
                break
            if len(negative) < level and ahead[level] > slack[s]:
                break
            level += 1
