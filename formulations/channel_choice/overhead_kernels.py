"""Compiled overheads of single services (paper 000, Eqs. 8-16), held to the evaluator by tests.

`o` is an ``Offloading``, `i` a service, `load_w` the total received power of its channel with its
own, `k` the number of offloaders. What is called most is inlined: a call would count references
to every array of `o`, which takes many times as long as the arithmetic.
"""

from __future__ import annotations

import math

import numpy as np

from formulations.channel_choice.offloading import SLACK
from optkit.kernels import kernel


@kernel(error_model="numpy", forceinline=True)
def segment(trial, parallel, scaled, t, u, d, room):  # type: ignore[no-untyped-def]
    """The offloaded fraction of a trial, -1 where there is none.

    0 and 1 are nothing and all of the tail; 2 is where the two sides of a parallel delay meet;
    3 and 4 are where the delay just meets a deadline that leaves `room` seconds behind the head.
    """
    if trial < 2:
        return float(trial)
    if trial == 2:
        if not parallel:
            return -1.0
        delta = t / (t + d + u) if scaled else (t - d) / (t + u)
    elif trial == 3:
        if parallel:
            delta = 1.0 - room / t
        else:
            delta = (room - t) / (u - t + d) if scaled else (room - t - d) / (u - t)
    elif parallel:
        delta = room / (d + u) if scaled else (room - d) / u
    else:
        return -1.0
    return delta if 0.0 <= delta <= 1.0 else -1.0


@kernel(error_model="numpy", forceinline=True)
def best_offload(o, i, load_w, k):  # type: ignore[no-untyped-def]
    """What offloading costs: overhead, delay_s, energy_j, candidate cut, delta, missed deadline.

    The least overhead of those that meet the deadline, of all if none does.
    """
    w = o.power_w[i]
    efficiency = math.log1p(w / (o.noise_w + max(load_w - w, 0.0))) / math.log(2.0)
    rate = o.bandwidth_hz * efficiency
    cloud = o.cloud_speed_flop_per_s / max(k, 1) if o.equal_share else o.cloud_speed_flop_per_s
    alpha, beta, p = o.time_weight_per_s[i], o.energy_weight_per_j[i], o.tx_power_w[i]
    fixed, parallel, scaled = not math.isnan(o.fraction), o.parallel, o.scaled
    deadline = o.deadline_s[i]
    limit = deadline * (1.0 + SLACK)
    trials = 5 if deadline < np.inf else 3
    best, best_s, best_j, best_cut, best_delta, best_late = np.inf, np.inf, np.inf, 0, 0.0, True
    for cut in range(o.cuts[i]):
        head, t, u = o.head_s[i, cut], o.tail_s[i, cut], o.tail_flop[i, cut] / cloud
        bits = o.transfer_bits[i, cut]
        d = bits / rate if bits > 0.0 else 0.0
        for trial in range(1 if fixed else trials):
            if fixed:
                delta = o.fraction
            else:
                delta = segment(trial, parallel, scaled, t, u, d, deadline - head)
                if delta < 0.0:
                    continue
            sent = d
            if scaled:
                sent = d * delta if delta > 0.0 else 0.0
            if parallel:
                seconds = head + max((1.0 - delta) * t, sent + delta * u)
            else:
                seconds = head + (1.0 - delta) * t + delta * u + sent
            joule = p * sent + (o.head_j[i, cut] + (1.0 - delta) * o.tail_j[i, cut])
            joule += delta * o.cloud_j[i, cut] + o.hold_energy_j[i]
            overhead = alpha * seconds + beta * joule
            late = seconds > limit
            if overhead < best if late == best_late else best_late:
                best, best_s, best_j, best_late = overhead, seconds, joule, late
                best_cut, best_delta = cut, delta
    return best, best_s, best_j, best_cut, best_delta, best_late


@kernel(error_model="numpy", forceinline=True)
def gain(o, i, load_w, k):  # type: ignore[no-untyped-def]
    """QoS that offloading adds to home; -inf where its deadline cannot be met."""
    overhead, _, _, _, _, late = best_offload(o, i, load_w, k)
    if late:
        return -np.inf
    return math.log2((o.threshold + o.local_overhead[i]) / (o.threshold + overhead))


@kernel(error_model="numpy")
def gains(o, loads_w, k):  # type: ignore[no-untyped-def]
    """`gain` of every service at every load [L]: [N, L]."""
    table = np.empty((len(o.power_w), len(loads_w)))
    for i in range(len(o.power_w)):
        for column in range(len(loads_w)):
            table[i, column] = gain(o, i, loads_w[column], k)
    return table


@kernel(error_model="numpy")
def acceptable(o, i, overhead, late, slack):  # type: ignore[no-untyped-def]
    """Whether the deadline is met and offloading costs at most (1 + slack) times home; the latter
    is not asked of a service that is late at home where `require_profitable` does not ask it."""
    if late:
        return False
    if o.late_at_home[i] and not o.require_profitable:
        return True
    return overhead <= o.local_overhead[i] * (1.0 + slack)


@kernel(error_model="numpy")
def may_offload(o, i, load_w, k, slack):  # type: ignore[no-untyped-def]
    """Whether offloading at this load is `acceptable`."""
    overhead, _, _, _, _, late = best_offload(o, i, load_w, k)
    return acceptable(o, i, overhead, late, slack)


@kernel(error_model="numpy")
def thresholds_within(o, k, slack):  # type: ignore[no-untyped-def]
    """`thresholds` with another tolerance than the evaluator's on what is profitable."""
    services = len(o.power_w)
    most = 0.0
    for i in range(services):
        most += o.power_w[i]
    most *= 1.0 + SLACK  # no coalition has more, in whatever order it is added up
    found = np.empty(services)
    for i in range(services):
        low, high = o.power_w[i], most
        if not may_offload(o, i, low, k, slack):
            found[i] = -np.inf
            continue
        if may_offload(o, i, high, k, slack):
            found[i] = high
            continue
        while True:
            middle = low + 0.5 * (high - low)
            if not low < middle < high:
                break
            if may_offload(o, i, middle, k, slack):
                low = middle
            else:
                high = middle
        found[i] = low
    return found


@kernel(error_model="numpy")
def thresholds(o, k):  # type: ignore[no-untyped-def]
    """The largest load [N] at which each service may offload, -inf if it may not even alone.

    Found by bisection to the last bit on the evaluator's own condition; never above (1 + 1e-9)
    times the sum of all received powers, which no channel exceeds.
    """
    return thresholds_within(o, k, SLACK)
