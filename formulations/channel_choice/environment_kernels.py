"""Compiled one-step look-ahead of the environment; the tests hold it to the evaluator."""

from __future__ import annotations

import math

import numpy as np

from formulations.channel_choice.offloading import SLACK
from formulations.channel_choice.overhead_kernels import acceptable, best_offload
from optkit.kernels import kernel


@kernel(error_model="numpy")
def look_ahead(o, channel, i):  # type: ignore[no-untyped-def]
    """What each channel of service i changes, all services at home that are not decided yet.

    Parameters
    ----------
    o : Offloading.
    channel : [B, N] channels so far, 0 at home; service i is there.
    i : the service that is decided.

    Returns
    -------
    change : [B, M + 1] of the total quality of service.
    allowed : [B, M + 1] whether service i and everybody who offloads may still do so.
    load : [B, M + 1] received power before.
    """
    batch, services = channel.shape
    options, power = o.channels + 1, o.power_w
    change = np.zeros((batch, options))
    allowed = np.ones((batch, options), dtype=np.bool_)
    load = np.zeros((batch, options))
    before = np.empty(options)  # logarithms of those on each channel: now,
    same = np.empty(options)  # with one more offloader elsewhere,
    fits = np.empty(options, dtype=np.bool_)
    for row in range(batch):
        k = 0
        for j in range(services):
            if channel[row, j] > 0:
                load[row, channel[row, j]] += power[j]
                k += 1
        before[:], same[:], fits[:] = 0.0, 0.0, True
        for j in range(services):
            c = channel[row, j]
            if c == 0:
                continue
            overhead = best_offload(o, j, load[row, c], k)[0]
            before[c] += math.log2(o.threshold + overhead)
            if o.equal_share:
                overhead, _, _, _, _, late = best_offload(o, j, load[row, c], k + 1)
                same[c] += math.log2(o.threshold + overhead)
                fits[c] = fits[c] and acceptable(o, j, overhead, late, SLACK)
            else:
                same[c] = before[c]
        misfits, elsewhere = 0, 0.0
        for c in range(1, options):
            misfits += not fits[c]
            elsewhere += before[c] - same[c]
        home = math.log2(o.threshold + o.local_overhead[i])
        for c in range(1, options):
            with_it = load[row, c] + power[i]
            overhead, _, _, _, _, late = best_offload(o, i, with_it, k + 1)
            change[row, c] = home - math.log2(o.threshold + overhead) + elsewhere
            allowed[row, c] = misfits == 0 and acceptable(o, i, overhead, late, SLACK)
            change[row, c] += same[c]
            for j in range(services):
                if channel[row, j] == c:
                    overhead, _, _, _, _, late = best_offload(o, j, with_it, k + 1)
                    change[row, c] -= math.log2(o.threshold + overhead)
                    if not acceptable(o, j, overhead, late, SLACK):
                        allowed[row, c] = False
    return change, allowed, load
