"""``optkit train`` and ``optkit solve --policy`` as a user types them; signals and kills."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from learning_toys import points, words

import optkit.train.progress  # noqa: F401  (what it imports is changed in a test)
from optkit.__main__ import main
from optkit.learning.policy import Policy

pytest.importorskip("jax")
pytest.importorskip("optax")

TRAIN = ("train", "points", "--family", "line")


def start(*command: object, installed: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    line = [sys.executable, "-m", "optkit", *map(str, command)]
    return subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env=installed)


def run(*command: object, installed: dict[str, str]) -> tuple[int, str, str]:
    process = start(*command, installed=installed)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def here(capsys: pytest.CaptureFixture[str], *command: object) -> tuple[int, str, str]:
    """The command in this process."""
    capsys.readouterr()
    status = main([str(word) for word in command])
    return status, *capsys.readouterr()


def error(capsys: pytest.CaptureFixture[str], *command: object) -> str:
    """The one line of a command that ends with status 2."""
    status, out, err = here(capsys, *command)
    assert status == 2 and not out
    assert err.startswith("optkit: ") and len(err.splitlines()) == 1, err
    return err.removeprefix("optkit: ").rstrip("\n")


def test_train_and_solve(tmp_path: Path, installed: dict[str, str]) -> None:
    out, file = tmp_path / "p.npz", tmp_path / "a.json"
    line = (*TRAIN, "--out", out, *words(label="exact"), "--quiet")
    status, printed, err = run(*line, installed=installed)
    assert (status, err) == (0, "")
    assert printed.startswith(f"{out}: ") and "gap " in printed and "C " in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.npz", "site"]
    points().save(file)
    solving = ("solve", file, "--method", "ddl,nearest", "--policy", out, "--json")
    status, printed, err = run(*solving, installed=installed)
    assert status == 0, err
    learned, exact = [json.loads(line) for line in printed.splitlines()]
    assert learned["method"] == "ddl" and learned["options"] == {"policy": str(out)}
    assert learned["details"]["trained_on"]["family"] == "line"
    assert exact["status"] == "optimal" and exact["options"] == {}
    assert learned["evaluation"]["objective"] >= exact["evaluation"]["objective"]


LIGHT = """
import json, sys
from optkit.__main__ import main
status = main(json.loads(sys.argv[1]))
print(json.dumps([status, [name for name in sys.argv[2:] if name in sys.modules]]))
"""


def test_solving_by_a_policy_imports_no_jax(tmp_path: Path, installed: dict[str, str]) -> None:
    def loaded(*command: object, heavy: str) -> Any:
        line = [sys.executable, "-c", LIGHT, json.dumps([str(word) for word in command])]
        done = subprocess.run(line + heavy.split(), capture_output=True, text=True, env=installed,
                              check=True, timeout=120)  # fmt: skip
        return json.loads(done.stdout.splitlines()[-1])

    out, file = tmp_path / "p.npz", tmp_path / "a.json"
    assert run(*TRAIN, "--out", out, *words(iterations=1), installed=installed)[0] == 0
    points().save(file)
    solving = ("solve", file, "--method", "ddl", "--policy", out, "--json")
    assert loaded(*solving, heavy="jax optax equinox scipy pyomo") == [0, []]
    assert loaded("train", "--help", heavy="numpy jax msgspec rich") == [0, []]


# --- interrupts ----------------------------------------------------------------------------------


def wait_for_state(path: Path, process: subprocess.Popen[str]) -> None:
    """Until the state is written anew."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    for _ in range(12_000):
        if path.exists() and path.stat().st_mtime_ns > before:
            return
        if process.poll() is not None:
            return
        time.sleep(0.01)
    raise AssertionError("no state was written")


@pytest.mark.long
def test_killed_and_resumed_it_ends_the_same(tmp_path: Path, installed: dict[str, str]) -> None:
    options = words(iterations=600, measure=100, explore="true", label="one_opt")
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    assert run(*TRAIN, "--out", whole, *options, installed=installed)[0] == 0
    again = (*TRAIN, "--out", parts, *options, "--checkpoint-s", 0, "--resume", "--quiet")
    state, kills = tmp_path / "parts.npz.state", 0
    for kill in range(2):
        process = start(*again, installed=installed)
        for _ in range(kill + 1):
            wait_for_state(state, process)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate(timeout=120)
        assert not parts.exists() or not state.exists()
    assert kills == 2
    status, _, err = run(*again, installed=installed)
    assert status == 0, err
    assert parts.read_bytes() == whole.read_bytes()
    assert not state.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_writes_the_state(tmp_path: Path, installed: dict[str, str], number: int) -> None:
    out, state = tmp_path / "p.npz", tmp_path / "p.npz.state"
    line = (*TRAIN, "--out", out, *words(iterations=10**9), "--checkpoint-s")
    process = start(*line, 0, installed=installed)
    wait_for_state(state, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted: --resume goes on from the state that is kept"
    assert "Traceback" not in err
    assert not out.exists()
    process = start(*line, 10**6, "--resume", installed=installed)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode in (130, -signal.SIGTERM)
    assert state.exists()


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("installed")
def test_wrong_words_are_answered_in_one_line(tmp_path: Path, capsys) -> None:
    out = tmp_path / "p.npz"
    quick = (*TRAIN, "--out", out, *words())
    assert "PROBLEM" in error(capsys, "train", "--family", "line", "--out", out)
    assert "--family" in error(capsys, "train", "points", "--out", out)
    assert "--out" in error(capsys, "train", "points", "--family", "line")
    assert "unknown problem 'pionts'" in error(
        capsys, "train", "pionts", "--family", "line", "--out", out
    )
    assert "did you mean 'batch'" in error(capsys, *quick, "-o", "bacth=3")
    assert "did you mean 'count'" in error(capsys, *quick, "-p", "coutn=3")
    assert "give it as --seed" in error(capsys, *quick, "-p", "seed=3")
    assert "give it as --preset" in error(capsys, *quick, "-o", "preset=strong")
    assert "unknown preset" in error(capsys, *quick, "--preset", "best")
    assert "is a directory" in error(capsys, *TRAIN, "--out", tmp_path)
    gone = tmp_path / "gone" / "p.npz"
    assert "gone does not exist" in error(capsys, *TRAIN, "--out", gone)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"]


@pytest.mark.usefixtures("installed")
def test_wrong_policies_are_answered_in_one_line(tmp_path: Path, capsys) -> None:
    file, out = tmp_path / "a.json", tmp_path / "p.npz"
    points().save(file)
    solving = ("solve", file, "--method", "ddl")
    assert "none is shipped for points" in error(capsys, *solving)
    assert "p.npz: no such file" in error(capsys, *solving, "--policy", out)
    out.write_text("{}")
    assert "p.npz: not an NPZ file" in error(capsys, *solving, "--policy", out)
    assert here(capsys, *TRAIN, "--out", out, *words(iterations=1), "-p", "count=6")[0] == 0
    wrong = error(capsys, *solving, "--policy", out)
    assert wrong.endswith("p.npz: trained for 6 positions of 3 options, this instance has 4 of 3")
    policy = Policy.load(out)
    Policy("ddl", "others", policy.network, policy.arrays).save(out)
    assert "is a policy of ddl for others" in error(capsys, *solving, "--policy", out)
    nearest = ("solve", file, "--method", "nearest", "--policy", out)
    assert "method nearest has no option 'policy'" in error(capsys, *nearest)


@pytest.mark.usefixtures("installed")
def test_progress_is_told_in_plain_lines(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["optkit.solve.progress"], "_LINE_EVERY_S", 0.0)
    out = tmp_path / "p.npz"
    status, printed, err = here(capsys, *TRAIN, "--out", out, *words())
    assert status == 0
    assert printed.startswith(str(out))
    lines = err.splitlines()
    assert "preparing: 32 test scenarios" in lines[0]
    assert any("preparing: memory of 64" in line for line in lines)
    assert "iteration 40 of 40, loss " in lines[-1] and "gap " in lines[-1]
    assert "\x1b" not in err
    assert here(capsys, *TRAIN, "--out", out, *words(), "--quiet")[2] == ""


@pytest.mark.usefixtures("installed")
def test_a_finished_training_is_read_or_repeated(tmp_path: Path, capsys) -> None:
    out = tmp_path / "p.npz"
    line = (*TRAIN, "--out", out, *words(iterations=5), "--quiet")
    assert here(capsys, *line)[0] == 0
    first, written = out.read_bytes(), out.stat().st_mtime_ns
    assert here(capsys, *line, "--resume")[0] == 0
    assert out.stat().st_mtime_ns == written  # read, not trained again
    other = error(capsys, *line, "--resume", "--seed", 1)
    assert other == f"{out}: is the policy of another training: environment was 0, and is now 1"
    assert here(capsys, *line)[0] == 0
    assert out.read_bytes() == first
    assert out.stat().st_mtime_ns > written
