"""``solve``: any method, checked options, limits that never raise, and results that say it all."""

from __future__ import annotations

import functools
import math
import signal
import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from core_toys import Costs, Shop, best, costs, limited, profits, shop, unlimited

from optkit import (
    BoundError,
    DecisionError,
    Instance,
    Method,
    MethodUnavailable,
    Run,
    Stop,
    UsageError,
    solve,
)

FOREVER = Stop(time_s=None)


def draws(instance: Instance, run: Run, *, pause: Callable[[], None] = lambda: None) -> None:
    """Random decisions until a limit."""
    for _ in run.steps():
        run.found(run.rng.integers(0, instance.choices))
        pause()


def proving(function: Callable[..., None]) -> Method:
    return Method("claims", function, "exact", proves_bound=True)


# --- methods -------------------------------------------------------------------------------------


def test_a_function_of_three_lines_is_a_method() -> None:
    def zeros(instance: Instance, run: Run) -> None:
        run.found(np.zeros(len(instance.choices), dtype=int))

    result = solve(costs(), zeros)
    assert (result.method, result.objective, result.bound) == ("zeros", 14, None)
    assert (result.status, result.reason) == ("feasible", "finished")


def test_a_function_of_ones_own_proves_nothing() -> None:
    def liar(instance: Instance, run: Run) -> None:
        run.found([1, 1])
        run.bound(6)

    with pytest.raises(RuntimeError, match="not described as proving bounds") as caught:
        solve(costs(), liar)
    assert caught.value.result.status == "feasible"


def test_a_method_of_ones_own_may_prove() -> None:
    result = solve(costs(), Method("mine", best, "exact", proves_bound=True))
    assert (result.method, result.objective, result.bound) == ("mine", 6, 6)
    assert (result.status, result.reason) == ("optimal", "proved")


def test_a_method_that_does_not_apply_is_refused_however_it_is_given() -> None:
    mine = Method("mine", best, "exact", proves_bound=True, applies=unlimited)
    assert solve(costs(), mine).objective == 6
    with pytest.raises(MethodUnavailable, match="mine cannot.*a limit couples the positions"):
        solve(limited(), mine)


def test_what_is_no_method() -> None:
    with pytest.raises(UsageError, match="method is 5, expected a name, a Method or a function"):
        solve(costs(), 5)


@pytest.mark.usefixtures("toy_problem")
def test_an_unknown_method_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"'anealing' for toy \(did you mean 'annealing'\?\)"):
        solve(costs(), "anealing")


@pytest.mark.usefixtures("toy_problem")
def test_auto_takes_the_first_exact_method_that_applies() -> None:
    result = solve(costs())
    assert (result.method, result.status) == ("best", "optimal")
    result = solve(limited())
    assert (result.method, result.objective) == ("enumerate", 6), "best does not apply"


@pytest.mark.usefixtures("toy_problem")
def test_no_exact_method_at_all() -> None:
    many = costs(cost=np.ones((40, 3)), weight=np.ones((40, 3)), limit=99)
    with pytest.raises(MethodUnavailable, match="no exact method"):
        solve(many)


@pytest.mark.usefixtures("toy_problem")
def test_a_method_that_is_not_available_says_why() -> None:
    with pytest.raises(MethodUnavailable, match="best cannot.*a limit couples the positions"):
        solve(limited(), "best")
    with pytest.raises(MethodUnavailable, match=r'needs no_such_package: pip install "optkit\[far'):
        solve(costs(), "moon")


# --- options, seeds, threads ---------------------------------------------------------------------


def choosy(
    instance: Instance,
    run: Run,
    *,
    depth: int = 1,
    rate: float = 0.5,
    start: str | None = None,
    style: Literal["fast", "slow"] = "fast",
    deep: bool = False,
    anything=None,
) -> None:
    run.note(seen=[depth, rate, start, style, deep, anything])
    run.found([0, 0])


def test_options_reach_the_method_and_the_result() -> None:
    given = {"depth": np.int64(3), "rate": 2, "start": "warm", "style": "slow", "deep": True}
    result = solve(costs(), choosy, options=given | {"anything": [1, "two"]})
    assert result.details["seen"] == [3, 2.0, "warm", "slow", True, [1, "two"]]
    assert result.options == given | {"anything": [1, "two"]}
    assert solve(costs(), choosy).options == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"depth": "many"}, "option depth of method choosy: found 'many', expected an integer"),
        ({"depth": 1.5}, "found 1.5, expected an integer"),
        ({"depth": True}, "found true, expected an integer"),
        ({"rate": None}, "found null, expected a number"),
        ({"start": 5}, "found 5, expected a text or null"),
        ({"style": "fats"}, "one of 'fast', 'slow' (did you mean 'fast'?)"),
        ({"deep": 1}, "found 1, expected true or false"),
        ({"dept": 2}, "method choosy has no option 'dept' (did you mean 'depth'?); its options: "),
        ({"instance": 2}, "has no option 'instance'"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_before_anything_runs(wrong: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        solve(costs(), choosy, options=wrong)
    assert message in str(caught.value)
    assert caught.value.result is None


class Callable3:
    """A method with a state of its own."""

    def __call__(self, instance: Instance, run: Run, *, depth: int = 1) -> None:
        run.found([depth, 0])


def late(instance: NowhereImported, run: Run, *, depth: int = 1) -> None:  # noqa: F821
    """Its first annotation is known to type checkers alone."""
    run.found([depth, 0])


@pytest.mark.parametrize("method", [Callable3(), late, functools.partial(choosy, rate=0.1)])
def test_options_of_every_kind_of_function(method: Any) -> None:
    assert solve(costs(), method, options={"depth": 2}).options == {"depth": 2}
    with pytest.raises(UsageError, match="found 'x', expected an integer"):
        solve(costs(), method, options={"depth": "x"})


def test_the_seed_fixes_the_result() -> None:
    stop = Stop(time_s=None, iterations=3)
    xs = [solve(costs(cost=np.eye(12)), draws, stop=stop, seed=s).x.tolist() for s in (1, 1, 2)]
    assert xs[0] == xs[1] != xs[2]


@pytest.mark.parametrize("seed", [0, 2**31, 2**63, 10**30, np.int64(7)])
def test_every_whole_number_from_0_is_a_seed(seed: Any) -> None:
    result = solve(costs(), draws, seed=seed, stop=Stop(iterations=1))
    assert result.seed == seed
    assert type(result.seed) is int


@pytest.mark.parametrize("seed", [-1, np.int64(-1), 1.0, True, "1", None])
def test_what_is_no_seed(seed: Any) -> None:
    with pytest.raises(UsageError, match="the seed is .*, expected an integer >= 0"):
        solve(costs(), draws, seed=seed)


@pytest.mark.parametrize("threads", [0, -2, True, 1.5, "2", None])
def test_what_is_no_number_of_threads(threads: Any) -> None:
    with pytest.raises(UsageError, match="threads is .*, expected an integer >= 1"):
        solve(costs(), draws, threads=threads)


def test_threads_and_seed_reach_the_method() -> None:
    def look(instance: Instance, run: Run) -> None:
        run.note(threads=run.threads, seed=run.seed, warm=run.warm_start)

    details = solve(costs(), look, threads=3, seed=9).details
    assert details == {"threads": 3, "seed": 9, "warm": None}


# --- limits --------------------------------------------------------------------------------------

LIMITS = [
    ({"time_s": 0}, "time"),
    ({"iterations": 0}, "iterations"),
    ({"iterations": 40}, "iterations"),
    ({"stall": 0}, "stall"),
    ({"stall": 30}, "stall"),
    ({"target": 7}, "target"),
]


@pytest.mark.parametrize(("limit", "reason"), LIMITS, ids=str)
@pytest.mark.parametrize("make", [costs, limited])
def test_a_limit_never_raises(make: Callable[[], Instance], limit: Any, reason: str) -> None:
    result = solve(make(), draws, stop=Stop(**({"time_s": None} | limit)))
    assert result.reason == reason
    assert result.status in ("feasible", "unknown")


@pytest.mark.usefixtures("toy_problem")
@pytest.mark.parametrize("method", ["enumerate", "best", "local_search", "annealing", "random"])
@pytest.mark.parametrize(("limit", "reason"), LIMITS, ids=str)
def test_a_limit_never_raises_in_the_methods_at_hand(method: str, limit: Any, reason: str) -> None:
    result = solve(costs(), method, stop=Stop(**({"time_s": None} | limit)))
    assert result.reason in (reason, "proved", "finished")
    if 0 in limit.values():
        assert (result.x, result.evaluation, result.status) == (None, None, "unknown")


def test_the_limit_covers_building(clock) -> None:
    def slow(instance: Instance, run: Run) -> None:
        clock.wait(7)  # the model
        run.built()
        for _ in run.steps():
            run.found([0, 0])
            clock.wait(2)

    result = solve(costs(), slow, stop=Stop(time_s=10))
    assert (result.build_s, result.solve_s, result.reason) == (7, 4, "time")
    result = solve(costs(), slow, stop=Stop(time_s=5))
    assert (result.build_s, result.solve_s, result.reason) == (7, 0, "time")
    assert result.x is None


def test_a_method_that_never_says_when_it_is_built(clock) -> None:
    def plain(instance: Instance, run: Run) -> None:
        clock.wait(3)

    result = solve(costs(), plain)
    assert (result.build_s, result.solve_s) == (None, 3)


# --- warm start ----------------------------------------------------------------------------------


def worse(instance: Instance, run: Run) -> None:
    run.note(x=run.x.tolist(), warm=run.warm_start[0].tolist())
    run.found([0, 0])


def test_a_warm_start_is_never_made_worse() -> None:
    known = solve(costs(), best_of_toy())
    for given in ([1, 1], np.array([1, 1]), known, {"option": [1, 1]}):
        result = solve(costs(), worse, warm_start=given)
        assert result.objective == 6
        assert result.details == {"x": [1, 1], "warm": [1, 1]}


def best_of_toy() -> Method:
    return Method("best", best, "exact", proves_bound=True)


@pytest.mark.parametrize(("limit", "reason"), [({"time_s": 0}, "time"), ({"target": 6}, "target")])
def test_a_warm_start_is_the_answer_of_a_run_that_ends_at_once(limit: Any, reason: str) -> None:
    def never(instance: Instance, run: Run) -> None:
        raise AssertionError("there is nothing left to do")

    result = solve(costs(), never, stop=Stop(**limit), warm_start=[1, 1])
    assert (result.objective, result.reason) == (6, reason)


def test_an_infeasible_warm_start_gives_way() -> None:
    assert solve(limited(), worse, warm_start=[1, 2]).x.tolist() == [0, 0]


def test_a_warm_start_with_parts() -> None:
    def nothing(instance: Instance, run: Run) -> None:
        run.note(parts=run.warm_start[1])

    given = {"sold": [1, 1, 1], "price": [3.0, 4.0, 4.0]}
    result = solve(shop(), nothing, warm_start=given)
    assert result.objective == 11
    assert result.details["parts"]["price"].tolist() == given["price"]
    assert solve(shop(), nothing, warm_start=result).objective == 11


def test_a_warm_start_that_is_none() -> None:
    for wrong in ([1], [1, 5], {"choice": [1, 1]}, solve(costs(), draws, stop=Stop(iterations=0))):
        with pytest.raises(DecisionError):
            solve(costs(), worse, warm_start=wrong)


def test_a_bound_that_a_warm_start_disproves() -> None:
    with pytest.raises(BoundError) as caught:
        solve(costs(), proving(lambda instance, run: run.bound(7)), warm_start=[1, 1])
    assert (caught.value.result.objective, caught.value.result.bound) == (6, None)


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim_first", [True, False])
@pytest.mark.parametrize(("make", "x", "false"), [(costs, [1, 1], 7), (profits, [0, 0], 13)])
def test_a_false_bound_comes_with_the_result_so_far(make, x, false, claim_first: bool) -> None:
    def lie(instance: Instance, run: Run) -> None:
        run.note(step=1)
        for act in (lambda: run.bound(false), lambda: run.found(x))[:: 1 if claim_first else -1]:
            act()

    with pytest.raises(BoundError) as caught:
        solve(make(), proving(lie))
    result = caught.value.result
    assert result.x.tolist() == x
    assert (result.bound, result.gap) == (None, None)
    assert (result.status, result.reason) == ("feasible", "crashed")
    assert result.details == {"step": 1}


def test_no_bound_of_a_method_is_trusted_once_one_was_false() -> None:
    def lie(instance: Instance, run: Run) -> None:
        run.found([1, 1])
        run.bound(5)
        run.bound(7)

    with pytest.raises(BoundError) as caught:
        solve(costs(), proving(lie))
    assert (caught.value.result.objective, caught.value.result.bound) == (6, None)


@pytest.mark.parametrize("claim_first", [True, False])
def test_a_false_claim_of_infeasibility(claim_first: bool) -> None:
    def lie(instance: Instance, run: Run) -> None:
        for act in (run.infeasible, lambda: run.found([0, 0]))[:: 1 if claim_first else -1]:
            act()

    with pytest.raises(BoundError) as caught:
        solve(costs(), proving(lie))
    assert (caught.value.result.status, caught.value.result.objective) == ("feasible", 14)


def test_a_method_that_overlooks_its_false_bound_is_not_called_optimal() -> None:
    def stubborn(instance: Instance, run: Run) -> None:
        run.bound(7)
        try:
            run.found([1, 1])
        except BoundError:
            run.found([0, 0])

    result = solve(costs(), proving(stubborn))
    assert (result.status, result.objective, result.bound) == ("feasible", 6, None)


def test_an_error_in_a_method_comes_with_the_result_so_far() -> None:
    def fail(instance: Instance, run: Run) -> None:
        run.found([1, 1])
        run.bound(5)
        raise ZeroDivisionError("in the model")

    with pytest.raises(ZeroDivisionError, match="in the model") as caught:
        solve(costs(), proving(fail))
    result = caught.value.result
    assert (result.objective, result.bound, result.reason) == (6, 5, "crashed")


def test_an_error_before_anything_was_found() -> None:
    def fail(instance: Instance, run: Run) -> None:
        run.found([0])

    with pytest.raises(DecisionError) as caught:
        solve(costs(), fail)
    assert (caught.value.result.x, caught.value.result.status) == (None, "unknown")


def test_an_error_in_the_callback_is_no_secret() -> None:
    def fail(progress: Any) -> None:
        raise LookupError("no screen")

    with pytest.raises(LookupError) as caught:
        solve(costs(), draws, on_progress=fail)
    assert caught.value.result.feasible


# --- progress ------------------------------------------------------------------------------------


def test_progress_is_shown(clock) -> None:
    seen: list[Any] = []

    def method(instance: Instance, run: Run) -> None:
        run.built()
        run.found([0, 0])
        clock.wait(1)
        run.stopped()
        run.bound(6)
        run.found([1, 1])

    solve(costs(), proving(method), on_progress=seen.append)
    assert [(p.time_s, p.objective, p.bound, p.improved) for p in seen] == [
        (0, 14, None, True),
        (1, 14, None, False),
        (1, 14, 6, True),
        (1, 6, 6, True),
    ]


# --- the result ----------------------------------------------------------------------------------


def test_every_field_of_a_result() -> None:
    instance = costs()
    result = solve(instance, best_of_toy(), seed=5, threads=2)
    assert (result.problem, result.instance) == ("toy", "costs")
    assert result.instance_digest == instance.digest
    assert (result.sense, result.unit) == ("minimise", "s")
    assert (result.method, result.options, result.seed) == ("best", {}, 5)
    assert (result.status, result.reason) == ("optimal", "proved")
    assert result.x.tolist() == [1, 1]
    assert result.decision["option"].tolist() == [1, 1]
    assert (result.evaluation.objective, result.evaluation.scale) == (6, 6)
    assert result.evaluation.terms["paid"].tolist() == [2, 4]
    assert result.evaluation.violations == {}
    assert (result.bound, result.gap) == (6, 0)
    assert (result.details, result.build_s) == ({}, None)
    assert result.solve_s >= 0
    assert [(p.objective, p.bound) for p in result.trace] == [(6, None), (6, 6)]
    assert {"python", "optkit", "numpy"} <= set(result.versions)


def test_what_is_absent_is_none() -> None:
    result = solve(costs(), lambda instance, run: None)
    absent = (result.x, result.decision, result.evaluation, result.objective, result.bound)
    assert absent == (None,) * 5
    assert result.gap is None
    assert not result.feasible
    assert (result.status, result.reason) == ("unknown", "finished")


def test_parts_are_in_the_decision() -> None:
    def sell(instance: Shop, run: Run) -> None:
        run.found([1, 1, 0], price=instance.worth)

    result = solve(shop(), sell)
    assert {name: array.tolist() for name, array in result.decision.items()} == {
        "sold": [1, 1, 0],
        "price": [3, 4, 5],
    }
    assert result.objective == 7


def test_an_infeasible_decision_is_shown_with_its_violations_and_no_gap() -> None:
    def method(instance: Costs, run: Run) -> None:
        run.found([1, 2])
        run.bound(6)

    result = solve(limited(), proving(method))
    assert (result.status, result.reason) == ("unknown", "finished")
    assert (result.objective, result.evaluation.violations) == (6, {"limit": 1.0})
    assert (result.bound, result.gap) == (6, None)


def test_proven_infeasible() -> None:
    def method(instance: Costs, run: Run) -> None:
        run.found([2, 2])
        run.infeasible()

    result = solve(limited(), proving(method))
    assert (result.status, result.reason) == ("infeasible", "proved")
    assert result.evaluation.broken == {"limit": 2.0}


def test_an_infinite_bound_is_no_number_in_a_result() -> None:
    result = solve(limited(), proving(lambda instance, run: run.bound(math.inf)))
    assert (result.bound, result.status) == (None, "unknown")


def test_a_bound_beyond_the_objective_by_rounding_is_the_objective() -> None:
    def method(instance: Costs, run: Run) -> None:
        run.bound(6 + 1e-7)
        run.found([1, 1])

    result = solve(costs(), proving(method))
    assert (result.bound, result.gap, result.status) == (6, 0, "optimal")


@pytest.mark.parametrize(("slack", "status"), [(0.9e-6, "optimal"), (1.1e-6, "feasible")])
@pytest.mark.parametrize(("make", "x", "sign"), [(costs, [1, 1], -1), (profits, [0, 0], 1)])
def test_optimal_within_the_tolerance_and_no_further(make, x, sign, slack, status) -> None:
    def method(instance: Costs, run: Run) -> None:
        run.bound(run.found(x).objective * (1 + sign * slack))

    for rel_gap in (0.0, 1.0):
        result = solve(make(), proving(method), stop=Stop(rel_gap=rel_gap))
        assert result.status == status, "the gap at which to stop does not decide what is optimal"


# --- signals within one process ------------------------------------------------------------------


def raising(*numbers: int) -> Callable[[Instance, Run], None]:
    def method(instance: Instance, run: Run) -> None:
        waiting = list(numbers)
        for _ in run.steps():
            run.found([1, 1])
            while waiting:
                signal.raise_signal(waiting.pop())

    return method


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_run_with_its_result(number: int) -> None:
    before = signal.getsignal(number)
    result = solve(costs(), raising(number), stop=FOREVER)
    assert (result.objective, result.reason, result.status) == (6, "interrupted", "feasible")
    assert signal.getsignal(number) is before


def test_the_second_signal_ends_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        solve(costs(), raising(signal.SIGINT, signal.SIGINT), stop=FOREVER)
    assert signal.getsignal(signal.SIGINT) is before


def test_each_solve_has_its_own_interrupt() -> None:
    assert solve(costs(), raising(signal.SIGINT), stop=FOREVER).reason == "interrupted"
    assert solve(costs(), draws, stop=Stop(iterations=5)).reason == "iterations"


def test_handlers_are_put_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError):
        solve(costs(), lambda instance, run: 1 / 0)
    assert signal.getsignal(signal.SIGINT) is before


def test_solve_works_in_any_thread() -> None:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(solve(costs(), best_of_toy())))
    thread.start()
    thread.join()
    assert results[0].status == "optimal"
