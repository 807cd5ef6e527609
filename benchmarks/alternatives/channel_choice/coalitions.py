"""Every group of services that can share a channel, in a Pyomo model for Pyomo's own HiGHS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alternatives.channel_choice.services import qos, services_of, worth
from alternatives.pyomo_user import solve_as_user


def coalition_model(document: Mapping[str, Any], time_limit_s: float) -> dict[str, Any]:
    """Enumerate groups, build the model and solve it; the limit is for solving alone."""
    services = services_of(document)

    def build() -> Any:
        import pyomo.environ as pyo

        found = _coalitions(document, services)
        model = pyo.ConcreteModel()
        model.sets = list(found)
        model.z = pyo.Var(range(len(found)), domain=pyo.Binary)
        model.once = pyo.ConstraintList()
        for i in range(len(services)):
            holding = [model.z[c] for c, members in enumerate(model.sets) if i in members]
            if holding:
                model.once.add(sum(holding) <= 1)
        model.channels = pyo.Constraint(expr=sum(model.z.values()) <= document["channels"])
        home = sum(qos(document, service.home) for service in services)
        gains = sum(value * model.z[c] for c, value in enumerate(found.values()))
        model.total = pyo.Objective(expr=home + gains, sense=pyo.maximize)
        return model

    def read(model: Any) -> Any:
        x = [0] * len(services)
        chosen = [c for c, variable in model.z.items() if variable.value > 0.5]
        for channel, c in enumerate(chosen, start=1):
            for i in model.sets[c]:
                x[i] = channel
        return x

    return solve_as_user(build, read, time_limit_s)


def _coalitions(document: Mapping[str, Any], services: list[Any]) -> dict[tuple[int, ...], float]:
    """Groups in which nobody loses, and their gains; every part of such a group is one, too."""
    found: dict[tuple[int, ...], float] = {}
    layer: list[tuple[int, ...]] = [()]
    while layer:
        longer = []
        for members in layer:
            for i in range(members[-1] + 1 if members else 0, len(services)):
                group = (*members, i)
                value = worth(document, [services[j] for j in group])
                if value is not None:
                    found[group] = value
                    longer.append(group)
        layer = longer
    return found
