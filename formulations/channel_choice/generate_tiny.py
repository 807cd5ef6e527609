"""The tiny family of channel_choice: every option at random, small enough to enumerate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_DECISIONS = 60_000
_NOISE_W = 1e-13
_BANDWIDTH_HZ = 1e6


def log_uniform(rng: Generator, low: float, high: float, shape: Any = None) -> Any:
    """Numbers whose logarithms are uniform."""
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))


def tiny(
    rng: Generator, name: str, balanced: bool | None = None, deadlines: bool | None = None
) -> dict[str, Any]:
    """A random instance of at most 60,000 decisions with every option drawn at random.

    What a service sends is drawn around what would just pay off with half of all services
    offloaded, so that some may share a channel, some need their own, and some stay at home.
    Drawn in order: sizes and options, servers, cloud, then each service.

    Parameters
    ----------
    rng, name : where numbers come from, and the name.
    balanced, deadlines : whether there is load balance (with several servers) and whether there
        are deadlines; drawn by default.
    """
    services, servers, channels, balance = _sizes(rng, balanced)
    options = _options(rng, balance)
    timed = rng.random() < 0.3 if deadlines is None else deadlines
    home = rng.integers(0, servers, services)
    speed = log_uniform(rng, 1e9, 4e9, servers)
    joule = log_uniform(rng, 1e-10, 4e-10, servers)
    document: dict[str, Any] = {
        "problem": "channel_choice",
        "version": 1,
        "name": name,
        "channels": channels,
        "bandwidth_hz": _BANDWIDTH_HZ,
        "noise_w": _NOISE_W,
        "qos_threshold": float(log_uniform(rng, 0.3, 6.0)),
        **options,
        "servers": [
            {"speed_flop_per_s": float(speed[h]), "energy_j_per_flop": float(joule[h])}
            for h in range(servers)
        ],
    }
    if servers > 1:
        for h, server in enumerate(document["servers"]):
            server["nearest"] = (h + int(rng.integers(1, servers))) % servers
    if balance is not None:
        document["load_balance"] = {"sharing": balance}
        for server in document["servers"]:
            if rng.random() < 0.6:
                server["backlog_flop"] = float(rng.exponential(6e9))
    own = speed[home]
    if options["edge_sharing"] == "count":
        own = own / np.bincount(home)[home]
    half = (services + 1) // 2
    efficiency = (0.02, 1.5) if rng.random() < 0.6 else (0.1, 8.0)
    equal = options["cloud"]["sharing"] == "equal"
    cloud = own.mean() * float(log_uniform(rng, 1.5, 8.0)) * (half if equal else 1)
    options["cloud"]["speed_flop_per_s"] = float(cloud)
    document["services"] = [
        _service(rng, document, int(h), own[i], cloud / (half if equal else 1), timed, efficiency)
        for i, h in enumerate(home)
    ]
    return document


def _sizes(rng: Generator, balanced: bool | None) -> tuple[int, int, int, str | None]:
    """Services, servers, channels, and how heads share where there is load balance."""
    balance = rng.random() < 0.45 if balanced is None else balanced
    while True:
        services, channels = int(rng.integers(2, 7)), int(rng.integers(1, 4))
        servers = int(rng.integers(2 if balanced else 1, 4))
        several = balance and servers > 1
        decisions = float((channels + 1) ** services) * (2**services if several else 1)
        if decisions <= _MOST_DECISIONS:
            sharing = str(rng.choice(["count", "work"], p=[0.6, 0.4]))
            return services, servers, channels, sharing if several else None


def _options(rng: Generator, balance: str | None) -> dict[str, Any]:
    choices = ["given", "rate", "optimal", "input"]
    weights = np.array([0.3, 0.2, 0.0 if balance == "work" else 0.35, 0.15])
    fraction: Any = "optimal"
    if rng.random() < 0.3:
        fraction = float(rng.choice([1.0, rng.uniform(0.5, 1.0)]))
    return {
        "cloud": {"sharing": str(rng.choice(["equal", "fixed"]))},
        "delay_model": str(rng.choice(["sum", "parallel"])),
        "transfer": str(rng.choice(["full", "scaled"])),
        "segmentation": fraction,
        "cut_choice": str(rng.choice(choices, p=weights / weights.sum())),
        "cut_weights": [float(weight) for weight in rng.choice([0.0, 0.5, 1.0], 2)],
        "cut_revenue": str(rng.choice(["tail", "layer"], p=[0.75, 0.25])),
        "edge_sharing": str(rng.choice(["count", "none"])),
        "require_profitable": bool(rng.random() < 0.7),
    }


def _service(
    rng: Generator,
    document: dict[str, Any],
    home: int,
    own: float,
    cloud: float,
    timed: bool,
    efficiency: tuple[float, float],
) -> dict[str, Any]:
    """A service that shares its server's and the cloud's speed, for which offloading just pays off
    at a spectral efficiency in that range (bit/s/Hz)."""
    alpha = float(rng.uniform(0.2, 0.8))
    power = float(rng.uniform(0.05, 0.5))
    received = _NOISE_W * 10 ** rng.uniform(1.5, 3.5)
    joule = document["servers"][home]["energy_j_per_flop"]
    cloud_joule = float(joule * rng.uniform(0.2, 1.1))
    total = float(log_uniform(rng, 1e9, 6e9))
    head = _heads(rng, document["cut_choice"]) * total
    hold = float(rng.choice([0.0, rng.uniform(0.0, 0.1)]) * joule * total)
    # What just pays off at r bit/s/Hz, when the whole tail of that cut is offloaded.
    tail = total - head
    saved = alpha * tail * (1 / own - 1 / cloud)
    saved += (1 - alpha) * (tail * (joule - cloud_joule) - hold)
    just = np.maximum(saved, 0.02 * saved.max()) * _BANDWIDTH_HZ / (alpha + (1 - alpha) * power)
    spread = log_uniform(rng, *efficiency) * log_uniform(rng, 0.7, 1.6, len(head))
    bits = np.maximum(just, 1e3) * spread
    stored = log_uniform(rng, 1e5, 1e8) * np.sort(rng.random(len(head)))[::-1]
    service: dict[str, Any] = {
        "server": home,
        "time_weight_per_s": alpha,
        "energy_weight_per_j": 1.0 - alpha,
        "tx_power_w": power,
        "channel_gain": float(received / power),
        "cloud_energy_j_per_flop": cloud_joule,
        "hold_energy_j": hold,
        "cut": int(rng.integers(0, len(head))),
        "cuts": [
            {
                "head_flop": float(head[c]),
                "tail_flop": float(tail[c]),
                "transfer_bits": float(bits[c]),
                "tail_param_bytes": float(stored[c]),
            }
            for c in range(len(head))
        ],
    }
    if timed and rng.random() < 0.6:
        service["deadline_s"] = float(total / own * log_uniform(rng, 0.6, 4.0))
    return service


def _heads(rng: Generator, cut_choice: str) -> Floats:
    """Shares of the FLOP before each cut, ascending; mostly from the input to the last layer."""
    count = int(rng.integers(1, 6))
    shares: Floats = np.sort(rng.uniform(0.0, 0.8, count))
    if cut_choice in ("rate", "input") or rng.random() < 0.7:
        shares[0] = 0.0
    if count > 1 and rng.random() < 0.3:
        shares[-1] = 1.0
    return shares
