"""``benchmarks/scaling.py`` on small sizes, and what its ratios are made of."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alternatives.block_placement.costs import plain, task_costs
from alternatives.child import in_child
from cases import PROBLEMS
from cases.block_placement import CASES
from cases.block_placement.uncoupled import first_tasks
from scaling import main
from scaling_numbers import check, gap_at, reached_s
from scaling_report import Report, Settings

import optkit
from optkit.result import Result, Status, TracePoint


@pytest.fixture(scope="module")
def instance() -> Any:
    return optkit.generate("block_placement", "paper", 0, slots=1, rate=4, blocks=3)


@pytest.fixture(scope="module")
def result(instance: Any) -> Result:
    return optkit.solve(instance, "dp")


def test_quick_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.json"
    assert main(["--case", "uncoupled,cycles", "--quick", "--json", str(file)]) == 0
    document = json.loads(file.read_text())
    lines = {(line["case"], line["method"]): line for line in document["lines"]}
    assert lines["uncoupled", "networkx"]["ratio"] > 0
    ours, theirs = lines["cycles", "cg"], lines["cycles", "Pyomo, its HiGHS"]
    assert theirs["objective"] == pytest.approx(ours["objective"], rel=1e-5)
    out = capsys.readouterr().out
    assert "figure" in out and len(document["figures"]) == 6
    assert not any(line["note"].startswith("failed") for line in document["lines"])


@pytest.mark.parametrize(
    ("problem", "cases", "alternative"),
    [
        ("dt_assignment", "uncoupled,30x", "Pyomo as printed"),
        ("channel_choice", "equal-price,peers", "Pyomo over coalitions"),
    ],
)
def test_quick_cases_of_other_problems(
    problem: str, cases: str, alternative: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.json"
    words = ["--problem", problem, "--case", cases, "--quick", "--json", str(file)]
    assert main(words) == 0
    document = json.loads(file.read_text())
    assert not any(line["note"].startswith("failed") for line in document["lines"])
    assert {line["case"] for line in document["lines"]} == set(cases.split(","))
    theirs = next(line for line in document["lines"] if line["method"] == alternative)
    same = [line for line in document["lines"] if line["size"] == theirs["size"]]
    assert theirs["ratio"] > 0
    assert theirs["objective"] == pytest.approx(same[0]["objective"], rel=1e-5)
    assert all(figure["measured"] for figure in document["figures"])


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_has_cases(problem: str) -> None:
    cases = importlib.import_module(f"cases.{problem}").CASES
    assert cases and all(case.__doc__ for case in cases.values())


def test_bad_words_give_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = ["--problem", "dt_assignment", "--case", "ps-slot"]
    for words in (unknown, ["--case", "uncopled"], ["--json", "no/such/folder/a"], ["--quik"]):
        assert main(words) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
    assert "energy-load" in CASES


def test_costs_agree_with_the_evaluator(instance: Any) -> None:
    document = plain(instance.canonical())
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.integers(0, instance.choices)
        total = 0.0
        for k, path in enumerate(instance.padded(x).tolist()):
            costs, at = task_costs(document, k), 0
            for m, place in enumerate(path):
                total += costs.moves[m][at][place] + costs.compute[m][place]
                at = place
        assert total == pytest.approx(instance.evaluate(x).objective, rel=1e-12)


def test_costs_refuse_what_they_do_not_know(instance: Any) -> None:
    with pytest.raises(ValueError, match="scale"):
        plain(instance.replace(tasks={"scale": [1.0] * instance.tasks}).canonical())


def test_first_tasks(instance: Any) -> None:
    assert first_tasks(instance, 2).tasks == 2


@pytest.fixture
def traced(result: Result) -> Result:
    """A run that had a gap of 50 % after 1 s, of 10 % after 2 s and of 0 after 4 s."""
    best = result.objective
    assert best is not None
    points = (
        TracePoint(0.5, best, None),
        TracePoint(1.0, best, 0.5 * best),
        TracePoint(2.0, best, 0.9 * best),
        TracePoint(4.0, best, best),
    )
    return dataclasses.replace(result, trace=points, build_s=0.0, solve_s=5.0)


def test_times_and_gaps_of_a_trace(traced: Result) -> None:
    assert [reached_s(traced, gap) for gap in (0.6, 0.5, 0.2, 0.0)] == [1.0, 1.0, 2.0, 4.0]
    assert reached_s(dataclasses.replace(traced, trace=traced.trace[:3]), 0.05) is None
    assert [gap_at(traced, time_s) for time_s in (0.9, 1.5, 3.0, 9.0)] == [
        None, pytest.approx(0.5), pytest.approx(0.1), pytest.approx(0.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "proved", "ratio", "note"),
    [
        (1.0, 1.0, 20 / 4, ""),
        (1.0, 0.9, 20 / 2, ""),
        (1.0, 0.1, 20 / 1, ""),
        (None, 0.9, None, "found nothing"),
        (1.0, None, None, "proved nothing"),
    ],
)
def test_a_ratio_is_of_the_times_to_the_same_gap(
    found: float | None, proved: float | None, ratio: float | None, note: str,
    instance: Any, traced: Result, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def child(*_: Any, **__: Any) -> dict[str, Any]:
        objective = None if found is None else found * traced.objective
        bound = None if proved is None else proved * traced.objective
        return {"objective": objective, "bound": bound, "build_s": 5.0, "solve_s": 15.0}

    monkeypatch.setattr("scaling_report.in_child", child)
    report = Report("block_placement", Settings())
    line = report.other("a", "other", lambda document: {}, instance, traced)
    assert (line.ratio, line.note) == (pytest.approx(ratio) if ratio else None, note)


def test_contradictions_are_raised(result: Result) -> None:
    assert result.objective is not None
    check(result, result.objective, result.objective, "same")
    check(result, None, None, "nothing")
    with pytest.raises(optkit.BoundError, match="other claims"):
        check(result, None, result.objective * 1.01, "other")
    with pytest.raises(optkit.BoundError, match="ours claims"):
        check(result, result.objective * 0.99, None, "other")


def test_what_is_called_infeasible_is_not_found(result: Result) -> None:
    claimed = dataclasses.replace(
        result, status=Status.INFEASIBLE, evaluation=None, x=None, decision=None, bound=None
    )
    check(claimed, None, None, "other")
    with pytest.raises(optkit.BoundError, match="nothing is feasible"):
        check(claimed, 1.0, None, "other")


def _counts(document: dict[str, Any], *arguments: float) -> dict[str, Any]:
    _seen.append((document, arguments))
    return {"seen": _seen}


_seen: list[Any] = []


def test_the_first_call_of_a_child_is_not_measured() -> None:
    answer = in_child(_counts, {"a": 1}, 20.0, limit_s=60.0, first={"b": 2})
    assert answer["seen"] == [({"b": 2}, (2.0,)), ({"a": 1}, (20.0,))]


def _dies(document: dict[str, Any]) -> dict[str, Any]:
    os._exit(7)


def test_a_child_that_dies() -> None:
    assert "status 7" in in_child(_dies, {}, limit_s=60.0)["error"]
