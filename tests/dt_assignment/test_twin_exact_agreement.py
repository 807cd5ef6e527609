"""The specialised exact methods against enumeration, to the end and stopped early."""

import math
import threading

import numpy as np
import pytest
from twin_coupled import coupled

import optkit
import optkit.run
from formulations.dt_assignment.exact import counts, pairs, tree
from optkit.registry import method

METHODS = optkit.methods("dt_assignment")
COUPLINGS = {
    "argmin": ("", "deadline"),
    "assignment": ("count", "count,deadline", "wspt", "wspt,count"),
    "backhaul": ("backhaul", "backhaul,deadline"),
    "counts": ("equal", "equal,count,deadline", "proportional,count"),
    "subset_dp": (
        "load,wspt,deadline", "memory,equal,backhaul", "optimal,deadline,backhaul",
        "proportional,count,backhaul",
    ),
    "lagrangian": ("load", "memory", "load,deadline", "memory,load", "count"),
}  # fmt: skip
CASES = [(name, couplings) for name, options in COUPLINGS.items() for couplings in options]


def tolerance(truth):
    return 1e-6 * abs(truth.objective) + 1e-9 * truth.evaluation.scale


@pytest.mark.long
@pytest.mark.parametrize(("name", "couplings"), CASES)
def test_agrees_with_enumeration_where_it_applies(name, couplings):
    met = 0
    for seed in range(30):
        instance = coupled(seed, couplings)
        if METHODS[name].why_not_for(instance) is not None:
            continue
        met += 1
        truth = optkit.solve(instance, "enumerate")
        result = optkit.solve(instance, name)
        assert result.status == truth.status, seed
        early = optkit.solve(instance, name, stop=optkit.Stop(iterations=seed % 3))
        if truth.status == "infeasible":
            assert early.objective is None or not early.feasible
            continue
        assert result.objective == pytest.approx(truth.objective, abs=tolerance(truth)), seed
        for bounded in (result, early):
            if bounded.bound is not None:
                assert bounded.bound <= truth.objective + tolerance(truth), seed
    assert met >= 10


@pytest.mark.parametrize(
    ("name", "couplings"),
    [
        ("argmin", "load"),
        ("assignment", "load"),
        ("assignment", "wspt"),  # twins of different weights
        ("backhaul", "backhaul,equal"),
        ("counts", "wspt"),
        ("counts", "equal,load"),
        ("lagrangian", "equal"),
        ("lagrangian", "load,backhaul"),
    ],
)
def test_refuses_couplings_that_it_does_not_know(name, couplings):
    instance = optkit.generate("dt_assignment", "paper", 0, couplings=couplings)
    assert METHODS[name].why_not_for(instance)


def test_subset_dp_takes_every_mix_and_refuses_many_twins():
    mixed = optkit.generate(
        "dt_assignment", "paper", 0, couplings="load,memory,wspt,backhaul,deadline"
    )
    result = optkit.solve(mixed, "subset_dp")
    assert result.status == "optimal"
    assert METHODS["subset_dp"].why_not_for(
        optkit.generate("dt_assignment", "4x", 0, couplings="load")
    )


@pytest.mark.parametrize(
    ("name", "couplings", "rel"),
    [("counts", "equal", 1e-9), pytest.param("lagrangian", "memory", 1e-6, marks=pytest.mark.long)],
)
def test_agrees_with_subset_dp_at_the_size_of_the_paper(name, couplings, rel):
    for seed in range(3):
        instance = optkit.generate("dt_assignment", "paper", seed, couplings=couplings)
        found, subsets = (optkit.solve(instance, method) for method in (name, "subset_dp"))
        assert found.status == subsets.status == "optimal"
        assert found.objective == pytest.approx(subsets.objective, rel=rel)


def test_lagrangian_says_that_forced_twins_do_not_fit():
    document = {
        "problem": "dt_assignment", "version": 1,
        "pair_cost": [[1.0, None], [2.0, None], [3.0, 4.0]],
        "pair_load": [[6.0, 1.0], [6.0, 1.0], [1.0, 1.0]], "server_capacity": [10.0, 10.0],
    }  # fmt: skip
    assert optkit.solve(optkit.load(document), "lagrangian").status == "infeasible"


def test_lagrangian_rounds_bounds_of_whole_costs_up():
    instance = optkit.generate("dt_assignment", "gap-c", 0, servers=5, twins=30)
    result = optkit.solve(instance, "lagrangian")
    assert result.status == "optimal"
    assert result.bound == result.objective == round(result.objective)


@pytest.mark.parametrize("cost", [2e10, 4e11, 1e13])
def test_lagrangian_knows_costs_of_any_size(cost):
    document = {
        "problem": "dt_assignment", "version": 1, "pair_load": [[1.0] * 4, [1.0] * 4, [2.0] * 4],
        "server_capacity": [2.0, 4.0, 2.0, 3.0],
    }  # fmt: skip
    for costs in ([cost] * 3, [cost, cost / 2, cost / 3], [cost + 0.125] * 3):
        instance = optkit.load(document | {"pair_cost": [[each] * 4 for each in costs]})
        result = optkit.solve(instance, "lagrangian", stop=optkit.Stop(iterations=20))
        assert result.status == "optimal"
        assert result.objective == pytest.approx(sum(costs))


@pytest.mark.parametrize(
    ("load", "twins", "capacity"),
    [(0.003, 6, 0.017999999), (0.005, 6, 0.029999999), (0.005, 5, 0.024999999)],
)
@pytest.mark.parametrize("name", ["assignment", "lagrangian"])
def test_loads_meet_limits_as_the_evaluator_adds_them_up(name, load, twins, capacity):
    """Some quotients of these numbers round to another count than their sums do."""
    document = {
        "problem": "dt_assignment", "version": 1, "pair_cost": [[0.0, 1.0]] * twins,
        "pair_load": [[load, load]] * twins, "server_capacity": [capacity, None],
    }  # fmt: skip
    instance = optkit.load(document)
    truth = optkit.solve(instance, "enumerate")
    result = optkit.solve(instance, name, stop=optkit.Stop(iterations=50))
    assert result.status == "optimal" and result.objective == truth.objective


def test_lagrangian_goes_on_without_a_tree_that_is_too_large(monkeypatch):
    monkeypatch.setattr(tree, "_LARGEST", 0)
    instance = optkit.generate("dt_assignment", "gap-d", 0, servers=5, twins=20)
    result = optkit.solve(instance, "lagrangian", stop=optkit.Stop(iterations=5))
    assert result.feasible and result.bound <= result.objective
    assert result.details["trees"] == 0


def test_auto_takes_lagrangian_where_many_twins_share_limits():
    crowded = optkit.generate("dt_assignment", "gap-d", 0, servers=3, twins=30)
    assert method("auto", crowded).name == "lagrangian"
    assert METHODS["cg"].why_not_for(crowded) is None  # by name it may be had
    for instance in (
        optkit.generate("dt_assignment", "gap-d", 0, servers=4, twins=30),
        optkit.generate("dt_assignment", "small", 0, couplings="memory,wspt", twins=60),
    ):
        assert METHODS["cg"].chosen_for(instance)


def pairs_of(twins, servers, rule="equal"):
    """Twins of equal weight with random times on edge servers."""
    rng = np.random.default_rng(0)
    shape = (twins, servers)
    return optkit.load({
        "problem": "dt_assignment", "version": 1, "delay_weight": 1.0, "time_weight": "one",
        "cpu_sharing": rule, "servers": {"kind": ["edge"] * servers},
        "pair_transfer_s": rng.uniform(0.1, 1.0, shape).tolist(),
        "pair_compute_s": rng.uniform(0.1, 1.0, shape).tolist(),
        "pair_energy_j": np.ones(shape).tolist(),
    })  # fmt: skip


def test_counts_takes_on_what_fits_into_memory_only():
    assert "too many" in METHODS["counts"].why_not_for(pairs_of(4_000, 1))
    assert "too many" in METHODS["counts"].why_not_for(pairs_of(2, 400))
    one = pairs_of(1, 1_000)
    result = optkit.solve(one, "counts", stop=optkit.Stop(time_s=None))
    assert result.objective == pytest.approx(one.tables.cost.min())


def test_the_number_of_ways_is_counted_as_far_as_it_matters():
    for twins, servers in ((1, 1), (5, 3), (3, 7), (40, 2)):
        assert counts._count_ways(twins, servers) == math.comb(twins + servers - 1, servers - 1)
    assert counts._count_ways(10**6, 10**6) > counts._LARGEST_WAYS


def test_all_splits_are_listed_once():
    ways = counts._splits(5, np.array([2, 0, 4, 3]))
    plain = [w for w in np.ndindex(3, 1, 5, 4) if sum(w) == 5]
    assert sorted(map(tuple, ways.tolist())) == plain


@pytest.mark.parametrize(("name", "rule"), [("assignment", "wspt"), ("counts", "equal")])
def test_an_assignment_is_left_behind_at_the_time_limit(monkeypatch, name, rule):
    never = threading.Event()
    monkeypatch.setattr(optkit.run, "_GRACE_S", 0.0)
    monkeypatch.setattr(pairs, "_QUICK", 0)
    monkeypatch.setattr(pairs, "linear_sum_assignment", lambda matrix: never.wait(20.0))
    result = optkit.solve(pairs_of(8, 3, rule), name, stop=optkit.Stop(time_s=0.1))
    never.set()
    assert result.reason == "time" and result.feasible
    assert result.bound <= result.objective


def test_assignment_refuses_a_matrix_that_is_too_large():
    assert METHODS["assignment"].why_not_for(pairs_of(30, 2, "wspt")) is None
    assert "too many" in METHODS["assignment"].why_not_for(pairs_of(6_000, 2, "wspt"))
