"""Tiny instances with chosen couplings, for methods that most random instances do not suit."""

from __future__ import annotations

import numpy as np

import optkit
from formulations.dt_assignment.instance import TwinAssignment


def coupled(seed: int, couplings: str, most_twins: int = 6) -> TwinAssignment:
    """A small instance of 1 to 4 servers with these couplings, some of them made harder."""
    rng = np.random.default_rng([seed, 11])
    servers, twins = int(rng.integers(1, 5)), int(rng.integers(1, most_twins + 1))
    devices, delay_weight = twins + int(rng.integers(0, 12)), float(rng.choice([0, 0.5, 0.9, 1]))
    factor = float(rng.uniform(0.8, 3.0))
    instance = optkit.generate(
        "dt_assignment", "small", seed, couplings=couplings, servers=servers, twins=twins,
        devices=devices, delay_weight=delay_weight,
        deadline_factor=factor if "deadline" in couplings else None,
    )  # fmt: skip
    document = instance.to_dict()
    limits = document["servers"]
    if rng.random() < 0.7:
        document["time_weight"] = "one"
    if "max_input_bits" in limits and rng.random() < 0.5:
        factors = rng.uniform(0.7, 1.3, servers)
        limits["max_input_bits"] = (np.array(limits["max_input_bits"]) * factors).tolist()
    if "max_twins" in limits and rng.random() < 0.5:
        limits["max_twins"] = rng.integers(0, twins + 1, servers).astype(float).tolist()
    if "backhaul_bps" in limits and rng.random() < 0.7:
        rates: list[float | None] = [None] * servers
        rates[int(rng.integers(servers))] = float(10 ** rng.uniform(8.5, 11.0))
        limits["backhaul_bps"] = rates
    if rng.random() < 0.3:  # every server has its own order of twins, and ties
        seconds = np.rint(rng.uniform(0.2, 2.0, (twins, servers)) * 3) / 3 + 0.1
        document["pair_compute_s"] = seconds.tolist()
    return TwinAssignment(document)
