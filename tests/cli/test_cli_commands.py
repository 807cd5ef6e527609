"""The other commands, the lists, and what the light ones import."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from cli_methods import METHODS
from cli_tools import Command

from optkit import __version__, generate, load, problems, registry
from optkit.check.__main__ import main as check_main
from optkit.generate.__main__ import main as generate_main
from optkit.registry import methods
from optkit.solve.__main__ import main as solve_main

HEAVY = [
    "numpy",
    "scipy",
    "pyomo",
    "ortools",
    "highspy",
    "networkx",
    "numba",
    "jax",
    "pandas",
    "rich",
]
REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "words",
    [
        ["optkit", "--help"],
        ["optkit", "--version"],
        ["optkit", "solve", "--help"],
        ["optkit.solve", "--help"],
        ["optkit.solve", "--list-methods"],
        ["optkit.generate", "--help"],
        ["optkit.generate", "--list"],
        ["optkit.check", "--help"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(shell: Command, words: list[str]) -> None:
    outcome = shell("-X", "importtime", "-m", *words)
    assert outcome.status == 0
    imported = {line.rpartition("|")[2].strip() for line in outcome.err.splitlines()}
    assert "optkit.console" in imported
    heavy = {name for name in imported if name.partition(".")[0] in HEAVY}
    assert not heavy


def test_the_words_of_the_console_command(optkit: Command) -> None:
    assert optkit("--version").out == f"optkit {__version__}\n"
    for words in ([], ["--help"]):
        outcome = optkit(*words)
        assert outcome.status == 0
        assert all(word in outcome.out for word in ("solve", "generate", "check"))
    for word in ("solve", "generate", "check"):
        outcome = optkit(word, "--help")
        assert outcome.status == 0
        assert outcome.out.startswith(f"usage: optkit {word} ")


def test_the_modules_are_commands_too(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert solve_main([str(file), "--method", "random"]) == 0
    assert generate_main(["--list"]) == 0
    assert check_main([str(file), str(file)]) == 2
    capsys.readouterr()
    assert solve_main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m optkit.solve FILE...")


def test_an_uninstalled_clone_says_how_to_install(shell: Command, file: Path) -> None:
    for words in (["--list-methods"], [file]):
        outcome = shell("-S", "-m", "optkit.solve", *words, cwd=REPOSITORY)
        assert outcome.status == 2
        assert "install optkit first" in outcome.error
    outcome = shell("-S", "-m", "optkit.check", file, file, cwd=REPOSITORY)
    assert "install optkit first" in outcome.error


# --- lists ---------------------------------------------------------------------------------------


def test_methods_of_every_problem(optkit: Command) -> None:
    outcome = optkit("solve", "--list-methods")
    assert outcome.status == 0
    rows = [line.split() for line in outcome.out.splitlines()]
    for name in problems():
        assert any(row and row[0].rstrip(":") == name for row in rows)
        for method in methods(name).values():
            proves = "yes" if method.proves_bound else "no"
            usable = "yes" if method.available else "no"
            assert [method.name, method.kind, proves, usable] in [row[:4] for row in rows]
            assert method.summary in outcome.out
            assert method.reference in outcome.out


def test_methods_of_an_instance(optkit: Command, file, write, mini, monkeypatch) -> None:
    monkeypatch.setattr(registry, "GENERIC", (*registry.GENERIC, *METHODS))
    tasks = {k: np.repeat(v, 20, axis=0).tolist() for k, v in mini["tasks"].items()}
    large = write(mini | {"tasks": tasks}, "large.json")
    outcome = optkit("solve", "--list-methods", "--json", file, large)
    assert outcome.status == 0
    count = len(methods("block_placement"))
    small_rows, large_rows = outcome.documents[:count], outcome.documents[count:]
    small = {row["method"]: row for row in small_rows}
    assert small["enumerate"]["usable"] is True
    assert small["enumerate"]["proves_bound"] is True
    assert small["absent"]["why_not"].startswith("needs no_such_package: pip install")
    (row,) = (row for row in large_rows if row["method"] == "enumerate")
    assert row["usable"] is False
    assert "enumerate walks at most" in row["why_not"]
    assert "[not here: the space has" in optkit("solve", "--list-methods", large).out


def test_a_bad_file_among_those_listed(optkit: Command, file: Path, tmp_path: Path) -> None:
    outcome = optkit("solve", "--list-methods", tmp_path / "no.json", file)
    assert outcome.status == 2
    assert outcome.error.endswith("no.json: no such file")
    assert str(file) in outcome.out


# --- generate ------------------------------------------------------------------------------------


def test_generate_to_stdout_and_to_a_file(optkit: Command, tmp_path: Path) -> None:
    words = ("generate", "block_placement", "tiny", "--seed", 7)
    first = optkit(*words)
    assert (first.status, first.err) == (0, "")
    path = tmp_path / "a.json"
    second = optkit(*words, "--out", path)
    assert (second.status, second.out) == (0, "")
    assert json.loads(first.out) == json.loads(path.read_text())
    assert load(path) == generate("block_placement", "tiny", 7)
    assert optkit("solve", path, "--method", "random").status in (0, 1)


def test_families_are_listed(optkit: Command) -> None:
    everything = optkit("generate", "--list").out
    for name, problem in problems().items():
        alone = optkit("generate", "--list", name).out
        assert alone in everything
        assert all(f"  {family} " in alone for family in problem.families)


def test_parameters_of_a_generator(optkit: Command, tmp_path: Path) -> None:
    words = ("generate", "block_placement", "small", "-p")
    outcome = optkit(*words, "servers=3", "-p", "congestion=none")
    assert outcome.status == 0
    assert len(json.loads(outcome.out)["servers"]["speed_hz"]) == 3

    def error(*words: object) -> str:
        outcome = optkit("generate", *words)
        assert (outcome.status, outcome.out) == (2, "")
        return outcome.error

    small = ("block_placement", "small")
    assert "found 'many', expected an integer" in error(*small, "-p", "servers=many")
    assert "found 2.5, expected an integer" in error(*small, "-p", "servers=2.5")
    assert "found true, expected an integer" in error(*small, "-p", "servers=true")
    assert "(did you mean 'none'?)" in error(*small, "-p", "congestion=nonne")
    assert "(did you mean 'servers'?)" in error(*small, "-p", "server=2")
    assert "servers is 0" in error(*small, "-p", "servers=0")
    assert "expected NAME=VALUE" in error(*small, "-p", "servers")
    assert "-p seed" in error(*small, "-p", "seed=1")
    assert "(did you mean 'small'?)" in error("block_placement", "smal")
    assert "(did you mean 'block_placement'?)" in error("block_placment", "small")
    assert "a PROBLEM and a FAMILY are needed" in error("block_placement")
    assert "expected an integer >= 0" in error(*small, "--seed", "-1")
    assert "cannot be written" in error(*small, "--out", tmp_path / "no" / "a.json")


def test_numpy_scalars_are_parameters_too() -> None:
    assert generate("block_placement", "small", 1, servers=np.int64(3)).servers == 3


# --- check ---------------------------------------------------------------------------------------


def test_a_result_that_holds(optkit: Command, file: Path, write, result) -> None:
    good = write(result, "good.json")
    outcome = optkit("check", file, good)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == "ok"
    assert re.search(r"^fact: objective .* confirmed$", outcome.out, re.MULTILINE)
    report = optkit("check", file, good, "--json").documents[0]
    assert report["ok"] is True
    assert report["problems"] == []
    assert len(report["facts"]) == 2


def changed(result: dict, path: str, value: object) -> dict:
    *outer, last = path.split(".")
    place = result
    for name in outer:
        place = place[name]
    place[last] = value
    return result


CLAIMS = [
    ("evaluation.objective", 0.06, "objective is 0.057"),
    ("evaluation.terms.up_s", 1.0, "evaluation.terms.up_s is 0.004608, the file says 1.0"),
    ("evaluation.terms.rho", [[0, 0]], "evaluation.terms.rho is another array"),
    ("evaluation.terms.upp_s", 1.0, "evaluation.terms.upp_s is in the file, but"),
    ("evaluation.violations.energy", 1.0, "evaluation.violations.energy is 0.0, the file says"),
    ("evaluation.violations.energy", None, "evaluation.violations.energy is 0.0, the file says"),
    ("evaluation", None, "but not its evaluation"),
    ("bound", 0.06, "bound 0.06 is better than"),
    ("bound", 0.01, "the bound 0.01 leaves a gap"),
    ("bound", None, "a feasible decision or a bound is missing"),
    ("status", "infeasible", "status is infeasible, but"),
    ("sense", "maximise", "the file says maximise, the problem is to minimise"),
    ("instance_digest", "0" * 64, "of another instance: digest 000000000000"),
    ("problem", "other", "the result is of problem other"),
    ("x", [0, 2, 2, 2], "x and decision are not the same"),
    ("decision", {"location": [0, 2, 2, 2]}, "objective is"),
    ("decision", {"place": [0, 2, 2, 2]}, "'location'"),
    ("decision", {"location": [0, 2, 2]}, "3 entries, expected 4"),
    ("decision", {"location": [0, 2, 2, 3]}, "x[3] is 3, expected an integer from 0 to 2"),
    ("decision", {"location": [0, 2, 2, 0.5]}, "float64 values, expected integers"),
    ("decision", {"location": "somewhere"}, "expected 4 integers"),
]


@pytest.mark.parametrize(("path", "value", "problem"), CLAIMS)
def test_a_claim_that_fails(optkit: Command, file, write, result, path, value, problem) -> None:
    bad = write(changed(result, path, value), "bad.json")
    outcome = optkit("check", file, bad)
    assert outcome.status == 1
    assert outcome.err == ""
    problems_found = [x for x in outcome.out.splitlines() if x.startswith("problem: ")]
    assert any(problem in line for line in problems_found), outcome.out


def test_a_missing_term_and_no_decision(optkit: Command, file, write, result) -> None:
    del result["evaluation"]["terms"]["up_s"]
    bad = write(result, "bad.json")
    assert "evaluation.terms.up_s is missing from the file" in optkit("check", file, bad).out
    none = {"x": None, "decision": None, "evaluation": None, "bound": None}
    bad = write(result | none, "bad.json")
    outcome = optkit("check", file, bad)
    assert outcome.status == 1
    assert "the file holds no decision" in outcome.out
    honest = write(result | none | {"status": "unknown"}, "honest.json")
    assert optkit("check", file, honest).status == 0
