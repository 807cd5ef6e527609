"""Compiled values of coalitions: what services gain together that share a channel."""

from __future__ import annotations

import numpy as np

from formulations.channel_choice.offloading import SLACK
from formulations.channel_choice.overhead_kernels import gain, may_offload
from optkit.kernels import kernel


@kernel
def fill_alone(o, k, out):  # type: ignore[no-untyped-def]
    """Gain of each service on a channel of its own as one of k offloaders, into out [N]; -inf where
    it may not offload."""
    power_w = o.power_w
    for i in range(len(out)):
        out[i] = -np.inf
        if may_offload(o, i, power_w[i], k, SLACK):
            out[i] = gain(o, i, power_w[i], k)


@kernel
def coalition_value(o, k, members, count, load_w):  # type: ignore[no-untyped-def]
    """Sum of the gains of the first `count` members on a channel of total load `load_w`."""
    total = 0.0
    for a in range(count):
        total += gain(o, members[a], load_w, k)
    return total


@kernel
def dominated(o, k, members, count, load_w, value):  # type: ignore[no-untyped-def]
    """Whether the coalition without some member, which may stay at home, gains at least as much.

    It then uses less of everything, so that an optimum without this coalition exists.
    """
    power_w, late = o.power_w, o.late_at_home
    for out in range(count):
        if late[members[out]]:
            continue
        rest_w = 0.0
        for a in range(count):
            if a != out:
                rest_w += power_w[members[a]]
        rest = 0.0
        for a in range(count):
            if a != out:
                rest += gain(o, members[a], rest_w, k)
        if rest >= value:
            return True
    return False
