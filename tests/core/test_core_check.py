"""``check`` confirms what is true and finds every number that was tampered with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from core_toys import best, costs, limited, profits, shop

from optkit import BoundError, Instance, Method, Result, Run, check, solve


def sell(instance: Instance, run: Run) -> None:
    """Two of the three, one of them for less than it is worth."""
    run.found([1, 0, 1], price=np.array([3.0, 0.0, 4.0]))
    run.bound(12)


def overload(instance: Instance, run: Run) -> None:
    run.found([2, 2])


BEST = Method("best", best, "exact", proves_bound=True)
SELL = Method("sell", sell, "exact", proves_bound=True)


def document(instance: Instance, method: Any) -> dict[str, Any]:
    """The file of a result, to be tampered with."""
    return json.loads(json.dumps(solve(instance, method).to_dict()))


def changed(original: dict[str, Any], path: str, value: Any) -> Result:
    copy = json.loads(json.dumps(original))
    *way, last = path.split(".")
    place = copy
    for step in way:
        place = place[step]
    if value is None and last not in place:
        raise KeyError(path)
    place[last] = value
    return Result.from_dict(copy)


TRUE = [(costs, BEST), (shop, SELL), (limited, overload), (profits, overload)]


@pytest.mark.parametrize(("make", "method"), TRUE)
def test_a_true_result_holds(make: Any, method: Any) -> None:
    instance = make()
    result = solve(instance, method)
    for claimed in (result, Result.from_dict(document(instance, method))):
        report = check(instance, claimed)
        assert report.ok, report.problems
        assert report.problems == ()
        assert f"objective {result.objective!r} confirmed" in report.facts


def test_results_of_block_placement_hold(two_blocks) -> None:
    for method in ("enumerate", "greedy", "all_local"):
        result = solve(two_blocks, method)
        assert check(two_blocks, result).ok
        assert check(two_blocks, Result.from_dict(result.to_dict())).ok


def test_facts_are_what_was_found() -> None:
    report = check(limited(), solve(limited(), overload))
    assert "violation limit: 2" in report.facts
    report = check(costs(), solve(costs(), BEST))
    assert "bound 6.0 agrees with status optimal" in report.facts
    report = check(costs(), solve(costs(), lambda instance, run: None))
    assert report.ok
    assert report.facts == ("no decision to evaluate",)


def test_an_infinite_objective_is_confirmed() -> None:
    instance = costs(cost=[[None]])
    result = solve(instance, lambda i, run: run.found([0]))
    assert check(instance, Result.from_dict(result.to_dict())).ok


#: Field, value, and what the report says. The shop sold items 0 and 2 for 3 and 4.
TAMPERED = [
    ("problem", "toy", "the result is of problem toy, the instance of shop"),
    ("instance_digest", "f" * 64, "the result is of another instance: digest ffffffffffff"),
    ("x", [1, 1, 1], "x and decision are not the same decision"),
    ("decision.sold", [1, 1, 1], "x and decision are not the same decision"),
    ("decision.sold", [1, 0], "the decision has 2 entries, expected 3 integers"),
    ("decision.sold", [1, 0, 2], "x[2] is 2, expected an integer from 0 to 1"),
    ("decision.price", [3.0, 0.0, 4.5], "objective is 7.5, the file says 7.0"),
    ("decision.price", [3.0, 0.0, 6.0], "evaluation.violations.too_dear is another array"),
    ("decision", {"sold": [1, 0, 1]}, "expected a decision with the arrays"),
    ("evaluation", None, "holds a decision, but not its evaluation"),
    ("evaluation.objective", 7.000001, "objective is 7.0, the file says 7.000001"),
    ("evaluation.objective", None, "objective is 7.0, the file says -inf"),
    ("evaluation.terms.earned", [3.0, 0.0, 4.0001], "evaluation.terms.earned is another array"),
    ("evaluation.terms.earned", [3.0, 0.0], "evaluation.terms.earned is another array"),
    ("evaluation.terms", {}, "evaluation.terms.earned is missing from the file"),
    ("evaluation.terms", {"earned": [3, 0, 4], "tip": 1}, "evaluation.terms.tip is in the file"),
    ("evaluation.violations.too_dear", [0, 0, 1], "violations.too_dear is another array"),
    ("evaluation.violations", {}, "evaluation.violations.too_dear is missing"),
    ("status", "optimal", "status is optimal, but the bound 12.0 leaves a gap"),
    ("status", "infeasible", "status is infeasible, but the decision is feasible"),
]


@pytest.mark.parametrize(("path", "value", "message"), TAMPERED, ids=lambda v: str(v)[:40])
def test_tampering_is_found(path: str, value: Any, message: str) -> None:
    instance = shop()
    report = check(instance, changed(document(instance, SELL), path, value))
    assert not report.ok
    assert any(message in problem for problem in report.problems), report.problems


#: The same of an optimal result with objective and bound 6.
PROVED = [
    ("bound", 5.9, "status is optimal, but the bound 5.9 leaves a gap"),
    ("bound", None, "a feasible decision or a bound is missing"),
    ("sense", "maximise", "the file says maximise, the problem is to minimise"),
    ("decision.option", [0, 0], "objective is 14.0, the file says 6.0"),
]


@pytest.mark.parametrize(("path", "value", "message"), PROVED, ids=str)
def test_tampering_with_a_proof_is_found(path: str, value: Any, message: str) -> None:
    instance = costs()
    report = check(instance, changed(document(instance, BEST), path, value))
    assert any(message in problem for problem in report.problems), report.problems


def test_a_bound_better_than_its_objective_cannot_even_be_read() -> None:
    with pytest.raises(BoundError):
        changed(document(costs(), BEST), "bound", 6.1)


def test_a_bound_that_only_the_true_objective_disproves() -> None:
    """Objective and bound were raised together."""
    tampered = document(costs(), BEST)
    tampered["evaluation"]["objective"] = tampered["bound"] = 8.0
    report = check(costs(), Result.from_dict(tampered))
    assert "objective is 6.0, the file says 8.0" in report.problems
    assert "bound 8.0 is better than the objective it bounds" in report.problems


@pytest.mark.parametrize("status", ["feasible", "optimal"])
def test_a_status_that_an_infeasible_decision_cannot_have(status: str) -> None:
    report = check(limited(), changed(document(limited(), overload), "status", status))
    assert f"status is {status}, but the decision is not feasible" in report.problems


@pytest.mark.parametrize("status", ["feasible", "optimal"])
def test_a_status_that_no_decision_supports(status: str) -> None:
    empty = document(costs(), lambda instance, run: None)
    report = check(costs(), changed(empty, "status", status))
    assert report.problems == (f"status is {status}, but the file holds no decision",)


def test_violations_that_were_hidden() -> None:
    tampered = document(limited(), overload)
    tampered["evaluation"]["violations"]["limit"] = 0.0
    tampered["status"] = "feasible"
    report = check(limited(), Result.from_dict(tampered))
    assert "evaluation.violations.limit is 2.0, the file says 0.0" in report.problems
    assert "status is feasible, but the decision is not feasible" in report.problems


def test_a_result_of_another_instance() -> None:
    other = costs(cost=[[5, 2, 3], [9, 4.5, 4]])
    report = check(other, solve(costs(), BEST))
    assert any("another instance" in problem for problem in report.problems)


def test_a_file_with_the_vector_alone_can_be_checked() -> None:
    result = changed(document(costs(), BEST), "decision", None)
    assert check(costs(), result).ok
