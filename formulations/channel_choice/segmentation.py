"""Which fraction of the tail is offloaded, and what that costs (paper 000, Eqs. 8-16)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.offloading import SLACK, Offloading

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Offloads(NamedTuple):
    """What K services cost that are offloaded, arrays [K]: overhead Gamma^c, delay, energy,
    candidate cut and offloaded fraction."""

    overhead: Floats
    delay_s: Floats
    energy_j: Floats
    cut: Ints
    delta: Floats


def cheapest_offloads(
    o: Offloading,
    service: Ints,
    interference_w: Floats,
    cloud_flop_per_s: Floats,
    head_s: Floats,
    head_j: Floats,
) -> Offloads:
    """The cut and fraction of least overhead of those that meet the deadline, of all if none does.

    Parameters
    ----------
    o : whose own heads are not read.
    service : [K] whose numbers these are.
    interference_w : [K] gamma, received from the others on the channel.
    cloud_flop_per_s : [K] what the cloud gives each.
    head_s, head_j : [K, C] time and energy of the head parts.
    """
    w = o.power_w[service]
    efficiency = np.log1p(w / (o.noise_w + interference_w)) / np.log(2.0)
    rate = (o.bandwidth_hz * efficiency)[:, None]
    bits = o.transfer_bits[service]
    d = np.divide(bits, rate, out=np.zeros_like(bits), where=bits > 0)
    t, u = o.tail_s[service], o.tail_flop[service] / cloud_flop_per_s[:, None]
    tail_j, cloud_j = o.tail_j[service], o.cloud_j[service]
    alpha, beta, p, zeta, deadline = (
        column[service][:, None]
        for column in (
            o.time_weight_per_s,
            o.energy_weight_per_j,
            o.tx_power_w,
            o.hold_energy_j,
            o.deadline_s,
        )
    )
    limit = deadline * (1 + SLACK)
    timed = bool(np.isfinite(deadline).any())
    best: list[Floats] = []
    best_late = np.ones(1, dtype=bool)
    for delta in _fractions(o, t, u, d, deadline - head_s if timed else None):
        sent = d
        if o.scaled:
            sent = d * delta if np.ndim(delta) or delta > 0 else np.zeros_like(d)
        if o.parallel:
            seconds = head_s + np.maximum((1.0 - delta) * t, sent + delta * u)
        else:
            seconds = head_s + (1.0 - delta) * t + delta * u + sent
        joule = p * sent + (head_j + (1.0 - delta) * tail_j)
        joule += delta * cloud_j + zeta
        overhead = alpha * seconds + beta * joule
        trial = [overhead, seconds, joule, np.broadcast_to(np.float64(delta), overhead.shape)]
        late = seconds > limit if timed else np.zeros(1, dtype=bool)
        if not best:
            best, best_late = trial, late
            continue
        better = overhead < best[0]
        if timed:
            better = np.where(late == best_late, better, best_late)
            best_late = np.where(better, late, best_late)
        best = [np.where(better, new, old) for new, old in zip(trial, best, strict=True)]
    if best[0].shape[1] == 1:
        cut = np.zeros(len(service), dtype=np.int64)
    else:
        skipped = best_late & ~best_late.all(axis=1, keepdims=True) if timed else best_late
        cut = np.argmin(np.where(skipped, np.inf, best[0]), axis=1)
    overhead, seconds, joule, chosen = (values[np.arange(len(cut)), cut] for values in best)
    return Offloads(overhead, seconds, joule, cut, chosen)


def _fractions(
    o: Offloading, t: Floats, u: Floats, d: Floats, room: Floats | None
) -> Iterator[Floats | float]:
    """The fractions among which the least overhead is, whatever the weights (0 where there is
    none).

    Delay and energy are affine in the fraction, but for the parallel delay's kink: the least is
    at an end, at the kink, or where the deadline is just met (`room` is what it leaves behind the
    head). In the sum model without a deadline that means all or nothing.
    """
    if not np.isnan(o.fraction):
        yield o.fraction
        return
    yield 0.0
    yield 1.0
    if o.parallel:
        yield _valid(t / (t + d + u) if o.scaled else (t - d) / (t + u))
    if room is None:
        return
    if o.parallel:
        yield _valid(1.0 - room / t)
        yield _valid(room / (d + u) if o.scaled else (room - d) / u)
    else:
        yield _valid((room - t) / (u - t + d) if o.scaled else (room - t - d) / (u - t))


def _valid(delta: Floats) -> Floats:
    return np.where((delta >= 0) & (delta <= 1), delta, 0.0)
