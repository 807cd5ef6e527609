"""Load balance at held channels: programmes, search and models against enumeration."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from channel_clock import tick
from channel_heads_cases import GRAPHS, Floats, Ints, best_by_enumeration, crowded, nearest_of

import optkit
from formulations.channel_choice import balance_mip as balance_mip_module
from formulations.channel_choice.exact import balance_dp as balance_dp_module
from formulations.channel_choice.exact import balance_trees
from formulations.channel_choice.exact.balance_dp import balanced
from formulations.channel_choice.exact.balance_sets import Hosted, balance_by_set, hosted_services
from formulations.channel_choice.exact.balance_trees import (
    balance_by_count,
    forest,
    most_heads,
)
from formulations.channel_choice.exact.joint_bound import JointBound
from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from optkit.errors import MethodUnavailable
from optkit.run import Run
from optkit.solve.core import solve_instance

MODELS = ("balance_dp", "balance_mip", "balance_cp")


def every_omega(services: int) -> list[Ints]:
    every = itertools.product((0, 1), repeat=services)
    return [np.array(omega, dtype=np.int64) for omega in every]


def count_value(home: Ints, nearest: Ints, stay: Floats, send: Floats) -> Callable[[Ints], float]:
    def total(omega: Ints) -> float:
        host = np.where(omega > 0, nearest[home], home)
        there = np.bincount(host, minlength=len(nearest))[host]
        rows = np.arange(len(home))
        return float(np.where(omega > 0, send[rows, there], stay[rows, there]).sum())

    return total


def set_value(
    home: Ints, nearest: Ints, hosted: list[Hosted], worth: dict[int, Floats]
) -> Callable[[Ints], float]:
    def total(omega: Ints) -> float:
        host = np.where(omega > 0, nearest[home], home)
        bits = [1 << np.flatnonzero(host[what.services] == h) for h, what in enumerate(hosted)]
        return sum(float(worth[h][numbers.sum()]) for h, numbers in enumerate(bits))

    return total


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("servers", [2, 3, 7])
def test_counts_agree_with_enumeration(graph: str, servers: int) -> None:
    rng = np.random.default_rng([servers, GRAPHS.index(graph)])
    for trial in range(12):
        nearest = nearest_of(rng, graph, servers)
        services = int(rng.integers(0, 8))
        home = rng.integers(0, servers, services) * (trial % 4 > 0)
        width = int(most_heads(home, nearest).max()) + 1
        stay, send = rng.normal(size=(2, services, width))
        if trial % 3 == 0:  # ties
            stay, send = np.round(stay), np.round(send)
        total = count_value(home, nearest, stay, send)
        best = max(total(omega) for omega in every_omega(services))
        omega = balance_by_count(home, nearest, stay, send)
        assert omega is not None
        assert total(omega) == pytest.approx(best, abs=1e-12)


def test_a_ring_is_solved_in_pieces_where_its_servers_host_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(balance_trees, "_CELLS", 1)
    for servers in (3, 4):
        test_counts_agree_with_enumeration("ring", servers)


def test_a_ring_ends_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start is kept, and called no more than that."""
    instance = shared(3, "count", services=30)
    assert max(map(len, forest(nearest_of_servers(instance)).cycles)) >= 3
    tick(monkeypatch)
    rng = np.random.default_rng(0)
    start = np.concatenate([np.zeros(30, dtype=np.int64), rng.integers(0, 2, 30)])
    result = solve_instance(instance, "balance_dp", warm_start=start, stop=optkit.Stop(time_s=20.0))
    assert result.reason == "time"
    assert result.x is not None
    assert result.x.tolist() == start.tolist()
    assert result.details["balance"] == "local search"
    assert result.details["searched_services"] == 30
    for method in ("joint", "alternate", "mp_dob"):
        result = solve_instance(instance, method, stop=optkit.Stop(time_s=20.0))
        assert result.reason == "time"
        assert result.x is not None


def nearest_of_servers(instance: ChannelChoice) -> Ints:
    return np.array([server.nearest for server in instance.document.servers])


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("servers", [2, 3, 6])
def test_sets_agree_with_enumeration(graph: str, servers: int) -> None:
    rng = np.random.default_rng([servers, GRAPHS.index(graph), 1])
    for trial in range(12):
        nearest = nearest_of(rng, graph, servers)
        services = int(rng.integers(0, 8))
        home = rng.integers(0, servers, services) * (trial % 4 > 0)
        graph_of = forest(nearest)
        hosted = hosted_services(home, nearest, graph_of)
        worth = {h: rng.normal(size=1 << len(what.services)) for h, what in enumerate(hosted)}
        omega = np.full(services, -1)
        balance_by_set(nearest, graph_of, hosted, worth, omega)
        total = set_value(home, nearest, hosted, worth)
        best = max(total(choice) for choice in every_omega(services))
        assert total(omega) == pytest.approx(best, abs=1e-12)


def test_a_forest_lists_servers_before_their_nearest() -> None:
    #       6 -> 5 -> 4 -> 0 <-> 1 <- 2 <- 3, and a ring 7 -> 8 -> 9 -> 7
    graph = forest(np.array([1, 0, 1, 2, 0, 4, 5, 8, 9, 7]))
    assert graph.order.index(6) < graph.order.index(5) < graph.order.index(4)
    assert sorted(map(sorted, graph.cycles)) == [[0, 1], [7, 8, 9]]
    assert graph.children[0] == [4]
    assert graph.children[1] == [2]


def check(instance: ChannelChoice, channel: Ints) -> bool:
    """Whether what is best breaks nothing; `balanced` is as good."""
    best = best_by_enumeration(instance, channel)
    found = instance.evaluate(np.concatenate([channel, balanced(instance, channel).omega]))
    assert found.rank("maximise")[:2] == best.rank("maximise")[:2]
    assert found.objective == pytest.approx(best.objective, rel=1e-9, abs=1e-9)
    return best.feasible


@pytest.mark.parametrize("homes", ["random", "turn", "one"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_balanced_agrees_with_enumeration(graph: str, homes: str) -> None:
    feasible = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        instance = crowded(seed, graph, int(rng.integers(2, 8)), int(rng.integers(1, 8)), homes)
        channel = rng.integers(0, instance.channels + 1, instance.services) * (seed % 3 > 0)
        feasible.append(check(instance, channel))
    assert any(feasible)


def test_deadlines_that_nobody_can_meet_are_missed_by_as_few_as_possible() -> None:
    broken = 0
    for seed in range(40):
        instance = crowded(seed, servers=4, deadlines=True)
        broken += not check(instance, np.zeros(instance.services, dtype=np.int64))
    assert broken > 5


@pytest.mark.parametrize("sharing", ["count", "work"])
@pytest.mark.parametrize("method", MODELS)
def test_models_agree_with_enumeration(method: str, sharing: str) -> None:
    for seed in range(14):
        instance = shared(seed, sharing)
        rng = np.random.default_rng(seed)
        channel = rng.integers(0, instance.channels + 1, instance.services) * (seed % 2)
        best = best_by_enumeration(instance, channel)
        start = np.concatenate([channel, np.zeros_like(channel)])
        result = solve_instance(instance, method, warm_start=start)
        assert result.bound is None, "channels are held: nothing is proved"
        assert result.status in ("feasible", "unknown")
        if best.feasible:
            assert result.evaluation is not None
            assert result.evaluation.feasible
            assert result.evaluation.objective == pytest.approx(best.objective, rel=1e-7)
            assert result.details["balance"] == "exact"


def shared(seed: int, sharing: str, **parameters: Any) -> ChannelChoice:
    instance = crowded(seed, GRAPHS[seed % 4], 2 + seed % 4, **parameters)
    document = instance.to_dict() | {"load_balance": {"sharing": sharing}}
    if document.get("cut_choice") == "optimal" and sharing == "work":
        document["cut_choice"] = "given"
    return ChannelChoice(document)


def test_many_services_by_count_cost_little() -> None:
    """With 2^120 places of the heads, a search of them would not end."""
    instance = shared(3, "count", services=120)
    omega = balanced(instance, np.zeros(120, dtype=np.int64)).omega
    none = np.zeros(240, dtype=np.int64)
    best = np.concatenate([none[:120], omega])
    value = instance.evaluate(best).objective
    assert value > instance.evaluate(none).objective
    flips = np.tile(best, (120, 1))
    flips[np.arange(120), 120 + np.arange(120)] ^= 1
    assert (instance.evaluate_batch(flips).objective <= value + 1e-9).all()


def test_many_services_by_work_are_searched_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = []
    for seed in range(12):
        instance = shared(seed, "work")
        channel = np.zeros(instance.services, dtype=np.int64)
        monkeypatch.setattr(balance_dp_module, "_LARGEST_SET", 16)
        best = instance.evaluate(np.concatenate([channel, balanced(instance, channel).omega]))
        monkeypatch.setattr(balance_dp_module, "_LARGEST_SET", -1)
        searched = balanced(instance, channel)
        assert searched.searched == instance.services
        found = instance.evaluate(np.concatenate([channel, searched.omega]))
        assert found.rank("maximise") >= best.rank("maximise")
        gaps.append(best.objective - found.objective if best.feasible else 0.0)
        result = solve_instance(instance, "balance_dp")
        assert result.details["balance"] == "local search"
        assert result.details["searched_services"] == instance.services
    assert sum(gap < 1e-9 for gap in gaps) >= 9
    big = shared(1, "work", services=60)
    assert balanced(big, np.zeros(60, dtype=np.int64)).searched == 60


def test_sets_that_no_number_could_count_are_searched() -> None:
    """A server that could host 1100 heads has 2^1100 sets of them."""
    instance = crowded(1, "star", 2, 1100, deadlines=False)
    document = instance.to_dict() | {"load_balance": {"sharing": "work"}, "cut_choice": "given"}
    instance = ChannelChoice(document)
    interrupt = threading.Event()
    interrupt.set()
    run = Run(instance, interrupt=interrupt)
    nobody = np.zeros(1100, dtype=np.int64)
    assert balanced(instance, nobody, run=run).searched == 1100
    relaxed = JointBound(instance).relaxed(nobody - 1, nobody)
    assert relaxed.constant >= instance.evaluate(np.zeros(2200, dtype=np.int64)).objective


def test_it_refuses_what_it_cannot_do() -> None:
    plain = ChannelChoice(generate("tiny", 0, balanced=False))
    for method in MODELS:
        with pytest.raises(MethodUnavailable, match="no load balance"):
            optkit.solve(plain, method)
    big = shared(1, "work", services=60)
    for method in ("balance_mip", "balance_cp"):
        with pytest.raises(MethodUnavailable, match="share by work"):
            optkit.solve(big, method)


def test_the_warm_start_is_never_made_worse() -> None:
    for seed in range(10):
        instance = shared(seed, "count")
        rng = np.random.default_rng(seed)
        start = rng.integers(0, instance.choices)
        for method in MODELS:
            result = solve_instance(instance, method, warm_start=start)
            before = instance.evaluate(start)
            assert result.evaluation is not None
            assert result.evaluation.rank("maximise") <= before.rank("maximise")


def test_a_model_can_be_exported(tmp_path: Path) -> None:
    path = tmp_path / "balance.lp"
    instance = shared(0, "count")
    solve_instance(instance, "balance_mip", options={"export": str(path)})
    assert "one_place" in path.read_text()
    assert balance_mip_module.applies(instance) is None
