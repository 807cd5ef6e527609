"""Exact method where there is a channel for every service: sort by gain.

Then nobody needs to share a channel, and for each number of offloaders k the k largest gains
are the best (spec: no interference, and the shares of the cloud depend on k alone).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.held import Held
from formulations.channel_choice.exact.shares import alone, best_alone, share_counts
from formulations.channel_choice.instance import ChannelChoice
from optkit.run import Run


def applies(instance: ChannelChoice) -> str | None:
    """None where there are at least as many channels as services, else why not."""
    if instance.channels < instance.services:
        return f"{instance.channels} channels for {instance.services} services"
    return None


def sort(instance: ChannelChoice, run: Run) -> None:
    """The best offloaders for every number of them, each on its own channel."""
    held = Held(instance, run)
    o = held.offloading
    late = o.late_at_home
    run.built()
    best, channels = -np.inf, None
    if not late.any():
        best, channels = 0.0, np.zeros(len(late), dtype=np.int64)
    rest = np.inf
    for k in share_counts(o):
        gain = alone(o, k)
        rest = best_alone(gain, late, len(late))  # of k offloaders and more
        if rest <= best or run.stopped():
            break
        total = best_alone(gain, late, k)
        if total > best:
            best, channels = total, _own_channels(gain, late, k)
        run.iterations += 1
    else:
        rest = best
    if channels is not None:
        held.found(channels)
    elif rest == -np.inf:
        held.infeasible()
        return
    held.bound(max(best, rest))


def _own_channels(
    gain: NDArray[np.float64], mandatory: NDArray[np.bool_], most: int
) -> NDArray[np.int64]:
    """Channels [N] by which the mandatory services and the best others offload, each alone."""
    order = np.argsort(-np.where(mandatory, np.inf, gain), kind="stable")[:most]
    chosen = np.sort(order[mandatory[order] | (gain[order] > 0)])
    channels = np.zeros(len(gain), dtype=np.int64)
    channels[chosen] = np.arange(1, len(chosen) + 1)
    return channels
