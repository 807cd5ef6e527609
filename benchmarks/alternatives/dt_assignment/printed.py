"""The printed problem as its users write it: a Pyomo model, solved by Pyomo's own HiGHS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alternatives.dt_assignment.costs import pair_costs
from alternatives.pyomo_user import solve_as_user


def printed_model(document: Mapping[str, Any], time_limit_s: float) -> dict[str, Any]:
    """Assign twins with t_m >= sum_s t_ns x_ms for each device; the limit is for solving alone."""

    def build() -> Any:
        import pyomo.environ as pyo

        costs = pair_costs(document)
        places = range(len(costs.cost[0]))
        model = pyo.ConcreteModel()
        model.x = pyo.Var(costs.pairs, domain=pyo.Binary)
        model.upload_s = pyo.Var(range(len(costs.cost)), bounds=(0, None))
        model.one_server = pyo.ConstraintList()
        model.slowest = pyo.ConstraintList()
        factor = costs.delay_weight
        cost = []
        for m, members in enumerate(costs.members):
            model.one_server.add(sum(model.x[m, s] for s in places) == 1)
            for n in members:
                arrives = sum(costs.upload_s[n][s] * model.x[m, s] for s in places)
                model.slowest.add(model.upload_s[m] >= arrives)
            each = factor * costs.weight[m]
            cost.append(each * model.upload_s[m])
            cost += [
                (costs.cost[m][s] - each * costs.transfer_s[m][s]) * model.x[m, s] for s in places
            ]
        model.cost = pyo.Objective(expr=sum(cost))
        return model

    def read(model: Any) -> Any:
        chosen = [pair for pair, variable in model.x.items() if variable.value > 0.5]
        return [s for _, s in sorted(chosen)]

    return solve_as_user(build, read, time_limit_s)
