"""What users would write, beside optkit's own tables, evaluators and optima."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from alternatives.channel_choice.coalitions import coalition_model
from alternatives.channel_choice.scip_minlp import scip_minlp
from alternatives.channel_choice.services import gain, qos, services_of
from alternatives.dt_assignment.costs import pair_costs, shared
from alternatives.dt_assignment.cp_sat import cp_sat
from alternatives.dt_assignment.pairs import pair_model
from alternatives.dt_assignment.printed import printed_model

import optkit
from formulations.dt_assignment.sharing import pair_delays


def twins(couplings: str, seed: int = 0) -> Any:
    return optkit.generate(
        "dt_assignment", "small", seed, couplings=couplings, servers=3, twins=6, devices=20
    )


def services(seed: int = 0, count: int = 7) -> Any:
    return optkit.generate("channel_choice", "dense", seed, services=count, channels=2)


@pytest.mark.parametrize("couplings", ["", "load,wspt", "memory,count"])
def test_costs_of_twins_agree_with_the_tables(couplings: str) -> None:
    instance = twins(couplings)
    costs, tables = pair_costs(instance.canonical()), instance.tables
    assert np.allclose(costs.cost, tables.cost, rtol=1e-12)
    assert np.allclose(costs.transfer_s, tables.transfer_s, rtol=1e-12)
    assert np.allclose(costs.compute_s, tables.compute_s, rtol=1e-12)
    assert set(costs.demands) == set(instance.resource_names)
    for row, name in enumerate(instance.resource_names):
        use, limit = costs.demands[name]
        assert np.allclose(use, tables.demand[row]) and np.allclose(limit, tables.limit[row])


@pytest.mark.parametrize("rule", ["equal", "proportional", "optimal", "wspt"])
def test_sharing_agrees(rule: str) -> None:
    instance = twins(rule)
    costs = pair_costs(instance.canonical())
    delays = pair_delays(instance, 1, np.arange(6))
    for m in range(6):
        for k in range(m):
            assert shared(rule, costs, 1, k, m) == pytest.approx((delays[k, m], delays[m, k]))


@pytest.mark.parametrize(
    "couplings", ["load", "equal", "wspt,count", "optimal,deadline", "backhaul", "backhaul,wspt"]
)
def test_models_of_twins_find_the_optimum(couplings: str) -> None:
    instance = twins(couplings)
    optimum = optkit.solve(instance, "subset_dp").objective
    for function in (pair_model, cp_sat):
        answer = function(instance.canonical(), 20.0)
        judged = instance.evaluate(answer["x"])
        assert judged.feasible and judged.objective == pytest.approx(optimum, rel=1e-6)
        # Seconds are whole microseconds in the constraint programme.
        assert answer["bound"] == pytest.approx(optimum, rel=1e-4)


def test_models_of_measured_costs_find_the_optimum() -> None:
    instance = optkit.generate("dt_assignment", "gap-e", 1, servers=3, twins=9)
    optimum = optkit.solve(instance, "subset_dp").objective
    for function in (pair_model, cp_sat):
        judged = instance.evaluate(function(instance.canonical(), 20.0)["x"])
        assert judged.feasible and judged.objective == pytest.approx(optimum, rel=1e-6)


def test_the_printed_model_finds_the_optimum() -> None:
    instance = twins("")
    optimum = optkit.solve(instance, "argmin").objective
    answer = printed_model(instance.canonical(), 20.0)
    assert answer["bound"] == pytest.approx(optimum, rel=1e-6)
    assert instance.evaluate(answer["x"]).objective == pytest.approx(optimum, rel=1e-9)


def test_gains_of_services_agree_with_the_evaluator() -> None:
    instance = services()
    document, each = instance.canonical(), services_of(instance.canonical())
    assert sum(qos(document, one.home) for one in each) == pytest.approx(instance.origin)
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.integers(0, 3, 7)
        total = instance.origin
        for channel in (1, 2):
            members = [one for one, own in zip(each, x, strict=True) if own == channel]
            load_w = sum(one.power_w for one in members)
            total += sum(gain(document, one, load_w) for one in members)
        assert instance.evaluate(x).objective == pytest.approx(total, rel=1e-12)


def test_coalitions_hold_the_optimum() -> None:
    for seed in range(3):
        instance = services(seed)
        optimum = optkit.solve(instance, "dp").objective
        answer = coalition_model(instance.canonical(), 20.0)
        judged = instance.evaluate(answer["x"])
        assert judged.feasible and judged.objective == pytest.approx(optimum, rel=1e-9)
        assert answer["bound"] == pytest.approx(optimum, rel=1e-6)


def test_the_nonlinear_programme_finds_the_optimum() -> None:
    pytest.importorskip("pyscipopt")
    instance = services(count=4)
    optimum = optkit.solve(instance, "dp").objective
    answer = scip_minlp(instance.canonical(), 30.0)
    judged = instance.evaluate(answer["x"])
    assert judged.feasible and judged.objective == pytest.approx(optimum, rel=1e-5)
    assert answer["bound"] == pytest.approx(optimum, rel=1e-4)


def test_what_an_alternative_does_not_read_is_refused() -> None:
    document = twins("").canonical()
    with pytest.raises(ValueError, match="time_ref_s"):
        pair_costs(document | {"time_ref_s": 2.0})
    with pytest.raises(ValueError, match="fixed cloud"):
        services_of(optkit.generate("channel_choice", "dense", 0, sharing="equal").canonical())
