"""Placement under processor sharing as a nonlinear programme for SCIP, as one would write it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from alternatives.block_placement.costs import TaskCosts, plain, task_costs

#: The delay of a server at full load is infinite; SCIP is kept away from it.
_FULL = 1 - 1e-6


def scip_minlp(document: Mapping[str, Any], time_limit_s: float) -> dict[str, Any]:
    """Build the programme and solve it; the time limit is for solving alone.

    Raises
    ------
    ValueError
        Tasks are coupled by more than processor sharing.
    """
    from pyscipopt import Model, quicksum

    listed = plain(document)
    if listed["options"].get("congestion") != "ps" or "storage_scope" in listed["options"]:
        raise ValueError("the programme is for processor sharing alone")
    start = time.perf_counter()
    model = Model()
    model.hideOutput()
    model.setParam("limits/time", time_limit_s)
    model.setParam("limits/gap", 1e-6)
    # Its NLP relaxation corrupts memory on slots of 60 tasks; without it the gaps are the same.
    model.setParam("nlp/disable", True)
    locations: list[list[list[Any]]] = []
    delay: list[Any] = []
    work: dict[tuple[int, int], list[Any]] = {}
    for k, slot in enumerate(listed["tasks"]["slot"]):
        costs = task_costs(listed, k)
        x = [[model.addVar(vtype="B") for _ in compute] for compute in costs.compute]
        locations.append(x)
        delay += _add_task(model, costs, x)
        for m, compute in enumerate(costs.compute):
            delay.append(compute[0] * x[m][0])
            for n in range(1, len(compute)):
                work.setdefault((slot, n), []).append(compute[n] * x[m][n])
    slot_s = listed["slot_s"]
    for terms in work.values():
        rho = model.addVar(lb=0.0, ub=_FULL)
        served = model.addVar(lb=0.0)
        model.addCons(quicksum(terms) == slot_s * rho)
        model.addCons(served * (1 - rho) >= rho)  # served >= rho / (1 - rho)
        delay.append(slot_s * served)
    model.setObjective(quicksum(delay), "minimize")
    built = time.perf_counter()
    model.optimize()
    answer: dict[str, Any] = {
        "bound": model.getDualbound(),
        "objective": None,
        "build_s": built - start,
        "solve_s": time.perf_counter() - built,
    }
    if model.getNSols():
        best = model.getBestSol()
        answer["x"] = [
            max(range(len(block)), key=lambda j: best[block[j]]) for task in locations
            for block in task
        ]  # fmt: skip
    return answer


def _add_task(model: Any, costs: TaskCosts, x: list[list[Any]]) -> list[Any]:
    """Flows between the blocks' locations; returns what they add to the delay."""
    from pyscipopt import quicksum

    places = range(len(x[0]))
    delay = [costs.moves[0][0][j] * x[0][j] for j in places]
    model.addCons(quicksum(x[0]) == 1)
    for m in range(1, len(x)):
        flow = [[model.addVar(lb=0.0, ub=1.0) for _ in places] for _ in places]
        for i in places:
            model.addCons(quicksum(flow[i]) == x[m - 1][i])
            model.addCons(quicksum(row[i] for row in flow) == x[m][i])
            delay += [costs.moves[m][i][j] * flow[i][j] for j in places if i != j]
    return delay
