"""Generalised assignment files: what they become, and the command that converts them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from formulations.dt_assignment.gap_files import from_gap
from formulations.dt_assignment.instance import TwinAssignment
from optkit import load
from optkit.errors import InstanceError, UsageError
from optkit.generate.__main__ import main
from optkit.generate.convert import convert

ONE = "2 3\n 1 2 3\n 4 5 6\n 7 8 9\n 10 11 12\n 13 14\n"
OTHER = "1 2 -1.5 2 3 4 9"


def test_agents_are_servers_and_jobs_are_twins() -> None:
    document = from_gap(ONE, "one")
    instance = TwinAssignment(document)
    assert (instance.twins, instance.servers, instance.name) == (3, 2, "one")
    assert instance.tables.cost.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert instance.tables.demand[0].tolist() == [[7, 10], [8, 11], [9, 12]]
    assert instance.tables.limit[0].tolist() == [13, 14]
    assert instance.integer_cost
    judged = instance.evaluate([0, 1, 1])
    assert judged.objective == 12.0
    assert judged.violations == {"server_capacity": 9.0}


def test_profits_are_negative_costs() -> None:
    instance = TwinAssignment(from_gap(ONE, maximise=True))
    assert instance.evaluate([1, 1, 1]).objective == -15.0


def test_one_of_several_problems() -> None:
    text = f"2\n{ONE}{OTHER}"
    assert np.array_equal(from_gap(text, number=1)["pair_cost"], from_gap(ONE)["pair_cost"])
    second = from_gap(text, "many", number=2)
    assert second["name"] == "many-2"
    assert second["pair_cost"].tolist() == [[-1.5], [2.0]]
    with pytest.raises(InstanceError, match="holds 2 problems"):
        from_gap(text)
    for number in (0, 3):
        with pytest.raises(InstanceError, match=f"no problem {number}"):
            from_gap(text, number=number)
    assert from_gap("1\n" + ONE, "alone")["name"] == "alone"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 numbers"),
        ("5", "1 numbers"),
        ("2 3 1 2", "found 4 numbers, expected 16 for 2 agents and 3 jobs"),
        (ONE + " 1", "found 17 numbers, expected 16"),
        (f"2\n{ONE}", "expected"),
        (f"1\n{ONE}{OTHER}", "found 2 problems, expected 1"),
        (f"3\n{ONE}{OTHER}", "found 2 problems, expected 3"),
        (f"2\n{ONE}{OTHER} 8", "found 1 numbers after problem 2"),
        (f"2\n{ONE}{ONE[:-3]}", "problem 2 of 2: found 15 numbers, expected 16 for 2 agents"),
        ("0 3 1", "word 1 is 0"),
        ("2.5 3 1 1", "word 1 is 2.5"),
        ("1 1 x 2 3", "word 3 is 'x'"),
        ("1 1 nan 2 3", "word 3 is 'nan', expected a finite number"),
        ("1 1 inf 2 3", "word 3 is 'inf'"),
        ('{"problem": "dt_assignment"}', "word 1"),
    ],
)
def test_a_bad_text_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(InstanceError, match=message):
        from_gap(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gap 1.txt"
    path.write_text(ONE)
    return path


def test_the_command_writes_the_instance(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main(["dt_assignment", "--from-gap", str(file), "--out", str(out)]) == 0
    assert load(out) == TwinAssignment(from_gap(ONE, "gap 1"))
    words = ["dt_assignment", "--from-gap", str(file), "--maximise", "--out", str(out)]
    assert main(words) == 0
    assert load(out) == TwinAssignment(from_gap(ONE, "gap 1", maximise=True))
    file.write_text(f"2 {ONE} {OTHER}")
    words = ["dt_assignment", f"--from-gap={file}", "-p", "number=2", "--out", str(out)]
    assert main(words) == 0
    assert load(out).name == "gap 1-2"


def test_the_command_prints_the_instance(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dt_assignment", "--from-gap", str(file)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["pair_cost"] == [[1, 4], [2, 5], [3, 6]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dt_assignment", "--from-gap", "{missing}"], "no-such.txt: no such file"),
        (["dt_assignment", "--from-gap", "{folder}"], "is a directory, expected a text file"),
        (["dt_assignment", "--from-gap", "{bad}"], "bad.txt: found 4 numbers, expected 7"),
        (["dt_assignment", "--from-gap", "{negative}"], "negative.txt: pair_load[0][0]: found -1"),
        (["dt_assignment", "paper", "--from-gap", "{good}"], "family 'paper'"),
        (["--from-gap", "{good}"], "a PROBLEM"),
        (["dt_assignment", "paper", "--maximise"], "--maximise"),
        (["block_placement", "--from-gap", "{good}"], "block_placement reads no format 'gap'"),
        (["dt_assignment", "--from-gap", "{good}", "-p", "numbr=1"], "did you mean 'number'?"),
        (["dt_assignment", "--from-gap", "{good}", "-p", "number=x"], "expected an integer"),
        (["dt_assignment", "--from-gap", "{good}", "-p", "number=2"], "good.txt: there is no"),
        (["dt_assignment", "--from-gap", "{good}", "-p", "path=x"], "-p path"),
        (["dt_assignment", "--from-gap"], "expected one argument"),
    ],
)
def test_bad_words_and_files_are_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {"missing": tmp_path / "no-such.txt", "folder": tmp_path}
    for name, text in (("bad", "1 2 3 4"), ("negative", "1 1 1 -1 1"), ("good", ONE)):
        paths[name] = tmp_path / f"{name}.txt"
        paths[name].write_text(text)
    assert main([word.format(**paths) for word in words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("optkit: ")
    assert error.count("\n") == 1
    assert message in error


def test_the_verb(file: Path) -> None:
    assert convert("dt_assignment", "gap", file, maximise=True).name == "gap 1"
    with pytest.raises(UsageError, match="did you mean 'gap'"):
        convert("dt_assignment", "gaps", file)
