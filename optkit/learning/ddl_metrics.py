"""How good the networks are on scenarios that they never learn from."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.errors import MethodUnavailable
from optkit.instance import Instance
from optkit.learning.archive import Arrays
from optkit.learning.choosing import best_of, evaluate
from optkit.learning.exact_labels import solved
from optkit.learning.networks import Networks
from optkit.learning.training import Training

Floats = NDArray[np.float64]
_ROWS = 256  # scenarios that go through the networks at once


class TestSet:
    """Held-out scenarios, their exact optima where those are known, and the last costs.

    Parameters
    ----------
    instances : the scenarios.
    features : [T, n, f].
    """

    __test__ = False  # not a test of pytest

    def __init__(self, instances: list[Instance], features: NDArray[np.float32]) -> None:
        self.instances = instances
        self.features = features
        self.costs = np.full(len(instances), np.nan)
        self.optimum = np.full(len(instances), np.nan)
        self.optimal = np.zeros(features.shape[:2], dtype=np.int64)

    def solve(self, training: Training, time_s: float) -> None:
        """Find the optima of as many scenarios as the seconds allow, the first ones first."""
        end = time.monotonic() + time_s
        for row, instance in enumerate(self.instances):
            left = end - time.monotonic()
            if left <= 0 or training.stopped():
                return
            try:
                run = solved(instance, left, training.interrupt)
            except MethodUnavailable:
                return
            if run.proved and run.objective is not None and run.x is not None:
                self.optimum[row], self.optimal[row] = run.objective, run.x

    def measure(self, networks: Networks) -> dict[str, Any]:
        """Decide every scenario and compare with the last time and with the optima.

        Returns
        -------
        ``mean_cost`` (the accuracy of paper 004) over the ``feasible`` share of decisions,
        ``convergence`` (Eq. 21) since the last call, and over the ``compared`` scenarios of
        known optimum ``gap``, the mean relative distance to it, and ``hits``, the share of
        positions decided as in it. Absent numbers are ``None``.
        """
        before, after, right = self.costs, np.full(len(self.instances), np.nan), []
        for first in range(0, len(self.instances), _ROWS):
            decided = networks.decide(self.features[first : first + _ROWS])
            for row in range(first, first + decided.shape[1]):
                best = best_of(self.instances[row], decided[:, row - first])
                judged = evaluate(self.instances[row], best[None])[0]
                after[row] = judged.objective if judged.feasible else np.nan
                if not math.isnan(self.optimum[row]):
                    right.append(float(np.mean(best == self.optimal[row])))
        self.costs = after
        feasible, compared = ~np.isnan(after), ~np.isnan(after + self.optimum)
        gaps = np.abs(after - self.optimum)[compared]
        scale = np.abs(self.optimum)[compared]
        gaps = np.divide(gaps, scale, where=scale > 0, out=gaps)
        return {
            "mean_cost": _mean(after[feasible]),
            "feasible": _mean(feasible),
            "convergence": None if np.isnan(before).all() else convergence(before, after),
            "gap": _mean(gaps),
            "hits": _mean(np.array(right)),
            "compared": int(np.count_nonzero(compared)),
        }

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What `restore` takes."""
        return {
            "test_costs": self.costs,
            "test_optimum": self.optimum,
            "test_optimal": self.optimal,
        }

    def restore(self, arrays: Arrays) -> None:
        """Back to the state of `arrays`."""
        self.costs = arrays["test_costs"]
        self.optimum = arrays["test_optimum"]
        self.optimal = arrays["test_optimal"]


def convergence(old: Floats, new: Floats) -> float:
    """C of Eq. 21 of paper 004: mean of the smaller over the larger cost of each scenario.

    Costs of different signs count 0, as does a decision that is feasible (not NaN) only once.
    C is 1 for networks that do not change, however bad they are.
    """
    low, high = np.minimum(np.abs(old), np.abs(new)), np.maximum(np.abs(old), np.abs(new))
    ratio = np.divide(low, high, where=high > 0, out=np.ones(len(old)))
    ratio[old * new < 0] = 0.0
    ratio[np.isnan(old) & np.isnan(new)] = 1.0
    ratio[np.isnan(old) != np.isnan(new)] = 0.0
    return float(np.mean(ratio))


def _mean(values: NDArray[Any]) -> float | None:
    return float(np.mean(values)) if len(values) else None
