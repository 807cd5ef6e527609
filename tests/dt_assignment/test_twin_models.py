"""``mip`` and ``cp``: agreement with enumeration under every coupling, forms, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optkit
from formulations.dt_assignment import cp, mip
from formulations.dt_assignment.bounds import claim
from optkit import Instance
from optkit.run import Run


def agrees(instance: Instance, method: str, **options: Any) -> None:
    ours = optkit.solve(instance, method, stop=optkit.Stop(time_s=None), options=options)
    every = optkit.solve(instance, "enumerate", stop=optkit.Stop(time_s=None))
    assert ours.status == every.status
    if every.evaluation is not None and every.feasible:
        slack = 2 * every.evaluation.tolerance
        assert ours.objective == pytest.approx(every.objective, rel=0, abs=slack)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_mip_agrees_with_enumeration(seed: int) -> None:
    agrees(optkit.generate("dt_assignment", "tiny", seed), "mip")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_pairs_of_twins_say_the_same_as_levels(seed: int) -> None:
    agrees(optkit.generate("dt_assignment", "tiny", seed), "mip", form="pair")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_cp_agrees_with_enumeration(seed: int) -> None:
    agrees(optkit.generate("dt_assignment", "tiny", seed), "cp")


@pytest.mark.parametrize("scale", [1e-7, 1e7])
@pytest.mark.parametrize("method", ["mip", "cp"])
def test_units_of_the_objective_do_not_matter(method: str, scale: float) -> None:
    instance = optkit.generate("dt_assignment", "paper", 0, couplings="load")
    scaled = instance.replace(time_ref_s=1 / scale, energy_ref_j=20 / scale)
    best = optkit.solve(scaled, "subset_dp").objective
    found = optkit.solve(scaled, method)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("method", ["mip", "cp"])
@pytest.mark.parametrize("costs", [[[0, 0]] * 3, [[-1, 13, 25], [26, 1, 2]]])
def test_an_optimum_of_zero_is_proved(method: str, costs: list[list[int]]) -> None:
    document = {"problem": "dt_assignment", "version": 1, "pair_cost": costs}
    instance = optkit.load(document | {"servers": {"max_twins": [2] * len(costs[0])}})
    result = optkit.solve(instance, method, stop=optkit.Stop(time_s=None))
    assert (result.status, result.objective, result.bound) == ("optimal", 0.0, 0.0)


@pytest.mark.parametrize("bound", [1882.2, 1882.9999999, 1883.0000001])
def test_bounds_of_whole_costs_are_rounded_up(bound: float) -> None:
    instance = optkit.generate("dt_assignment", "gap-c", 0, servers=5, twins=30)
    run = Run(instance, proves_bound=True)
    claim(instance, run, bound)
    assert run.best_bound == 1883.0


@pytest.mark.parametrize(("module", "model"), [(mip, "TwinModel"), (cp, "CpTwins")])
def test_the_model_is_what_is_built(module: Any, model: str, monkeypatch: Any) -> None:
    instance = optkit.generate("dt_assignment", "paper", 0, couplings="load")
    kind, seen = getattr(module, model), []
    build = kind.build

    def built(self: Any, run: Run) -> Any:
        seen.append((run.build_s, run.objective))
        return build(self, run)

    monkeypatch.setattr(kind, "build", built)
    result = optkit.solve(instance, module.__name__.rpartition(".")[2])
    assert seen[0][0] is None and seen[0][1] >= result.objective
    assert result.build_s > 0


@pytest.mark.parametrize("method", ["mip", "cp"])
@pytest.mark.parametrize("room", [1e-30, 1e-310])
def test_a_limit_next_to_nothing_has_the_tolerance_of_any(method: str, room: float) -> None:
    document = {
        "problem": "dt_assignment",
        "version": 1,
        "pair_cost": [[1, 2], [1, 5], [3, 4]],
        "pair_load": [[5e-10, 1], [5e-10, 1], [5e-10, 1]],
        "server_capacity": [room, 5],
    }
    agrees(optkit.load(document), method)


def test_levels_prove_equal_shares_at_the_size_of_the_paper() -> None:
    instance = optkit.generate("dt_assignment", "paper", 0, couplings="equal")
    result = optkit.solve(instance, "mip", stop=optkit.Stop(time_s=None))
    assert result.status == "optimal"
    assert result.objective == pytest.approx(optkit.solve(instance, "subset_dp").objective)


def test_whole_costs_are_proved_exactly() -> None:
    instance = optkit.load(
        {"problem": "dt_assignment", "version": 1, "pair_cost": [[-1, 13, 25], [26, 1, 2]]}
    )
    result = optkit.solve(instance, "cp")
    assert (result.status, result.objective, result.bound) == ("optimal", 0.0, 0.0)


@pytest.mark.parametrize("method", ["mip", "cp"])
def test_a_twin_without_a_server_is_infeasible(method: str) -> None:
    instance = optkit.load(
        {"problem": "dt_assignment", "version": 1, "pair_cost": [[1.0, 2.0], [None, None]]}
    )
    assert optkit.solve(instance, method).status == "infeasible"


@pytest.mark.parametrize("method", ["mip", "cp"])
def test_a_warm_start_is_kept_when_no_time_is_left(method: str) -> None:
    instance = optkit.generate("dt_assignment", "paper", 1, couplings="memory,wspt")
    best = optkit.solve(instance, "subset_dp")
    result = optkit.solve(instance, method, warm_start=best, stop=optkit.Stop(time_s=0.0))
    assert result.objective == best.objective
    assert result.bound is None or result.bound <= best.objective


def test_the_model_is_exported_with_readable_names(tmp_path: Path) -> None:
    instance = optkit.generate("dt_assignment", "small", 0, couplings="memory,equal,backhaul")
    file = tmp_path / "twins.lp"
    stop = optkit.Stop(time_s=20, target=np.inf)
    optkit.solve(instance, "mip", stop=stop, options={"export": str(file), "start": False})
    text = file.read_text()
    for name in ("eq18_one_server", "capacity", "count_is", "sends_load", "load_is"):
        assert name in text


def test_scip_solves_the_same_model() -> None:
    pytest.importorskip("pyscipopt")
    instance = optkit.generate("dt_assignment", "tiny", 4)
    scip = optkit.solve(instance, "mip", options={"solver": "scip"})
    highs = optkit.solve(instance, "mip")
    assert scip.status == highs.status
    assert scip.objective == pytest.approx(highs.objective)
