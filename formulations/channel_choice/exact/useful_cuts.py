"""Which candidate cuts an offloader could ever choose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.useful_cuts_kernels import drop_dominated
from formulations.channel_choice.offloading import Offloading

Floats = NDArray[np.float64]


def with_useful_cuts(o: Offloading) -> Offloading:
    """The same problem without cuts that never cost an offloader least.

    In the delay model "sum" an overhead is linear in the time that a bit takes and in the number
    of sharers of the cloud, once the fraction is known: without a deadline the whole tail, since
    what is worth offloading is worth it whole. A cut that costs more than another one at all four
    corners of what these can be while offloading pays is then never chosen. Services with
    deadlines, and the delay model "parallel", keep their cuts.
    """
    services, width = o.head_s.shape
    if o.parallel or width == 1:
        return o
    kept = np.arange(width) < o.cuts[:, None]
    fraction = 1.0 if np.isnan(o.fraction) else o.fraction
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        base, per_bit, per_sharer = _planes(o, fraction)
        most = services if o.equal_share else 1
        alone = _seconds_per_bit(o, np.zeros(services))
        crowded = _seconds_per_bit(o, o.power_w.sum() - o.power_w)
        # Slower than this, offloading does not pay even as the only one.
        pays = (o.local_overhead[:, None] * (1 + 1e-6) - base - per_sharer) / per_bit
        slowest = np.where(kept, np.where(per_bit > 0, pays, np.inf), -np.inf).max(axis=1)
        slowest = np.clip(slowest, alone, crowded)
        corners = np.stack(
            [
                base + per_bit * seconds[:, None] + per_sharer * sharers
                for seconds in (alone, slowest)
                for sharers in (1, most)
            ],
            axis=2,
        )
    total = np.where(kept, corners.sum(axis=2), np.inf)
    order = np.argsort(total, axis=1, kind="stable")
    drop_dominated(corners, order, np.where(np.isinf(o.deadline_s), o.cuts, 0), kept)
    count = kept.sum(axis=1)
    order = np.argsort(~kept, axis=1, kind="stable")[:, : count.max()]
    order = np.take_along_axis(order, np.minimum(np.arange(count.max()), count[:, None] - 1), 1)

    def chosen(values: Any) -> Any:
        array = np.take_along_axis(values, order, axis=1)
        array.setflags(write=False)
        return array

    count.setflags(write=False)
    return o._replace(
        cuts=count,
        cut_index=chosen(o.cut_index),
        head_s=chosen(o.head_s),
        head_j=chosen(o.head_j),
        tail_s=chosen(o.tail_s),
        tail_j=chosen(o.tail_j),
        tail_flop=chosen(o.tail_flop),
        cloud_j=chosen(o.cloud_j),
        transfer_bits=chosen(o.transfer_bits),
    )


def _seconds_per_bit(o: Offloading, interference_w: Floats) -> Floats:
    efficiency = np.log1p(o.power_w / (o.noise_w + np.maximum(interference_w, 0.0))) / np.log(2.0)
    return np.asarray(1.0 / (o.bandwidth_hz * efficiency))


def _planes(o: Offloading, fraction: float) -> tuple[Floats, Floats, Floats]:
    """Overhead [N, C] of a fraction: constant, for each second that a bit takes, each sharer."""
    alpha, beta = o.time_weight_per_s[:, None], o.energy_weight_per_j[:, None]
    seconds = o.head_s + (1.0 - fraction) * o.tail_s
    joule = o.head_j + (1.0 - fraction) * o.tail_j + fraction * o.cloud_j
    sent = o.transfer_bits * (fraction if o.scaled else 1.0)
    per_sharer = alpha * fraction * o.tail_flop / o.cloud_speed_flop_per_s
    return (
        alpha * seconds + beta * (joule + o.hold_energy_j[:, None]),
        (alpha + beta * o.tx_power_w[:, None]) * sent,
        per_sharer,
    )
