"""The constraint model against enumeration, and what it refuses."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from placement_exact import MIXES, agree, mixed, slower

import optkit
from formulations.block_placement import cp as cp_module
from formulations.block_placement.cp import CpPlacement, applies
from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.layers import layers_of
from formulations.block_placement.tangents import LoadCurves
from optkit.errors import MethodUnavailable
from optkit.result import StopReason
from optkit.run import Run
from optkit.solve.core import solve_instance
from optkit.stop import Stop

COVERED = [mix for mix in MIXES if mix[2] == "none"]


def tiny(seed: int, **parameters: Any) -> BlockPlacement:
    return BlockPlacement(generate("tiny", seed, **parameters))


@pytest.mark.parametrize("seed", range(80))
def test_it_agrees_with_enumeration(seed: int) -> None:
    instance = tiny(seed)
    if applies(instance) is None:
        agree(instance, "cp", start=seed % 4 == 0)


@pytest.mark.parametrize("mix", COVERED)
def test_every_deadline(mix: tuple[str, str, str]) -> None:
    for seed in range(6):
        agree(mixed(seed, *mix), "cp", start=False)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(0, 2000, 100))
def test_it_agrees_with_enumeration_deeply(first: int) -> None:
    for seed in range(1000 + first, 1100 + first):
        for instance in (tiny(seed), mixed(seed, *COVERED[seed % len(COVERED)])):
            if applies(instance) is None:
                agree(instance, "cp", start=False)


@pytest.mark.parametrize("factor", [1e-7, 1e7])
@pytest.mark.parametrize("seed", [0, 1, 3, 6])
def test_an_objective_of_any_size(seed: int, factor: float) -> None:
    for instance in (tiny(seed), mixed(seed, *COVERED[seed % len(COVERED)])):
        if applies(instance) is None:
            agree(slower(instance, factor), "cp", start=False)


def test_congested_deadlines_are_refused() -> None:
    instance = mixed(0, "hard", "block", "ps")
    with pytest.raises(MethodUnavailable, match="use mip"):
        solve_instance(instance, "cp")


def test_a_paper_slot_is_proven_optimal() -> None:
    instance = optkit.generate("block_placement", "paper", slots=1)
    result = solve_instance(instance, "cp", options={"start": False})
    other = solve_instance(instance, "mip", options={"start": False})
    assert result.status == other.status == "optimal"
    assert result.evaluation is not None
    assert other.evaluation is not None
    assert result.evaluation.objective == pytest.approx(other.evaluation.objective, rel=1e-9)


def test_rounding_never_loses_a_decision() -> None:
    """Every point of the model at a feasible decision costs at most the decision's objective."""
    for seed in range(40):
        instance = tiny(seed)
        best = solve_instance(instance, "enumerate")
        if applies(instance) is not None or best.status != "optimal":
            continue
        run = Run(instance, proves_bound=True)
        model = CpPlacement(instance)
        assert model.build(run)
        assert best.x is not None
        run.found(best.x)  # the hint, which the backend checks to be feasible
        model.solve(run)
        assert run.proved


def test_tangents_of_whole_numbers_stay_below_the_curve() -> None:
    for options in ({"congestion": "ps"}, {"congestion": "linear", "congestion_slope": 0.3}):
        document = generate("paper-ps", 0, slots=1, rate=5)
        document["options"] = options
        curves = LoadCurves(BlockPlacement(document))
        rho = np.linspace(0.0, 0.99, 200)
        for slope in (1.0, 1.0 + 2**-18, 1.5, 3.0, 2.0**16):
            line = slope * rho + curves.base_of_slope(slope)
            assert (line <= curves.delay(rho) * (1 + 1e-12) + 1e-15).all()


def test_a_stop_while_building_leaves_decision_and_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = optkit.generate("block_placement", "paper-ps", slots=30)
    interrupt = threading.Event()
    built = []

    def interrupting(*arguments: Any, **named: Any) -> Any:
        built.append(len(arguments[1]))
        interrupt.set()
        return layers_of(*arguments, **named)

    monkeypatch.setattr(cp_module, "layers_of", interrupting)
    run = Run(instance, Stop(time_s=600), proves_bound=True, interrupt=interrupt)
    cp_module.cp(instance, run)
    assert run.reason is StopReason.INTERRUPTED
    assert len(built) == 1
    assert run.objective is not None
    assert run.best_bound is not None


def test_impossible_deadlines_are_proven() -> None:
    document = generate("paper", 0, slots=1, rate=6, deadline_s=1e-4)
    for start in (True, False):
        result = solve_instance(BlockPlacement(document), "cp", options={"start": start})
        assert result.status == "infeasible"
