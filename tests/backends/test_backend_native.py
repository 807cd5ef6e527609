"""Both native solvers in one process, and errors that name the pin."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from optkit.backends import native
from optkit.errors import MethodUnavailable

BOTH = """
import {first}
import {second}
from optkit.backends.native import cp_model, highspy
solver = highspy().Highs()
solver.setOptionValue("output_flag", False)
x, y = solver.addBinary(obj=-3), solver.addBinary(obj=-2)
solver.addConstr(2 * x + 2 * y <= 3)
solver.run()
model = cp_model().CpModel()
a, b = model.new_bool_var("a"), model.new_bool_var("b")
model.add(2 * a + 2 * b <= 3)
model.maximize(3 * a + 2 * b)
other = cp_model().CpSolver()
assert other.solve(model) == cp_model().OPTIMAL
print(solver.getObjectiveValue(), other.objective_value)
"""


@pytest.mark.parametrize(
    ("first", "second"),
    [("highspy", "ortools.sat.python.cp_model"), ("ortools.sat.python.cp_model", "highspy")],
)
def test_both_solvers_load_and_solve_in_either_order(first: str, second: str) -> None:
    code = BOTH.format(first=first, second=second)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["-3.0", "3.0"]


@pytest.fixture
def fake_import(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(**modules: Any) -> None:
        def load(name: str) -> Any:
            module = modules[name.split(".")[0]]
            if isinstance(module, Exception):
                raise module
            return module

        monkeypatch.setattr(native, "importlib", SimpleNamespace(import_module=load))
        for accessor in (native.highspy, native.cp_model):
            monkeypatch.setattr(native, accessor.__name__, accessor.__wrapped__)

    return install


def _release(version: str) -> Any:
    return SimpleNamespace(Highs=lambda: SimpleNamespace(version=lambda: version))


@pytest.mark.parametrize(
    ("modules", "accessor", "words"),
    [
        ({"highspy": ImportError("undefined symbol: X\nmore")}, "highspy", "undefined symbol: X"),
        ({"highspy": _release("1.14.0")}, "highspy", "1.14.0 returns wrong optima"),
        ({"highspy": ImportError("no")}, "cp_model", "highspy does not load"),
        (
            {"highspy": _release("1.15.1"), "ortools": ImportError("undefined symbol: Y")},
            "cp_model",
            "OR-Tools does not load (undefined symbol: Y)",
        ),
    ],
)
def test_a_failure_names_the_pin_in_one_line(
    fake_import: Any, modules: dict[str, Any], accessor: str, words: str
) -> None:
    fake_import(**modules)
    with pytest.raises(MethodUnavailable) as caught:
        getattr(native, accessor)()
    assert words in str(caught.value)
    assert 'pip install "highspy>=1.12,<1.14"' in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_ortools_names_its_own_pin(fake_import: Any) -> None:
    fake_import(highspy=_release("1.13.1"), ortools=ModuleNotFoundError("No module 'ortools'"))
    with pytest.raises(MethodUnavailable, match="ortools>=9.15"):
        native.cp_model()


def test_nothing_native_is_loaded_before_it_is_used() -> None:
    modules = ["native", "linear", "feed", "highs", "cpsat", "pyomo", "external"]
    code = "import sys\n" + "".join(f"import optkit.backends.{name}\n" for name in modules)
    code += "print([m for m in ('highspy', 'ortools', 'pyomo', 'pyscipopt') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_only_native_imports_the_solvers() -> None:
    root = importlib.import_module("optkit").__path__[0]
    found = subprocess.run(
        ["grep", "-rnE", r"^\s*(import|from) (highspy|ortools)", root, "--include=*.py"],
        capture_output=True,
        text=True,
    )
    assert found.stdout == ""
