"""Twins on servers as a constraint programme, as one would write it with OR-Tools alone."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from alternatives.dt_assignment.costs import pair_costs, shared

#: Whole numbers stand for these parts of costs, seconds and, unless they are whole, limits.
_COST, _SECOND, _LIMIT = 1e8, 1e6, 1e9


def cp_sat(document: Mapping[str, Any], time_limit_s: float) -> dict[str, Any]:
    """Build the programme and solve it; the time limit is for solving alone."""
    from ortools.sat.python import cp_model

    start = time.perf_counter()
    costs, rule = pair_costs(document), document.get("cpu_sharing", "none")
    twins, places = range(len(costs.cost)), range(len(costs.cost[0]))
    model = cp_model.CpModel()
    x = {pair: model.new_bool_var("") for pair in costs.pairs}
    cost = [round(_COST * costs.cost[m][s]) * x[m, s] for m, s in costs.pairs]
    late: dict[tuple[int, int], list[Any]] = {pair: [] for pair in costs.pairs}
    for m in twins:
        model.add_exactly_one(x[m, s] for s in places)
    for use, limit in costs.demands.values():
        for s in places:
            if math.isfinite(limit[s]):
                whole = all(use[m][s].is_integer() for m in twins)
                unit = 1.0 if whole else _LIMIT / limit[s]
                taken = sum(math.floor(unit * use[m][s]) * x[m, s] for m in twins)
                model.add(taken <= math.floor(unit * limit[s]))
    for s in places if rule != "none" else ():
        for m in twins:
            for k in range(m):
                k_later, m_later = shared(rule, costs, s, k, m)
                both = model.new_bool_var("")
                model.add_bool_or(both, ~x[k, s], ~x[m, s])
                delay = costs.weight[k] * k_later + costs.weight[m] * m_later
                cost.append(round(_COST * costs.delay_weight * delay) * both)
                late[k, s].append(round(_SECOND * k_later) * both)
                late[m, s].append(round(_SECOND * m_later) * both)
    rates = document.get("servers", {}).get("backhaul_bps")
    for s in places if rates is not None else ():
        if math.isfinite(rates[s]):
            sent = sum(len(costs.members[m]) * x[m, s] for m in twins)
            for m in twins:
                largest = max(document["devices"]["input_bits"][n] for n in costs.members[m])
                each = largest / (document.get("uplink_discount", 1.0) * rates[s])
                most = math.ceil(_SECOND * each * len(document["devices"]["twin"]))
                waits = model.new_int_var(0, most, "")
                alone = math.ceil(_SECOND * costs.transfer_s[m][s])
                more = math.floor(_SECOND * each) * sent - alone
                model.add(waits >= more).only_enforce_if(x[m, s])
                cost.append(round(_COST / _SECOND * costs.delay_weight * costs.weight[m]) * waits)
                late[m, s].append(waits)
    deadline = document.get("twins", {}).get("deadline_s")
    for m, s in costs.pairs if deadline is not None else ():
        alone = round(_SECOND * (costs.transfer_s[m][s] + costs.compute_s[m][s]))
        latest = round(_SECOND * deadline[m])
        model.add(sum(late[m, s]) + alone <= latest).only_enforce_if(x[m, s])
    model.minimize(sum(cost))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = time_limit_s
    solver.parameters.num_workers = 1
    built = time.perf_counter()
    status = solver.solve(model)
    answer: dict[str, Any] = {
        "bound": solver.best_objective_bound / _COST,
        "objective": None,
        "build_s": built - start,
        "solve_s": time.perf_counter() - built,
    }
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        answer["x"] = [next(s for s in places if solver.value(x[m, s])) for m in twins]
    return answer
