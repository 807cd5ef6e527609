"""The formulation's Pyomo model with pairs of twins, solved once by Pyomo's own HiGHS interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alternatives.pyomo_user import solve_as_user
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.mip import TwinModel
from optkit.run import Run
from optkit.stop import Stop


def pair_model(document: Mapping[str, Any], time_limit_s: float) -> dict[str, Any]:
    """Build the model and solve it; the time limit is for solving alone."""
    instance = TwinAssignment(document)

    def build() -> Any:
        model = TwinModel(instance, "highs", "pair")
        model.build(Run(instance, Stop(time_s=None)))
        return model.pyomo

    def read(model: Any) -> Any:
        chosen = [pair for pair, variable in model.x.items() if (variable.value or 0.0) > 0.5]
        return [s for _, s in sorted(chosen)]

    return solve_as_user(build, read, time_limit_s)
