"""Chains of simulated annealing that move side by side and are judged as one batch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from optkit.instance import Instance
from optkit.run import Run
from optkit.search.batches import judge, uniform
from optkit.search.neighbourhood import Excess, Neighbourhood
from optkit.space import Space, identity

_ENDLESS = 1e12  # stands for an infinite violation, whose differences would be undefined


def warm_position(space: Space, run: Run) -> NDArray[np.int64] | None:
    """The warm start as a new vector of the space, where it is one or can be made one."""
    if run.warm_start is None:
        return None
    x = np.array(run.warm_start[0], dtype=np.int64)
    if space.decode is identity:
        return x
    return None if space.encode is None else space.encode(x)


class Chains:
    """Random vectors that change one position at a time; the best ever seen is reported.

    Parameters
    ----------
    instance : what is solved.
    run : where decisions go and random numbers come from.
    rows : how many chains.
    """

    def __init__(self, instance: Instance, run: Run, rows: int) -> None:
        self._instance, self._run, self._space = instance, run, instance.space
        self._around, self._excess = Neighbourhood(self._space), Excess()
        self._worst = -math.inf  # of the finite objectives met
        self._best: tuple[float, ...] | None = None
        self._z = uniform(self._space, run.rng, rows)
        self._cost, self._violation = self._judge()

    @property
    def movable(self) -> bool:
        """Whether any position has a second option."""
        return self._around.size > 0

    def probe(self, changes: int, most: int) -> tuple[float, float]:
        """Walk without looking at objectives; what a change makes of them, and their spread.

        The walk takes whatever breaks no more than before, and goes on after `changes` changes,
        to `most`, until as many were between finite objectives. The mean absolute difference
        and the spread are of finite objectives, and 0 where they do not differ.
        """
        differences, costs = [np.zeros(0)], [self._cost[np.isfinite(self._cost)]]
        for count in range(most):
            pairs = sum(map(len, differences))
            if self._run.stopped() or min(count, pairs) >= changes:
                break
            position, before = self._change()
            cost, violation = self._judge()
            both = np.isfinite(cost) & np.isfinite(self._cost)
            differences.append(np.abs(cost[both] - self._cost[both]))
            costs.append(cost[np.isfinite(cost)])
            self._take(violation <= self._violation, position, before, cost, violation)
        change, finite = np.concatenate(differences), np.concatenate(costs)
        change = change[change > 0]
        return (
            float(np.mean(change)) if len(change) else 0.0,
            float(np.ptp(finite)) if len(finite) else 0.0,
        )

    def restart(self) -> None:
        """Put the warm start, if it is a vector of the space, in place of the first chain."""
        warm = warm_position(self._space, self._run)
        if warm is not None:
            self._z[0] = warm
        self._cost, self._violation = self._judge()

    def step(self, temperature: float, penalty: float) -> None:
        """Propose one change to every chain and take it with Metropolis' probability."""
        position, before = self._change()
        cost, violation = self._judge()
        rise = self._finite(cost) - self._finite(self._cost)
        rise += penalty * (violation - self._violation)
        chance = np.exp(-np.maximum(rise, 0) / temperature)
        accepted = self._run.rng.random(len(chance)) < chance
        self._take(accepted, position, before, cost, violation)

    def _take(
        self,
        accepted: NDArray[np.bool_],
        position: NDArray[np.int64],
        before: NDArray[np.int64],
        cost: NDArray[np.float64],
        violation: NDArray[np.float64],
    ) -> None:
        """Keep the accepted changes and undo the others."""
        refused = np.flatnonzero(~accepted)
        self._z[refused, position[refused]] = before[refused]
        self._cost = np.where(accepted, cost, self._cost)
        self._violation = np.where(accepted, violation, self._violation)

    def _change(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Change one position of every chain in place; which ones, and their old options."""
        rows = np.arange(len(self._z))
        numbers = self._run.rng.integers(self._around.size, size=len(rows))
        position, option = self._around.moves(self._z, numbers)
        before = self._z[rows, position]
        self._z[rows, position] = option
        return position, before

    def _judge(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Objective to be made small and total violation of every chain; reports a new best."""
        batch = judge(self._instance, self._space, self._z)
        rank = batch.evaluation.rank(self._instance.sense)
        row = int(np.lexsort(rank[::-1])[0])
        key = tuple(float(values[row]) for values in rank)
        if self._best is None or key < self._best:
            self._best = key
            batch.report(self._run, row)
        _, broken, cost = rank
        finite = np.isfinite(cost)
        self._worst = float(np.max(cost[finite], initial=self._worst))
        violation = np.minimum(self._excess(batch.evaluation), _ENDLESS)
        violation += broken + ~finite
        return cost, violation

    def _finite(self, cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Objectives with the worst finite one met in place of infinite ones.

        An infinite objective counts as one more broken row instead.
        """
        worst = self._worst if math.isfinite(self._worst) else 0.0
        return np.where(np.isfinite(cost), cost, worst)
