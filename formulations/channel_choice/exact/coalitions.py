"""All coalitions that could be part of an optimum."""

from __future__ import annotations

import numpy as np

from formulations.channel_choice.exact.enumeration_kernels import enumerate_on
from formulations.channel_choice.exact.pricing import Coalitions
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import thresholds
from optkit.run import Run

#: Coalitions that a model takes, and those that may be looked at for them.
MOST = 60_000
_NODES = 20_000_000
_STRETCH = 20_000  # of them, between two looks at the limits
_MEMBERS = 24  # of a coalition, on average


def coalitions(
    o: Offloading, k: int, most_members: int, run: Run, limit: int = MOST
) -> Coalitions | None:
    """Sets of services that may share a channel as some of k offloaders.

    Feasible coalitions that gain no more than without one of their members (who may stay at
    home) are left out: there is an optimum without them.

    Parameters
    ----------
    most_members : larger coalitions are left out.
    run : ends the enumeration.
    limit : coalitions that may be kept.

    Returns
    -------
    ``None`` where there are too many, or the run stopped.
    """
    limits = thresholds(o, k)
    order = np.argsort(-limits, kind="stable")
    order = order[o.power_w[order] <= limits[order]]
    member = np.empty(limit * min(_MEMBERS, max(len(order), 1)), dtype=np.int64)
    start = np.zeros(limit + 1, dtype=np.int64)
    value = np.empty(limit)
    place = np.empty(len(order), dtype=np.int64)
    found, depth, nodes = 0, 0, _NODES
    while True:
        stretch = min(_STRETCH, nodes)
        found, depth, left = enumerate_on(
            o, k, limits, order, most_members, place, depth, stretch, member, start, value, found
        )
        nodes -= stretch - left
        if depth == 0:
            break
        if depth < 0 or nodes == 0 or run.stopped():
            return None
    start = start[: found + 1].copy()
    return Coalitions(start, member[: start[-1]].copy(), value[:found].copy())
