"""Levels of received power: what services gain at best if a channel's load is in one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import gains, thresholds
from optkit.errors import UsageError

Floats = NDArray[np.float64]
#: Loads are added up in different orders: by this part of itself one may reach over an edge.
_SAME = 1e-9
_MOST_LEVELS = 2_000


class Levels(NamedTuple):
    """L levels of a channel's load, for k offloaders.

    Attributes
    ----------
    high_w : [L] upper ends; the first level holds the loads of single services of least power.
    gain : [N, L] what each service gains at the level's lower end, so at most; -inf where it
        cannot be on a channel of such a load.
    """

    high_w: Floats
    gain: Floats


def levels_of(o: Offloading, k: int, ratio: float) -> Levels:
    """Levels whose ends grow by a ratio, from the least received power to the largest threshold.

    Raises
    ------
    UsageError
        The ratio is not above 1, or so near to it that there are thousands of levels.
    """
    if not ratio > 1.0:
        raise UsageError(f"option ratio is {ratio!r}, expected a number above 1")
    limits = thresholds(o, k)
    usable = o.power_w <= limits
    if not usable.any():
        return Levels(np.zeros(0), np.zeros((len(limits), 0)))
    least = float(o.power_w[usable].min())
    most = min(float(limits[usable].max()), float(o.power_w[usable].sum())) * (1 + _SAME)
    count = int(np.ceil(np.log(max(most / least, 1.0)) / np.log(ratio))) + 1
    if count > _MOST_LEVELS:
        raise UsageError(f"option ratio is {ratio!r}, which makes {count:,} levels")
    high: Floats = least * (1 + _SAME) * np.power(ratio, np.arange(count))
    high[-1] = max(float(high[-1]), most)
    low = np.concatenate([[0.0], high[:-1] * (1 - 2 * _SAME)])
    possible = usable[:, None] & (limits[:, None] > low) & (o.power_w[:, None] <= high)
    return Levels(high, np.where(possible, gains(o, low, k), -np.inf))


def pack(o: Offloading, k: int, wished: list[list[int]]) -> NDArray[np.int64]:
    """Channels [N] that nobody is too much for, near what each service wishes.

    Parameters
    ----------
    k : offloaders by whom thresholds are set.
    wished : [N] channels (1 to M) that each service may get, none for home. One that fits on none
        of them gets any other channel, else stays at home.
    """
    limits = thresholds(o, k)
    load = np.zeros(o.channels + 1)
    least = np.full(o.channels + 1, np.inf)
    channels = np.zeros(len(limits), dtype=np.int64)
    for i in np.argsort(-limits, kind="stable").tolist():
        if not wished[i]:
            continue
        every = np.array(wished[i] + list(range(1, o.channels + 1)))
        after = load[every] + o.power_w[i]
        fits = np.flatnonzero(after <= np.minimum(least[every], limits[i]))
        if len(fits):
            channel = int(every[fits[0]])
            channels[i] = channel
            load[channel] += o.power_w[i]
            least[channel] = min(least[channel], limits[i])
    return channels
