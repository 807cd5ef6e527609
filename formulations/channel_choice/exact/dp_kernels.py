"""Compiled loops of the dynamic programme over subsets of services, held as bit masks."""

from __future__ import annotations

import numpy as np

from formulations.channel_choice.overhead_kernels import gain
from optkit.kernels import kernel


@kernel
def fill_values(o, k, limits, values):  # type: ignore[no-untyped-def]
    """Gain of every subset that shares a channel, into values [2^N]; -inf where it may not.

    `limits` [N] are the thresholds at k offloaders. What fits on a channel fits with less.
    """
    services = limits.shape[0]
    load = np.zeros(len(values))
    least = np.full(len(values), np.inf)
    values[0] = 0.0
    for subset in range(1, len(values)):
        low = 0
        while not subset >> low & 1:
            low += 1
        rest = subset & (subset - 1)
        values[subset] = -np.inf
        load[subset] = load[rest] + o.power_w[low]
        least[subset] = min(least[rest], limits[low])
        if load[subset] > least[subset] or values[rest] == -np.inf:
            continue
        total = 0.0
        for i in range(low, services):
            if subset >> i & 1:
                total += gain(o, i, load[subset], k)
        values[subset] = total


@kernel
def fill_layer(values, before, mandatory, size, begin, end, best, choice):  # type: ignore[no-untyped-def]
    """One more channel: the best total of each subset numbered begin to end - 1.

    Parameters
    ----------
    values : [2^N] of `fill_values`.
    before, best : [2^N] best totals with one channel less, and what is filled here.
    mandatory : mask of the services that must be on a channel.
    size : subsets of more members are left out.
    choice : [2^N] what is filled with the coalition of the lowest member, 0 for none.
    """
    for subset in range(begin, end):
        members = 0
        left = subset
        while left:
            left &= left - 1
            members += 1
        best[subset] = -np.inf
        if members > size:
            continue
        rest = subset & (subset - 1)
        low = subset ^ rest
        if not low & mandatory:
            best[subset] = best[rest]
        with_low = rest
        while True:  # every subset of the rest, joined by the lowest member
            coalition = with_low | low
            if values[coalition] > -np.inf:
                total = values[coalition] + before[subset ^ coalition]
                if total > best[subset]:
                    best[subset] = total
                    choice[subset] = coalition
            if with_low == 0:
                break
            with_low = (with_low - 1) & rest
