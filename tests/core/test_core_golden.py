"""Every method has golden values and still answers them; `core_golden` says how to renew them."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
from core_golden import faults, file_of, golden_problems, made, value

from optkit import Instance, Method, methods
from optkit.files import read_document

RENEW = "renew with: python tests/core/core_golden.py"


@cache
def golden(problem: str) -> dict[str, Any]:
    return read_document(file_of(problem))


@cache
def instance_of(problem: str, name: str) -> Instance:
    return made(problem, golden(problem)["instances"][name])


def holds_a_part(method: str, instance: Instance) -> bool:
    """Whether an exact method proves nothing, since it holds where the heads run."""
    return getattr(instance, "balanced", False) and method not in ("joint", "enumerate")


def cases() -> list[tuple[str, str, str]]:
    return [
        (problem, method, instance)
        for problem in golden_problems()
        if file_of(problem).exists()
        for method, values in golden(problem)["methods"].items()
        for instance in values
    ]


@pytest.mark.parametrize("problem", golden_problems())
def test_every_method_has_golden_values(problem: str) -> None:
    assert file_of(problem).exists(), f"{file_of(problem)} is missing, see core_golden"
    found = faults(problem, golden(problem), methods(problem))
    assert not found, "; ".join([*found, RENEW])


@pytest.mark.parametrize(("problem", "method", "instance"), cases(), ids=str)
def test_golden(problem: str, method: str, instance: str) -> None:
    described = methods(problem).get(method)
    if described is None or not described.available:
        pytest.skip(f"{method} is not installed")
    status, objective = golden(problem)["methods"][method][instance]
    found_status, found = value(instance_of(problem, instance), described)
    assert found_status == status, RENEW
    if objective is None:
        assert found is None, RENEW
    else:
        assert found == pytest.approx(objective, rel=1e-9, abs=0), RENEW


@pytest.mark.parametrize("problem", golden_problems())
def test_exact_methods_agree_and_no_other_is_better(problem: str) -> None:
    values = golden(problem)["methods"]
    for name in golden(problem)["instances"]:
        instance = instance_of(problem, name)
        sign = 1 if instance.sense == "minimise" else -1
        exact = [
            values[method][name]
            for method, described in methods(problem).items()
            if described.kind == "exact"
            and name in values.get(method, {})
            and not holds_a_part(method, instance)
        ]
        assert exact, "an instance without a proof is no good here"
        assert {status for status, _ in exact} == {"optimal"}
        best = exact[0][1]
        for status, objective in (found[name] for found in values.values() if name in found):
            if status == "optimal":
                assert objective == pytest.approx(best, rel=2e-6)
            elif status == "feasible":
                assert sign * objective >= sign * best - 2e-6 * abs(best)


def test_the_stored_instance_is_among_them() -> None:
    sources = golden("block_placement")["instances"]
    assert sources["two-blocks"]["file"] == "block_placement/two-blocks.json"
    applied = [m for m, values in golden("block_placement")["methods"].items() if len(values) > 1]
    assert len(applied) > 10


def test_the_guard_sees_what_is_missing() -> None:
    ours, listed = golden("block_placement"), methods("block_placement")
    new = Method("brand_new", lambda instance, run: None, "heuristic")
    message = "method brand_new has no golden value on a generated instance"
    assert message in faults("block_placement", ours, listed | {"brand_new": new})
    absent = Method("brand_new", "none:none", "heuristic", requires=("no_such_package",))
    assert message in faults("block_placement", ours, listed | {"brand_new": absent})
    fewer = {name: method for name, method in listed.items() if name != "beam"}
    assert "there is no method beam" in faults("block_placement", ours, fewer)
    without = copy.deepcopy(ours)
    del without["methods"]["beam"]["two-blocks"]
    assert any("method beam has values of" in f for f in faults("block_placement", without, listed))
    without["instances"]["two-blocks"]["digest"] = "0" * 64
    assert any("two-blocks is not" in fault for fault in faults("block_placement", without, listed))
