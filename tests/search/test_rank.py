"""The one order of decisions: of a batch, of single ones, and of a run's incumbents."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from optkit.evaluation import BatchEvaluation


@pytest.mark.parametrize("sense", ["minimise", "maximise"])
def test_batch_and_single_ranks_agree(sense: str) -> None:
    objectives = np.array([3.0, 1.0, np.inf, np.nan, -2.0, -np.inf])
    rows = np.array([[0, 0], [1e-9, 0], [0.5, 7], [np.nan, 0]])
    pairs = list(itertools.product(objectives, rows))
    batch = BatchEvaluation(
        np.array([objective for objective, _ in pairs]),
        np.ones(len(pairs)),
        {},
        {"load": np.array([row for _, row in pairs]), "deadline": np.zeros(len(pairs))},
    )
    ranks = batch.rank(sense)
    singles = [batch[row].rank(sense) for row in range(len(batch))]
    assert [tuple(column[row] for column in ranks) for row in range(len(batch))] == singles
    assert singles[batch.best(sense)] == min(singles)
    assert batch.feasible.tolist() == [batch[row].feasible for row in range(len(batch))]


def test_feasible_then_broken_rows_then_objective() -> None:
    batch = BatchEvaluation(
        np.array([1.0, 2.0, 3.0, 9.0, 8.0]),
        np.ones(5),
        {},
        {"load": np.array([[5, 5], [5, 0], [9, 0], [0, 0], [0, 0]])},
    )
    infeasible, broken, objective = batch.rank("minimise")
    assert np.lexsort((objective, broken, infeasible)).tolist() == [4, 3, 1, 2, 0]
    assert batch.best("minimise") == 4
    assert batch.best("maximise") == 3


def test_the_run_keeps_by_the_same_order(toys, start) -> None:
    instance = toys.random_knapsack(4, items=6)
    every = np.array(list(itertools.product(range(2), repeat=6)))
    rng = np.random.default_rng(0)
    for _ in range(20):
        some = every[rng.permutation(len(every))[:5]]
        run = start(instance)
        for x in some:
            run.found(x)
        judged = instance.evaluate_batch(some)
        best = judged[judged.best(instance.sense)]
        assert run.evaluation.rank(instance.sense) == best.rank(instance.sense)
