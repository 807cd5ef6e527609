"""Instance families of channel_choice; the numbers and their reasons are in docs."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.random import Generator

from formulations.channel_choice.generate_paper import (
    BANDWIDTH_HZ,
    NOISE_W,
    POWER_W,
    SERVER_FLOP_PER_S,
    around_base_station,
)
from formulations.channel_choice.generate_tiny import log_uniform, tiny
from optkit.errors import UsageError

_REGIMES = {"hard": (0.3, 1.5), "mid": (0.1, 1.0), "soft": (0.05, 0.3)}

_PAPER = {
    "per_server", "channels", "sharing", "cut_choice", "energy_unit", "cloud_energy_low",
    "bytes_per_element", "split_bandwidth",
}  # fmt: skip
#: The parameters that each family takes.
_TAKES = {
    "tiny": {"balanced", "deadlines"},
    "dense": {"services", "channels", "sharing", "regime", "wr_db", "cloudx"},
    "paper": _PAPER,
    "balance": _PAPER | {"servers", "uneven", "grid", "heads"},
    "joint": _PAPER | {"heads"},
}


def generate(
    family: str,
    seed: int,
    services: int | None = None,
    servers: int | None = None,
    per_server: int | None = None,
    uneven: bool | None = None,
    grid: bool | None = None,
    channels: int | None = None,
    sharing: Literal["equal", "fixed"] | None = None,
    regime: Literal["hard", "mid", "soft"] | None = None,
    wr_db: float | None = None,
    cloudx: float | None = None,
    cut_choice: Literal["rate", "optimal", "input"] | None = None,
    energy_unit: float | None = None,
    cloud_energy_low: float | None = None,
    bytes_per_element: int | None = None,
    split_bandwidth: bool | None = None,
    heads: Literal["count", "work"] | None = None,
    balanced: bool | None = None,
    deadlines: bool | None = None,
) -> dict[str, Any]:
    """A document of a family.

    Parameters
    ----------
    family : one of the problem's families.
    services, regime, wr_db, cloudx : dense: N, what is worth sending, spread of received powers in
        dB, and a factor on an equally shared cloud.
    servers, uneven, grid : balance: H, whether they have 0 to twice as many services instead of
        the same number, and whether they stand on a grid.
    per_server : services at each server (paper, balance, joint).
    channels, sharing : M, and how the cloud is shared (not tiny).
    cut_choice, energy_unit, cloud_energy_low, bytes_per_element, split_bandwidth : of paper,
        balance and joint, see ``generate_paper``.
    heads : how heads share a server (balance, joint).
    balanced, deadlines : tiny: whether there is load balance, and whether there are deadlines.

    Raises
    ------
    UsageError
        A parameter that the family does not take, or out of its range.
    """
    given: dict[str, Any] = {
        "services": services, "servers": servers, "per_server": per_server, "uneven": uneven,
        "grid": grid, "channels": channels, "sharing": sharing, "regime": regime, "wr_db": wr_db,
        "cloudx": cloudx, "cut_choice": cut_choice, "energy_unit": energy_unit,
        "cloud_energy_low": cloud_energy_low, "bytes_per_element": bytes_per_element,
        "split_bandwidth": split_bandwidth, "heads": heads, "balanced": balanced,
        "deadlines": deadlines,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    _check(family, given)
    rng = np.random.default_rng(seed)
    name = "-".join([family, *(f"{key}={value}" for key, value in given.items()), f"s{seed}"])
    if family == "tiny":
        return tiny(rng, name, **given)
    if family == "dense":
        return dense(rng, name, **given)
    if family == "paper":
        return around_base_station(rng, name, **given)
    own: dict[str, Any] = {"heads": "count", "backlog": "some"}
    if family == "balance":
        own |= {"backlog": "surge", "grid": False, "equal_speeds": False}
    return around_base_station(rng, name, **(own | given))


def _check(family: str, given: dict[str, Any]) -> None:
    for name, value in given.items():
        if name not in _TAKES[family]:
            takes = ", ".join(sorted(_TAKES[family]))
            raise UsageError(f"family {family} has no parameter {name}; it has {takes}")
        if name == "bytes_per_element" and value not in (1, 4):
            raise UsageError(f"{name} is {value}, expected 4 or 1")
        if name == "cloud_energy_low" and value > 1.2:
            raise UsageError(f"{name} is {value}, expected at most 1.2")
        least = {"servers": 2, "wr_db": 0, "cloud_energy_low": 0}.get(name, 1)
        if name in ("cloudx", "energy_unit"):
            if not 0 < value < math.inf:
                raise UsageError(f"{name} is {value}, expected a number > 0")
        elif not isinstance(value, (bool, str)) and not least <= value < math.inf:
            raise UsageError(f"{name} is {value}, expected at least {least}")


def dense(
    rng: Generator,
    name: str,
    services: int = 50,
    channels: int = 10,
    sharing: str = "fixed",
    regime: str = "mid",
    wr_db: float = 20.0,
    cloudx: float = 1.0,
) -> dict[str, Any]:
    """Services whose transfers just pay off at a drawn spectral efficiency (bit/s/Hz).

    Five services share each server. Drawn in order, each for all services: input size, time
    weight, energy of servers and of the cloud, holding energy, received power, efficiency.
    """
    home = np.arange(services) // 5
    scale = rng.uniform(2000.0, 3000.0, services) / 2408.0
    alpha = rng.uniform(0.2, 0.8, services)
    server_joule = rng.uniform(0.8e-11, 1.2e-11, home[-1] + 1)
    joule = server_joule[home]
    cloud_joule = joule * rng.uniform(0.3, 0.9, services)
    head, tail = 13.8e9 * scale, 26.8e9 * scale
    hold = rng.uniform(0.0, 0.1, services) * tail * (joule - cloud_joule)
    received = NOISE_W * 10 ** ((40.0 + rng.uniform(0.0, wr_db, services)) / 10.0)
    efficiency = log_uniform(rng, *_REGIMES[regime], services)
    speed = SERVER_FLOP_PER_S / np.bincount(home)[home]
    cloud, share = 24e12, 24e12
    if sharing == "equal":
        cloud = 1.2e12 * services / 2 * 3 * cloudx
        share = 2 * cloud / services
    saved = alpha * tail * (1 / speed - 1 / share)
    saved += (1 - alpha) * (tail * (joule - cloud_joule) - hold)
    bits = efficiency * BANDWIDTH_HZ * np.maximum(saved, 0.0) / (alpha + (1 - alpha) * POWER_W)
    overhead = (head + tail) * (alpha / speed + (1 - alpha) * joule)
    return {
        "problem": "channel_choice",
        "version": 1,
        "name": name,
        "channels": channels,
        "bandwidth_hz": BANDWIDTH_HZ,
        "noise_w": NOISE_W,
        "qos_threshold": float(2.0 * np.median(overhead)),
        "cloud": {"speed_flop_per_s": float(cloud), "sharing": sharing},
        "servers": [
            {"speed_flop_per_s": SERVER_FLOP_PER_S, "energy_j_per_flop": float(value)}
            for value in server_joule
        ],
        "services": [
            {
                "server": int(home[i]),
                "time_weight_per_s": float(alpha[i]),
                "energy_weight_per_j": float(1.0 - alpha[i]),
                "tx_power_w": POWER_W,
                "channel_gain": float(received[i] / POWER_W),
                "cloud_energy_j_per_flop": float(cloud_joule[i]),
                "hold_energy_j": float(hold[i]),
                "cut": 0,
                "cuts": [
                    {
                        "head_flop": float(head[i]),
                        "tail_flop": float(tail[i]),
                        "transfer_bits": float(bits[i]),
                        "tail_param_bytes": 0.0,
                    }
                ],
            }
            for i in range(services)
        ],
    }
