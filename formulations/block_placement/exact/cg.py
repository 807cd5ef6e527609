"""Exact method for loads, cycle limits and budgets: column generation with a closed-form dual.

Each component of the instance (a slot, or what energy ties together) is a choice problem over
location paths. Prices of its rows give a bound by pricing every path, whatever the linear
programme says; the paths that could beat the incumbent are then few, and branching over them
proves the optimum (paper 001 has no exact method; see the mathematics page, section 3.3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.exact.component_solver import ComponentSolver
from formulations.block_placement.exact.components import components
from formulations.block_placement.exact.proofs import prove_all, report
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.marginal import first_decision
from optkit.run import Run

Ints = NDArray[np.int64]
#: More rows than this in one component make the dual too large to be solved densely.
LARGEST_ROWS = 200
#: How often a long pass over components reports, in components.
_REPORT_EVERY = 50
#: Components whose mean prices bound all the others.
_SAMPLE = 10


def applies(instance: BlockPlacement) -> str | None:
    """None where all that couples tasks is sums over paths, else why not."""
    if "storage" in instance.couplings:
        return "storage is shared"
    if not instance.couplings:
        return "nothing couples the tasks: dp is exact"
    if instance.active_deadlines and "load" in instance.couplings:
        return "deadlines depend on the load of the servers"
    if instance.active_deadlines and instance.options.deadline_scope == "task":
        return "deadlines are for whole tasks"
    largest = max(len(component.row) for component in components(instance))
    if largest > LARGEST_ROWS:
        return f"{largest} limits are tied together, more than {LARGEST_ROWS}"
    return None


def cg(instance: BlockPlacement, run: Run) -> None:
    """Bound and improve every component, then prove them, the largest gaps first."""
    run.built()
    locations = first_decision(instance, run)
    solvers = [ComponentSolver(c, locations[c.tasks]) for c in components(instance)]
    if not all(solver.possible for solver in solvers):
        run.infeasible()
        return
    report(instance, run, locations, solvers)
    price = None
    for count, solver in enumerate(run.steps(solvers)):
        price = solver.relax(price, run)
        if solver.proved_infeasible:
            run.infeasible()
            return
        if count + 1 == _SAMPLE < len(solvers):  # a bound for all before each gets its own
            _share_prices(solvers, run)
            report(instance, run, locations, solvers)
        if (count + 1) % _REPORT_EVERY == 0:
            report(instance, run, locations, solvers)
    report(instance, run, locations, solvers)
    prove_all(instance, run, locations, solvers)


def _share_prices(solvers: list[ComponentSolver], run: Run) -> None:
    """Bound the components that have no prices yet by the mean prices of those that have."""
    known = solvers[:_SAMPLE]
    if len({len(solver.price) for solver in known}) > 1:
        return
    common = np.mean([solver.price for solver in known], axis=0)
    for other in solvers[_SAMPLE:]:
        if run.stopped():
            return
        other.bound_at(common)
