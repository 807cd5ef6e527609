"""Compiled table of completions: bounds on what the twins that follow can still contribute.

Twins are taken in a fixed order. For every place in that order and a grid of states (the sum that
decides what a further twin pays, the use of up to two resources) the table holds a lower bound on
the cost that the later twins can still add. In the sum the true value is concave, a minimum of
linear functions, so that interpolation stays below it; uses are rounded down.
"""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel

#: Added before a use is rounded down to the grid, against rounding from below.
_ROUND = 1e-9


@kernel
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


@kernel
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


@kernel
def cell(use, step, cells):  # type: ignore[no-untyped-def]
    """Cell of a use: rounded down, at most the last."""
    return min(int(use / step + _ROUND), cells - 1)


@kernel
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


@kernel
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
