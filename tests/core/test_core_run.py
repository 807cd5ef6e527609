"""What a method may rely on when it reports decisions and bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from core_toys import Costs, begin, costs, limited, profits, shop

from optkit import BoundError, DecisionError
from optkit.result import StopReason

# --- decisions -----------------------------------------------------------------------------------


def test_the_better_decision_is_kept() -> None:
    run = begin(costs())
    assert run.objective is None
    assert run.found([0, 0]).objective == 14
    assert run.found([1, 1]).objective == 6
    assert run.found([2, 1]).objective == 7
    assert run.objective == 6
    assert run.x.tolist() == [1, 1]


def test_the_better_decision_is_kept_where_more_is_better() -> None:
    run = begin(profits())
    for x in ([1, 1], [0, 0], [0, 1]):
        run.found(x)
    assert run.objective == 14
    assert run.x.tolist() == [0, 0]


def test_the_first_of_equals_is_kept() -> None:
    run = begin(costs())
    run.found([1, 1])
    run.found([1, 2])
    assert run.x.tolist() == [1, 1]


def test_feasible_beats_infeasible() -> None:
    run = begin(limited())
    assert run.found([2, 2]).violations == {"limit": 2.0}
    assert run.objective is None, "an infeasible decision has no objective to be compared"
    assert run.evaluation.objective == 7
    run.found([1, 2])
    assert run.evaluation.objective == 6, "of two that break equally many rows, the better one"
    run.found([0, 0])
    assert run.objective == 14
    run.found([1, 2])
    assert run.x.tolist() == [0, 0]


def test_of_infeasible_decisions_the_one_that_breaks_fewer_rows() -> None:
    run = begin(shop())
    run.found([1, 1, 0], price=[9.0, 9.0, 0.0])
    run.found([1, 0, 0], price=[99.0, 0.0, 0.0])
    run.found([0, 1, 1], price=[0.0, 99.0, 99.0])
    assert run.evaluation.objective == 99


def test_an_infinite_objective_is_the_worst() -> None:
    run = begin(costs(cost=[[None, 1e9]]))
    run.found([0])
    assert run.objective is None
    run.found([1])
    run.found([0])
    assert run.objective == 1e9


def test_a_decision_stays_what_it_was_when_judged() -> None:
    """A local search changes its arrays in place."""
    run = begin(shop())
    x, price = np.array([1, 0, 0]), np.array([2.0, 0.0, 0.0])
    run.found(x, price=price)
    x[:] = 0
    price[:] = 99.0
    assert run.x.tolist() == [1, 0, 0]
    assert run.parts["price"].tolist() == [2.0, 0.0, 0.0]
    assert run.instance.evaluate(run.x, **run.parts).objective == run.objective == 2.0


def test_what_is_no_decision_is_refused_and_changes_nothing() -> None:
    run = begin(costs())
    run.found([2, 1])
    for wrong in ([0], [0, 3], [0.5, 0], [[0, 0]]):
        with pytest.raises(DecisionError):
            run.found(wrong)
        with pytest.raises(DecisionError):
            run.answer(wrong)
    run.found([1, 1])
    assert run.objective == 6, "a refused answer is no answer"


def test_an_answer_replaces_whatever_its_value() -> None:
    run = begin(costs())
    run.found([1, 1])
    run.answer([0, 0])
    assert run.objective == 14
    run.found([1, 1])
    assert run.objective == 14, "what is found later does not replace an answer"
    run.answer([2, 1])
    assert run.objective == 7, "a later answer does"


def test_an_answer_may_be_infeasible() -> None:
    run = begin(limited())
    run.found([0, 0])
    run.answer([2, 2])
    assert run.objective is None
    assert run.evaluation.broken == {"limit": 2.0}


# --- bounds --------------------------------------------------------------------------------------


def test_the_tighter_bound_is_kept() -> None:
    run = begin(costs())
    for value in (3, 5, 4):
        run.bound(value)
    assert run.best_bound == 5
    run.found([1, 1])
    assert run.gap == pytest.approx(1 / 6)
    run.bound(6)
    assert run.gap == 0
    assert run.proved


def test_the_tighter_bound_is_kept_where_more_is_better() -> None:
    run = begin(profits())
    for value in (30, 20, 25):
        run.bound(value)
    assert run.best_bound == 20
    run.found([0, 0])
    assert run.gap == pytest.approx(6 / 20)
    run.bound(14)
    assert run.proved


def test_a_method_that_proves_nothing_claims_nothing() -> None:
    run = begin(costs(), proves=False)
    with pytest.raises(RuntimeError, match="not described as proving bounds"):
        run.bound(1.0)
    with pytest.raises(RuntimeError, match="not described as proving bounds"):
        run.infeasible()
    assert run.best_bound is None
    assert not run.proved


#: Instance, best decision, its objective, and a claim that it disproves.
FALSE_BOUNDS = [(costs, [1, 1], 6.0, 6.1), (profits, [0, 0], 14.0, 13.9)]


@pytest.mark.parametrize(("make", "x", "objective", "claim"), FALSE_BOUNDS)
def test_a_false_bound_after_the_decision(make: Any, x: Any, objective: float, claim: float):
    run = begin(make())
    run.found(x)
    with pytest.raises(BoundError, match=rf"bound {claim}.*{objective}"):
        run.bound(claim)
    assert not run.proved


@pytest.mark.parametrize(("make", "x", "objective", "claim"), FALSE_BOUNDS)
def test_a_false_bound_before_the_decision(make: Any, x: Any, objective: float, claim: float):
    run = begin(make())
    run.bound(claim)
    with pytest.raises(BoundError, match=rf"{objective}.*bound {claim}"):
        run.found(x)
    assert run.best_bound is None, "the disproved bound is gone"
    assert run.objective == objective, "the decision that disproves it is not lost"
    assert not run.proved


def test_an_answer_disproves_bounds_too() -> None:
    run = begin(costs())
    run.bound(6.1)
    with pytest.raises(BoundError):
        run.answer([1, 1])


def test_an_infeasible_decision_disproves_nothing() -> None:
    run = begin(limited())
    run.bound(6.5)
    run.found([1, 2])
    run.found([2, 2])
    assert run.best_bound == 6.5


def test_what_is_no_number_is_no_bound() -> None:
    run = begin(costs())
    with pytest.raises(BoundError, match="not a number"):
        run.bound(math.nan)
    assert run.best_bound is None


@pytest.mark.parametrize(("make", "weakest"), [(costs, -math.inf), (profits, math.inf)])
def test_an_infinite_bound_that_says_nothing_is_dropped(make: Any, weakest: float) -> None:
    run = begin(make())
    run.bound(weakest)
    assert run.best_bound is None
    assert run.trace == []


@pytest.mark.parametrize(("make", "tightest"), [(costs, math.inf), (profits, -math.inf)])
def test_an_infinite_bound_that_says_too_much(make: Any, tightest: float) -> None:
    run = begin(make())
    run.bound(tightest)
    with pytest.raises(BoundError):
        run.found([0, 0])
    with pytest.raises(BoundError):
        run.bound(tightest)


@pytest.mark.parametrize(("make", "x", "sign"), [(costs, [1, 1], 1), (profits, [0, 0], -1)])
def test_a_bound_beyond_the_decision_by_rounding(make: Any, x: Any, sign: int) -> None:
    run = begin(make())
    objective = run.found(x).objective
    run.bound(objective * (1 + sign * 0.9e-6))
    assert run.best_bound == objective
    assert run.proved
    with pytest.raises(BoundError):
        run.bound(objective * (1 + sign * 1.1e-6))


@pytest.mark.parametrize(("make", "x", "sign"), [(costs, [1, 1], 1), (profits, [0, 0], -1)])
def test_a_decision_beyond_the_bound_by_rounding(make: Any, x: Any, sign: int) -> None:
    run = begin(make())
    bound = run.instance.evaluate(x).objective * (1 + sign * 0.9e-6)
    run.bound(bound)
    run.found(x)
    assert run.proved
    run.bound(bound + sign * 1e-9)
    assert run.best_bound == bound, "a bound never gets weaker"
    run = begin(make())
    run.bound(run.instance.evaluate(x).objective * (1 + sign * 1.1e-6))
    with pytest.raises(BoundError):
        run.found(x)


def test_the_tolerance_grows_with_what_cancels() -> None:
    """Two costs of 1e6 that cancel: the objective is 0, its rounding is not."""
    run = begin(costs(cost=[[1e6], [-1e6]]))
    assert run.found([0, 0]).objective == 0
    run.bound(1e-3)
    assert run.proved
    with pytest.raises(BoundError):
        run.bound(3e-3)


def test_infeasible_is_refused_where_a_decision_is_known() -> None:
    run = begin(limited())
    run.found([2, 2])
    run.infeasible()
    assert run.proved
    run = begin(limited())
    run.found([0, 0])
    with pytest.raises(BoundError, match="a feasible decision is known"):
        run.infeasible()
    assert not run.proved


def test_a_decision_disproves_an_earlier_claim_of_infeasibility() -> None:
    run = begin(limited())
    run.infeasible()
    run.found([2, 2])
    assert run.proved
    with pytest.raises(BoundError, match="claimed infeasible"):
        run.found([0, 0])
    assert not run.proved
    assert run.objective == 14


# --- parts of a run ------------------------------------------------------------------------------


def restricted() -> Costs:
    """`costs` without its best options: 14 instead of 6."""
    return costs(cost=[[5], [9]])


def test_a_part_has_its_own_decision_and_bound() -> None:
    run = begin(costs())
    run.found([2, 1])
    part = run.part(restricted())
    assert (part.objective, part.best_bound) == (None, None)
    part.found([0, 0])
    part.bound(14)
    assert part.proved
    part.note(of="the part")
    assert (run.objective, run.best_bound, run.details) == (7, None, {})
    assert not run.proved
    assert not run.stopped()


def test_the_optimum_of_a_restriction_is_no_bound_of_the_whole() -> None:
    run = begin(costs())
    part = run.part(restricted())
    part.bound(part.found([0, 0]).objective)
    run.found([0, 0])
    run.bound(part.best_bound)
    assert run.proved, "nothing contradicts the claim so far"
    with pytest.raises(BoundError):
        run.found([1, 1])
    assert not run.proved


def test_a_part_shares_clock_random_numbers_and_interrupt(clock) -> None:
    run = begin(costs(), seed=7)
    clock.wait(5)
    part = run.part(restricted())
    assert part.elapsed_s == run.elapsed_s == 5
    assert part.rng is run.rng
    assert part.seed == 7
    run._interrupt.set()
    assert part.stopped()
    assert part.reason is StopReason.INTERRUPTED


def test_a_part_ends_with_the_run_it_belongs_to(clock) -> None:
    from optkit import Stop

    run = begin(costs(), time_s=10)
    clock.wait(4)
    longer, shorter = run.part(costs(), Stop(time_s=60)), run.part(costs(), Stop(time_s=2))
    assert (longer.remaining_s, shorter.remaining_s) == (6, 2)
    clock.wait(3)
    assert shorter.stopped()
    assert not longer.stopped()
    assert not run.stopped(), "the end of a part is not the end of its run"
    clock.wait(3)
    assert longer.stopped()
    assert longer.reason is run.reason is StopReason.TIME


def test_a_false_bound_of_a_part_is_found_out() -> None:
    part = begin(costs()).part(restricted())
    part.bound(15)
    with pytest.raises(BoundError):
        part.found([0, 0])


# --- random numbers and facts --------------------------------------------------------------------


def test_the_seed_fixes_the_random_numbers() -> None:
    first, again, other = (begin(costs(), seed=seed).rng.random(4) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_facts_are_collected() -> None:
    run = begin(costs())
    run.note(sweeps=2, cycle=False)
    run.note(sweeps=3)
    assert run.details == {"sweeps": 3, "cycle": False}
