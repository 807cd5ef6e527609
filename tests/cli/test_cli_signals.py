"""Ctrl-C, SIGTERM and SIGKILL in the middle of a run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_tools import HERE, Command, start

SCRIPT = HERE / "cli_methods.py"


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Until the method has made its file."""
    for _ in range(6000):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("the run did not begin")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_everything_is_written_first(file: Path, tmp_path: Path, number: int) -> None:
    ready, folder, trace = tmp_path / "ready", tmp_path / "results", tmp_path / "traces"
    process = start(
        [SCRIPT, "solve", file, "--method", "walk,random", "-o", f"walk.ready={ready}"]
        + ["--json", "--out", folder, "--trace", trace, "--time-limit-s", "inf"]
    )
    wait_for(ready, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    documents = [json.loads(line) for line in out.splitlines()]
    assert [d["method"] for d in documents] == ["walk"], "a run was started after the interrupt"
    assert documents[0]["reason"] == "interrupted"
    assert documents[0]["status"] == "feasible"
    assert [p.name for p in folder.iterdir()] == ["mini.walk.json"]
    assert json.loads((folder / "mini.walk.json").read_text()) == documents[0]
    assert (trace / "mini.walk.csv").read_text().startswith("time_s,objective,bound")


def test_annealing_is_interrupted(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    process = start(
        [SCRIPT, "solve", file, "--method", "annealing", "-o", "steps=1000000000"]
        + ["--out", out, "--json", "--time-limit-s", "inf"]
    )
    wait_for(out, process)  # rewritten while running
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert json.loads(printed)["reason"] == "interrupted"
    assert json.loads(out.read_text()) == json.loads(printed)


def test_the_second_ends_at_once(file: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = start([SCRIPT, "solve", file, "--method", "hang", "-o", f"ready={ready}"])
    wait_for(ready, process)
    for number in (signal.SIGINT, signal.SIGTERM) * 100:
        if process.poll() is not None:
            break
        process.send_signal(number)
        time.sleep(0.1)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == ""


#: Forks a run that rewrites its file all the time, kills it, and looks at what is left.
KILLS = """
import json, os, random, signal, sys, time
from pathlib import Path
import cli_methods
import optkit.run
from optkit import registry
from optkit.solve import output
from optkit import load, solve

file, folder = sys.argv[1], Path(sys.argv[2])
registry.GENERIC = (*registry.GENERIC, *cli_methods.METHODS)
optkit.run._REPORT_S = output.FIRST_S = output.EVERY_S = output.PATIENCE = 0.0
solve(load(file), "random")  # every kernel is loaded before the forks
dice, seen = random.Random(0), []
for kill in range(15):
    out = folder / f"{kill}.json"
    child = os.fork()
    if not child:
        words = ["solve", file, "--method", "walk", "-o", "pause_s=0", "--out", str(out)]
        os._exit(cli_methods.main([*words, "--time-limit-s", "inf", "--quiet"]))
    while not out.exists():
        time.sleep(0.001)
    time.sleep(dice.uniform(0.0, 0.05))
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    seen.append(json.loads(out.read_text())["reason"])
left = {path.name for path in folder.iterdir()} - {f"{kill}.json" for kill in range(15)}
assert all(name.endswith(".optkit-tmp") for name in left), left
print(json.dumps(sorted(set(seen))))
"""


def test_a_kill_never_leaves_half_a_file(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    script = subprocess.run(
        [sys.executable, "-c", KILLS, file, folder],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert script.returncode == 0, script.stderr
    assert json.loads(script.stdout) == ["crashed"]


def test_a_crashed_file_can_be_checked_and_continued(optkit: Command, file, write, result) -> None:
    left = write(result | {"status": "feasible", "reason": "crashed", "bound": None}, "left.json")
    assert optkit("check", file, left).status == 0
    words = ("solve", file, "--method", "random", "--warm-start", left, "--out", left)
    assert optkit(*words).status == 0
    assert json.loads(left.read_text())["reason"] == "finished"
