"""The array model is the Pyomo model: same size, same relaxation, same optimum, same points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from placement_exact import MIXES, mixed

from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.mip import PlacementModel
from formulations.block_placement.mip_arrays import ArrayModel
from formulations.block_placement.mip_start import begin_at
from optkit.backends.feed import SolveStatus
from optkit.backends.highs import solve_model
from optkit.backends.linear import LinearModel, ScaledModel
from optkit.backends.pyomo import from_pyomo
from optkit.run import Run
from optkit.solve.core import solve_instance


def size(model: LinearModel) -> tuple[int, int, int]:
    """Rows and columns that are not empty, and entries."""
    rows = np.count_nonzero(np.diff(model.matrix.tocsr().indptr))
    columns = np.count_nonzero((np.diff(model.matrix.indptr) > 0) | (model.cost != 0))
    return rows, columns, model.matrix.nnz


def both(instance: BlockPlacement) -> tuple[LinearModel, LinearModel] | None:
    readable, arrays = PlacementModel(instance), ArrayModel(instance)
    first, second = Run(instance, proves_bound=True), Run(instance, proves_bound=True)
    built = readable.build(first)
    assert built == arrays.build(second)
    assert first.proved_infeasible == second.proved_infeasible == (not built)
    return (from_pyomo(readable.pyomo)[0], arrays.linear()) if built else None


def compare(instance: BlockPlacement) -> None:
    models = both(instance)
    if models is None:
        return
    first, second = models
    assert size(first) == size(second), instance.name
    for relaxed in (True, False):
        ends = []
        for model in models:
            solved = replace(model, integer=False) if relaxed else model
            ends.append(solve_model(solved, Run(instance), bound_of=None))
        assert ends[0].status == ends[1].status, instance.name
        if ends[0].status is SolveStatus.OPTIMAL:
            expected = pytest.approx(ends[1].objective, rel=1e-7)
            assert ends[0].objective == expected, instance.name


@pytest.mark.parametrize("seed", range(30))
def test_the_two_models_are_one(seed: int) -> None:
    compare(BlockPlacement(generate("tiny", seed)))
    compare(mixed(seed, *MIXES[seed % len(MIXES)]))


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(0, 1000, 50))
def test_the_two_models_are_one_deeply(first: int) -> None:
    for seed in range(1000 + first, 1050 + first):
        compare(BlockPlacement(generate("tiny", seed)))
        compare(mixed(seed, *MIXES[seed % len(MIXES)]))


def test_the_two_models_are_one_with_hubs() -> None:
    compare(BlockPlacement(generate("paper-storage", 0, slots=1, rate=3, blocks=4)))


@pytest.mark.parametrize("seed", range(12))
def test_a_feasible_decision_is_a_point_of_both(seed: int) -> None:
    instance = mixed(seed, *MIXES[seed])
    best = solve_instance(instance, "enumerate")
    if best.status != "optimal":
        return
    assert best.x is not None
    assert best.evaluation is not None
    run = Run(instance, proves_bound=True)
    rho = np.asarray(best.evaluation.terms["rho"])
    arrays = ArrayModel(instance)
    assert arrays.build(run)
    linear = arrays.linear()
    values = arrays.values_of(linear, best.x, rho)
    assert ScaledModel.of(linear).violation(values) <= 1e-8
    assert arrays.points.read(values).tolist() == best.x.tolist()
    # Tangents lie below the curve of a slowdown, so lateness may be too small.
    assert linear.objective(values) <= best.evaluation.objective * (1 + 1e-9)
    readable = PlacementModel(instance)
    assert readable.build(run)
    begin_at(readable.pyomo, instance, best.x)
    chosen = {index for index, x in readable.pyomo.x.items() if x.value == 1}
    assert len(chosen) == len(best.x)


def test_some_tasks_alone() -> None:
    instance = BlockPlacement(generate("paper-storage", 0, slots=1, rate=6, blocks=4))
    tasks = np.array([1, 4])
    part = ArrayModel(instance, tasks)
    assert part.build()
    run = Run(instance, proves_bound=True)
    solution = part.solve(run)
    assert solution.status is SolveStatus.OPTIMAL
    assert run.best_bound is None  # no bound of the whole instance
    x = instance.padded(part.decision(solution))
    others = np.setdiff1d(np.arange(instance.tasks), tasks)
    assert (x[others] == 0).all()
    assert solution.objective is not None
    assert solution.objective > 0
