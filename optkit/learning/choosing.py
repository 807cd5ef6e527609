"""Decisions of several networks under the one evaluator: the best, and its neighbours."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance

Ints = NDArray[np.int64]
#: Integers that one batch of neighbours may hold.
_CELLS = 10_000_000
_EQUAL = 1e-12  # one decision judged in two batches may differ by rounding


def features_of(instance: Instance) -> NDArray[np.float32] | None:
    """What the instance's environment says of each position, [n, f]; ``None`` without one."""
    environment = instance.environment()
    return None if environment is None else environment.features()


def evaluate(instance: Instance, positions: Ints) -> BatchEvaluation:
    """Judge vectors [B, n] of the instance's space."""
    x, parts = instance.space.decode(positions)
    return instance.evaluate_batch(x, **parts)


def best_of(instance: Instance, positions: Ints) -> Ints:
    """The best row of [B, n], the first one of equals."""
    agreed = bool((positions == positions[0]).all())
    row = 0 if agreed else evaluate(instance, positions).best(instance.sense)
    best: Ints = positions[row]
    return best


def improved(
    instance: Instance,
    vector: Ints,
    rounds: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Ints:
    """Take the best change of a single position while one helps.

    Parameters
    ----------
    instance : who judges.
    vector : [n] of its space.
    rounds : at most so many changes; ``None`` for no limit.
    stopped : asked before every batch of neighbours.
    """
    choices = instance.space.choices
    position = np.repeat(np.arange(len(choices)), choices)
    option = np.concatenate([np.arange(size) for size in choices])
    rows = max(1, _CELLS // len(choices))
    for _ in itertools.count() if rounds is None else range(rounds):
        best = vector
        for first in range(0, len(position), rows):
            if stopped():
                return best
            part = slice(first, first + rows)
            neighbours = np.repeat(vector[None], len(position[part]) + 1, axis=0)
            neighbours[0] = best
            neighbours[np.arange(1, len(neighbours)), position[part]] = option[part]
            judged = evaluate(instance, neighbours)
            row = judged.best(instance.sense)
            if _better(judged, row, instance.sense):
                best = neighbours[row]
        if best is vector:
            break
        vector = best
    return vector


def _better(judged: BatchEvaluation, row: int, sense: str) -> bool:
    """Whether a row is better than row 0, by more than rounding."""
    infeasible, broken, objective = judged.rank(sense)
    same = infeasible[row] == infeasible[0] and broken[row] == broken[0]
    return row != 0 and not (same and math.isclose(objective[row], objective[0], rel_tol=_EQUAL))
