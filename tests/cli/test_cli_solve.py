"""What ``optkit solve`` prints, writes and returns."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_methods import METHODS
from cli_tools import BEST, HERE, Command, environment, start

from optkit import Result, load, registry
from optkit.solve import output, progress


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "GENERIC", (*registry.GENERIC, *METHODS))


def test_a_user_reads_what_was_found(shell: Command, file: Path) -> None:
    outcome = shell("-m", "optkit.solve", file, "--method", "enumerate")
    assert outcome.status == 0
    assert outcome.err == ""
    lines = outcome.out.splitlines()
    assert lines[0] == f"{file}: two_blocks"
    words = [line.split() for line in lines]
    assert ["method", "enumerate"] in words
    assert ["objective", f"{BEST:.9g}", "s"] in words
    assert ["bound", f"{BEST:.9g}", "s"] in words
    assert ["gap", "0", "%"] in words
    assert ["status", "optimal", "(proved)"] in words
    assert ["terms", "total_delay_s", f"{BEST:.9g}"] in words
    assert any(line.split()[:3] == ["rho", "[1x2]", "min"] for line in lines if line)
    assert "violations" not in outcome.out
    assert lines[-2].split()[:2] == ["time", "solve"]


def test_violations_are_shown_and_never_a_gap(optkit: Command, infeasible: Path) -> None:
    outcome = optkit("solve", infeasible, "--method", "random", "-o", "samples=3")
    assert outcome.status == 1
    words = [line.split() for line in outcome.out.splitlines()]
    assert any(w[:2] == ["violations", "deadline"] for w in words)
    assert ["gap", "-"] in words
    assert "(infeasible)" in outcome.out
    assert ["status", "unknown", "(finished)"] in words


def test_the_real_name_of_auto(optkit: Command, file: Path, monkeypatch, extra) -> None:
    monkeypatch.setattr(registry, "methods", lambda name: {m.name: m for m in registry.GENERIC})
    outcome = optkit("solve", file)
    assert outcome.status == 0
    assert ["method", "enumerate", "(auto)"] in [x.split() for x in outcome.out.splitlines()]


def test_json_lines_and_nothing_else(shell: Command, file: Path) -> None:
    outcome = shell("-m", "optkit.solve", file, "--method", "enumerate,random", "--json")
    assert outcome.status == 0
    first, second = outcome.documents
    assert (first["method"], first["status"]) == ("enumerate", "optimal")
    assert (second["method"], second["status"]) == ("random", "feasible")
    assert first["evaluation"]["objective"] == BEST
    assert first["instance_digest"] == load(file).digest


def test_options_limits_and_seed_reach_the_method(optkit: Command, file: Path) -> None:
    outcome = optkit(
        "solve", file, "--method", "annealing,random", "--json", "--seed", 3,
        "-o", "annealing.chains=2", "-o", "random.samples=7", "--iterations", 5,
    )  # fmt: skip
    annealed, drawn = outcome.documents
    assert annealed["options"] == {"chains": 2}
    assert annealed["reason"] == "iterations"
    assert annealed["seed"] == 3
    assert drawn["options"] == {"samples": 7}
    outcome = optkit("solve", file, "--method", "annealing", "--json", "--target", 1)
    assert outcome.documents[0]["reason"] == "target"
    outcome = optkit("solve", file, "--method", "annealing", "--json", "--stall", 9)
    assert outcome.documents[0]["reason"] == "stall"


def test_no_time_at_all(optkit: Command, file: Path, write, result) -> None:
    outcome = optkit("solve", file, "--method", "annealing", "--time-limit-s", 0, "--json")
    assert outcome.status == 1
    document = outcome.documents[0]
    assert (document["status"], document["reason"]) == ("unknown", "time")
    assert document["evaluation"] is None
    words = ("solve", file, "--method", "annealing", "--time-limit-s", 0)
    assert "none found" in optkit(*words).out
    known = write(result, "known.json")
    outcome = optkit(*words, "--json", "--warm-start", known)
    assert outcome.status == 0
    assert outcome.documents[0]["x"] == result["x"]


@pytest.mark.parametrize("method", ["annealing", "random", "local_search", "enumerate"])
def test_a_warm_start_is_never_made_worse(optkit: Command, file, write, result, method) -> None:
    known = write(result, "known.json")
    words = ("solve", file, "--method", method, "--warm-start", known, "--iterations", 1)
    outcome = optkit(*words, "--json")
    assert outcome.status == 0
    assert outcome.documents[0]["evaluation"]["objective"] <= BEST


def test_a_warm_start_of_another_instance(optkit: Command, file, write, mini, result) -> None:
    for part in mini["tasks"].values():
        part.pop()
    short = write(mini, "short.json")
    known = write(result, "known.json")
    outcome = optkit("solve", short, "--method", "random", "--warm-start", known)
    assert outcome.status == 2
    assert outcome.error == f"{known}: decision: the decision has 4 entries, expected 2 integers"


def test_proven_infeasible(optkit: Command, infeasible: Path) -> None:
    outcome = optkit("solve", infeasible, "--method", "enumerate", "--json")
    assert outcome.status == 3
    assert outcome.documents[0]["status"] == "infeasible"


def test_the_status_of_several(optkit: Command, file, infeasible, write) -> None:
    words = ("solve", file, infeasible, "--json")
    assert optkit(*words, "--method", "enumerate").status == 3
    assert optkit(*words, "--method", "enumerate,random").status == 1
    bad = write("{", "bad.json")
    outcome = optkit(*words, bad, "--method", "enumerate,random")
    assert outcome.status == 2
    assert outcome.error.startswith(f"{bad}: not valid JSON")
    assert len(outcome.documents) == 4


def test_a_table_after_several(optkit: Command, file: Path, infeasible: Path) -> None:
    outcome = optkit("solve", file, infeasible, "--method", "enumerate,random")
    table = [line.split() for line in outcome.out.splitlines()[-5:]]
    assert table[0] == ["file", "method", "status", "objective", "best", "bound", "gap", "seconds"]
    assert [row[0] for row in table[1:]] == [str(file)] * 2 + [str(infeasible)] * 2
    assert [row[1] for row in table[1:]] == ["enumerate", "random"] * 2
    assert table[1][2:9] == ["optimal", "(proved)", f"{BEST:.9g}", "s", f"{BEST:.9g}", "0", "%"]
    # A heuristic is measured by the bound of the exact method on the same file.
    gap = float(table[2][7])
    objective = float(table[2][4])
    assert table[2][6] == f"{BEST:.9g}"
    assert gap == pytest.approx(100 * (objective - BEST) / objective, rel=1e-3, abs=1e-6)


def test_out_and_trace_of_one_run(optkit: Command, file: Path, tmp_path: Path) -> None:
    out, trace = tmp_path / "r.json", tmp_path / "t.csv"
    words = ("solve", file, "--method", "enumerate", "--out", out, "--trace", trace)
    assert optkit(*words).status == 0
    assert Result.load(out).objective == BEST
    rows = list(csv.reader(trace.open()))
    assert rows[0] == ["time_s", "objective", "bound"]
    assert float(rows[-1][1]) == float(rows[-1][2]) == BEST


def test_out_of_several_runs_is_a_folder(optkit: Command, file, infeasible, tmp_path) -> None:
    folder = tmp_path / "new" / "results"
    words = ("solve", file, infeasible, "--method", "enumerate,random", "--out", folder)
    assert optkit(*words, "--trace", folder).status == 1
    names = {f"{f}.{m}" for f in ("mini", "infeasible") for m in ("enumerate", "random")}
    found = {path.name for path in folder.iterdir()}
    assert found == {n + s for n in names for s in (".json", ".csv")}
    assert Result.load(folder / "infeasible.enumerate.json").status.value == "infeasible"


def test_outputs_that_cannot_be(optkit: Command, file: Path, write, mini, tmp_path: Path) -> None:
    def error(*words: object) -> str:
        outcome = optkit("solve", *words)
        assert outcome.status == 2
        assert outcome.out == ""
        return outcome.error

    one = (file, "--method", "random")
    assert "does not exist" in error(*one, "--out", tmp_path / "no" / "r.json")
    assert "is a directory" in error(*one, "--out", tmp_path)
    assert "is an input" in error(*one, "--out", file)
    two = (file, "--method", "random,annealing")
    assert "need a folder" in error(*two, "--out", file)
    assert "one FILE and one method" in error(*two, "--export", "m.mps")
    (tmp_path / "other").mkdir()
    twin = write(mini, "other/mini.json")
    assert "would both write" in error(file, twin, "--out", tmp_path / "results")


def test_usage_errors_are_one_line(optkit: Command, file: Path) -> None:
    def error(*words: object) -> str:
        outcome = optkit(*words)
        assert outcome.status == 2
        return outcome.error

    assert "did you mean 'annealing'?" in error("solve", file, "--method", "anealing")
    assert "known: auto, " in error("solve", file, "--method", "zzz\n")
    assert "no option 'stps' (did you mean 'steps'?)" in error(
        "solve", file, "--method", "annealing", "-o", "stps=1"
    )
    assert "found 'many', expected an integer" in error(
        "solve", file, "--method", "annealing", "-o", "steps=many"
    )
    assert "option steps is 0" in error("solve", file, "--method", "annealing", "-o", "steps=0")
    assert "expected NAME=VALUE" in error("solve", file, "-o", "steps")
    assert "mip is not among" in error("solve", file, "--method", "random", "-o", "mip.gap=1")
    assert "no option 'solver'" in error("solve", file, "--method", "random", "--solver", "x")
    assert "no option 'export'" in error("solve", file, "--method", "random", "--export", "m.mps")
    assert "did you mean '--seed'?" in error("solve", file, "--sede", 1)
    assert "'-1', expected an integer >= 0" in error("solve", file, "--seed", -1)
    assert "'0', expected an integer >= 1" in error("solve", file, "--threads", 0)
    assert "'nan', expected a number" in error("solve", file, "--time-limit-s", "nan")
    assert "'-1', expected a number >= 0" in error("solve", file, "--rel-gap=-1")
    assert "expected names between commas" in error("solve", file, "--method", "a,,b")
    assert "no FILE" in error("solve")
    assert "did you mean 'solve'?" in error("slove", file)


def test_a_method_that_raises(optkit: Command, extra, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    outcome = optkit("solve", file, "--method", "crash", "--json", "--out", out)
    assert outcome.status == 1
    assert outcome.error == f"{file}: crash: RuntimeError: first line\\nsecond line \\x1b[31m"
    assert outcome.documents[0] == json.loads(out.read_text())
    assert outcome.documents[0]["reason"] == "crashed"
    assert outcome.documents[0]["evaluation"]["objective"] == BEST


def test_a_traceback_only_when_debugging(extra, optkit: Command, file, monkeypatch) -> None:
    monkeypatch.setenv("OPTKIT_DEBUG", "1")
    with pytest.raises(RuntimeError, match="first line"):
        optkit("solve", file, "--method", "crash")


def test_a_false_bound_is_dropped(optkit: Command, extra, file: Path) -> None:
    outcome = optkit("solve", file, "--method", "lie", "--json")
    assert outcome.status == 1
    assert "BoundError" in outcome.error
    document = outcome.documents[0]
    assert (document["bound"], document["status"]) == (None, "feasible")


def test_an_option_refused_while_running(optkit: Command, extra, file: Path) -> None:
    outcome = optkit("solve", file, "--method", "refuse")
    assert outcome.status == 2
    assert outcome.error.endswith("refuse: option size is 0, expected something else")


def test_a_missing_package(optkit: Command, extra, file: Path) -> None:
    outcome = optkit("solve", file, "--method", "absent")
    assert outcome.status == 2
    assert 'needs no_such_package: pip install "optkit[solvers]"' in outcome.error


def test_names_cannot_spoil_the_screen(optkit: Command, extra, write, mini) -> None:
    mini["name"] = "a\nb\x1b[31m\u2028\ud800"
    path = write(mini, "strange\n.json")
    outcome = optkit("solve", path, "--method", "dots,random")
    assert outcome.status == 0
    assert "\\n.json: a\\nb\\x1b[31m\\u2028\\ud800" in outcome.out
    assert "two\\nlines \\x1b[31m" in outcome.out
    assert "[2x3] min 0, mean 2.5, max 5" in outcome.out
    assert '{"a": [1, "b"]}' in outcome.out
    assert "\x1b" not in outcome.out


def test_progress_in_a_pipe(optkit: Command, extra, file: Path, monkeypatch) -> None:
    words = ("solve", file, "--method", "walk", "-o", "pause_s=0", "--iterations", 20)
    assert optkit(*words).err == ""
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0.0)
    lines = optkit(*words, "--json").err.splitlines()
    assert lines and all(line.startswith("mini.json: walk: ") for line in lines)
    assert "objective " in lines[-1]
    assert optkit(*words, "--quiet").err == ""


def test_progress_on_a_terminal(file: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    words = [sys.executable, HERE / "cli_methods.py", "solve", file, "--method", "walk"]
    words += ["--iterations", "101", "--json"]
    run = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=theirs, env=environment(TERM="xterm"), timeout=120
    )
    screen = os.read(ours, 100_000).decode()
    assert run.returncode == 0
    assert len(run.stdout.splitlines()) == 1
    assert "objective" in screen and "walk" in screen


def test_the_file_is_rewritten_while_running(optkit: Command, extra, file, tmp_path, monkeypatch):
    for name in ("FIRST_S", "EVERY_S", "PATIENCE"):
        monkeypatch.setattr(output, name, 0.0)
    saved = []
    save = Result.save

    def record(result: Result, path: Path) -> None:
        save(result, path)
        saved.append(json.loads(Path(path).read_text())["reason"])

    monkeypatch.setattr(Result, "save", record)
    words = ("solve", file, "--method", "walk", "-o", "pause_s=0", "--iterations", 50)
    assert optkit(*words, "--out", tmp_path / "r.json").status == 0
    assert len(saved) > 1
    assert set(saved[:-1]) == {"crashed"}
    assert saved[-1] == "iterations"


def test_a_full_disk_does_not_end_the_run(optkit: Command, extra, file, tmp_path, monkeypatch):
    for name in ("FIRST_S", "EVERY_S", "PATIENCE"):
        monkeypatch.setattr(output, name, 0.0)

    def full(result: Result, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Result, "save", full)
    words = ("solve", file, "--method", "walk", "-o", "pause_s=0", "--iterations", 50)
    outcome = optkit(*words, "--out", tmp_path / "r.json", "--json")
    assert outcome.status == 2
    assert len(outcome.documents) == 1
    assert [line.count("No space left on device") for line in outcome.err.splitlines()] == [1, 1]


def test_a_reader_that_leaves(file: Path) -> None:
    process = start(["-m", "optkit.solve", file, "--method", "random", "--json"])
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=120) == 141
    assert process.stderr.read() == ""
