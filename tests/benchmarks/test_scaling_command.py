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

import optkit
from optkit.result import Result, Status


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


def test_times_and_gaps_of_a_trace(result: Result) -> None:
    assert reached_s(result, 0.5) is not None
    assert gap_at(result, 1e9) == pytest.approx(0.0, abs=1e-9)
    assert gap_at(result, -1.0) is None


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


def _dies(document: dict[str, Any]) -> dict[str, Any]:
    os._exit(7)


def test_a_child_that_dies() -> None:
    assert "status 7" in in_child(_dies, {}, limit_s=60.0)["error"]
