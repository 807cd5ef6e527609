"""Sorting, subsets and column generation on channels alone."""

from __future__ import annotations

import numpy as np
import pytest
from channel_cases import dense, varied
from hypothesis import given, settings
from hypothesis import strategies as st

import optkit
from formulations.channel_choice.exact import pool, pricing, proof
from formulations.channel_choice.exact.held import channels_of, coalitions_of

LIMIT = optkit.Stop(time_s=None, rel_gap=0.0)


def agree(seed: int) -> optkit.Result:
    """Column generation against the dynamic programme over subsets."""
    instance = varied(seed)
    truth = optkit.solve(instance, "dp", stop=LIMIT)
    ours = optkit.solve(instance, "cg", stop=LIMIT)
    assert truth.status in ("optimal", "infeasible")
    assert ours.status == truth.status, seed
    if truth.status == "optimal":
        slack = 2 * truth.evaluation.tolerance
        assert abs(ours.objective - truth.objective) <= slack, seed
        assert ours.objective <= ours.bound + slack, seed
        for stop in (optkit.Stop(time_s=0.0), optkit.Stop(time_s=None, iterations=1)):
            for name in ("cg", "dp"):
                early = optkit.solve(instance, name, stop=stop)
                assert early.bound is None or early.bound >= truth.objective - slack, seed
    return truth


@pytest.mark.long
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**31 - 1))
def test_column_generation_agrees_with_subsets(seed: int) -> None:
    agree(seed)


@pytest.mark.nightly
@settings(max_examples=2000, deadline=None, derandomize=True, database=None)
@given(st.integers(2**31, 2**40))
def test_column_generation_agrees_with_subsets_on_2000(seed: int) -> None:
    agree(seed)


@pytest.mark.parametrize("seed", range(200, 230))
def test_small_budgets_change_the_way_and_not_the_answer(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for few coalitions at a time, margins, cuts and dives do what is left of it."""
    for module, name, value in (
        (proof, "_FIRST_CHOICE", 3),
        (proof, "_GROWTH", 1.5),
        (proof, "_MOST_COALITIONS", 25),
        (proof, "_NODES", 1),
        (pool, "_FEW", 2),
        (pool, "_ADDED", 3),
        (pricing, "_PATIENCE", 5),
        (pricing, "_FOUND_A_ROUND", 8),
    ):
        monkeypatch.setattr(module, name, value)
    instance = varied(seed)
    truth = optkit.solve(instance, "dp", stop=LIMIT)
    ours = optkit.solve(instance, "cg", stop=LIMIT)
    if truth.status == "infeasible":
        assert not ours.feasible
        return
    slack = 2 * truth.evaluation.tolerance
    assert ours.bound >= truth.objective - slack
    assert ours.objective <= truth.objective + slack
    assert ours.status == "optimal"


def test_the_cases_above_share_channels_and_miss_deadlines_at_home() -> None:
    """Otherwise agreement would say little."""
    shared = late = equal = 0
    for seed in range(60):
        instance = varied(seed)
        result = optkit.solve(instance, "dp", stop=LIMIT)
        late += bool(instance.offloading().late_at_home.any())
        equal += instance.offloading().equal_share
        if result.status == "optimal":
            shared += bool((np.bincount(result.x[result.x > 0], minlength=1) > 1).any())
    assert shared >= 30
    assert late >= 3
    assert equal >= 20


@pytest.mark.parametrize("seed", range(12))
def test_with_a_channel_for_everybody_sorting_is_exact(seed: int) -> None:
    base = varied(seed, 5, 8)
    instance = base.replace(channels=base.services + seed % 3)
    truth = optkit.solve(instance, "dp", stop=LIMIT)
    ours = optkit.solve(instance, "sort", stop=LIMIT)
    assert ours.status == truth.status
    if truth.status == "optimal":
        assert ours.objective == pytest.approx(truth.objective, rel=1e-9)
        offloaded = ours.x[ours.x > 0]
        assert len(set(offloaded.tolist())) == len(offloaded)


def test_methods_that_need_few_services_or_many_channels_say_so() -> None:
    methods = optkit.methods("channel_choice")
    many = dense(0, services=19, channels=4)
    assert methods["dp"].why_not_for(many) == "19 services, more than 18"
    assert methods["sort"].why_not_for(many) == "4 channels for 19 services"
    assert methods["cg"].why_not_for(many) is None


@pytest.mark.parametrize("name", ["dp", "cg"])
def test_a_deadline_that_nothing_meets_is_infeasible(name: str) -> None:
    instance = dense(1, services=8, channels=2)
    services = instance.to_dict()["services"]
    services[3]["deadline_s"] = 1e-6
    result = optkit.solve(instance.replace(services=services), name, stop=LIMIT)
    assert result.status == "infeasible"
    assert result.bound is None


@pytest.mark.parametrize("name", ["dp", "cg"])
@pytest.mark.parametrize("sharing", ["fixed", "equal"])
def test_too_many_who_must_offload_are_infeasible(name: str, sharing: str) -> None:
    """Each could offload alone, but there is one channel and nobody bears another."""
    instance = dense(2, services=8, channels=1, regime="hard", wr_db=0, sharing=sharing)
    services = instance.to_dict()["services"]
    # Home takes 0.17 s and more; with a share of the channel less of it is left for the cloud.
    o = instance.offloading()
    for i in (0, 1):
        services[i]["deadline_s"] = float(o.local_s[i]) * 0.99
    alone = instance.replace(services=[*services[:1], *instance.to_dict()["services"][1:]])
    both = instance.replace(services=services)
    truth = [optkit.solve(each, "enumerate", stop=LIMIT).status for each in (alone, both)]
    assert [optkit.solve(each, name, stop=LIMIT).status for each in (alone, both)] == truth
    assert truth[1] == "infeasible"


@pytest.mark.parametrize("name", ["sort", "dp", "cg", "local_search"])
def test_where_heads_run_is_held(name: str) -> None:
    """On a balanced instance: the full decision, the warm start's heads, and no bound."""
    instance = optkit.generate("channel_choice", "balance", 3, servers=4, per_server=2, channels=8)
    omega = np.array([0, 1] * 4)
    start = np.concatenate([np.zeros(8, dtype=np.int64), omega])
    result = optkit.solve(instance, name, stop=LIMIT, warm_start=start)
    assert result.x[8:].tolist() == omega.tolist()
    assert result.bound is None
    assert result.details["held"] == "where heads run"
    cold = optkit.solve(instance, name, stop=LIMIT)
    assert not cold.x[8:].any()


def test_held_heads_agree_between_methods() -> None:
    for seed in range(6):
        instance = optkit.generate(
            "channel_choice",
            "balance",
            seed,
            servers=4,
            per_server=2,
            channels=2,
            energy_unit=1e-10,
        )
        start = np.concatenate([np.zeros(8, dtype=np.int64), np.arange(8) % 2])
        values = [
            optkit.solve(instance, name, stop=LIMIT, warm_start=start).objective
            for name in ("dp", "cg")
        ]
        assert values[0] == pytest.approx(values[1], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("wr_db", [0, 0.5, 20])
@pytest.mark.parametrize("sharing", ["fixed", "equal"])
def test_larger_instances_are_proved_and_stopped_bounds_hold(wr_db: float, sharing: str) -> None:
    instance = dense(5, services=24, channels=4, regime="soft", wr_db=wr_db, sharing=sharing)
    proved = optkit.solve(instance, "cg", stop=LIMIT)
    assert proved.status == "optimal"
    slack = 2 * proved.evaluation.tolerance
    for iterations in (1, 2, 4):
        early = optkit.solve(instance, "cg", stop=optkit.Stop(time_s=None, iterations=iterations))
        assert early.objective <= proved.objective + slack
        assert early.bound is None or early.bound >= proved.objective - slack
    again = optkit.solve(instance, "cg", stop=LIMIT, warm_start=proved)
    assert again.objective == pytest.approx(proved.objective, rel=1e-9)


def test_the_same_seed_gives_the_same_decision() -> None:
    instance = dense(6, services=30, channels=5)
    first, second = (optkit.solve(instance, "cg", seed=7, stop=LIMIT) for _ in range(2))
    assert first.x.tolist() == second.x.tolist()
    assert first.bound == second.bound


def test_partitions_and_channels_are_inverse() -> None:
    coalitions = [np.array([4, 1]), np.array([2]), np.array([0, 5])]
    channels = channels_of(coalitions, 6)
    assert channels.tolist() == [1, 2, 3, 0, 2, 1]
    assert [members.tolist() for members in coalitions_of(channels)] == [[0, 5], [1, 4], [2]]
