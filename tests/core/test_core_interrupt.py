"""Ctrl-C in a script that calls ``solve`` with a slow method of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from core_toys import HERE

SLOW = """
import time
import optkit
from core_toys import costs

def slow(instance, run):
    for step in run.steps():
        run.found([1, 1])
        if step == 0:
            print("ready", flush=True)
        time.sleep(0.01)

result = optkit.solve(costs(), slow, stop=optkit.Stop(time_s=None))
print(result.reason.value, result.objective, result.status.value)
"""

STUBBORN = """
import time
import optkit
from core_toys import costs

def stubborn(instance, run):
    run.found([1, 1])
    print("ready", flush=True)
    while not run.stopped():
        time.sleep(0.01)
    print("asked", flush=True)
    while True:
        time.sleep(0.01)

try:
    optkit.solve(costs(), stubborn, stop=optkit.Stop(time_s=None))
except KeyboardInterrupt:
    print("left at once")
"""


def script(text: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", text]
    return subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True)


def expect(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == line + "\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_script_goes_on_with_the_best_so_far(number: int) -> None:
    process = script(SLOW)
    expect(process, "ready")
    process.send_signal(number)
    out, _ = process.communicate(timeout=120)
    assert out == "interrupted 6.0 feasible\n"
    assert process.returncode == 0


def test_a_second_one_raises_where_the_method_does_not_listen() -> None:
    process = script(STUBBORN)
    expect(process, "ready")
    process.send_signal(signal.SIGINT)
    expect(process, "asked")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert out == "left at once\n"
    assert process.returncode == 0
