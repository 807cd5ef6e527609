"""The families of channel_choice on edge servers around a base station (paper 000)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from formulations.channel_choice.partition import BITS, HEAD, PARAM_BYTES, TAIL, network_cuts

Floats = NDArray[np.float64]

NOISE_W = 1e-13  # -100 dBm
BANDWIDTH_HZ = 15e6
POWER_W = 0.15
SERVER_FLOP_PER_S = 6e12
CLOUD_FLOP_PER_S = 14e12
SIDE_M = 300.0
_NEAREST_BASE_STATION_M = 10.0
_SHADOWING_DB = 4.0
_INPUT_KB = 2408.0  # of 448 x 448 x 3 values of 4 bytes


def around_base_station(
    rng: Generator,
    name: str,
    *,
    servers: int = 9,
    per_server: int = 1,
    uneven: bool = False,
    channels: int = 15,
    sharing: str = "equal",
    cut_choice: str = "rate",
    energy_unit: float = 1e-10,
    cloud_energy_low: float = 0.8,
    bytes_per_element: int = 4,
    split_bandwidth: bool = False,
    grid: bool = True,
    equal_speeds: bool = True,
    backlog: str = "none",
    heads: str | None = None,
) -> dict[str, Any]:
    """YOLOv1 services at edge servers in a square of 300 m, the base station in its middle.

    Drawn in order: server places (unless on the grid), server speeds (unless equal), services of
    each server (if uneven), server energies, backlogs, then for all services: input size, time
    weight, cloud energy, holding energy, shadowing.

    Parameters
    ----------
    servers, per_server, uneven : H, and services at each, or between 0 and twice as many.
    channels, sharing, cut_choice : as in the file.
    energy_unit : energies are 0.8 to 1.2 times this, in J/FLOP.
    cloud_energy_low : those of the cloud are from this to 1.2 times.
    bytes_per_element : 4 for float32, 1 for int8.
    split_bandwidth : whether the 15 MHz are all channels' together.
    grid, equal_speeds : else places are uniform, speeds from 4 to 8 TFLOP/s.
    backlog : "none", "surge" (a little everywhere, much at 0.3 of the servers) or "some" (at 0.4).
    heads : how heads share a server, for load balance.
    """
    place = _grid(servers) if grid else rng.uniform(0.0, SIDE_M, (servers, 2))
    speed = np.full(servers, SERVER_FLOP_PER_S)
    if not equal_speeds:
        speed = rng.uniform(4e12, 8e12, servers)
    counts = np.full(servers, per_server)
    while uneven:
        counts = rng.integers(0, 2 * per_server + 1, servers)
        if counts.any():
            break
    home = np.repeat(np.arange(servers), counts)
    services = len(home)
    joule = rng.uniform(0.8, 1.2, servers) * energy_unit
    waiting = _backlog(rng, backlog, servers)
    scale = rng.uniform(2000.0, 3000.0, services) / _INPUT_KB
    alpha = rng.uniform(0.2, 0.8, services)
    cloud_joule = rng.uniform(cloud_energy_low, 1.2, services) * energy_unit
    hold = rng.uniform(0.0, 0.02, services)
    metres = np.hypot(*(place[home] - SIDE_M / 2).T)
    shadowing = 10 ** (rng.normal(0.0, _SHADOWING_DB, services) / 10.0)
    gain = np.maximum(metres, _NEAREST_BASE_STATION_M) ** -4.0 * shadowing
    flop = network_cuts("yolov1")[0, TAIL] * scale
    overhead = flop * (alpha / speed[home] + (1 - alpha) * joule[home])
    document: dict[str, Any] = {
        "problem": "channel_choice",
        "version": 1,
        "name": name,
        "channels": channels,
        "bandwidth_hz": BANDWIDTH_HZ / (channels if split_bandwidth else 1),
        "noise_w": NOISE_W,
        "qos_threshold": float(2.0 * np.median(overhead)),
        "cloud": {"speed_flop_per_s": CLOUD_FLOP_PER_S, "sharing": sharing},
        "cut_choice": cut_choice,
        "servers": [
            {
                "speed_flop_per_s": float(speed[h]),
                "energy_j_per_flop": float(joule[h]),
                "x_m": float(place[h, 0]),
                "y_m": float(place[h, 1]),
                "backlog_flop": float(waiting[h]),
            }
            for h in range(servers)
        ],
        "services": [
            {
                "server": int(home[i]),
                "time_weight_per_s": float(alpha[i]),
                "energy_weight_per_j": float(1.0 - alpha[i]),
                "tx_power_w": POWER_W,
                "channel_gain": float(gain[i]),
                "cloud_energy_j_per_flop": float(cloud_joule[i]),
                "hold_energy_j": float(hold[i]),
                "cut": 0,
                **_network(float(scale[i]), bytes_per_element),
            }
            for i in range(services)
        ],
    }
    if servers > 1:
        for server, nearest in zip(document["servers"], _nearest(place), strict=True):
            server["nearest"] = int(nearest)
    if heads is not None:
        document["load_balance"] = {"sharing": heads}
    return document


def _grid(servers: int) -> Floats:
    """Places [H, 2] in the middle of the first cells of the smallest square grid."""
    side = int(np.ceil(np.sqrt(servers)))
    row, column = np.divmod(np.arange(servers), side)
    return (np.stack([column, row], axis=1) + 0.5) * (SIDE_M / side)


def _nearest(place: Floats) -> NDArray[np.int64]:
    """The nearest other server of each [H], the first one of equals."""
    square = ((place[:, None] - place[None]) ** 2).sum(axis=2)
    np.fill_diagonal(square, np.inf)
    nearest: NDArray[np.int64] = np.argmin(square, axis=1)
    return nearest


def _backlog(rng: Generator, kind: str, servers: int) -> Floats:
    if kind == "surge":
        usual = rng.exponential(1e10, servers)
        return usual + np.where(rng.random(servers) < 0.3, rng.exponential(1e11, servers), 0.0)
    if kind == "some":
        return np.where(rng.random(servers) < 0.4, rng.exponential(3e12, servers), 0.0)
    return np.zeros(servers)


def _network(scale: float, bytes_per_element: int) -> dict[str, Any]:
    """The cuts of YOLOv1: by name, or written out where elements have not the usual 4 bytes."""
    if bytes_per_element == 4:
        return {"model": "yolov1", "input_scale": scale}
    small = bytes_per_element / 4
    rows = network_cuts("yolov1") * np.array([scale, scale, scale * small, small])
    return {
        "cuts": [
            {
                "head_flop": float(row[HEAD]),
                "tail_flop": float(row[TAIL]),
                "transfer_bits": float(row[BITS]),
                "tail_param_bytes": float(row[PARAM_BYTES]),
            }
            for row in rows
        ]
    }
