"""The formulation's Pyomo model, solved once by Pyomo's own HiGHS interface.

Congestion enters by many tangents that are there from the beginning, as a user without a loop
of refinements would write it; the decision is judged by the evaluator afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alternatives.pyomo_user import solve_as_user
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.mip import PlacementModel
from optkit.run import Run
from optkit.stop import Stop

#: Utilisations around which there are tangents from the beginning, five at each.
_GRID = np.linspace(0.02, 0.98, 13)


def pyomo_highs(document: Mapping[str, Any], time_limit_s: float) -> dict[str, Any]:
    """Build the model and solve it; the time limit is for solving alone."""
    instance = BlockPlacement(document)

    def build() -> Any:
        model = PlacementModel(instance)
        model.build(Run(instance, Stop(time_s=None)))
        if model.curves is not None:
            shape = model.curves.most.shape
            for rho in _GRID:
                model.touch(model.curves, model.curves.visit(np.full(shape, rho)))
        return model.pyomo

    def read(model: Any) -> Any:
        locations = np.zeros((instance.tasks, instance.blocks), dtype=np.int64)
        for (k, m, j), variable in model.x.items():
            if variable.value is not None and variable.value > 0.5:
                locations[k, m] = j
        return instance.flat(locations)

    return solve_as_user(build, read, time_limit_s)
