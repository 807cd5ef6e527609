"""A second evaluator of dt_assignment: plain loops over a document, written from the text."""

from __future__ import annotations

import math
from typing import Any


def evaluate(document: dict[str, Any], x: list[int]) -> dict[str, Any]:
    """Objective, delay, energy, latencies, loads and violations of one decision.

    The document is what ``to_dict`` gives: lists, with None for null.
    """
    pairs = [_pair(document, m, s) for m, s in enumerate(x)]
    hosted = [pair is not None for pair in pairs]
    servers = 1 + max(max(x), _servers(document) - 1)
    there = [[m for m, s in enumerate(x) if s == server and hosted[m]] for server in range(servers)]
    found: dict[str, Any] = {"loads": _loads(document, there), "violations": {}}
    limits = _limits(document, servers)
    for name, limit in limits.items():
        found["violations"][name] = sum(
            use - most
            for use, most in zip(found["loads"][name], limit, strict=True)
            if most is not None and use - most > 1e-9 * max(1.0, abs(most))
        )
    if _nulls(document):
        found["violations"]["forbidden"] = len(x) - sum(hosted)
    if "pair_cost" in document:
        costs = [pair["cost"] for pair in pairs if pair is not None]
        return found | {"objective": sum(costs), "scale": sum(map(abs, costs))}
    weights = _weights(document, len(x))
    latency = [0.0] * len(x)
    compute = [0.0] * len(x)
    for server, members in enumerate(there):
        for m in members:
            compute[m] = _computing(document, pairs, weights, members, m)
            latency[m] = _upload(document, pairs, members, m, server) + compute[m]
    delay = sum(weight * seconds for weight, seconds in zip(weights, latency, strict=True))
    energy = sum(pair["energy"] for pair in pairs if pair is not None)
    alpha = document["delay_weight"]
    objective = alpha * delay / document.get("time_ref_s", 1.0)
    objective += (1 - alpha) * energy / document.get("energy_ref_j", 1.0)
    deadlines = document.get("twins", {}).get("deadline_s")
    if deadlines is not None:
        found["violations"]["deadline_s"] = sum(
            seconds - most
            for seconds, most in zip(latency, deadlines, strict=True)
            if most is not None and seconds > most * (1 + 1e-9)
        )
    return found | {
        "objective": objective,
        "scale": objective,
        "delay_s": delay,
        "energy_j": energy,
        "latency_s": latency,
        "compute_s": sum(weight * p for weight, p in zip(weights, compute, strict=True)),
    }


def _servers(document: dict[str, Any]) -> int:
    kinds = document.get("servers", {}).get("kind")
    if kinds is not None:
        return len(kinds)
    return next(len(value[0]) for name, value in document.items() if name.startswith("pair_"))


def _own(document: dict[str, Any], twin: int) -> list[int]:
    return [n for n, owner in enumerate(document["devices"]["twin"]) if owner == twin]


def _pair(document: dict[str, Any], m: int, s: int) -> dict[str, float] | None:
    """Transfer, compute and energy of a pair alone (or its cost), None where it is forbidden."""
    measured = {
        name: document[name][m][s]
        for name in ("pair_cost", "pair_transfer_s", "pair_compute_s", "pair_energy_j")
        if name in document
    }
    if None in measured.values():
        return None
    if "pair_cost" in measured:
        return {"cost": measured["pair_cost"]}
    servers, devices = document.get("servers", {}), document.get("devices")
    pair = {}
    if "pair_transfer_s" in measured:
        pair["transfer"] = measured["pair_transfer_s"]
    elif servers["kind"][s] == "cloud":
        gamma = document.get("uplink_discount", 1.0)
        pair["transfer"] = max(
            devices["input_bits"][n] / (gamma * devices["uplink_rate_bps"][n])
            for n in _own(document, m)
        )
    else:
        times = []
        for n in _own(document, m):
            distance = math.hypot(
                devices["x_m"][n] - servers["x_m"][s], devices["y_m"][n] - servers["y_m"][s]
            )
            distance = max(distance, document.get("min_distance_m", 1.0))
            times.append(devices["input_bits"][n] * distance / document["rate_distance_bps_m"])
        pair["transfer"] = max(times)
    if devices is not None:
        bits = sum(devices["input_bits"][n] for n in _own(document, m))
    delta = document.get("cycles_per_bit", 0.0)
    if "pair_compute_s" in measured:
        pair["compute"] = measured["pair_compute_s"]
    else:
        pair["compute"] = delta * bits / servers["speed_hz"][s]
    if "pair_energy_j" in measured:
        pair["energy"] = measured["pair_energy_j"]
    else:
        joules = servers["tx_energy_j_per_bit"][s] + delta * servers["energy_j_per_cycle"][s]
        pair["energy"] = joules * bits
    return pair


def _weights(document: dict[str, Any], twins: int) -> list[float]:
    given = document.get("time_weight", "devices")
    if isinstance(given, list):
        return given
    if given == "one":
        return [1.0] * twins
    counts = [float(len(_own(document, m))) for m in range(twins)]
    return counts if given == "devices" else [count / sum(counts) for count in counts]


def _upload(
    document: dict[str, Any], pairs: list[Any], members: list[int], m: int, s: int
) -> float:
    alone: float = pairs[m]["transfer"]
    rates = document.get("servers", {}).get("backhaul_bps")
    if rates is None or rates[s] is None:
        return alone
    behind = sum(len(_own(document, k)) for k in members)
    largest = max(document["devices"]["input_bits"][n] for n in _own(document, m))
    gamma = document.get("uplink_discount", 1.0)
    return max(alone, behind * largest / (gamma * rates[s]))


def _computing(
    document: dict[str, Any], pairs: list[Any], weights: list[float], members: list[int], m: int
) -> float:
    work = {k: pairs[k]["compute"] for k in members}
    rule = document.get("cpu_sharing", "none")
    if rule == "equal":
        return float(len(members) * work[m])
    if rule == "proportional":
        return float(sum(work.values()))
    if rule == "optimal":
        shares = sum(math.sqrt(weights[k] * work[k]) for k in members)
        return math.sqrt(work[m] / weights[m]) * shares
    if rule == "wspt":
        mine = (work[m] / weights[m], m)
        return float(sum(work[k] for k in members if (work[k] / weights[k], k) <= mine))
    return float(work[m])


def _loads(document: dict[str, Any], there: list[list[int]]) -> dict[str, list[float]]:
    loads = {"max_twins": [float(len(members)) for members in there]}
    if "devices" in document:
        bits = document["devices"]["input_bits"]
        own = [[n for m in members for n in _own(document, m)] for members in there]
        loads["max_devices"] = [float(len(devices)) for devices in own]
        loads["max_input_bits"] = [sum(bits[n] for n in devices) for devices in own]
    if "memory_bytes" in document.get("twins", {}):
        memory = document["twins"]["memory_bytes"]
        loads["memory_bytes"] = [sum(memory[m] for m in members) for members in there]
    if "pair_load" in document:
        load = document["pair_load"]
        loads["server_capacity"] = [sum(load[m][s] for m in group) for s, group in enumerate(there)]
    return loads


def _limits(document: dict[str, Any], servers: int) -> dict[str, list[float | None]]:
    names = ("max_twins", "max_devices", "max_input_bits", "memory_bytes")
    given = document.get("servers", {})
    limits = {name: given[name] for name in names if name in given}
    capacity = document.get("server_capacity", [None] * servers)
    if any(most is not None for most in capacity):
        limits["server_capacity"] = capacity
    return limits


def _nulls(document: dict[str, Any]) -> bool:
    return any(
        None in row
        for name in ("pair_cost", "pair_transfer_s", "pair_compute_s", "pair_energy_j")
        for row in document.get(name, [])
    )
