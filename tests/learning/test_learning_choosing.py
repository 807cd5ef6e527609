"""The best of several decisions, and its best neighbours, under the one evaluator."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from learning_toys import Gains, points

from optkit.learning.choosing import best_of, features_of, improved


def test_the_best_is_the_cheapest_feasible_one() -> None:
    some = np.array([[2, 2, 2, 2], [0, 1, 1, 1], [0, 1, 1, 2], [0, 0, 1, 2]])
    assert best_of(points(), some).tolist() == [0, 1, 1, 2]
    assert best_of(points(limit=0), some).tolist() == [2, 2, 2, 2]
    assert best_of(points(limit=0), some[1:]).tolist() == [0, 1, 1, 2], "the fewest broken rows"
    gains = Gains(points().canonical())
    assert best_of(gains, some).tolist() == [0, 1, 1, 2]
    assert best_of(points(), some[[0, 0, 0]]).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("limit", [None, 0, 1, 2])
@pytest.mark.parametrize("kind", ["points", "gains"])
def test_no_single_change_is_better_at_the_end(limit: int | None, kind: str) -> None:
    instance = points(limit=limit, place_m=[-0.9, 0.1, -0.2, 0.6, -0.7])
    if kind == "gains":
        instance = Gains(instance.canonical())
    sense = instance.sense
    for start in itertools.product(range(3), repeat=5):
        end = improved(instance, np.array(start))
        best = instance.evaluate(end).rank(sense)
        assert best <= instance.evaluate(np.array(start)).rank(sense)
        for position, option in itertools.product(range(5), range(3)):
            other = end.copy()
            other[position] = option
            assert best <= instance.evaluate(other).rank(sense)


def test_rounds_and_stopping() -> None:
    instance, start = points(), np.array([2, 0, 2, 0])
    ends = [improved(instance, start, rounds).tolist() for rounds in range(6)]
    changes = [int(np.sum(np.array(end) != start)) for end in ends]
    assert changes == [0, 1, 2, 3, 4, 4]
    assert ends[-1] == [0, 1, 1, 2]
    costs = [instance.evaluate(end).objective for end in ends]
    assert costs == sorted(costs, reverse=True)
    assert improved(instance, start, stopped=lambda: True).tolist() == start.tolist()


def test_equal_decisions_end_it() -> None:
    twins = points(centre_m=[0.3, 0.3, 0.3], place_m=np.linspace(-1, 1, 33))
    assert not improved(twins, np.zeros(33, dtype=np.int64)).any()


def test_small_batches_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    instance, start = points(), np.array([2, 0, 2, 0])
    wanted = improved(instance, start)
    monkeypatch.setattr("optkit.learning.choosing._CELLS", 4 * 2)
    assert (improved(instance, start) == wanted).all()


def test_features_are_those_of_the_environment() -> None:
    seen = features_of(points())
    assert seen is not None and seen[:, 0] == pytest.approx([-0.9, 0.1, -0.2, 0.6])
    assert features_of(points(seen=False)) is None
