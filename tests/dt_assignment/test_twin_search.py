"""Greedy placement and local search: their accounts, and how near they come to the optimum."""

import time

import numpy as np
import pytest

from formulations.dt_assignment import placement_kernels
from formulations.dt_assignment.groups import Groups
from formulations.dt_assignment.placement_kernels import Placement
from formulations.dt_assignment.search import local_search
from optkit import Stop, generate, solve
from optkit.run import Run

COUPLINGS = (
    "equal",
    "proportional",
    "optimal",
    "wspt",
    "load",
    "memory",
    "backhaul",
    "equal,deadline,count",
    "wspt,deadline,memory",
    "optimal,backhaul,deadline",
)


@pytest.mark.parametrize("couplings", COUPLINGS)
def test_accounts_of_a_placement_are_the_evaluators(couplings: str) -> None:
    instance = generate("dt_assignment", "paper", seed=0, couplings=couplings)
    groups = Groups.of(instance)
    rng = np.random.default_rng(0)
    choices = [np.flatnonzero(instance.open[m]) for m in range(instance.twins)]
    feasible = 0
    for _ in range(30):
        x = np.array([rng.choice(row) for row in choices])
        placement = Placement.empty(len(groups.room), instance.servers, instance.twins)
        placement_kernels.load(groups, placement, x)
        evaluation = instance.evaluate(x)
        assert placement.cost.sum() == pytest.approx(evaluation.objective, rel=1e-9)
        assert (placement.excess.sum() == 0) == evaluation.feasible
        feasible += evaluation.feasible
        m, t = int(rng.integers(instance.twins)), int(rng.choice(choices[0]))
        saved = placement.leave[m]
        placement_kernels.place(groups, placement, m, -1)
        if "backhaul" not in couplings:
            others = evaluation.objective - saved
            assert placement.cost.sum() == pytest.approx(others, rel=1e-9)
        if instance.open[m, t]:
            placement_kernels.place(groups, placement, m, t)
            moved = x.copy()
            moved[m] = t
            assert placement.cost.sum() == pytest.approx(instance.evaluate(moved).objective)
    assert feasible or couplings not in ("equal", "backhaul")


def single_changes(x: np.ndarray, servers: int) -> np.ndarray:
    """Every shift and swap of a decision, as rows."""
    rows = []
    for m in range(len(x)):
        for s in range(servers):
            rows.append(x.copy())
            rows[-1][m] = s
        for k in range(m):
            rows.append(x.copy())
            rows[-1][[k, m]] = x[[m, k]]
    return np.array(rows)


@pytest.mark.parametrize("couplings", COUPLINGS)
def test_no_shift_or_swap_improves_the_result(couplings: str) -> None:
    feasible = 0
    for seed in range(6):
        instance = generate(
            "dt_assignment", "paper", seed=seed, couplings=couplings,
            deadline_factor=6.0 if "deadline" in couplings else None,
        )  # fmt: skip
        result = solve(instance, "local_search", options={"kicks": 0})
        if not result.evaluation.feasible:  # a descent alone need not get there
            continue
        feasible += 1
        near = instance.evaluate_batch(single_changes(result.x, instance.servers))
        least = near.objective[near.feasible].min()
        assert least >= result.evaluation.objective * (1 - 1e-9)
    assert feasible >= 2


def test_finds_the_optimum_of_tiny_instances() -> None:
    missed = compared = 0
    for seed in range(100):
        instance = generate("dt_assignment", "tiny", seed=seed)
        truth = solve(instance, "enumerate")
        result = solve(instance, "local_search", options={"kicks": 300})
        if truth.status != "optimal":
            assert truth.status == "infeasible" and not result.evaluation.feasible
            continue
        compared += 1
        best = truth.evaluation.objective
        missed += not (
            result.evaluation.feasible
            and result.evaluation.objective <= best + 1e-6 * abs(best) + 1e-9
        )
    assert compared > 50 and missed == 0


def test_greedy_is_feasible_where_there_is_room_and_search_improves_it() -> None:
    for couplings in ("equal", "wspt", "load", "count"):
        instance = generate("dt_assignment", "4x", seed=0, couplings=couplings)
        first = solve(instance, "greedy")
        better = solve(instance, "local_search", options={"kicks": 500})
        assert first.feasible
        assert better.feasible
        assert better.objective < first.objective


def test_search_never_ends_worse_than_its_warm_start_and_repeats() -> None:
    instance = generate("dt_assignment", "10x", seed=1, couplings="load")
    first = solve(instance, "local_search", options={"kicks": 1000}, seed=3)
    again = solve(instance, "local_search", options={"kicks": 1000}, seed=3)
    assert np.array_equal(first.x, again.x)
    warm = solve(instance, "local_search", options={"kicks": 10}, warm_start=first)
    assert warm.evaluation.objective <= first.evaluation.objective


@pytest.mark.parametrize("limit", ["iterations", "stall"])
def test_limits_on_steps_are_kept(limit: str) -> None:
    instance = generate("dt_assignment", "paper", seed=0, couplings="wspt")
    run, improved = Run(instance, Stop(**{limit: 7})), [0]
    run.on_progress = lambda now: improved.append(now.iterations) if now.improved else None
    local_search(instance, run)
    assert run.reason == limit and run.objective is not None
    assert run.iterations - (improved[-1] if limit == "stall" else 0) == 7


@pytest.mark.parametrize("family", ["gap-c", "gap-d"])
def test_constants_added_to_the_costs_of_a_twin_change_nothing(family: str) -> None:
    instance = generate("dt_assignment", family, seed=0, servers=5, twins=40)
    cost = instance.tables.cost
    plain = solve(instance, "local_search", options={"kicks": 800})
    assert plain.feasible
    for shift in (-cost.min(axis=1), -cost[np.arange(40), plain.x], np.full(40, 1e6)):
        moved = instance.replace(pair_cost=cost + shift[:, None])
        result = solve(moved, "local_search", options={"kicks": 800})
        assert result.x.tolist() == plain.x.tolist()


@pytest.mark.parametrize(("servers", "couplings"), [(2, "wspt"), (3, "equal,backhaul")])
def test_the_time_limit_is_kept_with_many_twins_on_a_server(servers: int, couplings: str) -> None:
    instance = generate(
        "dt_assignment", "10x", 0, couplings=couplings, servers=servers, twins=600, devices=600
    )
    small = generate("dt_assignment", "small", 0, couplings=couplings)
    solve(small, "local_search", options={"kicks": 1})  # compiles
    before_s = time.process_time()  # on a busy machine too
    result = solve(instance, "local_search", stop=Stop(time_s=0.2))
    assert result.reason == "time"
    assert time.process_time() - before_s < 1.0


def test_a_twin_without_open_server_is_answered_with_its_violation() -> None:
    from formulations.dt_assignment.instance import TwinAssignment

    document = {"problem": "dt_assignment", "version": 1, "pair_cost": [[2, 1], [None, None]]}
    for method in ("greedy", "local_search"):
        result = solve(TwinAssignment(document), method)
        assert result.status == "unknown" and result.evaluation.violations["forbidden"] == 1
