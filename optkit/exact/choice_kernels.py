"""Compiled kernels of the choice problem: costs of load and the dual function.

Arrays, in every kernel (see `optkit.exact.choice.ChoiceProblem`): ``starts`` int64 [K+1] (the
columns of group k are ``starts[k]:starts[k+1]``), ``cost`` [C], ``load`` [C, R], ``kind`` int64
[R], ``size`` [R] (slot length in s, or capacity), ``slope`` [R], ``base`` [R], ``price`` [R],
``choice`` int64 [K] (a column index per group). Everything is float64 unless said otherwise.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import math

import numpy as np

from optkit.kernels import kernel

CAPACITY, SHARING, LINEAR = 0, 1, 2

RELATIVE_SLACK = 1e-9
"""A capacity is kept when the load exceeds it by at most this fraction."""

KNEE = 0.9999
"""Load above which the cost of a sharing server is continued by a straight line in searches."""


@kernel
def load_cost(kind, size, slope, load):
    """Exact cost of a load: infinite for an overloaded server or a broken capacity."""
    if kind == CAPACITY:
        return 0.0 if load <= size * (1.0 + RELATIVE_SLACK) else np.inf
    if kind == SHARING:
        return size * load / (1.0 - load) if load < 1.0 else np.inf
    return size * load * (1.0 + slope * load)


@kernel
def marginal(kind, size, slope, load):
    """Derivative of the cost at a load; beyond the knee that at the knee."""
    if kind == CAPACITY:
        return 0.0
    if kind == SHARING:
        return size / (1.0 - min(load, KNEE)) ** 2
    return size * (1.0 + 2.0 * slope * load)


@kernel
def conjugate(kind, size, slope, price):
    """Minimum over loads W >= 0 of cost(W) - price * W, and the load that attains it."""
    if kind == CAPACITY:
        limit = size * (1.0 + RELATIVE_SLACK)
        return -price * limit, limit
    if kind == SHARING:
        if price <= size:
            return 0.0, 0.0
        root = math.sqrt(price / size)
        return -size * (root - 1.0) ** 2, 1.0 - 1.0 / root
    if price <= size:
        return 0.0, 0.0
    if slope <= 0.0:
        return -np.inf, np.inf
    excess = price / size - 1.0
    return -size * excess * excess / (4.0 * slope), excess / (2.0 * slope)


@kernel
def evaluate_choice(cost, load, kind, size, slope, base, choice):
    """Objective of a choice (infinite when a limit is broken) and its loads [R]."""
    total = base.copy()
    value = 0.0
    for k in range(len(choice)):
        value += cost[choice[k]]
        for r in range(len(base)):
            total[r] += load[choice[k], r]
    for r in range(len(base)):
        value += load_cost(kind[r], size[r], slope[r], total[r])
    return value, total


@kernel
def dual_value(starts, cost, load, kind, size, slope, base, price, choice):
    """Lagrangian bound at ``price``; ``choice`` receives the cheapest column of each group.

    Returns the bound and its supergradient [R] (load of the choice less the conjugate's load).
    """
    resources = len(base)
    gradient = base.copy()
    value = 0.0
    for r in range(resources):
        least, where = conjugate(kind[r], size[r], slope[r], price[r])
        value += least + price[r] * base[r]
        gradient[r] -= where
    for k in range(len(starts) - 1):
        best = np.inf
        best_c = starts[k]
        for c in range(starts[k], starts[k + 1]):
            v = cost[c]
            for r in range(resources):
                v += price[r] * load[c, r]
            if v < best:
                best = v
                best_c = c
        value += best
        choice[k] = best_c
        for r in range(resources):
            gradient[r] += load[best_c, r]
    return value, gradient


@kernel
def newton_step(hessian, gradient):
    """Solve ``hessian @ step = gradient`` (lower triangle, overwritten) by Cholesky."""
    n = len(gradient)
    step = gradient.copy()
    for i in range(n):
        scale = hessian[i, i]
        for j in range(i + 1):
            v = hessian[i, j]
            for m in range(j):
                v -= hessian[i, m] * hessian[j, m]
            if i == j:
                hessian[i, i] = math.sqrt(max(v, 1e-14 * scale + 1e-300))
            else:
                hessian[i, j] = v / hessian[j, j]
    for i in range(n):
        for m in range(i):
            step[i] -= hessian[i, m] * step[m]
        step[i] /= hessian[i, i]
    for i in range(n - 1, -1, -1):
        for m in range(i + 1, n):
            step[i] -= hessian[m, i] * step[m]
        step[i] /= hessian[i, i]
    return step


@kernel
def centre(starts, cost, load, price, barrier, excess, share):
    """Dual slacks ``excess`` [C], group prices [K] (returned) and shares [C] on the central path.

    The share of a column is ``barrier / excess``; the group price makes the shares of a group
    add up to one.
    """
    groups = len(starts) - 1
    level = np.empty(groups)
    for k in range(groups):
        least = np.inf
        for c in range(starts[k], starts[k + 1]):
            v = cost[c]
            for r in range(len(price)):
                v += price[r] * load[c, r]
            excess[c] = v
            least = min(least, v)
        gap = barrier
        for _ in range(30):
            total = 0.0
            slope = 0.0
            for c in range(starts[k], starts[k + 1]):
                q = 1.0 / (excess[c] - least + gap)
                total += q
                slope += q * q
            if barrier * total <= 1.001:
                break
            gap += (barrier * total - 1.0) / (barrier * slope)
        level[k] = least - gap
        for c in range(starts[k], starts[k + 1]):
            excess[c] = excess[c] - least + gap
            share[c] = barrier / excess[c]
    return level


@kernel(nogil=True)
def interior(
    starts, cost, load, kind, size, slope, base, start, barrier, tolerance, cutoff, rounds
):  # fmt: skip
    """Maximise the dual function by a primal-dual interior point method.

    Variables: price [R], group prices, excess of each column (kept equal to its reduced cost) and
    share of each column; servers follow the price, capacities have a slack. Group and price
    multipliers are eliminated, so a round costs O(C R^2).

    Parameters
    ----------
    start : first price [R]; ``barrier`` : first product of share and excess (unit of cost).
    tolerance : relative duality gap to stop at; ``cutoff`` : bound to stop at.

    Returns the best price [R] met, the closed-form bound there and the last shares [C].
    """
    groups = len(starts) - 1
    resources = len(base)
    columns = starts[groups] - starts[0]
    price = start.copy()
    floor = np.zeros(resources)
    for r in range(resources):
        floor[r] = marginal(kind[r], size[r], slope[r], base[r])
        if kind[r] == CAPACITY:
            price[r] = max(price[r], barrier / max(size[r], 1e-9))
            columns += 1
        price[r] = max(price[r], floor[r] * 1.0001)
    share = np.empty(len(cost))
    excess = np.empty(len(cost))
    share_step = np.empty(len(cost))
    excess_step = np.empty(len(cost))
    level = centre(starts, cost, load, price, barrier, excess, share)
    slack = barrier / np.maximum(price, 1e-300)
    slack_step = np.zeros(resources)
    mean = np.empty((groups, resources))
    rise = np.empty(groups)
    offset = np.empty(groups)
    cheap = np.zeros(groups, np.int64)
    matrix = np.empty((resources, resources))
    best = -np.inf
    best_price = price.copy()
    shrink = 0.2
    for _ in range(rounds):
        bound = 0.0
        product = 0.0
        matrix[:] = 0.0
        right = base.copy()
        for r in range(resources):
            least, where = conjugate(kind[r], size[r], slope[r], price[r])
            bound += least + price[r] * base[r]
            if kind[r] == CAPACITY:
                product += slack[r] * price[r]
                matrix[r, r] = slack[r] / price[r]
                where -= slack[r]
            elif kind[r] == SHARING:
                matrix[r, r] = 0.5 / size[r] * (size[r] / price[r]) ** 1.5
            else:
                matrix[r, r] = 0.5 / (slope[r] * size[r])
            right[r] -= where
        for k in range(groups):
            least = np.inf
            for c in range(starts[k], starts[k + 1]):
                if excess[c] < least:
                    least = excess[c]
                    cheap[k] = c
                product += share[c] * excess[c]
            bound += level[k] + least
        if bound != bound:
            break
        # A choice of shares that misses the loads it is priced for has no objective to compare.
        gap = product
        for r in range(resources):
            missed = right[r]
            for c in range(starts[0], starts[groups]):
                missed += share[c] * load[c, r]
            gap += price[r] * abs(missed)
        if bound > best:
            best = bound
            best_price[:] = price
        if gap <= tolerance * abs(best) + 1e-300 or best > cutoff:
            break
        target = shrink * product / columns
        for r in range(resources):
            slack_step[r] = 0.0
            if kind[r] == CAPACITY:
                right[r] -= slack[r] - target / price[r]
        for k in range(groups):
            total = 0.0
            missing = 1.0
            mean[k, :] = 0.0
            # Loads are taken from those of the cheapest column: its weight can be huge, and the
            # difference of two huge sums would be noise.
            zero = cheap[k]
            for c in range(starts[k], starts[k + 1]):
                push = target / excess[c]
                ratio = share[c] / excess[c]
                total += ratio
                missing -= push
                for r in range(resources):
                    right[r] += push * load[c, r]
                    w = load[c, r] - load[zero, r]
                    if w != 0.0:
                        w *= ratio
                        mean[k, r] += w
                        for s in range(r + 1):
                            matrix[r, s] += w * (load[c, s] - load[zero, s])
            offset[k] = missing / total
            for r in range(resources):
                mean[k, r] /= total
                for s in range(r + 1):
                    matrix[r, s] -= total * mean[k, r] * mean[k, s]
            for r in range(resources):
                mean[k, r] += load[zero, r]
                right[r] += missing * mean[k, r]
        step = newton_step(matrix, right)
        dual_length = 1.0
        primal_length = 1.0
        for r in range(resources):
            if step[r] < 0.0:
                dual_length = min(dual_length, 0.995 * (floor[r] - price[r]) / step[r])
            if kind[r] == CAPACITY:
                slack_step[r] = (target - slack[r] * step[r]) / price[r] - slack[r]
                if slack_step[r] < 0.0:
                    primal_length = min(primal_length, -0.995 * slack[r] / slack_step[r])
        for k in range(groups):
            rise[k] = offset[k]
            for r in range(resources):
                rise[k] += mean[k, r] * step[r]
            for c in range(starts[k], starts[k + 1]):
                e = -rise[k]
                for r in range(resources):
                    e += load[c, r] * step[r]
                excess_step[c] = e
                s = (target - share[c] * e) / excess[c] - share[c]
                share_step[c] = s
                if dual_length * e < -0.995 * excess[c]:
                    dual_length = -0.995 * excess[c] / e
                if primal_length * s < -0.995 * share[c]:
                    primal_length = -0.995 * share[c] / s
        for r in range(resources):
            price[r] += dual_length * step[r]
            slack[r] += primal_length * slack_step[r]
        for k in range(groups):
            level[k] += dual_length * rise[k]
            for c in range(starts[k], starts[k + 1]):
                share[c] += primal_length * share_step[c]
                excess[c] = max(excess[c] + dual_length * excess_step[c], 1e-100)
        length = min(dual_length, primal_length)
        shrink = 0.5 if length < 0.3 else 0.2 if length < 0.8 else 0.1 if length < 0.95 else 0.03
    return best_price, best, share


@kernel
def cheapest(starts, cost, load, price, count):
    """The ``count`` columns of least reduced cost of each group, cheapest first.

    Returns int64 column numbers and the starts [K+1] of the groups in them.
    """
    groups = len(starts) - 1
    places = np.zeros(groups + 1, np.int64)
    for k in range(groups):
        places[k + 1] = places[k] + min(count, starts[k + 1] - starts[k])
    chosen = np.empty(places[groups], np.int64)
    value = np.empty(count)
    for k in range(groups):
        first = places[k]
        room = places[k + 1] - first
        filled = 0
        if room == 0:
            continue
        for c in range(starts[k], starts[k + 1]):
            v = cost[c]
            for r in range(len(price)):
                v += price[r] * load[c, r]
            if filled == room and v >= value[filled - 1]:
                continue
            i = filled if filled < room else room - 1
            while i > 0 and value[i - 1] > v:
                value[i] = value[i - 1]
                chosen[first + i] = chosen[first + i - 1]
                i -= 1
            value[i] = v
            chosen[first + i] = c
            filled = min(filled + 1, room)
    return chosen, places
