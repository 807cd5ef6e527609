"""Sorting, subsets and column generation on channels alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from channel_cases import dense, varied
from channel_clock import tick
from hypothesis import given, settings
from hypothesis import strategies as st

import optkit
from formulations.channel_choice.exact import pool, pricing, proof
from formulations.channel_choice.exact.diving import dive
from formulations.channel_choice.exact.equal_powers import choose_sizes, equal_powers
from formulations.channel_choice.exact.held import Held, channels_of, coalitions_of
from formulations.channel_choice.exact.relaxation import Relaxation
from formulations.channel_choice.exact.subset_rows import violated
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.search import Searcher
from optkit.run import Run

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


def test_column_generation_is_the_default_and_subsets_are_there_to_check_it() -> None:
    """From some ten services on subsets cost more, and soon a thousand times as much."""
    instance = dense(0, services=18, channels=4)
    assert optkit.solve(instance).method == "cg"
    assert optkit.methods("channel_choice")["dp"].why_not_for(instance) is None


def alike(services: list[dict[str, Any]], channels: int, **changes: Any) -> ChannelChoice:
    """Services at one server that differ in what is given, and send all they have."""
    return ChannelChoice(
        {
            "problem": "channel_choice",
            "version": 1,
            "channels": channels,
            "bandwidth_hz": 5e6,
            "noise_w": 1e-13,
            "qos_threshold": 4.0,
            "edge_sharing": "none",
            "cloud": {"speed_flop_per_s": 4e10},
            "servers": [{"speed_flop_per_s": 4e9, "energy_j_per_flop": 2e-10}],
            "services": [
                {
                    "server": 0,
                    "time_weight_per_s": 0.5,
                    "energy_weight_per_j": 0.5,
                    "tx_power_w": 1.0,
                    "channel_gain": 1e-9,
                    "cloud_energy_j_per_flop": 0.0,
                    "hold_energy_j": 0.0,
                    "cut": 0,
                    "cuts": [
                        {
                            "head_flop": 0.0,
                            "tail_flop": given.pop("tail_flop", 4e9),
                            "transfer_bits": given.pop("transfer_bits", 1e3),
                            "tail_param_bytes": 0.0,
                        }
                    ],
                    **given,
                }
                for given in services
            ],
        }
        | changes
    )


def test_a_dive_takes_no_more_offloaders_than_there_may_be() -> None:
    """Of at most 6, the linear programme takes 7 by two thirds and others by one third."""
    seven = {"channel_gain": 1e-12, "hold_energy_j": 0.14, "transfer_bits": 3e4}
    instance = alike([dict(seven) for _ in range(7)] + [{} for _ in range(4)], 1)
    truth = optkit.solve(instance, "dp", stop=LIMIT)
    fractional = 0
    for k in range(1, 12):
        run = Run(instance, LIMIT, proves_bound=True)
        held = Held(instance, run)
        relaxation = Relaxation(held.offloading, k, k)
        relaxation.solve(run, -np.inf)
        fractional += bool(np.abs(relaxation.master.weight - 0.5).min() < 0.4)
        dive(relaxation, held, Searcher(held.offloading, run), run)
        assert run.objective is not None
        assert run.objective <= truth.objective + truth.evaluation.tolerance
    assert fractional >= 1
    assert optkit.solve(instance, "cg", stop=LIMIT).objective == pytest.approx(truth.objective)


def test_after_a_dive_cuts_are_sought_where_they_were_before() -> None:
    instance = dense(0, services=30, channels=5, regime="soft", wr_db=1)
    run = Run(instance, LIMIT, proves_bound=True)
    held = Held(instance, run)
    relaxation = Relaxation(held.offloading, 30, 30)
    relaxation.solve(run, -np.inf)
    assert violated(relaxation.master, 60)
    dive(relaxation, held, Searcher(held.offloading, run), run)
    assert violated(relaxation.master, 60)


def test_powers_that_differ_by_rounding_are_bounded_all_the_same() -> None:
    """With noise as weak as that difference, a load rounded up would be interference."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        services = [
            {
                "channel_gain": float(1 - 9e-13 * rng.random()),
                "tail_flop": float(rng.uniform(1e9, 4e9)),
                "transfer_bits": float(10 ** rng.uniform(5, 7.3)),
                "time_weight_per_s": 0.9,
                "energy_weight_per_j": 0.1,
                "cloud_energy_j_per_flop": 1e-10,
            }
            for _ in range(10)
        ]
        instance = alike(
            services, 4, qos_threshold=0.5, cloud={"speed_flop_per_s": 2e10, "sharing": "fixed"}
        )
        truth = optkit.solve(instance, "dp", stop=LIMIT)
        run = Run(instance, LIMIT, proves_bound=True)
        held = Held(instance, run)
        assert equal_powers(held.offloading, np.full(10, np.inf))
        bound = instance.origin + choose_sizes(held.offloading, 10, 10, held, run)
        assert bound >= truth.objective - 1e-9
        assert bound == pytest.approx(truth.objective, abs=1e-7)


@pytest.mark.parametrize("sharing", ["fixed", "equal"])
def test_bounds_are_there_long_before_the_proof(sharing: str) -> None:
    """So that a gap that is good enough ends the search, and the trace shows it falling."""
    instance = dense(1, services=40, channels=6, regime="soft", wr_db=1, sharing=sharing)
    proved = optkit.solve(instance, "cg", stop=LIMIT)
    bounds = [point.bound for point in proved.trace if point.bound is not None]
    assert len(bounds) >= 3
    assert min(bounds) >= proved.objective - proved.evaluation.tolerance
    early = optkit.solve(instance, "cg", stop=optkit.Stop(time_s=None, rel_gap=0.2))
    assert early.reason == "gap"
    assert early.bound > proved.bound


@pytest.mark.parametrize("seconds", [3, 5, 8, 12, 20, 40])
def test_a_bound_is_there_whenever_the_limit_falls(
    seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sharing in ("fixed", "equal"):
        instance = dense(5, services=24, channels=4, regime="soft", wr_db=0.5, sharing=sharing)
        best = optkit.solve(instance, "cg", stop=LIMIT).objective
        with monkeypatch.context() as patch:
            tick(patch)
            early = optkit.solve(instance, "cg", stop=optkit.Stop(time_s=float(seconds)))
        assert early.reason == "time"
        assert early.bound is not None
        assert early.bound >= best - 1e-6
        assert early.objective is not None


def test_sorting_ends_with_its_run_and_bounds_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = dense(0, services=60, channels=60, sharing="equal", cloudx=0.5)
    best = optkit.solve(instance, "sort", stop=LIMIT)
    assert best.status == "optimal"
    tick(monkeypatch)
    early = optkit.solve(instance, "sort", stop=optkit.Stop(time_s=9.0))
    assert early.reason == "time"
    assert early.status == "feasible"
    assert early.objective < best.objective < early.bound


def test_what_is_left_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where coalitions are too many however small a part of the gap they are to close."""
    monkeypatch.setattr(proof, "_MOST_COALITIONS", 0)
    monkeypatch.setattr(proof, "_CUT_ROUNDS", 0)
    instance = dense(5, services=24, channels=4, regime="soft", wr_db=0.5)
    result = optkit.solve(instance, "cg", stop=LIMIT)
    assert result.reason == "finished"
    assert "too many coalitions" in result.details["left_open"]
    assert result.bound > result.objective
    monkeypatch.undo()
    proved = optkit.solve(instance, "cg", stop=LIMIT)
    assert "left_open" not in proved.details
    assert result.bound >= proved.objective - proved.evaluation.tolerance


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
