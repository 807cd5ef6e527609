"""Compiling is told, and counts in no time of a run."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from types import ModuleType

import pytest
from core_toys import costs

from optkit import solve
from optkit.kernels import compiling_s, compiling_shown, now_s

SOURCE = """
from optkit.kernels import kernel

@kernel
def outer(n):
    total = 0.0
    for i in range(n):
        total += inner(i)
    return total

@kernel(error_model="numpy")
def inner(i):
    return 1.0 / i
"""


@pytest.fixture
def kernels(tmp_path: Path) -> ModuleType:
    path = tmp_path / "some_kernels.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("some_kernels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_clock_stands_while_kernels_are_compiled(kernels: ModuleType) -> None:
    before, wall, own = compiling_s(), time.monotonic(), now_s()
    begun = []
    with compiling_shown(lambda: begun.append(True)):
        assert kernels.outer(3) == float("inf")  # the option of the inner one holds
        kernels.outer(3)
    wall, own = time.monotonic() - wall, now_s() - own
    assert len(begun) == 1  # the inner kernel is compiled within the outer one
    assert compiling_s() - before > 0
    assert own + compiling_s() - before == pytest.approx(wall, abs=0.01)
    kernels.inner(2.0)
    assert len(begun) == 1  # nobody looks any more


def test_a_run_leaves_compiling_out(kernels: ModuleType) -> None:
    def method(instance, run) -> None:
        kernels.outer(3)
        run.found([0, 0])

    wall = time.monotonic()
    result = solve(costs(), method)
    wall = time.monotonic() - wall
    assert result.compile_s is not None
    assert result.compile_s > 0
    assert result.solve_s is not None
    assert 0 <= result.solve_s <= wall - result.compile_s
