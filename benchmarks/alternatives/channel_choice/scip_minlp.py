"""Channels under interference as a nonlinear programme for SCIP, as one would write it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from alternatives.channel_choice.services import services_of


def scip_minlp(document: Mapping[str, Any], time_limit_s: float) -> dict[str, Any]:
    """Build the programme and solve it; the time limit is for solving alone.

    The interference of a service is in units of the noise and comes from those on its channel, by
    large constants; its rate and its quality are logarithms.
    """
    from pyscipopt import Model, log, quicksum

    start = time.perf_counter()
    services, channels = services_of(document), range(document["channels"])
    noise, threshold = document["noise_w"], document["qos_threshold"]
    model = Model()
    model.hideOutput()
    model.setParam("limits/time", time_limit_s)
    model.setParam("limits/gap", 1e-6)
    power = [service.power_w / noise for service in services]
    most = sum(power)
    x = [[model.addVar(vtype="B") for _ in channels] for _ in services]
    quality = []
    for i, service in enumerate(services):
        away = quicksum(x[i])
        model.addCons(away <= 1)
        # Bits per second and hertz are at least those with everybody else on the channel.
        others = most - power[i]
        least = math.log2(1 + power[i] / (1 + others))
        largest = math.log2(1 + power[i])
        interference = model.addVar(lb=0.0, ub=others)
        for c in channels:
            heard = quicksum(power[j] * x[j][c] for j in range(len(services)) if j != i)
            model.addCons(interference >= heard - others * (1 - x[i][c]))
        efficiency = model.addVar(lb=least, ub=largest)
        model.addCons(
            efficiency * math.log(2) <= log(1 + interference + power[i]) - log(1 + interference)
        )
        seconds = service.bits / document["bandwidth_hz"]
        transfer_s = model.addVar(lb=seconds / largest, ub=seconds / least)
        model.addCons(transfer_s * efficiency >= seconds)
        worst = service.away + service.second * seconds / least
        overhead = model.addVar(lb=0.0, ub=max(worst, service.home))
        model.addCons(overhead >= service.home * (1 - away))
        model.addCons(overhead >= service.away + service.second * transfer_s - worst * (1 - away))
        # Eq. 18: nobody is worse off than at home.
        model.addCons(overhead <= service.home)
        own = model.addVar(lb=None)
        model.addCons(own <= 1 - log(1 + overhead / threshold) / math.log(2))
        quality.append(own)
    model.setObjective(quicksum(quality), "maximize")
    built = time.perf_counter()
    model.optimize()
    answer: dict[str, Any] = {
        "bound": model.getDualbound(),
        "objective": None,
        "build_s": built - start,
        "solve_s": time.perf_counter() - built,
    }
    best = model.getBestSol() if model.getNSols() else None
    if best is not None:
        answer["x"] = [_channel([best[variable] for variable in row]) for row in x]
    return answer


def _channel(chosen: list[float]) -> int:
    """The channel that is chosen, 0 for none."""
    return 1 + chosen.index(max(chosen)) if max(chosen) > 0.5 else 0
