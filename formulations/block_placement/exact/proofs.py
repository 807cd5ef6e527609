"""What methods over components do with them: report all, and prove the largest gaps first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.exact.component_solver import ComponentSolver
from formulations.block_placement.instance import BlockPlacement
from optkit.run import Run

Ints = NDArray[np.int64]


def report(
    instance: BlockPlacement, run: Run, locations: Ints, solvers: list[ComponentSolver]
) -> None:
    """Report the best paths of all components together, written to locations [K, M], and the sum
    of their bounds."""
    for solver in solvers:
        locations[solver.component.tasks] = solver.paths
    run.found(instance.flat(locations))
    bound = sum(solver.bound for solver in solvers)
    if np.isfinite(bound):
        run.bound(float(bound))


def prove_all(
    instance: BlockPlacement, run: Run, locations: Ints, solvers: list[ComponentSolver]
) -> None:
    """Prove component after component until the run's gap is reached."""
    tolerance = max(run.stop.rel_gap, 1e-6) / 2
    for solver in sorted(solvers, key=lambda solver: -solver.gap):
        if run.stopped():
            break
        solver.prove(run, tolerance)
        if solver.proved_infeasible:
            run.infeasible()
            return
        report(instance, run, locations, solvers)
    run.note(
        components=len(solvers),
        columns=sum(solver.columns_made for solver in solvers),
        largest_component_gap_s=max(solver.gap for solver in solvers),
    )
