"""A plain reading of the specification of channel_choice, one service after another."""

from __future__ import annotations

import math
from typing import Any

TOLERANCE = 1 + 1e-9


def plain_evaluate(document: dict[str, Any], x: list[int]) -> dict[str, Any]:
    """Objective, terms and violations of one decision; cuts must be written out."""
    services = document["services"]
    count = len(services)
    channel, omega = x[:count], x[count:] or [0] * count
    offloaders = sum(c > 0 for c in channel)
    own_qos, home_qos, delays, energies = [], [], [], []
    unprofitable, late = [0.0] * count, [0.0] * count
    moved = tails = 0.0
    for i, service in enumerate(services):
        home = at_home(document, i, omega)
        chosen = home
        if channel[i] > 0:
            gamma = sum(
                power(other)
                for j, other in enumerate(services)
                if j != i and channel[j] == channel[i]
            )
            chosen = offloaded(document, i, omega, gamma, offloaders)
            excess = chosen["overhead"] - home["overhead"]
            if chosen["overhead"] > home["overhead"] * TOLERANCE:
                unprofitable[i] = excess
        deadline = service.get("deadline_s")
        if deadline is not None and chosen["delay"] > deadline * TOLERANCE:
            late[i] = chosen["delay"] - deadline
        own_qos.append(qos(document, chosen["overhead"]))
        home_qos.append(qos(document, home["overhead"]))
        delays.append(chosen["delay"])
        energies.append(chosen["energy"])
        moved += chosen["delta"] * chosen["tail"]
        tails += chosen["tail"]
    violations: dict[str, Any] = {}
    if document.get("require_profitable", True):
        violations["unprofitable"] = unprofitable
    if any(service.get("deadline_s") is not None for service in services):
        violations["deadline"] = late
    terms = {
        "qos_total": sum(own_qos),
        "qos_local": sum(home_qos),
        "gain_total": sum(own_qos) - sum(home_qos),
        "delay_s": sum(delays),
        "energy_j": sum(energies),
        "offloaded": offloaders,
        "offload_rate_flop": moved / tails if tails else 0.0,
        "offload_rate_count": offloaders / count,
        "qos": own_qos,
    }
    return {"objective": sum(own_qos), "terms": terms, "violations": violations}


def power(service: dict[str, Any]) -> float:
    return float(service["tx_power_w"] * service["channel_gain"])


def qos(document: dict[str, Any], overhead: float) -> float:
    return 1 - math.log2(1 + overhead / document["qos_threshold"])


def tail_speed(document: dict[str, Any], i: int) -> float:
    home = document["services"][i]["server"]
    speed = float(document["servers"][home]["speed_flop_per_s"])
    if document.get("edge_sharing", "count") == "none":
        return speed
    return speed / sum(service["server"] == home for service in document["services"])


def candidates(document: dict[str, Any], i: int) -> list[int]:
    """The cuts that a service may have."""
    service, rule = document["services"][i], document.get("cut_choice", "given")
    if rule == "optimal":
        return list(range(len(service["cuts"])))
    if rule == "rate":
        return [rate_cut(document, service["cuts"])]
    return [0 if rule == "input" else service["cut"]]


def rate_cut(document: dict[str, Any], cuts: list[dict[str, float]]) -> int:
    total = cuts[0]["head_flop"] + cuts[0]["tail_flop"]
    computing, memory = document.get("cut_weights", [1.0, 0.0])
    best, best_rate = -1, -math.inf
    for index, cut in enumerate(cuts):
        work, stored = cut["tail_flop"], cut["tail_param_bytes"]
        if document.get("cut_revenue", "tail") == "layer":
            before = cuts[max(index - 1, 0)]
            work, stored = before["tail_flop"] - work, before["tail_param_bytes"] - stored
        share = stored / cuts[0]["tail_param_bytes"] if cuts[0]["tail_param_bytes"] else 0.0
        revenue = computing * work / total + memory * share
        rate = revenue / (cut["transfer_bits"] / cuts[0]["transfer_bits"])
        if cut["tail_flop"] > 0 and rate > best_rate:
            best, best_rate = index, rate
    return best


def head(document: dict[str, Any], i: int, omega: list[int], cut: int) -> tuple[float, float]:
    """Seconds and joules of the head part of service i, cut there."""
    services, servers = document["services"], document["servers"]
    balance = document.get("load_balance")
    home = services[i]["server"]
    flop = services[i]["cuts"][cut]["head_flop"]
    if balance is None:
        return flop / tail_speed(document, i), flop * servers[home]["energy_j_per_flop"]
    places = [
        servers[s["server"]]["nearest"] if o else s["server"]
        for s, o in zip(services, omega, strict=True)
    ]
    here = [j for j, place in enumerate(places) if place == places[i]]
    if balance.get("sharing", "count") == "count":
        work = len(here) * flop
    else:
        work = sum(services[j]["cuts"][candidates(document, j)[0]]["head_flop"] for j in here)
    server = servers[places[i]]
    seconds = (server.get("backlog_flop", 0.0) + work) / server["speed_flop_per_s"]
    return seconds, flop * server["energy_j_per_flop"]


def best(
    options: list[dict[str, float]], deadline: float | None, tie: float = 0.0
) -> dict[str, float]:
    """The least overhead of what meets the deadline, of everything if nothing does."""
    if deadline is not None:
        met = [option for option in options if option["delay"] <= deadline * TOLERANCE]
        options = met or options
    least = min(option["overhead"] for option in options)
    return next(option for option in options if option["overhead"] <= least * (1 + tie))


def at_home(document: dict[str, Any], i: int, omega: list[int]) -> dict[str, float]:
    service = document["services"][i]
    server = document["servers"][service["server"]]
    options = []
    for cut in candidates(document, i):
        seconds, joules = head(document, i, omega, cut)
        tail = service["cuts"][cut]["tail_flop"]
        options.append(
            priced(
                service,
                seconds + tail / tail_speed(document, i),
                joules + tail * server["energy_j_per_flop"],
            )
            | {"cut": cut, "delta": 0.0, "tail": tail}
        )
        if document.get("load_balance") is None:
            break  # it is the same everywhere
    return best(options, service.get("deadline_s"), tie=1e-13)


def priced(service: dict[str, Any], seconds: float, joules: float) -> dict[str, float]:
    overhead = service["time_weight_per_s"] * seconds + service["energy_weight_per_j"] * joules
    return {"overhead": overhead, "delay": seconds, "energy": joules}


def offloaded(
    document: dict[str, Any], i: int, omega: list[int], gamma: float, offloaders: int
) -> dict[str, float]:
    """What service i costs that meets interference gamma."""
    service = document["services"][i]
    options = [
        offload_at(document, i, omega, gamma, offloaders, cut, delta)
        for cut in candidates(document, i)
        for delta in fractions(document, i, omega, gamma, offloaders, cut)
    ]
    return best(options, service.get("deadline_s"))


def parts(
    document: dict[str, Any], i: int, gamma: float, offloaders: int, cut: int
) -> tuple[float, float, float]:
    """Seconds of the whole tail at home, of the whole tail at the cloud, and of the transfer."""
    service = document["services"][i]
    row, cloud = service["cuts"][cut], document["cloud"]
    w = power(service)
    rate = document["bandwidth_hz"] * math.log2(1 + w / (document["noise_w"] + gamma))
    speed = cloud["speed_flop_per_s"]
    if cloud.get("sharing", "equal") == "equal":
        speed /= offloaders
    tail = row["tail_flop"]
    return tail / tail_speed(document, i), tail / speed, row["transfer_bits"] / rate


def offload_at(
    document: dict[str, Any],
    i: int,
    omega: list[int],
    gamma: float,
    offloaders: int,
    cut: int,
    delta: float,
) -> dict[str, float]:
    """What a fraction delta of the tail costs at the cloud."""
    service = document["services"][i]
    server = document["servers"][service["server"]]
    t, u, d = parts(document, i, gamma, offloaders, cut)
    sent = d * delta if document.get("transfer", "full") == "scaled" else d
    seconds, joules = head(document, i, omega, cut)
    if document.get("delay_model", "sum") == "parallel":
        seconds += max((1 - delta) * t, sent + delta * u)
    else:
        seconds += (1 - delta) * t + delta * u + sent
    tail = service["cuts"][cut]["tail_flop"]
    joules += service["tx_power_w"] * sent + (1 - delta) * tail * server["energy_j_per_flop"]
    joules += delta * tail * service["cloud_energy_j_per_flop"] + service["hold_energy_j"]
    return priced(service, seconds, joules) | {"cut": cut, "delta": delta, "tail": tail}


def fractions(
    document: dict[str, Any], i: int, omega: list[int], gamma: float, offloaders: int, cut: int
) -> list[float]:
    """Fractions among which the best is: ends, kink, and where the deadline is just met."""
    chosen = document.get("segmentation", "optimal")
    if chosen != "optimal":
        return [chosen]
    t, u, d = parts(document, i, gamma, offloaders, cut)
    fixed, scaled = (0.0, d) if document.get("transfer", "full") == "scaled" else (d, 0.0)
    # Locally (1 - delta) t, in the cloud fixed + delta (scaled + u).
    sides = [(t, -t), (fixed, scaled + u)]
    if document.get("delay_model", "sum") == "sum":
        sides = [(t + fixed, scaled + u - t)]
    found = [0.0, 1.0]
    if len(sides) == 2 and t + scaled + u > 0:
        found.append((t - fixed) / (t + scaled + u))
    deadline = document["services"][i].get("deadline_s")
    if deadline is not None:
        room = deadline - head(document, i, omega, cut)[0]
        found += [(room - start) / slope for start, slope in sides if slope != 0]
    return [delta for delta in found if 0 <= delta <= 1]
