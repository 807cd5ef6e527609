"""Random sampling: uniform, in batches, with an honest mean."""

from __future__ import annotations

import numpy as np
import pytest

from optkit.errors import UsageError
from optkit.search.batches import uniform
from optkit.search.sampling import random
from optkit.space import Space


@pytest.mark.parametrize("kind", ["random_assignment", "random_knapsack"])
def test_keeps_the_best_and_reports_the_mean(toys, start, kind: str) -> None:
    instance = getattr(toys, kind)(2)
    run = start(instance, seed=5)
    random(instance, run, samples=60)
    drawn = uniform(instance.space, np.random.default_rng(5), 60)
    judged = [instance.evaluate(x) for x in drawn]
    good = [one.objective for one in judged if one.feasible]
    assert 0 < len(good) < 60
    assert run.objective == (min(good) if instance.sense == "minimise" else max(good))
    assert run.details["samples"] == 60
    assert run.details["feasible_samples"] == len(good)
    assert run.details["mean_objective"] == pytest.approx(np.mean(good))


def test_no_feasible_sample_has_no_mean(toys, start) -> None:
    instance = toys.Assignment({"cost": [[1], [1]], "size": [1, 1], "capacity": [1]})
    run = start(instance)
    random(instance, run, samples=3)
    assert run.details["mean_objective"] is None
    assert run.evaluation.violations == {"capacity": 1.0}


def test_walks_the_space_with_its_parts(toys, start) -> None:
    instance = toys.Levels({"bits": 3, "target": 6})
    run = start(instance)
    random(instance, run, samples=200)
    assert run.objective == 0.0
    assert run.parts == {"price": 6.0}


def test_every_option_is_drawn_equally_often() -> None:
    drawn = uniform(Space(np.array([3, 1, 4])), np.random.default_rng(0), 12_000)
    for position, options in enumerate((3, 1, 4)):
        share = np.bincount(drawn[:, position], minlength=options) / 12_000
        assert np.allclose(share, 1 / options, atol=0.02)


def test_limits_and_batches(toys, start, small_chunks: int) -> None:
    instance = toys.random_knapsack(0)
    run = start(instance, iterations=2)
    random(instance, run, samples=1000)
    assert run.details["samples"] == 2 * small_chunks
    whole = start(instance)
    random(instance, whole, samples=10)
    assert whole.details["samples"] == 10


def test_a_million_positions_are_drawn_in_bounded_batches(toys, start) -> None:
    instance = toys.Long({"positions": 1_000_000})
    run = start(instance, iterations=1)
    random(instance, run)
    assert instance.largest == 10_000_000
    assert run.details["samples"] == 10


def test_bad_samples(toys, start) -> None:
    instance = toys.Long({"positions": 2})
    with pytest.raises(UsageError, match="option samples is 0"):
        random(instance, start(instance), samples=0)
