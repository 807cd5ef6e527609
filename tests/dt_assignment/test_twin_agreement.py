"""dt_assignment: every exact method against enumeration, every heuristic against the optimum."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optkit
from optkit import Instance
from optkit.result import Result

LIMIT = optkit.Stop(time_s=None)
METHODS = optkit.methods("dt_assignment")
EXACT = [name for name, method in METHODS.items() if method.kind == "exact"]
OTHERS = [
    name
    for name, method in METHODS.items()
    if method.kind in ("heuristic", "game") and name != "annealing"
]


def truth_of(seed: int) -> tuple[Instance, Result]:
    instance = optkit.generate("dt_assignment", "tiny", seed)
    truth = optkit.solve(instance, "enumerate", stop=LIMIT)
    assert truth.status in ("optimal", "infeasible")
    return instance, truth


def compare(seed: int) -> None:
    """Solve one tiny instance by enumeration and by every exact method that applies."""
    instance, truth = truth_of(seed)
    slack = 2 * truth.evaluation.tolerance
    for name in EXACT:
        if METHODS[name].why_not_for(instance) is not None:
            continue
        result = optkit.solve(instance, name, stop=LIMIT)
        where = f"{name} on tiny seed {seed}"
        assert result.status == truth.status, where
        if truth.status == "optimal":
            assert abs(result.objective - truth.objective) <= slack, where
            assert result.bound <= truth.objective + slack, where


@pytest.mark.long
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**31 - 1))
def test_exact_methods_agree_with_enumeration(seed: int) -> None:
    compare(seed)


@pytest.mark.nightly
@settings(max_examples=5000, deadline=None, derandomize=True, database=None)
@given(st.integers(2**31, 2**40))
def test_exact_methods_agree_with_enumeration_on_5000(seed: int) -> None:
    compare(seed)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**31 - 1))
def test_no_heuristic_beats_the_optimum(seed: int) -> None:
    instance, truth = truth_of(seed)
    for name in OTHERS:
        if METHODS[name].why_not_for(instance) is not None:
            continue
        result = optkit.solve(instance, name, stop=optkit.Stop(time_s=None, iterations=100))
        if result.feasible:
            assert truth.status == "optimal", name
            assert result.objective >= truth.objective - truth.evaluation.tolerance, name
        assert result.bound is None, name


def test_couplings_are_all_met_and_combined() -> None:
    """The seeds drawn above are spread over what the format allows."""
    couplings: set[str] = set()
    rules: set[str] = set()
    resources: set[str] = set()
    combined = measured = 0
    for seed in range(300):
        instance = optkit.generate("dt_assignment", "tiny", seed)
        couplings |= instance.couplings
        resources |= set(instance.resource_names)
        rules.add(instance.cpu_sharing)
        measured += instance.measured_cost
        combined += len(instance.couplings) >= 3
    assert couplings == {"limits", "sharing", "backhaul", "deadlines"}
    assert rules == {"none", "equal", "proportional", "optimal", "wspt"}
    assert resources == {
        "max_twins", "max_devices", "max_input_bits", "memory_bytes", "server_capacity",
    }  # fmt: skip
    assert combined >= 30 and measured >= 30
