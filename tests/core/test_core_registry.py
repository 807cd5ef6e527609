"""Problems and methods: found wherever they are installed, and loaded when they are used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import pytest
from core_toys import Costs, costs, limited

import optkit
from optkit import (
    Instance,
    InstanceError,
    Method,
    Problem,
    UsageError,
    load,
    methods,
    problems,
    registry,
    solve,
)

# --- entry points --------------------------------------------------------------------------------


def test_the_installed_problems_are_found() -> None:
    found = problems()
    assert "block_placement" in found
    assert set(found) == {entry.name for entry in entry_points(group="optkit.problems")}
    for name, problem in found.items():
        assert isinstance(problem, Problem)
        assert problem.name == name
        assert problem.families
        assert all(isinstance(text, str) and text for text in problem.families.values())
        made = problem.instance_class()
        assert issubclass(made, Instance)
        assert made.problem == name
        assert made.sense in ("minimise", "maximise")
        assert callable(registry.resolve(problem.generate))


def test_a_problem_of_another_package_is_a_problem_like_any_other(install) -> None:
    before = set(problems())
    install(toy="core_toys:PROBLEM")
    assert set(problems()) == before | {"toy"}
    instance = load({"problem": "toy", "cost": [[5, 2], [1, 9]]})
    assert isinstance(instance, Costs)
    result = solve(instance)
    assert (result.method, result.objective) == ("best", 3)
    with pytest.raises(InstanceError, match="did you mean 'toy'"):
        load({"problem": "tyo"})


def test_nothing_installed_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    registry.problems.cache_clear()
    try:
        with pytest.raises(UsageError, match="install optkit first"):
            problems()
    finally:
        registry.problems.cache_clear()


def test_an_unknown_problem_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"'block_placment' \(did you mean 'block_placement'\?\)"):
        methods("block_placment")


# --- methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", sorted(problems()))
def test_every_method_can_be_loaded_and_explained(problem: str) -> None:
    found = methods(problem)
    kinds = {"exact", "bound", "heuristic", "game", "learned"}
    for name, method in found.items():
        assert isinstance(method, Method)
        assert method.name == name
        assert name.isidentifier(), "it is typed after --method and before a full stop"
        assert method.kind in kinds
        assert method.summary
        assert method.proves_bound or method.kind != "exact"
        assert method.available == (method.why_not is None)
        if method.available:
            assert callable(method.load())
        if isinstance(method.applies, str):
            assert callable(registry.resolve(method.applies))


def test_generic_methods_are_offered_after_the_problems_own() -> None:
    names = list(methods("block_placement"))
    own = [method.name for method in problems()["block_placement"].methods]
    assert names[: len(own)] == own
    assert {"enumerate", "random", "local_search", "annealing", "beam"} <= set(names)


@pytest.mark.usefixtures("toy_problem")
def test_a_method_of_ones_own_hides_the_generic_one() -> None:
    assert list(methods("toy")).count("random") == 1
    assert solve(costs(), "random").details == {"whose": "own"}
    assert methods("block_placement")["random"].function == "optkit.search.sampling:random"
    assert methods("block_placement")["greedy"].reference.startswith("paper 001")


@pytest.mark.usefixtures("toy_problem")
def test_why_a_method_is_not_available() -> None:
    found = methods("toy")
    assert not found["moon"].available
    assert found["moon"].why_not == 'needs no_such_package: pip install "optkit[far]"'
    assert found["moon"].why_not_for(costs()) == found["moon"].why_not
    plain = Method("m", "none:none", "heuristic", requires=("no_such_a", "sys", "no_such_b"))
    assert plain.why_not == "needs no_such_a, no_such_b: pip install no_such_a no_such_b"
    assert found["best"].available
    assert found["best"].why_not_for(costs()) is None
    assert found["best"].why_not_for(limited()) == "a limit couples the positions"
    assert found["random"].why_not_for(limited()) == "a limit couples the positions"


@pytest.mark.usefixtures("toy_problem")
def test_a_method_that_is_not_available_is_still_listed() -> None:
    assert "moon" in methods("toy")


def test_descriptions_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        methods("block_placement")["mip"].proves_bound = False
    problems_now = problems()["block_placement"]
    with pytest.raises(AttributeError):
        problems_now.name = "other"


def test_the_table_of_methods_is_ones_own() -> None:
    methods("block_placement").clear()
    assert methods("block_placement")


# --- import optkit -------------------------------------------------------------------------------

LIGHT = """
import json, sys
import optkit
assert callable(optkit.solve) and optkit.Stop(time_s=1) and optkit.problems()
optkit.methods("block_placement")
heavy = "numpy scipy pyomo highspy ortools networkx numba msgspec rich jax".split()
print(json.dumps([name for name in heavy if name in sys.modules]))
import numpy
assert optkit.Instance and optkit.Result and optkit.Run
print(json.dumps("optkit.run" in sys.modules))
"""


def test_importing_optkit_imports_nothing_heavy() -> None:
    command = [sys.executable, "-c", LIGHT]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert [json.loads(line) for line in out.splitlines()] == [[], True]


def test_the_public_names() -> None:
    verbs: list[Callable[..., object]] = [
        optkit.load, optkit.generate, optkit.solve, optkit.check, optkit.problems, optkit.methods,
    ]  # fmt: skip
    assert all(map(callable, verbs))
    for name in ("BatchEvaluation", "Environment", "Evaluation", "Game", "Instance", "Result",
                 "Run", "Space", "Stop", "Method", "Problem"):  # fmt: skip
        assert isinstance(getattr(optkit, name), type)
    for name in ("InstanceError", "DecisionError", "UsageError"):
        assert issubclass(getattr(optkit, name), (optkit.OptkitError, ValueError))
    for name in ("MethodUnavailable", "BoundError", "SolverError"):
        assert issubclass(getattr(optkit, name), optkit.OptkitError)
    with pytest.raises(AttributeError, match="no attribute 'slove'"):
        optkit.slove  # noqa: B018
