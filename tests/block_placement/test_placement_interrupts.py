"""Ctrl-C and time limits in the middle of every exact method, on instances that take longer."""

import json
import os
import signal
import subprocess
import sys

import pytest

#: Method, and an instance that keeps it busy for much longer than the test waits.
CASES = {
    "dp": "g('block_placement', 'paper', servers=9, blocks=18, rate=400_000, slots=1)",
    "lagrangian": "g('block_placement', 'energy', slots=300)",
    "cg": "g('block_placement', 'paper-ps', slots=300)",
    "storage": "g('block_placement', 'paper-storage', network='resnet32', blocks=18, slots=40)"
    ".replace(servers={'storage_bytes': [5e5] * 4})",
    "mip": "g('block_placement', 'paper-ps', slots=1)",
    "cp": "g('block_placement', 'paper-ps', slots=1)",
    "enumerate": "g('block_placement', 'small', rate=2, blocks=4, servers=6)",
}
SCRIPT = """
import json, sys, optkit
from optkit import generate as g
instance = {make}
# What is compiled and imported on first use is no part of the run that is stopped.
tiny = g('block_placement', 'tiny', 0)
for name in ('marginal_greedy', 'mip', 'cp', 'cg', 'dp', 'lagrangian', 'storage'):
    for seed in range(40):
        tiny = g('block_placement', 'tiny', seed)
        if optkit.methods('block_placement')[name].why_not_for(tiny) is None:
            optkit.solve(tiny, name)
            break
print('ready', flush=True)
result = optkit.solve(instance, {method!r}, stop=optkit.Stop(time_s={time_s}, rel_gap=0.0))
print(json.dumps([result.reason, result.objective, result.bound, result.feasible]))
"""


def start(method, time_s):
    script = SCRIPT.format(make=CASES[method], method=method, time_s=time_s)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def check(process, reason):
    """Incumbent and bound came back; the timeout is a safety net against a hang."""
    out, _ = process.communicate(timeout=90)
    found, objective, bound, feasible = json.loads(out)
    assert found == reason
    assert objective is not None
    assert feasible
    assert bound is not None
    assert bound <= objective


@pytest.mark.long
@pytest.mark.parametrize("method", [name for name in CASES if name != "enumerate"])
def test_an_interrupt_leaves_incumbent_and_bound(method):
    process = start(method, 1000)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.4 if method == "dp" else 2.0)
    os.kill(process.pid, signal.SIGINT)
    check(process, "interrupted")


@pytest.mark.long
@pytest.mark.parametrize("method", [name for name in CASES if name not in ("dp", "enumerate")])
def test_a_time_limit_leaves_incumbent_and_bound(method):
    check(start(method, 2), "time")


def test_an_interrupted_enumeration_claims_no_bound():
    process = start("enumerate", 1000)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=90)
    reason, objective, bound, _ = json.loads(out)
    assert reason == "interrupted"
    assert objective is not None
    assert bound is None
