"""``benchmarks/learned.py``: what it trains, keeps and counts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from learned import Row, _cell

pytest.importorskip("jax")
pytest.importorskip("optax")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "learned.py"
QUICK = (
    *("--family", "small", "--environments", 1, "--seeds", "0,1", "--presets", "paper"),
    *("--tests", 4, "--methods", "ro,greedy", "-o", "networks=2", "-o", "memory=16"),
    *("-o", "batch=8", "-o", "hidden=[8]", "-p", "couplings="),
)


def learned(*words: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(SCRIPT), *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.long
def test_policies_are_trained_compared_and_kept(tmp_path: Path) -> None:
    first = learned(*QUICK, "-o", "iterations=2", "--folder", tmp_path)
    assert first.returncode == 0, first.stderr
    assert re.search(r"\| ro \| [\d.]+ % \|", first.stdout)
    assert re.search(r"\| ddl, paper \| [\d.]+ % \([\d.]+-[\d.]+\) \| [\d.]+ ms \|", first.stdout)
    assert "Mean gap to the proven optimum of 4 of 4 instances" in first.stdout
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert sorted(files) == ["e1-paper-s0.npz", "e1-paper-s1.npz"]
    other = learned(*QUICK, "-o", "iterations=3", "--folder", tmp_path)
    assert other.returncode == 2
    assert "is the policy of another training: iterations was 2, and is now 3" in other.stderr
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--jobs", 0), "found '0', expected an integer >= 1"),
        (("--presets", "paper,storng"), "unknown preset 'storng' (did you mean 'strong'?)"),
        (("--methods", "ro,gredy"), "unknown method 'gredy'"),
        (("-o", "bach=3"), "training ddl has no option 'bach' (did you mean 'batch'?)"),
    ],
)
def test_a_wrong_word_costs_no_training(words: tuple[object, ...], message: str) -> None:
    ended = learned(*words)
    assert ended.returncode == 2
    assert message in ended.stderr and "Traceback" not in ended.stderr


def test_infeasible_answers_are_counted() -> None:
    assert _cell([Row(1.5, 4, 4, 0.1)]) == "1.50 %"
    assert _cell([Row(1.5, 2, 12, 0.1)]) == "1.50 %, feasible 2/12"
    assert _cell([Row(None, 0, 12, 0.1)]) == "-, feasible 0/12"
    assert _cell([Row(1.0, 4, 4, 0.1), Row(2.0, 4, 4, 0.1)]) == "1.50 % (1.00-2.00)"
