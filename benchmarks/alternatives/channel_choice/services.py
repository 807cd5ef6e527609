"""What services gain by offloading, from the file's fields alone and in plain Python.

Written apart from the tables that optkit's own methods use, so that agreement means something.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Service:
    """A service whose one cut is given, with a cloud of fixed speed.

    Parameters
    ----------
    power_w : received, w_i.
    home : overhead at home (Eqs. 9-11).
    away : overhead of offloading but for the transfer; `second` : overhead of a second of it.
    bits : to transfer.
    """

    power_w: float
    home: float
    away: float
    second: float
    bits: float


def services_of(document: Mapping[str, Any]) -> list[Service]:
    """The services of a canonical document of the family dense.

    Raises
    ------
    ValueError
        It uses more than that family does with ``sharing`` "fixed".
    """
    known = {
        "problem", "version", "name", "channels", "bandwidth_hz", "noise_w", "qos_threshold",
        "cloud", "servers", "services",
    }  # fmt: skip
    if set(document) - known or document["cloud"].get("sharing") != "fixed":
        raise ValueError("no alternative reads more than services with one cut and a fixed cloud")
    homes = [service["server"] for service in document["services"]]
    return [_service(document, service, homes) for service in document["services"]]


def _service(document: Mapping[str, Any], service: Mapping[str, Any], homes: list[int]) -> Service:
    server = document["servers"][service["server"]]
    (cut,) = service["cuts"]
    speed = server["speed_flop_per_s"] / homes.count(service["server"])
    alpha, beta = service["time_weight_per_s"], service["energy_weight_per_j"]
    head, tail = cut["head_flop"], cut["tail_flop"]
    each = alpha / speed + beta * server["energy_j_per_flop"]
    cloud = alpha / document["cloud"]["speed_flop_per_s"]
    cloud += beta * service["cloud_energy_j_per_flop"]
    return Service(
        power_w=service["tx_power_w"] * service["channel_gain"],
        home=(head + tail) * each,
        away=head * each + tail * cloud + beta * service.get("hold_energy_j", 0.0),
        second=alpha + beta * service["tx_power_w"],
        bits=cut["transfer_bits"],
    )


def qos(document: Mapping[str, Any], overhead: float) -> float:
    """Quality of service of an overhead (Eq. 19)."""
    return 1.0 - math.log2(1.0 + overhead / document["qos_threshold"])


def gain(document: Mapping[str, Any], service: Service, load_w: float) -> float:
    """What offloading adds to a service's quality on a channel of this received power."""
    noise_w = document["noise_w"] + load_w - service.power_w
    rate = document["bandwidth_hz"] * math.log2(1.0 + service.power_w / noise_w)
    away = service.away + service.second * service.bits / rate
    return qos(document, away) - qos(document, service.home)


def worth(document: Mapping[str, Any], members: Sequence[Service]) -> float | None:
    """The gain of services that share a channel, ``None`` if one of them would lose."""
    load_w = sum(service.power_w for service in members)
    gains = [gain(document, service, load_w) for service in members]
    return sum(gains) if min(gains, default=0.0) >= 0.0 else None
