"""Instance families of dt_assignment; the numbers and their reasons are in docs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from formulations.dt_assignment.generate_tiny import tiny
from formulations.dt_assignment.instance import TwinAssignment
from optkit.errors import UsageError, suggestion

Floats = NDArray[np.float64]

COUPLINGS = ("load", "memory", "count", "equal", "proportional", "optimal", "wspt", "backhaul",
             "deadline")  # fmt: skip
_RULES = ("equal", "proportional", "optimal", "wspt")
#: Parameters that one coupling alone reads.
_FACTORS = {"load_factor": "load", "deadline_factor": "deadline"}
_GIB_BYTES = 2.0**30
#: Edge servers (one cloud stands beside them), twins, devices.
_SIZES = {
    "small": (3, 10, 60),
    "paper": (3, 15, 120),
    "4x": (12, 60, 480),
    "10x": (30, 150, 1200),
    "30x": (90, 450, 3600),
    "100x": (300, 1500, 12000),
}


def generate(
    family: str,
    seed: int,
    couplings: str | None = None,
    environment: int | None = None,
    delay_weight: float | None = None,
    load_factor: float | None = None,
    deadline_factor: float | None = None,
    servers: int | None = None,
    twins: int | None = None,
    devices: int | None = None,
) -> dict[str, Any]:
    """A document of a family.

    Parameters
    ----------
    family : one of the problem's families; tiny takes no further parameter.
    couplings : words of load, memory, count, equal, proportional, optimal, wspt, backhaul and
        deadline, separated by commas; none by default, and one drawn at random in small. Tiny and
        gap-* take "" alone.
    environment : seed of the edge servers alone, so that instances of many seeds share them.
    delay_weight : alpha, 0 to 1; 0.9 by default.
    load_factor : how much input all servers take, as a multiple of all that there is; 1.05 by
        default. With load alone.
    deadline_factor : of the best latency that a twin has alone; 1.5 by default, and 4 where
        twins share the processors. With deadline alone.
    servers : S, the cloud among them; twins, devices : M and N (8 for each twin by default).

    Raises
    ------
    UsageError
        A parameter that the family or its couplings do not read, or out of its range.
    """
    given: dict[str, Any] = {
        "couplings": couplings or None, "environment": environment, "delay_weight": delay_weight,
        "load_factor": load_factor, "deadline_factor": deadline_factor, "servers": servers,
        "twins": twins, "devices": devices,
    }  # fmt: skip
    _check(family, {name: value for name, value in given.items() if value is not None})
    rng = np.random.default_rng(seed)
    if family == "tiny":
        return tiny(rng, f"tiny-s{seed}")
    if family.startswith("gap-"):
        return _assignment(rng, family, seed, servers or 5, twins or 50)
    edges, twin_count, device_count = _SIZES[family]
    if twins is not None:
        twin_count, device_count = twins, 8 * twins
    if servers is not None:
        edges = servers - 1
    if devices is not None:
        device_count = devices
    if device_count < twin_count:
        raise UsageError(f"devices is {device_count}, expected one for each of {twin_count} twins")
    clustered = family.endswith("x")
    place = rng if environment is None else np.random.default_rng(environment)
    document = _field(place, rng, edges, twin_count, device_count, clustered)
    document["delay_weight"] = 0.9 if delay_weight is None else delay_weight
    if couplings is None and family == "small":
        words = [str(rng.choice(COUPLINGS))]
    else:
        words = _words(couplings or "")
    for name, word in _FACTORS.items():
        if given[name] is not None and word not in words:
            found = ",".join(words) or "none"
            raise UsageError(f"{name} needs the coupling {word}, the couplings are {found}")
    if load_factor is None:
        load_factor = 1.05
    if deadline_factor is None:
        deadline_factor = 4.0 if set(words) & set(_RULES) else 1.5
    _couple(rng, document, words, load_factor, deadline_factor)
    shared = () if environment is None else (f"e{environment}",)
    standard = (edges, twin_count, device_count) == _SIZES[family]
    resized = () if standard else (f"{edges + 1}x{twin_count}x{device_count}",)
    document["name"] = "-".join([family, *resized, *words, *shared, f"s{seed}"])
    return document


def _check(family: str, given: dict[str, Any]) -> None:
    """Refuse what the family does not read and what is out of range."""
    takes = list(given)
    if family == "tiny" or family.startswith("gap-"):
        takes = [] if family == "tiny" else ["servers", "twins"]
    for name, value in given.items():
        if name not in takes:
            has = f"it has {', '.join(takes)}" if takes else "it has none"
            raise UsageError(f"family {family} has no parameter {name}; {has}")
        if name in ("servers", "twins", "devices") and value < 1:
            raise UsageError(f"{name} is {value}, expected at least 1")
        if name == "environment" and value < 0:
            raise UsageError(f"environment is {value}, expected a seed >= 0")
        if name in _FACTORS and not 0 < value < math.inf:
            raise UsageError(f"{name} is {value}, expected a number > 0")


def _words(couplings: str) -> list[str]:
    words = [word.strip() for word in couplings.split(",") if word.strip()]
    for word in words:
        if word not in COUPLINGS:
            known = ", ".join(COUPLINGS)
            hint = suggestion(word, COUPLINGS)
            raise UsageError(f"unknown coupling {word[:60]!r}{hint}; known: {known}")
        if words.count(word) > 1:
            raise UsageError(f"the couplings hold {word} more than once")
    if len(set(words) & set(_RULES)) > 1:
        raise UsageError(f"the couplings hold more than one of {', '.join(_RULES)}")
    return words


def _field(
    place: Generator, rng: Generator, edges: int, twins: int, devices: int, clustered: bool
) -> dict[str, Any]:
    """Table 2 of the paper in SI units, without couplings."""
    widen = np.sqrt(edges / 3) if clustered else 1.0
    width_m, height_m = 1000.0 * max(widen, 1.0), 800.0 * max(widen, 1.0)
    edge_x, edge_y = place.uniform(0, width_m, edges), place.uniform(0, height_m, edges)
    speed_hz = place.uniform(1.8e9, 3.0e9, edges)
    input_bits = np.rint(rng.uniform(0.8e8, 3.2e8, devices))
    owner = np.concatenate([np.arange(twins), rng.integers(0, twins, devices - twins)])
    rng.shuffle(owner)
    if clustered:
        centre_x, centre_y = rng.uniform(0, width_m, twins), rng.uniform(0, height_m, twins)
        x_m = np.clip(rng.normal(centre_x[owner], 80.0), 0, width_m)
        y_m = np.clip(rng.normal(centre_y[owner], 80.0), 0, height_m)
    else:
        x_m, y_m = rng.uniform(0, width_m, devices), rng.uniform(0, height_m, devices)
    return {
        "problem": "dt_assignment",
        "version": 1,
        "energy_ref_j": 20.0,
        "cycles_per_bit": 1.0,
        "rate_distance_bps_m": 4e11,
        "uplink_discount": 0.5,
        "servers": {
            "kind": ["edge"] * edges + ["cloud"],
            "x_m": np.append(edge_x, np.nan),
            "y_m": np.append(edge_y, np.nan),
            "speed_hz": np.append(speed_hz, 3.5e9),
            "energy_j_per_cycle": np.append(np.full(edges, 1.25e-7), 1e-7),
            "tx_energy_j_per_bit": np.append(np.full(edges, 1.5625e-8), 1.875e-8),
        },
        "twins": {"count": twins},
        "devices": {
            "twin": owner,
            "input_bits": input_bits,
            "x_m": x_m,
            "y_m": y_m,
            "uplink_rate_bps": np.full(devices, 1e9),
        },
    }


def _couple(
    rng: Generator,
    document: dict[str, Any],
    words: list[str],
    load_factor: float,
    deadline_factor: float,
) -> None:
    """Add the couplings; limits never forbid a twin of its own."""
    servers, twins, devices = document["servers"], document["twins"], document["devices"]
    count, server_count = twins["count"], len(servers["kind"])
    owner, input_bits = devices["twin"], devices["input_bits"]
    for word in words:
        if word == "load":
            work = np.bincount(owner, input_bits)
            share = servers["speed_hz"] / servers["speed_hz"].sum()
            servers["max_input_bits"] = np.maximum(work.max(), load_factor * work.sum() * share)
        elif word == "memory":
            memory = rng.uniform(1.0, 8.0, count) * _GIB_BYTES
            limit = max(memory.max(), 1.05 * memory.sum() / server_count)
            twins["memory_bytes"] = memory
            servers["memory_bytes"] = np.full(server_count, limit)
            most = max(int(np.bincount(owner).max()), -(-11 * len(owner) // (10 * server_count)))
            servers["max_devices"] = np.full(server_count, float(most))
        elif word == "count":
            servers["max_twins"] = np.full(server_count, float(-(-count // server_count)))
        elif word == "backhaul":
            rates = np.full(server_count, np.nan)
            rates[-1] = 20e9 * len(owner) / 120
            servers["backhaul_bps"] = rates
        elif word == "deadline":
            t = TwinAssignment(document).tables
            best = (t.transfer_s + t.compute_s).min(axis=1)
            twins["deadline_s"] = deadline_factor * best * rng.uniform(1.0, 1.5, count)
        else:
            document["cpu_sharing"] = word


def _assignment(rng: Generator, family: str, seed: int, servers: int, twins: int) -> dict[str, Any]:
    """A generalised assignment problem of the literature's type c, d or e."""
    shape = (twins, servers)
    if family == "gap-c":
        load = rng.integers(5, 26, shape).astype(float)
        cost = rng.integers(10, 51, shape).astype(float)
    elif family == "gap-d":
        load = rng.integers(1, 101, shape).astype(float)
        cost = 111.0 - load + rng.integers(-10, 11, shape)
    else:
        load = 1.0 - 10.0 * np.log(1.0 - rng.random(shape))
        cost = 1000.0 / load - 10.0 * rng.random(shape)
    return {
        "problem": "dt_assignment",
        "version": 1,
        "name": f"{family}-{servers}x{twins}-s{seed}",
        "pair_cost": cost,
        "pair_load": load,
        "server_capacity": 0.8 * load.sum(axis=0) / servers,
    }
