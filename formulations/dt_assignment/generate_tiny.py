"""The family tiny: every coupling and every kind of measured data drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from formulations.dt_assignment.instance import TwinAssignment

Floats = NDArray[np.float64]
_RULES = ("none", "equal", "proportional", "optimal", "wspt")


def tiny(rng: Generator, name: str) -> dict[str, Any]:
    """A random document of at most 5 twins and 5 servers; a few have no feasible decision."""
    edges, clouds = int(rng.integers(1, 4)), int(rng.integers(0, 3))
    twins = int(rng.integers(2, 6))
    devices = twins + int(rng.integers(0, 10))
    kind = ["edge"] * edges + ["cloud"] * clouds
    order = rng.permutation(len(kind))
    kind = [kind[i] for i in order]
    document: dict[str, Any] = {"problem": "dt_assignment", "version": 1, "name": name}
    if rng.random() < 0.2:
        _measured_cost(rng, document, kind, twins, devices)
    else:
        _formula(rng, document, kind, twins, devices)
        _measured_terms(rng, document, len(kind), twins)
        _couplings(rng, document, len(kind))
    _limits(rng, document, twins, len(kind))
    if document["servers"] == {}:
        del document["servers"]
    return document


def _round(rng: Generator, values: Any) -> Floats:
    """The values, or whole multiples of a step so that equal ones are common."""
    if rng.random() < 0.3:
        step = np.max(values) / 4
        values = np.maximum(np.rint(values / step), 1.0) * step
    return np.asarray(values)


def _inputs(rng: Generator, devices: int) -> Floats:
    """Whole bits, of which every order of summation makes the same sum."""
    if rng.random() < 0.3:
        return 8e7 * rng.integers(1, 5, devices).astype(np.float64)
    return np.rint(rng.uniform(0.8e8, 3.2e8, devices))


def _holes(rng: Generator, values: Floats) -> Floats:
    """Some entries null, but not all of a twin's."""
    null = rng.random(values.shape) < (0.15 if rng.random() < 0.5 else 0.0)
    null[null.all(axis=1)] = False
    return np.where(null, np.nan, values)


def _owners(rng: Generator, twins: int, devices: int) -> NDArray[np.int64]:
    owner = np.concatenate([np.arange(twins), rng.integers(0, twins, devices - twins)])
    rng.shuffle(owner)
    return owner


def _measured_cost(
    rng: Generator, document: dict[str, Any], kind: list[str], twins: int, devices: int
) -> None:
    cost = rng.uniform(-5.0, 40.0, (twins, len(kind)))
    document["pair_cost"] = _holes(rng, np.rint(cost) if rng.random() < 0.5 else cost)
    document["servers"] = {"kind": kind} if rng.random() < 0.5 else {}
    if rng.random() < 0.5:
        document["devices"] = {
            "twin": _owners(rng, twins, devices),
            "input_bits": _inputs(rng, devices),
        }


def _formula(
    rng: Generator, document: dict[str, Any], kind: list[str], twins: int, devices: int
) -> None:
    """Every field of the formulas."""
    count, cloud = len(kind), np.array(kind) == "cloud"
    alpha = rng.uniform(0.0, 1.0) if rng.random() < 0.8 else float(rng.integers(0, 2))
    weights: list[Any] = ["devices", "one", "mean", rng.uniform(0.2, 5.0, twins)]
    x_m, y_m = rng.uniform(0, 1000.0, count), rng.uniform(0, 800.0, count)
    device_x, device_y = rng.uniform(0, 1000.0, devices), rng.uniform(0, 800.0, devices)
    if rng.random() < 0.2:  # a device at the very place of a server
        device_x[0], device_y[0] = x_m[0], y_m[0]
    document |= {
        "delay_weight": float(alpha),
        "time_ref_s": float(rng.choice([1.0, 0.5, 3.0])),
        "energy_ref_j": float(rng.choice([1.0, 20.0])),
        "time_weight": weights[int(rng.integers(4))],
        "cycles_per_bit": float(rng.choice([1.0, 0.3, 2.5])),
        "rate_distance_bps_m": float(rng.choice([4e11, 5e10])),
        "uplink_discount": float(rng.choice([1.0, 0.5])),
        "min_distance_m": float(rng.choice([1.0, 200.0])),
        "cpu_sharing": str(rng.choice(_RULES, p=[0.28, 0.18, 0.18, 0.18, 0.18])),
        "servers": {
            "kind": kind,
            "x_m": np.where(cloud, np.nan, x_m),
            "y_m": np.where(cloud, np.nan, y_m),
            "speed_hz": _round(rng, rng.uniform(1.8e9, 3.5e9, count)),
            "energy_j_per_cycle": rng.uniform(0.9e-7, 1.3e-7, count),
            "tx_energy_j_per_bit": rng.uniform(1.5e-8, 1.9e-8, count),
        },
        "twins": {"count": twins},
        "devices": {
            "twin": _owners(rng, twins, devices),
            "input_bits": _inputs(rng, devices),
            "x_m": device_x,
            "y_m": device_y,
            "uplink_rate_bps": rng.uniform(0.5e9, 1.5e9, devices),
        },
    }


def _measured_terms(rng: Generator, document: dict[str, Any], servers: int, twins: int) -> None:
    """Some of the three matrices; with all three and weights of their own, no formula field."""
    ranges = {
        "pair_transfer_s": (0.05, 1.5),
        "pair_compute_s": (0.1, 2.0),
        "pair_energy_j": (1.0, 60.0),
    }
    everything = rng.random() < 0.08
    for name, (low, high) in ranges.items():
        if everything or rng.random() < 0.12:
            values = _round(rng, rng.uniform(low, high, (twins, servers)))
            document[name] = _holes(rng, values)
    if everything and not isinstance(document["time_weight"], str):
        for name in ("cycles_per_bit", "rate_distance_bps_m", "min_distance_m", "devices", "twins"):
            del document[name]
        document["servers"] = {"kind": document["servers"]["kind"]}


def _couplings(rng: Generator, document: dict[str, Any], servers: int) -> None:
    """Backhauls and deadlines."""
    devices = document.get("devices")
    if devices is not None and rng.random() < 0.28:
        total = len(devices["twin"]) * 2e8 / document["uplink_discount"]
        rates = total / rng.uniform(0.2, 3.0, servers)
        rates[rng.random(servers) < 0.4] = np.nan
        document["servers"]["backhaul_bps"] = rates
    if rng.random() < 0.28:
        tables = TwinAssignment(document).tables
        solo = np.where(tables.allowed, tables.transfer_s + tables.compute_s, np.inf).min(axis=1)
        deadline = np.where(np.isfinite(solo), solo, 1.0) * rng.uniform(1.2, 4.5, len(solo))
        deadline[rng.random(len(solo)) < 0.3] = np.nan
        document.setdefault("twins", {})["deadline_s"] = deadline


def _limits(rng: Generator, document: dict[str, Any], twins: int, servers: int) -> None:
    """Limits of 0.95 to 1.6 of the fair share, some null; whole numbers where they count."""

    def limit(demand: Any, whole: bool = False) -> Floats:
        demand = np.asarray(demand, dtype=np.float64)
        total = demand.mean(axis=1).sum() if demand.ndim == 2 else demand.sum()
        most: Floats = total / servers * rng.uniform(0.95, 1.6, servers)
        if rng.random() < 0.7:  # else a twin may find no server at all
            most = np.maximum(most, demand.max())
        most = np.ceil(most) if whole else most
        most[rng.random(servers) < 0.25] = np.nan
        return most

    limits, devices = document["servers"], document.get("devices")
    if rng.random() < 0.2:
        limits["max_twins"] = limit(np.ones(twins), whole=True)
    if rng.random() < 0.2:
        memory = _round(rng, rng.uniform(1.0, 8.0, twins)) * 2.0**30
        document.setdefault("twins", {})["memory_bytes"] = memory
        limits["memory_bytes"] = limit(memory)
    if devices is not None and rng.random() < 0.2:
        limits["max_devices"] = limit(np.bincount(devices["twin"]), whole=True)
    if devices is not None and rng.random() < 0.2:
        limits["max_input_bits"] = limit(np.bincount(devices["twin"], devices["input_bits"]))
    if rng.random() < 0.2:
        document["pair_load"] = _round(rng, rng.uniform(1.0, 10.0, (twins, servers)))
        document["server_capacity"] = limit(document["pair_load"])
