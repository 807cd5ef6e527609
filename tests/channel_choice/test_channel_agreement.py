"""channel_choice: every exact method against enumeration, every heuristic against the optimum."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optkit
from optkit import Instance
from optkit.result import Result

LIMIT = optkit.Stop(time_s=None)
METHODS = optkit.methods("channel_choice")
#: Of channels and heads together, and of channels alone.
JOINT = ("joint",)
CHANNELS = ("sort", "dp", "cg", "mip", "cp", "level")
OTHERS = [
    name
    for name, method in METHODS.items()
    if method.kind in ("heuristic", "game") and name not in ("annealing", "equilibria")
]


def truth_of(seed: int) -> tuple[Instance, Result]:
    instance = optkit.generate("channel_choice", "tiny", seed)
    truth = optkit.solve(instance, "enumerate", stop=LIMIT)
    assert truth.status in ("optimal", "infeasible")
    return instance, truth


def compare(seed: int) -> None:
    """Solve one tiny instance by enumeration and by every exact method that applies."""
    instance, truth = truth_of(seed)
    slack = 2 * truth.evaluation.tolerance
    for name in JOINT if instance.balanced else CHANNELS:
        if METHODS[name].why_not_for(instance) is not None:
            continue
        result = optkit.solve(instance, name, stop=LIMIT)
        where = f"{name} on tiny seed {seed}"
        if METHODS[name].kind == "exact":
            assert result.status == truth.status, where
        if truth.status == "optimal":
            assert result.bound >= truth.objective - slack, where
            if METHODS[name].kind == "exact":
                assert abs(result.objective - truth.objective) <= slack, where


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
            assert result.objective <= truth.objective + truth.evaluation.tolerance, name
        assert result.bound is None, name


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**31 - 1))
def test_channels_alone_prove_nothing_of_heads(seed: int) -> None:
    instance = optkit.generate("channel_choice", "tiny", seed, balanced=True)
    best = optkit.solve(instance, "joint", stop=LIMIT)
    for name in CHANNELS:
        if METHODS[name].why_not_for(instance) is None:
            result = optkit.solve(instance, name, stop=LIMIT)
            assert result.bound is None and result.status != "infeasible"
            if result.feasible:
                assert result.objective <= best.objective + best.evaluation.tolerance


def test_options_are_all_met_and_combined() -> None:
    """The seeds drawn above are spread over what the format allows."""
    met = set()
    balanced = timed = 0
    for seed in range(300):
        instance = optkit.generate("channel_choice", "tiny", seed)
        document = instance.document
        met.add((document.delay_model, document.transfer, document.cloud.sharing))
        met.add(("cut", document.cut_choice))
        met.add(("edge", document.edge_sharing))
        balanced += instance.balanced
        timed += any(service.deadline_s is not None for service in document.services)
    assert len(met) == 8 + 4 + 2
    assert balanced >= 50 and timed >= 30
