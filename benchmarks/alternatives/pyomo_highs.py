"""The formulation's Pyomo model, solved once by Pyomo's own HiGHS interface.

Congestion enters by many tangents that are there from the beginning, as a user without a loop
of refinements would write it; the decision is judged by the evaluator afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.mip import PlacementModel
from optkit.run import Run
from optkit.stop import Stop

#: Utilisations around which there are tangents from the beginning, five at each.
_GRID = np.linspace(0.02, 0.98, 13)


def pyomo_highs(document: Mapping[str, Any], time_limit_s: float) -> dict[str, Any]:
    """Build the model and solve it; the time limit is for solving alone."""
    import pyomo.environ  # noqa: F401  (registers the solvers)
    from pyomo.contrib.solver.common.factory import SolverFactory
    from pyomo.contrib.solver.common.results import SolutionStatus

    instance = BlockPlacement(document)
    solver = SolverFactory("highs")
    start = time.perf_counter()
    model = PlacementModel(instance)
    model.build(Run(instance, Stop(time_s=None)))
    if model.curves is not None:
        shape = model.curves.most.shape
        for rho in _GRID:
            model.touch(model.curves, model.curves.visit(np.full(shape, rho)))
    built = time.perf_counter()
    results = solver.solve(
        model.pyomo,
        time_limit=time_limit_s,
        threads=1,
        rel_gap=1e-6,
        load_solutions=False,
        raise_exception_on_nonoptimal_result=False,
    )
    ended = time.perf_counter()
    answer: dict[str, Any] = {
        "bound": results.objective_bound,
        "objective": None,
        "build_s": built - start,
        "solve_s": ended - built,
    }
    if results.solution_status in (SolutionStatus.feasible, SolutionStatus.optimal):
        results.solution_loader.load_vars()
        locations = np.zeros((instance.tasks, instance.blocks), dtype=np.int64)
        for (k, m, j), variable in model.pyomo.x.items():
            if variable.value is not None and variable.value > 0.5:
                locations[k, m] = j
        answer["x"] = instance.flat(locations)
    return answer
