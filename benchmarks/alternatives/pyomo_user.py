"""A Pyomo model solved as its users do: once, by Pyomo's own HiGHS interface."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def solve_as_user(
    build: Callable[[], Any], read: Callable[[Any], Any], time_limit_s: float
) -> dict[str, Any]:
    """Build a model and solve it; the time limit is for solving alone.

    Parameters
    ----------
    build : makes the ``ConcreteModel``.
    read : takes the solved model to a decision vector.

    Returns
    -------
    dict
        Seconds, the solver's bound, and the decision as "x" where there is one.
    """
    import pyomo.environ  # noqa: F401  (registers the solvers)
    from pyomo.contrib.solver.common.factory import SolverFactory
    from pyomo.contrib.solver.common.results import SolutionStatus

    solver = SolverFactory("highs")
    start = time.perf_counter()
    model = build()
    built = time.perf_counter()
    results = solver.solve(
        model,
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
        answer["x"] = read(model)
    return answer
