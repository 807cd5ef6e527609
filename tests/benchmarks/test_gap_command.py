"""``benchmarks/gaps.py`` as it is used, on instances of a few tasks."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gaps import main

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gaps.py"
SMALL = ["--family", "paper,paper-ps", "-p", "slots=1", "-p", "rate=3", "-p", "blocks=2"]


def test_table_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, rows = tmp_path / "a.csv", tmp_path / "a.json"
    words = [*SMALL, "--seeds", "0,1", "--methods", "greedy,auto,dp"]
    assert main([*words, "--csv", str(table), "--json", str(rows)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("$ python benchmarks/gaps.py --family paper,paper-ps")
    assert "optkit " in out and "gap = (o - r) / |r|" in out
    assert "paper: 2 instances, optimum proven on 2/2; auto is dp" in out
    assert "does not apply" in out  # dp to paper-ps
    records = json.loads(rows.read_text())
    assert len(records) == 2 * 2 * 3
    for record in records:
        if record["method"] == "dp" and record["family"] == "paper-ps":
            assert record["status"] == "unavailable" and record["gap"] is None
        else:
            assert record["feasible"] and record["proven"] and record["gap"] >= 0
            assert record["objective"] >= record["reference"]
    with table.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["method"] for line in lines] == [record["method"] for record in records]
    assert {line["gap"] for line in lines if line["status"] == "unavailable"} == {""}


def test_markdown_of_the_default_methods(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--family", "paper", "-p", "slots=1", "-p", "rate=2", "-p", "blocks=1"]
    assert main([*words, "--seeds", "3", "--time-limit-s", "1", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("| --- | --- |")
    assert lines[at - 1] == "| method | paper |"
    methods = [line.split()[1] for line in lines[at + 1 :] if line.startswith("|")]
    assert methods[0] == "auto" and {"rpdi", "marginal_greedy", "beam"} <= set(methods)


def test_several_jobs_find_the_same(tmp_path: Path) -> None:
    found = []
    for jobs in ("1", "2"):
        file = tmp_path / f"{jobs}.json"
        words = [*SMALL, "--seeds", "0", "--methods", "rpdi", "--jobs", jobs, "--json", str(file)]
        words += ["--reference", "greedy"]
        assert main(words) == 0
        found.append(
            [(r["family"], r["method"], r["objective"]) for r in json.loads(file.read_text())]
        )
    assert found[0] == found[1] and len(found[0]) == 4


def test_variants_of_a_problem_to_maximise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"
    words = [
        "--problem",
        "channel_choice",
        "--family",
        "dense",
        "--seeds",
        "0",
        "--reference",
        "dp",
    ]
    words += ["-p", "services=10", "-p", "channels=2", "-o", "best_response.starts=2"]
    words += ["--methods", "acco,acco[variant=index],best_response[rule=async],bdo,elc,elc+acco"]
    assert main([*words, "--json", str(file)]) == 0
    found = {record["method"]: record for record in json.loads(file.read_text())}
    assert set(found) == {"dp", *words[-1].split(",")}
    assert found["dp"]["gap"] == 0 and found["elc"]["gain_share"] == pytest.approx(1.0)
    assert all(record["gap"] >= 0 for record in found.values() if record["feasible"])
    assert found["acco[variant=index]"]["gap"] is None  # some service is worse off
    assert found["elc+acco"]["used"] == "acco"
    assert found["bdo"]["figure_name"] == "mean_objective"
    assert found["bdo"]["figure"] < found["bdo"]["objective"]
    assert found["best_response[rule=async]"]["equilibrium"] is True
    out = capsys.readouterr().out
    assert "dense: gain share" in out and "best_response[rule=async] ends in an equilibrium" in out


def test_a_preset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.json"
    words = ["--preset", "dt-assignment-paper", "--seeds", "0", "--json", str(file)]
    assert main([*words, "--methods", "ro,co,ad[reading=cut]"]) == 0
    records = json.loads(file.read_text())
    assert len(records) == 5 * 3 * 4
    gaps = {
        (record["column"], record["method"], record["parameters"]): record["gap"]
        for record in records
    }
    # Where energy alone counts, the cloud is the best place for all.
    assert gaps["alpha 0", "co", "delay_weight=0.0,environment=7"] == pytest.approx(0.0)
    assert gaps["alpha 1", "co", "delay_weight=1.0,environment=7"] > 0.001
    assert min(gaps.values()) >= 0
    assert "alpha 1: 3 instances, optimum proven on 3/3" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["--methods", "gredy"],
        ["--methods", "dp", "--family", "paper-ps", "-p", "slots=1"],
        ["--reference", "best"],
        ["--family", "papers"],
        ["--problem", "block"],
        ["--seeds", "4-0"],
        ["--seeds", "-1"],
        ["--jobs", "0"],
        ["--time-limit-s", "-1"],
        ["-p", "rates=3", "--family", "paper"],
        ["--csv", "no/such/folder/a.csv"],
        ["--method", "dp"],
        ["--methods", "dp[", "--family", "paper"],
        ["--methods", "rpdi[sample=3]", "--family", "paper", "-p", "slots=1"],
        ["--methods", "rpdi", "-o", "greedy.x=3", "--family", "paper", "-p", "slots=1"],
        ["--preset", "dt-assignment"],
        ["--preset", "dt-assignment-paper", "--family", "paper"],
        ["--preset", "dt-assignment-paper", "--problem", "channel_choice"],
    ],
)
def test_bad_words_give_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("optkit: ") and captured.err.count("\n") == 1


def test_an_interrupt_prints_the_table_so_far(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    words = ["--family", "paper-ps", "-p", "slots=1", "--methods", "greedy,local_search"]
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *words, "--reference", "greedy", "--json", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("1/10 paper-ps seed 0: greedy feasible")
    process.send_signal(signal.SIGTERM)  # as Ctrl-C, which a shell may have switched off
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted: the runs so far." in out and "Traceback" not in err
    assert [record["method"] for record in json.loads(file.read_text())] == ["greedy"]
