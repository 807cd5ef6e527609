"""Every number of a dt_assignment instance as flat arrays (paper 004, Eqs. 1-7, 13-16)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Tables(NamedTuple):
    """M twins, S servers, R resources with a limit somewhere; all arrays read-only.

    Attributes
    ----------
    weight : [M] W_m, by which the latency of a twin counts (Eq. 16).
    delay_factor, energy_factor : alpha / time_ref and (1 - alpha) / energy_ref (Eq. 17).
    transfer_s : [M, S] t_ms, upload alone on the server; 0 where forbidden.
    compute_s : [M, S] p_ms, all computing of the twin alone on the server; 0 where forbidden.
    energy_j : [M, S] e_ms; 0 where forbidden.
    cost : [M, S] q_ms, the whole cost of the pair without couplings, or the measured
        ``pair_cost``; 0 where forbidden.
    allowed : [M, S] whether the server can host the twin at all (no null in measured data).
    demand : [R, M, S] what the twin takes of each resource (0 where forbidden).
    limit : [R, S] infinite where there is none.
    deadline_s : [M] infinite where there is none.
    devices : [M] number of devices; 0 in a document without devices.
    input_bits, largest_input_bits : [M] sum and largest input over the devices of a twin.
    backhaul_s_per_bit : [S] 1 / (gamma B_s), 0 where there is no backhaul limit.
    """

    weight: Floats
    delay_factor: float
    energy_factor: float
    transfer_s: Floats
    compute_s: Floats
    energy_j: Floats
    cost: Floats
    allowed: NDArray[np.bool_]
    demand: Floats
    limit: Floats
    deadline_s: Floats
    devices: Ints
    input_bits: Floats
    largest_input_bits: Floats
    backhaul_s_per_bit: Floats
