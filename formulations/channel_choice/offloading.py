"""What channels are chosen for, once it is held where the heads run (paper 000, Eqs. 8-19)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Offloading(NamedTuple):
    """N services with up to C candidate cuts each; all arrays read-only.

    With a fixed cut (``cut_choice`` other than "optimal") C is 1. Columns beyond `cuts[i]` are
    padding. Everything here is a constant of the instance and of where heads run (omega).

    Attributes
    ----------
    channels, bandwidth_hz, noise_w, threshold : M, B, sigma0 and varpi.
    cloud_speed_flop_per_s, equal_share : F, and whether it is divided by the number of
        offloaders k.
    parallel, scaled, fraction : ``delay_model`` "parallel", ``transfer`` "scaled", and the fixed
        delta (NaN where it is optimised).
    power_w : [N] received power w_i = p_i g_i.
    time_weight_per_s, energy_weight_per_j, tx_power_w, hold_energy_j : [N] alpha, beta, p, zeta.
    deadline_s : [N] infinite where there is none.
    cuts : [N] number of candidate cuts.
    cut_index : [N, C] their numbers in the file.
    head_s, head_j : [N, C] time and energy of the head part where it runs.
    tail_s, tail_j : [N, C] time t = psi2 / f_i and energy of the whole tail at the home server.
    tail_flop, cloud_j : [N, C] psi2, and its energy at the cloud.
    transfer_bits : [N, C] d_med.
    local_overhead : [N] Gamma^e at home (Eqs. 9-11), least over cuts where those are optimised.
    local_s, local_j : [N] delay and energy of that.
    late_at_home : [N] whether `local_s` misses the deadline.
    require_profitable : whether offloading must not cost more than home (Eq. 18).
    """

    channels: int
    bandwidth_hz: float
    noise_w: float
    threshold: float
    cloud_speed_flop_per_s: float
    equal_share: bool
    parallel: bool
    scaled: bool
    fraction: float
    power_w: Floats
    time_weight_per_s: Floats
    energy_weight_per_j: Floats
    tx_power_w: Floats
    hold_energy_j: Floats
    deadline_s: Floats
    cuts: Ints
    cut_index: Ints
    head_s: Floats
    head_j: Floats
    tail_s: Floats
    tail_j: Floats
    tail_flop: Floats
    cloud_j: Floats
    transfer_bits: Floats
    local_overhead: Floats
    local_s: Floats
    local_j: Floats
    late_at_home: NDArray[np.bool_]
    require_profitable: bool
