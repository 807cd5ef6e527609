"""Compiled search for cheap groups of twins on one server: a table of completions guides it.

Costs here are reduced costs, g_s(A) less the prices of the twins in A. Twins are taken in a fixed
order. The table holds, for every place in that order and a grid of states (the sum that decides
what a further twin pays, the use of up to two resources), a lower bound on what the later twins
can still contribute. In the sum the true value is concave, a minimum of linear functions, so that
interpolation stays below it; uses are rounded down. A depth-first search over groups that leaves
out what the table excludes is therefore exact, whatever the grid.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Added before a use is rounded down to the grid, against rounding from below.
_ROUND = 1e-9
#: Where only the best groups are wanted, those of a cost above this part of the bound are not.
_NEAR = 0.5


@njit(cache=True)
def fill_table(v, rise, part, steps, n, shape, width, table):  # type: ignore[no-untyped-def]
    """Bounds [n + 1, cells] on what the items i.. can contribute; returns nothing.

    Parameters
    ----------
    v, rise, part : [n] cost of an item at sum 0, its increase with the sum, and what it adds to it.
    steps : [2, n] cells of the two resources that an item takes, rounded down.
    shape : cells of the sum and of the two resources, 1 where there is none.
    width : distance of two points of the grid of the sum.
    """
    na, nb, nc = shape
    table[n, : na * nb * nc] = 0.0
    for i in range(n - 1, -1, -1):
        shift = part[i] / width
        whole = int(min(shift, float(na)))
        rest = shift - whole
        db, dc, cost, step = steps[0, i], steps[1, i], v[i], rise[i] * width
        for b in range(nb):
            for c in range(nc):
                base = (b * nc + c) * na
                if b + db >= nb or c + dc >= nc:
                    for a in range(na):
                        table[i, base + a] = table[i + 1, base + a]
                    continue
                to = ((b + db) * nc + c + dc) * na
                for a in range(na):
                    j = a + whole
                    if j >= na - 1:
                        tail = table[i + 1, to + na - 1]
                    else:
                        tail = table[i + 1, to + j]
                        tail += rest * (table[i + 1, to + j + 1] - tail)
                    value = cost + step * a + tail
                    old = table[i + 1, base + a]
                    table[i, base + a] = value if value < old else old


@njit(cache=True)
def look(table, row, shape, width, z, b, c):  # type: ignore[no-untyped-def]
    """Bound in a row of the table at sum z and cells b, c of the resources."""
    na = shape[0]
    base = (b * shape[2] + c) * na
    if na == 1:
        return table[row, base]
    u = z / width
    if u >= na - 1:
        return table[row, base + na - 1]
    j = int(u)
    value = table[row, base + j]
    return value + (u - j) * (table[row, base + j + 1] - value)


@njit(cache=True)
def cell(use, step, cells):  # type: ignore[no-untyped-def]
    """Cell of a use: rounded down, at most the last."""
    return min(int(use / step + _ROUND), cells - 1)


@njit(cache=True)
def search(items, n, level, ordered, row, table, shape, width, ways, steps, cells, room, cuts, met, kept, out, nodes):  # type: ignore[no-untyped-def]
    """Every group of cost at most the threshold, or the best few of them.

    Parameters
    ----------
    items : costs and sums of the n items, see `gather`; level : wanted size of a group, 0 for any.
    ordered : whether only the newest twin's latency changes when it joins.
    row : [n] row of the table for the items i..; ways : the two resources of the table, -1 none.
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


@njit(cache=True)
def gather(g, grid, s, pi, is_open, level, most):  # type: ignore[no-untyped-def]
    """The items of server s in the order of the search, with the row of the table of each.

    Twins of cost `most` or more are left out.
    Returns ``(items, row, negative)``: arrays of twins, costs and sums; ``ahead`` [n + 1] are sums
    of costs from the front, `negative` the positions of the items of negative cost.
    """
    twins = len(pi)
    count = 0
    twin, key = np.empty(twins, np.int64), np.empty(twins)
    for m in range(twins):
        if not is_open[s, m] or (level > 0 and g.cap[s, m] < level):
            continue
        value = g.base[s, m] - pi[m]
        if level > 0:
            value += (level - 1) * g.slope[s, m]
        if value >= most:
            continue
        if level == 0:
            if g.ordered:
                value = g.position[s, m]
            elif value >= 0:  # first those that only a threshold above the best lets in
                value = -np.inf
        twin[count], key[count] = m, value
        count += 1
    twin, key = twin[:count], key[:count]
    order = np.argsort(key)
    twin = twin[order]
    n = count
    v, slope, part = np.empty(n), np.zeros(n), np.zeros(n)
    other_slope, other_part, z_part = np.zeros(n), np.zeros(n), np.zeros(n)
    cap, demand = np.full(n, np.inf), np.empty((g.demand.shape[0], n))
    row, ahead = np.zeros(n, np.int64), np.zeros(n + 1)
    negative = np.empty(n, np.int64)
    below = 0
    for i in range(n):
        m = twin[i]
        v[i] = g.base[s, m] - pi[m]
        if level > 0:
            v[i] += (level - 1) * g.slope[s, m]
        else:
            slope[i], part[i] = g.slope[s, m], g.part[s, m]
            z_part[i], cap[i] = grid.part[s, m], g.cap[s, m]
            if not g.ordered:
                other_slope[i], other_part[i] = g.other_slope[s, m], g.other_part[s, m]
        for r in range(demand.shape[0]):
            demand[r, i] = g.demand[r, s, m]
        ahead[i + 1] = ahead[i] + v[i]
        row[i] = below
        if v[i] < 0:
            negative[below] = i
            below += 1
    items = (twin, v, slope, part, other_slope, other_part, z_part, cap, demand, ahead)
    return items, row, negative[:below]


@njit(cache=True)
def tabulate(grid, s, items, negative, level, extra, table):  # type: ignore[no-untyped-def]
    """Fill the table of server s from its items of negative cost, `extra` [n] added to their costs.

    Returns ``(shape, width)`` of the grid.
    """
    twin, v, demand = items[0], items[1], items[8]
    n = len(negative)
    cost, rise, part = np.empty(n), np.zeros(n), np.zeros(n)
    steps = np.zeros((2, n), np.int64)
    reach, total = 0.0, 0.0
    for e in range(n):
        i = negative[e]
        m = twin[i]
        cost[e] = v[i] + extra[i]
        if level == 0:
            rise[e], part[e] = grid.rise[s, m], grid.part[s, m]
            total += part[e]
            if cost[e] < 0:
                reach = max(reach, -cost[e] / rise[e] if rise[e] > 0 else np.inf)
        for way in range(2):
            r = grid.resource[s, way]
            if r >= 0:
                steps[way, e] = min(int(demand[r, i] / grid.step[s, way]), grid.cells[s, way])
    sums = grid.sums if level == 0 else 1
    shape = (sums, grid.cells[s, 0], grid.cells[s, 1])
    width = min(reach, total) / max(1, sums - 1)
    if not (width > 0 and np.isfinite(width)):
        width = 1.0
    fill_table(cost, rise, part, steps, n, shape, width, table)
    return shape, width


@njit(cache=True)
def scan(g, grid, pi, cuts, cut_server, is_open, servers, threshold, keep, nodes, price, exact, out_server, out):  # type: ignore[no-untyped-def]
    """Cheap groups on some servers, and a bound on the cheapest one of each.

    Parameters
    ----------
    pi : [M] prices of the twins; is_open : [S, M] pairs that may be used.
    cuts : as for `search`; cut_server : [K] the server among the elements of each cut, or -1.
    threshold : [S] groups that cost more are left out.
    keep : so many of the best groups a server; 0 for all.
    nodes : groups that are looked at on one server at most.
    price, exact : [S] receive the bound on the cheapest non-empty group (or on those that the
        threshold leaves out) and whether every group up to the threshold was reached.
    out_server : [capacity] receives the server of each group; out : as for `search`.
    """
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
                if keep > 0:  # nothing far from the best is wanted, if the bound is near it
                    state[0] = min(state[0], _NEAR * bound)
                left = search(
                    items, n, level, g.ordered, row, table, shape, width, grid.resource[s],
                    grid.step[s], grid.cells[s], room, cuts, met, kept, out, left,
                )  # fmt: skip
                if keep > 0 and left >= 0 and kept[0].min() == np.inf:
                    state[0] = threshold[s]
                    left = search(
                        items, n, level, g.ordered, row, table, shape, width, grid.resource[s],
                        grid.step[s], grid.cells[s], room, cuts, met, kept, out, left,
                    )  # fmt: skip
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


@njit(cache=True)
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
                bound = v[i] + look(table, 0, shape, width, z, b, c)
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
                    shape, width = tabulate(grid, s, items, others, 0, extra, table)
                    b, c = 0, 0
                    if grid.resource[s, 0] >= 0:
                        b = cell(demand[grid.resource[s, 0], i], grid.step[s, 0], grid.cells[s, 0])
                    if grid.resource[s, 1] >= 0:
                        c = cell(demand[grid.resource[s, 1], i], grid.step[s, 1], grid.cells[s, 1])
                    bound = v[i] + look(table, 0, shape, width, 0.0, b, c)
                    least[s, m] = max(least[s, m], bound)
            if level == 0:
                break
            if len(negative) < level and ahead[level] > slack[s]:
                break
            level += 1
