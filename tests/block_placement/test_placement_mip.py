"""The mixed-integer model against enumeration, as it is read, exported, stopped and refined."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from placement_exact import MIXES, agree, mixed, slower

import optkit
from formulations.block_placement import mip as mip_module
from formulations.block_placement import mip_arrays
from formulations.block_placement.cp import cp
from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.layers import layers_of
from formulations.block_placement.mip import PlacementModel
from optkit.backends.native import highspy
from optkit.result import StopReason
from optkit.run import Run
from optkit.solve.core import solve_instance
from optkit.stop import Stop


def tiny(seed: int, **parameters: Any) -> BlockPlacement:
    return BlockPlacement(generate("tiny", seed, **parameters))


@pytest.mark.parametrize("seed", range(60))
def test_it_agrees_with_enumeration(seed: int) -> None:
    agree(tiny(seed), "mip", start=False, arrays=seed % 3 == 0)


@pytest.mark.parametrize("mix", MIXES)
def test_every_deadline_under_every_congestion(mix: tuple[str, str, str]) -> None:
    for seed in range(4):
        agree(mixed(seed, *mix), "mip", start=seed % 2 == 0, arrays=False)


@pytest.mark.parametrize("seed", range(6))
def test_measured_data(seed: int) -> None:
    agree(tiny(100 + seed, measured=True), "mip", start=False)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(0, 2000, 100))
def test_it_agrees_with_enumeration_deeply(first: int) -> None:
    for seed in range(1000 + first, 1100 + first):
        agree(tiny(seed), "mip", start=False, arrays=seed % 2 == 0)
        agree(mixed(seed, *MIXES[seed % len(MIXES)]), "mip", start=False, arrays=seed % 2 == 1)


@pytest.mark.parametrize("factor", [1e-7, 1e7])
@pytest.mark.parametrize("seed", [2, 5, 7, 11])
def test_an_objective_of_any_size(seed: int, factor: float) -> None:
    for instance in (tiny(seed), mixed(seed, *MIXES[seed])):
        plain = agree(instance, "mip", start=False)
        scaled = agree(slower(instance, factor), "mip", start=False)
        assert plain.status == scaled.status
        if plain.status == "optimal":
            assert plain.evaluation is not None
            assert scaled.evaluation is not None
            expected = factor * plain.evaluation.objective
            assert scaled.evaluation.objective == pytest.approx(expected, rel=1e-6)


def test_names_say_the_equation() -> None:
    document = generate("paper-ps", 0, slots=1, rate=2, servers=3, blocks=2, deadline_s=1.0)
    document["options"]["deadline_scope"] = "task"
    instance = BlockPlacement(document)
    model = PlacementModel(instance)
    assert model.build(Run(instance, proves_bound=True))
    names = {part.name for part in model.pyomo.component_data_objects(active=True)}
    assert {
        "x[0,0,1]", "flow[0,1,0,2]", "flow[0,1,hub,3]", "rho[0,0]", "served[0,0]",
        "eq10a_delay", "eq2_one_location[0,0]", "eq5_arrive[0,0,1]", "eq5_leave[0,1,0]",
        "eq5_through_hub[1,1]", "eq6_load[0,2]", "eq6_served_tangent[0,0,0]",
        "eq6_slowed[1,0,2]", "eq10c_deadline[1]",
    } <= names  # fmt: skip


@pytest.mark.parametrize("suffix", ["mps", "lp"])
@pytest.mark.parametrize("family", ["paper", "paper-storage"])
def test_an_exported_model_has_the_same_optimum(tmp_path: Path, family: str, suffix: str) -> None:
    instance = optkit.generate("block_placement", family, slots=1, rate=8, blocks=4)
    path = tmp_path / f"model.{suffix}"
    result = solve_instance(instance, "mip", options={"export": str(path)})
    assert result.status == "optimal"
    assert result.evaluation is not None
    solver = highspy().Highs()
    solver.setOptionValue("output_flag", False)
    solver.readModel(str(path))
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.run()
    optimum = solver.getInfo().objective_function_value
    assert optimum == pytest.approx(result.evaluation.objective, rel=1e-6)


def test_scip_solves_the_pyomo_model() -> None:
    pytest.importorskip("pyscipopt")
    for seed in (1, 3):
        agree(tiny(seed), "mip", solver="scip", start=False)


@pytest.mark.parametrize("arrays", [False, True])
def test_a_stop_while_building_leaves_decision_and_bound(
    monkeypatch: pytest.MonkeyPatch, arrays: bool
) -> None:
    instance = optkit.generate("block_placement", "paper-ps", slots=30)
    interrupt = threading.Event()
    built = []

    def interrupting(*arguments: Any) -> Any:
        built.append(len(arguments[1]))
        interrupt.set()
        return layers_of(*arguments)

    for module in (mip_module, mip_arrays):
        monkeypatch.setattr(module, "layers_of", interrupting)
    run = Run(instance, Stop(time_s=600), proves_bound=True, interrupt=interrupt)
    mip_module.mip(instance, run, arrays=arrays)
    assert run.reason is StopReason.INTERRUPTED
    assert len(built) == 1
    assert run.build_s is None
    assert run.objective is not None
    assert run.best_bound is not None
    assert run.details["start"] == "marginal_greedy"


@pytest.mark.parametrize("method", [mip_module.mip, cp])
def test_a_run_that_ends_at_once_has_a_decision_and_a_bound(method: Any) -> None:
    instance = optkit.generate("block_placement", "paper-ps", slots=2)
    run = Run(instance, Stop(time_s=600, iterations=0), proves_bound=True)
    method(instance, run)
    assert run.reason is StopReason.ITERATIONS
    assert run.objective is not None
    assert run.best_bound is not None


@pytest.mark.parametrize("start", [True, False])
@pytest.mark.parametrize("arrays", [True, False])
def test_impossible_deadlines_are_proven(start: bool, arrays: bool) -> None:
    document = generate("paper-ps", 0, slots=1, rate=6, deadline_s=1e-4)
    result = solve_instance(
        BlockPlacement(document), "mip", options={"start": start, "arrays": arrays}
    )
    assert result.status == "infeasible"
    assert result.reason is StopReason.PROVED


def test_deadlines_that_load_breaks_are_proven_infeasible() -> None:
    document = generate("paper-ps", 0, slots=1, rate=60, servers=1, blocks=3, deadline_s=0.05)
    result = solve_instance(BlockPlacement(document), "mip", options={"start": False})
    assert result.status == "infeasible"


def test_a_paper_slot_is_proven_optimal() -> None:
    instance = optkit.generate("block_placement", "paper", slots=1)
    result = solve_instance(instance, "mip", options={"start": False})
    exact = solve_instance(instance, "dp")
    assert result.status == exact.status == "optimal"
    assert result.evaluation is not None
    assert exact.evaluation is not None
    assert result.evaluation.objective == pytest.approx(exact.evaluation.objective, rel=1e-9)


@pytest.mark.parametrize("largest", [64.0, 128.0])
def test_shared_storage_of_120_tasks(largest: float) -> None:
    instance = optkit.generate(
        "block_placement", "paper-storage", slots=2, blocks=18, storage_mb=largest
    )
    result = solve_instance(instance, "mip", stop=Stop(time_s=600))
    assert result.status == "optimal"


def test_a_decision_beyond_a_limit_by_less_than_a_tolerance_is_forbidden() -> None:
    # Two tasks of 0.5 (1 + 3e-9) of a server's cycles each: within a solver's tolerance of the
    # limit, but not within the evaluator's.
    half = 5e8 * (1 + 3e-9)
    document = {
        "problem": "block_placement",
        "version": 1,
        "slot_s": 1.0,
        "devices": {"speed_hz": [1e8], "kappa": [0.0], "tx_power_w": [0.0]},
        "servers": {"speed_hz": [1e10], "cycles_per_slot": [1e9]},
        "wired_rate_bps": 1e9,
        "models": [{"input_bits": 1e3, "blocks": [{"cycles": half, "param_bytes": 0.0}]}],
        "tasks": {
            "model": [0, 0],
            "device": [0, 0],
            "slot": [0, 0],
            "uplink_rate_bps": [1e9, 1e9],
        },
    }
    document["models"][0]["blocks"][0]["output_bits"] = 0.0  # type: ignore[index]
    for arrays in (True, False):
        result = agree(BlockPlacement(document), "mip", start=False, arrays=arrays)
        assert result.status == "optimal"
        assert np.count_nonzero(result.x) == 1
