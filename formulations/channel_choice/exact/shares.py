"""Numbers of offloaders that set the shares of the cloud, and what they can gain at best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.coalition_kernels import fill_alone
from formulations.channel_choice.offloading import Offloading

Floats = NDArray[np.float64]


def share_counts(o: Offloading) -> range:
    """Every k that the speed of the cloud depends on; with a fixed share, all at once."""
    services = len(o.power_w)
    return range(1, services + 1) if o.equal_share else range(services, services + 1)


def alone(o: Offloading, k: int) -> Floats:
    """Gain [N] of each service on a channel of its own, served as one of k; -inf if it may not.

    No service gains more on a shared channel or served as one of more.
    """
    gain = np.empty(len(o.power_w))
    fill_alone(o, k, gain)
    return gain


def best_alone(gain: Floats, mandatory: NDArray[np.bool_], most: int) -> float:
    """Largest sum of gains [N] of at most so many services; -inf where the mandatory ones exceed
    that or may not offload."""
    forced = gain[mandatory]
    if len(forced) > most:
        return -np.inf
    free = np.sort(gain[~mandatory])[::-1][: most - len(forced)]
    return float(forced.sum() + free[free > 0].sum())
