"""Compiled deviations of the offloading game; the tests hold them to the evaluator."""

from __future__ import annotations

import numpy as np

from formulations.channel_choice.overhead_kernels import best_offload
from optkit.kernels import kernel


@kernel(error_model="numpy")
def deviation_overheads(o, channel):  # type: ignore[no-untyped-def]
    """Overhead of each service at each option [N, M + 1], if it alone changes from `channel`;
    infinite where it would miss its deadline."""
    services, power = len(channel), o.power_w
    load = np.zeros(o.channels + 1)
    offloaders = 0
    for i in range(services):
        load[channel[i]] += power[i]
        offloaders += channel[i] > 0
    table = np.empty((services, o.channels + 1))
    for i in range(services):
        own = channel[i]
        k = offloaders + (own == 0)
        table[i, 0] = np.inf if o.late_at_home[i] else o.local_overhead[i]
        for c in range(1, o.channels + 1):
            with_it = load[c] if c == own else load[c] + power[i]
            overhead, _, _, _, _, late = best_offload(o, i, with_it, k)
            table[i, c] = np.inf if late else overhead
    return table
