"""The specialised exact methods against enumeration, to the end and stopped early."""

import pytest
from twin_coupled import coupled

import optkit

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


def test_counts_and_subset_dp_agree_at_the_size_of_the_paper():
    for seed in range(3):
        instance = optkit.generate("dt_assignment", "paper", seed, couplings="equal")
        counts, subsets = (optkit.solve(instance, name) for name in ("counts", "subset_dp"))
        assert counts.status == subsets.status == "optimal"
        assert counts.objective == pytest.approx(subsets.objective, rel=1e-9)


@pytest.mark.long
def test_lagrangian_and_subset_dp_agree_at_the_size_of_the_paper():
    for seed in range(3):
        instance = optkit.generate("dt_assignment", "paper", seed, couplings="memory")
        prices, subsets = (optkit.solve(instance, name) for name in ("lagrangian", "subset_dp"))
        assert prices.status == subsets.status == "optimal"
        assert prices.objective == pytest.approx(subsets.objective, rel=1e-6)


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
