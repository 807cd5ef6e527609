"""Results on disk and back, their gap, their status, and what they refuse to be."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from core_toys import Costs, best, costs, limited, profits, shop

from optkit import BoundError, Evaluation, Instance, Method, Result, Run, Stop, solve
from optkit.result import Status, StopReason, relative_gap


def made(**changes: Any) -> Result:
    """A result of a minimisation with objective 10."""
    fields: dict[str, Any] = {
        "problem": "toy",
        "instance": "costs",
        "instance_digest": "0" * 64,
        "sense": "minimise",
        "method": "mine",
        "options": {},
        "seed": 0,
        "status": Status.FEASIBLE,
        "reason": StopReason.FINISHED,
        "x": np.array([1, 1]),
        "decision": {"option": np.array([1, 1])},
        "evaluation": Evaluation(10.0, 10.0),
        "bound": None,
    }
    return Result(**(fields | changes))


def written_and_read(result: Result, folder: Path) -> Result:
    result.save(folder / "result.json")
    return Result.load(folder / "result.json")


# --- round trip ----------------------------------------------------------------------------------


def some_method(instance: Instance, run: Run, *, size: int = 2, tags: list[str] | None = None):
    parts = {"price": np.array([2.5, 0.0, 1 / 3])} if instance.parts else {}
    run.built()
    for _ in range(3):
        run.found(run.rng.integers(0, instance.choices), **parts)
    run.bound(100.0 if instance.sense == "maximise" else -100.0)
    run.note(
        path=np.arange(3), share=np.float64(0.1), flag=np.True_, deep={"a": [1, None, "é\n"]},
        infinite=math.inf,
    )  # fmt: skip


@pytest.mark.parametrize("make", [costs, limited, profits, shop])
def test_a_result_survives_the_disk(make, tmp_path: Path) -> None:
    method = Method("some", some_method, "exact", proves_bound=True)
    options = {"size": 3, "tags": ["x"]}
    result = solve(make(), method, seed=2**70, options=options)
    read = written_and_read(result, tmp_path)
    assert read.to_dict() == result.to_dict()
    for field in dataclasses.fields(Result):
        if field.name not in ("x", "decision", "evaluation", "details"):
            assert getattr(read, field.name) == getattr(result, field.name), field.name
    assert np.array_equal(read.x, result.x)
    assert read.x.dtype == np.int64
    assert type(read.status) is Status
    assert type(read.reason) is StopReason
    assert read.evaluation.objective == result.evaluation.objective
    assert read.gap == result.gap
    assert read.details["deep"] == result.details["deep"]


def test_a_result_of_block_placement_survives_the_disk(two_blocks, tmp_path: Path) -> None:
    result = solve(two_blocks, "enumerate")
    read = written_and_read(result, tmp_path)
    assert read.to_dict() == result.to_dict()
    again = two_blocks.evaluate(read.x)
    for name, term in again.terms.items():
        assert np.array_equal(read.evaluation.terms[name], term), name


def test_an_empty_result_survives_the_disk(tmp_path: Path) -> None:
    result = solve(costs(), lambda instance, run: None)
    read = written_and_read(result, tmp_path)
    assert read.to_dict() == result.to_dict()
    assert (read.x, read.decision, read.evaluation, read.bound, read.gap) == (None,) * 5


def test_the_document_has_the_documented_fields() -> None:
    document = made().to_dict()
    assert list(document) == [
        "problem", "instance", "instance_digest", "sense", "unit", "method", "options", "seed",
        "status", "reason", "x", "decision", "evaluation", "bound", "gap", "details", "build_s",
        "solve_s", "compile_s", "trace", "versions",
    ]  # fmt: skip
    assert list(document["evaluation"]) == ["objective", "scale", "terms", "violations"]


@pytest.mark.parametrize(("sense", "worst"), [("minimise", math.inf), ("maximise", -math.inf)])
def test_an_infinite_objective_is_null_in_a_file(sense: str, worst: float, tmp_path: Path) -> None:
    evaluation = Evaluation(worst, math.inf, {"wait": math.inf}, {"unstable": np.array([0, 2.0])})
    result = made(sense=sense, evaluation=evaluation, status=Status.UNKNOWN, bound=1.0)
    read = written_and_read(result, tmp_path)
    text = json.loads((tmp_path / "result.json").read_text())
    assert (text["evaluation"]["objective"], text["gap"]) == (None, None)
    assert read.objective == worst
    assert not read.feasible
    assert read.gap is None
    assert read.to_dict() == result.to_dict()


def test_the_worst_is_never_kept_instead_of_a_number(tmp_path: Path) -> None:
    def find(instance: Costs, run: Run) -> None:
        run.found([0])

    for maker in (costs, profits):
        result = solve(maker(cost=[[None, 1.0]]), find)
        read = written_and_read(result, tmp_path)
        assert read.objective == result.objective
        assert solve(maker(cost=[[None, 1.0]]), lambda i, run: run.found([1]), warm_start=read)\
            .objective == 1  # fmt: skip


def test_the_trace_is_a_table(tmp_path: Path) -> None:
    result = solve(costs(), Method("best", best, "exact", proves_bound=True))
    result.save_trace(tmp_path / "trace.csv")
    rows = list(csv.reader((tmp_path / "trace.csv").open()))
    assert rows[0] == ["time_s", "objective", "bound"]
    assert [row[1:] for row in rows[1:]] == [["6.0", ""], ["6.0", "6.0"]]
    assert [float(row[0]) for row in rows[1:]] == [point.time_s for point in result.trace]


# --- gap -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [
        (10.0, 8.0, 0.2),
        (8.0, 10.0, 0.2),
        (-8.0, -10.0, 0.2),
        (7.0, 7.0, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, -5.0, 1.0),
        (5.0, 0.0, 1.0),
        (5.0, -5.0, 2.0),
        (1e-300, 0.0, 1.0),
    ],
)
def test_the_gap(objective: float, bound: float, gap: float) -> None:
    assert relative_gap(objective, bound) == pytest.approx(gap, abs=0)
    sense = "minimise" if objective >= bound else "maximise"
    result = made(sense=sense, evaluation=Evaluation(objective, 10.0), bound=bound)
    assert result.gap == pytest.approx(gap, abs=0)
    assert result.to_dict()["gap"] == result.gap


def test_no_gap_without_a_feasible_decision_and_a_bound() -> None:
    assert made().gap is None
    assert made(evaluation=None, x=None, decision=None, bound=1.0).gap is None
    assert made(evaluation=Evaluation(10.0, 10.0, {}, {"limit": 1e-300}), bound=1.0).gap is None


# --- impossible bounds ---------------------------------------------------------------------------


@pytest.mark.parametrize(("sense", "sign"), [("minimise", 1), ("maximise", -1)])
@pytest.mark.parametrize("objective", [10.0, -10.0])
def test_a_bound_better_than_the_objective_is_refused(sense, sign, objective) -> None:
    fields = {"sense": sense, "evaluation": Evaluation(objective, 10.0)}
    made(**fields, bound=objective - sign)
    made(**fields, bound=objective + sign * 0.9e-5)
    with pytest.raises(BoundError, match="is better than the feasible objective"):
        made(**fields, bound=objective + sign * 1.1e-5)
    with pytest.raises(BoundError):
        dataclasses.replace(made(**fields), bound=objective + sign)


def test_an_infeasible_decision_refuses_no_bound() -> None:
    assert made(evaluation=Evaluation(10.0, 10.0, {}, {"limit": 1.0}), bound=20.0).bound == 20


def test_a_file_with_an_impossible_bound_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "false.json"
    path.write_text(json.dumps(made().to_dict() | {"bound": 11.0}))
    with pytest.raises(BoundError, match=r"false\.json: bound: bound 11\.0 is better"):
        Result.load(path)


@pytest.mark.parametrize("claim", [0.0, 5e-7, 1.5e-6])
def test_the_status_of_an_objective_of_zero_goes_by_its_scale(claim: float) -> None:
    """Costs of 1000 that cancel: 1e-9 of what adds up is 2e-6."""

    def method(instance: Instance, run: Run) -> None:
        run.found([0, 0])
        run.bound(-claim)

    cancelling = costs(cost=[[1e3], [-1e3]])
    result = solve(cancelling, Method("m", method, "exact", proves_bound=True))
    assert (result.objective, result.status) == (0, "optimal")


def test_a_run_that_stops_at_its_gap_is_not_optimal() -> None:
    def method(instance: Instance, run: Run) -> None:
        run.found([1, 1])
        run.bound(5.5)
        assert run.stopped()

    proving = Method("m", method, "exact", proves_bound=True)
    result = solve(costs(), proving, stop=Stop(rel_gap=0.1))
    assert (result.status, result.reason) == ("feasible", "gap")
