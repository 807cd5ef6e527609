"""Enumeration: equals brute force, proves when complete and exact, else claims nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from optkit.errors import BoundError, UsageError
from optkit.result import StopReason
from optkit.search import enumeration
from optkit.search.enumeration import applies, enumerate_all, mixed_radix


def test_mixed_radix_is_lexicographic() -> None:
    choices = np.array([2, 1, 3, 2])
    every = list(itertools.product(*map(range, choices)))
    assert mixed_radix(choices, 0, 12).tolist() == [list(z) for z in every]
    assert mixed_radix(choices, 5, 9).tolist() == [list(z) for z in every[5:9]]


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("kind", ["random_assignment", "random_knapsack"])
@pytest.mark.usefixtures("small_chunks")
def test_equals_brute_force_and_proves(toys, start, kind: str, seed: int) -> None:
    instance = getattr(toys, kind)(seed)
    run = start(instance, proves=True)
    enumerate_all(instance, run)
    truth = toys.brute_force(instance)
    if truth is None:
        assert run.proved_infeasible
        assert not run.evaluation.feasible
    else:
        assert run.objective == truth == run.best_bound
    assert run.proved
    assert run.details["complete"]
    assert instance.judged >= instance.space.size


def test_some_random_instances_are_infeasible_and_some_bind(toys) -> None:
    truths = [toys.brute_force(toys.random_assignment(seed)) for seed in range(15)]
    free = [
        toys.brute_force(
            toys.Assignment({**toys.random_assignment(s).document, "capacity": [99] * 3})
        )
        for s in range(15)
    ]
    assert any(a is None or a > b for a, b in zip(truths, free, strict=True))


def test_proves_infeasible(toys, start) -> None:
    instance = toys.Assignment({"cost": [[1, 2], [3, 4]], "size": [5, 5], "capacity": [5, 4]})
    run = start(instance, proves=True)
    enumerate_all(instance, run)
    assert run.proved_infeasible
    assert run.best_bound is None
    assert run.evaluation.violations == {"capacity": 1.0}


def test_walks_the_space_with_its_parts(toys, start) -> None:
    instance = toys.Levels({"bits": 6, "target": 41})
    run = start(instance, proves=True)
    enumerate_all(instance, run)
    assert run.proved
    assert run.objective == 0.0
    assert run.x.tolist() == [1, 0, 0, 1, 0, 1]
    assert run.parts == {"price": 41.0}


def test_an_inexact_space_proves_nothing(toys, start) -> None:
    instance = toys.Levels({"bits": 4, "target": 3, "exact": False})
    run = start(instance, proves=True)
    enumerate_all(instance, run)
    assert run.objective == 0.0
    assert run.best_bound is None
    assert not run.proved_infeasible
    assert run.details["complete"]


@pytest.mark.usefixtures("small_chunks")
def test_a_partial_walk_claims_nothing(toys, start) -> None:
    instance = toys.random_knapsack(0, items=6)
    limited, shortened = start(instance, proves=True, iterations=9), start(instance, proves=True)
    enumerate_all(instance, limited)
    enumerate_all(instance, shortened, limit=63)
    for run in (limited, shortened):
        assert run.evaluation is not None
        assert run.best_bound is None
        assert not run.proved_infeasible
        assert not run.details["complete"]
    assert limited.reason is StopReason.ITERATIONS
    assert limited.iterations == 9


@pytest.mark.usefixtures("small_chunks")
def test_the_last_batch_completes_the_walk(toys, start) -> None:
    instance = toys.random_knapsack(0, items=6)
    run = start(instance, proves=True, iterations=10)  # 10 batches of 7 hold 64 vectors
    enumerate_all(instance, run, limit=64)
    assert run.details["complete"]
    assert run.proved


@pytest.mark.usefixtures("small_chunks")
def test_a_stopped_walk_without_feasible_decision_is_not_infeasible(toys, start) -> None:
    instance = toys.Assignment({"cost": np.ones((4, 2)), "size": [5] * 4, "capacity": [0, 20]})
    run = start(instance, proves=True, iterations=1)
    enumerate_all(instance, run)
    assert not run.proved_infeasible
    assert not run.evaluation.feasible


def test_a_space_that_is_wrongly_called_exact_is_noticed(toys, start) -> None:
    class Short(toys.Levels):
        @property
        def space(self):
            whole = super().space
            return type(whole)(np.array([4]), whole.decode, True)

    instance = Short({"bits": 4, "target": 9})
    run = start(instance, proves=True)
    run.found([1, 0, 0, 1], price=9.0)
    with pytest.raises(BoundError):
        enumerate_all(instance, run)


def test_batches_stay_within_the_cells(toys, start, monkeypatch) -> None:
    from optkit.search import batches

    monkeypatch.setattr(batches, "CELLS", 40)
    instance = toys.random_knapsack(1, items=9)
    run = start(instance, proves=True)
    enumerate_all(instance, run)
    assert instance.largest == 36
    assert run.proved
    decoded = toys.Levels({"bits": 6, "target": 41})  # a position makes six entries
    enumerate_all(decoded, start(decoded, proves=True))
    assert decoded.largest == 36


def test_applies_counts_exactly(toys, monkeypatch) -> None:
    instance = toys.Long({"positions": 10})
    monkeypatch.setattr(enumeration, "LIMIT", 1024)
    assert applies(instance) is None
    monkeypatch.setattr(enumeration, "LIMIT", 1023)
    assert applies(instance) == "the space has 1024 vectors, enumerate walks at most 1,023"


def test_applies_names_huge_counts(toys) -> None:
    assert "1.074e+09" in applies(toys.Long({"positions": 30}))
    assert "more than 1e304" in applies(toys.Long({"positions": 10_000}))


def test_bad_limit(toys, start) -> None:
    instance = toys.Long({"positions": 2})
    with pytest.raises(UsageError, match="option limit is 0"):
        enumerate_all(instance, start(instance, proves=True), limit=0)
