"""Compiled prices of limits: the cheapest server of every twin at prices."""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel


@kernel
def cheapest(cost, demand, price, use):  # type: ignore[no-untyped-def]
    """Value of the relaxation at prices [R, S] of whole limits, and the use [R, S] of its answer.

    Each twin pays for the shares that it takes, and all that is admitted is given back.
    """
    resources, twins, servers = demand.shape
    value = 0.0
    for r in range(resources):
        for s in range(servers):
            use[r, s] = 0.0
            value -= price[r, s]
    for m in range(twins):
        least, at = np.inf, 0
        for s in range(servers):
            paid = cost[m, s]
            for r in range(resources):
                paid += price[r, s] * demand[r, m, s]
            if paid < least:
                least, at = paid, s
        value += least
        for r in range(resources):
            use[r, at] += demand[r, m, at]
    return value


@kernel
def raise_limit_prices(cost, demand, price, best_price, ceiling, best, share, steps, patience):  # type: ignore[no-untyped-def]
    """Polyak's steps on prices of limits.

    Parameters
    ----------
    cost, demand : of the problem.
    price : [R, S] where the steps begin and, at the return, where they are.
    best_price : [R, S] of the best value so far; written.
    ceiling : value that the steps aim at.
    best : best value so far.
    share : of the way to the ceiling that a step goes; falls when values stall.
    steps : how many.
    patience : steps without a better value before the share falls.

    Returns
    -------
    best, share : as they are then; a share of 0 where the prices are optimal.
    """
    resources, _, servers = demand.shape
    use = np.empty((resources, servers))
    stalled = 0
    for _ in range(steps):
        value = cheapest(cost, demand, price, use)
        if value > best:
            best, stalled = value, 0
            for r in range(resources):
                for s in range(servers):
                    best_price[r, s] = price[r, s]
        else:
            stalled += 1
            if stalled >= patience:
                share *= 0.6
                stalled = 0
        norm = 0.0
        for r in range(resources):
            for s in range(servers):
                excess = use[r, s] - 1.0
                if excess > 0.0 or price[r, s] > 0.0:
                    norm += excess * excess
        if norm < 1e-18:
            return best, 0.0
        length = share * (ceiling - value) / norm
        for r in range(resources):
            for s in range(servers):
                price[r, s] = max(0.0, price[r, s] + length * (use[r, s] - 1.0))
    return best, share
