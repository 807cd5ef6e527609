"""Seconds, joules and costs of twins on servers, from the file's fields alone, in plain Python.

Written apart from the tables that optkit's own methods use, so that agreement means something.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Table = list[list[float]]


@dataclass(frozen=True)
class PairCosts:
    """M twins alone on S servers.

    Parameters
    ----------
    upload_s : [N][S] seconds of each device (Eqs. 1, 4 and 5); no rows in a measured document.
    members : [M] devices of each twin.
    transfer_s, compute_s : [M][S] t_ms (Eq. 15) and p_ms (Eqs. 2 and 6).
    cost : [M][S] the whole cost of the pair (Eq. 17), or the measured one.
    weight : [M] W_m; delay_weight : alpha.
    demands : by limit of the file, [M][S] what a twin takes, and [S] how much there is.
    """

    upload_s: Table
    members: list[list[int]]
    transfer_s: Table
    compute_s: Table
    cost: Table
    weight: list[float]
    delay_weight: float
    demands: dict[str, tuple[Table, list[float]]]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All (twin, server)."""
        return [(m, s) for m in range(len(self.cost)) for s in range(len(self.cost[0]))]


def pair_costs(document: Mapping[str, Any]) -> PairCosts:
    """The costs of a canonical document.

    Raises
    ------
    ValueError
        It uses more than the generated families do.
    """
    known = {
        "problem", "version", "name", "delay_weight", "energy_ref_j", "cycles_per_bit",
        "rate_distance_bps_m", "uplink_discount", "cpu_sharing", "servers", "twins", "devices",
        "pair_cost", "pair_load", "server_capacity",
    }  # fmt: skip
    if set(document) - known:
        raise ValueError(f"no alternative reads {sorted(set(document) - known)}")
    if "pair_cost" in document:
        return _measured(document)
    servers, devices = document["servers"], _lists(document["devices"])
    places, alpha = range(len(servers["kind"])), document.get("delay_weight", 1.0)
    bits, owner = devices["input_bits"], devices["twin"]
    upload = [[_upload_s(document, devices, n, s) for s in places] for n in range(len(bits))]
    members: list[list[int]] = [[] for _ in range(document["twins"]["count"])]
    for n, m in enumerate(owner):
        members[m].append(n)
    total = [sum(bits[n] for n in own) for own in members]
    transfer = [[max(upload[n][s] for n in own) for s in places] for own in members]
    delta, speed = document["cycles_per_bit"], servers["speed_hz"]
    compute = [[delta * work / float(speed[s]) for s in places] for work in total]
    joule = [
        float(servers["tx_energy_j_per_bit"][s] + delta * servers["energy_j_per_cycle"][s])
        for s in places
    ]
    weight = [float(len(own)) for own in members]
    reference = document.get("energy_ref_j", 1.0)
    cost = [
        [
            alpha * weight[m] * (transfer[m][s] + compute[m][s])
            + (1 - alpha) * total[m] * joule[s] / reference
            for s in places
        ]
        for m in range(len(members))
    ]
    return PairCosts(
        upload, members, transfer, compute, cost, weight, alpha,
        _limits(document, [float(len(own)) for own in members], total),
    )  # fmt: skip


def _measured(document: Mapping[str, Any]) -> PairCosts:
    cost = _lists(document["pair_cost"])
    zeros = [[0.0] * len(row) for row in cost]
    demands = {"pair_load": (_lists(document["pair_load"]), _lists(document["server_capacity"]))}
    return PairCosts([], [[] for _ in cost], zeros, zeros, cost, [1.0] * len(cost), 0.0, demands)


def _upload_s(
    document: Mapping[str, Any], devices: Mapping[str, list[float]], n: int, s: int
) -> float:
    servers = document["servers"]
    bits = devices["input_bits"][n]
    if servers["kind"][s] == "cloud":
        rate = document.get("uplink_discount", 1.0) * devices["uplink_rate_bps"][n]
        return bits / float(rate)
    distance_m = math.hypot(
        devices["x_m"][n] - float(servers["x_m"][s]), devices["y_m"][n] - float(servers["y_m"][s])
    )
    return bits * max(distance_m, 1.0) / float(document["rate_distance_bps_m"])


def _limits(
    document: Mapping[str, Any], devices: list[float], bits: list[float]
) -> dict[str, tuple[Table, list[float]]]:
    servers = document["servers"]
    memory = document["twins"].get("memory_bytes", [])
    each = {
        "max_twins": [1.0] * len(devices), "max_devices": devices, "max_input_bits": bits,
        "memory_bytes": [float(value) for value in memory],
    }  # fmt: skip
    return {
        name: ([[value] * len(servers["kind"]) for value in uses], _lists(servers[name]))
        for name, uses in each.items()
        if name in servers
    }


def shared(rule: str, costs: PairCosts, s: int, k: int, m: int) -> tuple[float, float]:
    """Seconds that twin m adds to twin k on server s, and k to m, under a sharing rule."""
    p_k, p_m = costs.compute_s[k][s], costs.compute_s[m][s]
    w_k, w_m = costs.weight[k], costs.weight[m]
    if rule == "equal":
        return p_k, p_m
    if rule == "proportional":
        return p_m, p_k
    if rule == "optimal":
        return math.sqrt(p_k * w_m * p_m / w_k), math.sqrt(p_m * w_k * p_k / w_m)
    if rule == "wspt":
        first = (p_k / w_k, k) < (p_m / w_m, m)
        return (0.0, p_k) if first else (p_m, 0.0)
    return 0.0, 0.0


def _lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _lists(inner) for name, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else list(value)
