"""What a policy sees of the services of an instance, on scales near 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.heads import head_times
from formulations.channel_choice.overhead_kernels import best_offload, gain, thresholds

if TYPE_CHECKING:
    from formulations.channel_choice.instance import ChannelChoice

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LARGEST = 10.0


def squeezed(values: Floats) -> Floats:
    """Logarithms of sizes from tiny to huge, near 1 in absolute value, keeping the sign."""
    return np.sign(values) * np.log1p(np.abs(values)) / 5.0


class Features:
    """Features of every position of a decision vector, and what they are made of.

    `table` [n, 14] holds for each service: received power and power tolerated on the channel
    (over noise and over its own), gain alone, the weights alpha and beta p, overhead at home over
    the threshold, bits to send and FLOP of the tail (over the medians), interior fraction, share
    of the time at home that the head takes, deadline over the time at home, whether it is late at
    home; whether the position is that of a head, and the delay of that head at the nearest server
    over that at home, each moved alone.

    Parameters
    ----------
    instance : with heads at home.
    """

    def __init__(self, instance: ChannelChoice) -> None:
        o = self._offloading = instance.offloading()
        self._tolerated: dict[int, Floats] = {}
        services = range(instance.services)
        alone = [best_offload(o, i, o.power_w[i], 1) for i in services]
        self.solo_gain = np.array([gain(o, i, o.power_w[i], 1) for i in services])
        gains = np.where(np.isfinite(self.solo_gain), self.solo_gain, -_LARGEST)
        self.most_gain = max(float(gains.max()), 1e-9)
        best = np.array([option[3] for option in alone])
        delta = np.array([option[4] for option in alone])
        rows = np.arange(instance.services)
        tolerated = self._at(1) / o.power_w
        bits, flop = o.transfer_bits[rows, best], o.tail_flop[rows, best]
        slack = np.where(np.isfinite(o.deadline_s), o.deadline_s / np.maximum(o.local_s, 1e-300), 0)
        columns = [
            squeezed(o.power_w / o.noise_w),
            squeezed(np.where(np.isfinite(tolerated), tolerated, 0.0)),
            gains / self.most_gain,
            o.time_weight_per_s,
            o.energy_weight_per_j * o.tx_power_w,
            squeezed(o.local_overhead / o.threshold),
            squeezed(_relative(bits)),
            squeezed(_relative(flop)),
            delta,
            o.head_s[rows, best] / np.maximum(o.head_s[rows, best] + o.tail_s[rows, best], 1e-300),
            squeezed(slack),
            o.late_at_home.astype(np.float64),
        ]
        table = np.clip(np.nan_to_num(np.stack(columns, axis=1)), -_LARGEST, _LARGEST)
        none = np.zeros((instance.services, 2))
        self.table = np.hstack([table, none])
        if instance.balanced:
            moved = np.stack([np.ones(instance.services), self._moved(instance)], axis=1)
            self.table = np.vstack([self.table, np.hstack([table, moved])])

    def tolerated(self, offloaders: Ints) -> Floats:
        """The largest load [B, N] at which each may offload, if so many [B] do."""
        if not self._offloading.equal_share:
            return np.broadcast_to(self._at(1), (len(offloaders), len(self.solo_gain)))
        numbers, place = np.unique(offloaders, return_inverse=True)
        return np.stack([self._at(int(k)) for k in numbers])[place]

    def _at(self, k: int) -> Floats:
        if k not in self._tolerated:
            self._tolerated[k] = thresholds(self._offloading, k)
        return self._tolerated[k]

    def _moved(self, instance: ChannelChoice) -> Floats:
        """How much longer each head takes at the nearest server, moved alone (a logarithm)."""
        alone = np.vstack([np.zeros((1, instance.services)), np.eye(instance.services)])
        head_s, _ = head_times(instance, alone.astype(np.int64))
        home, away = head_s[0, :, -1], np.diagonal(head_s[1:, :, -1])
        ratio = np.maximum(away, 1e-12) / np.maximum(home, 1e-12)
        return np.clip(np.log(ratio) / 3.0, -_LARGEST, _LARGEST)


def _relative(values: Floats) -> Floats:
    """Over the median of what is not 0."""
    return values / float(np.median(values[values > 0])) if np.any(values > 0) else values
