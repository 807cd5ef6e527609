"""Twins on servers with limits, as arrays for prices, exchanges and branching."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.instance import TwinAssignment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: What a share of a limit without a price weighs beside the dearest of its server.
_LEAST_WEIGHT = 1e-3
#: Shares are this much smaller than demand by limit, relatively: no bound may suffer from the
#: rounding of a sum that the evaluator still admits.
_ROUNDING = 1e-11


class Limited(NamedTuple):
    """M twins, S servers with R resources: a generalised assignment problem.

    Attributes
    ----------
    cost : [M, S] infinite where the pair cannot be used.
    demand : [R, M, S] share of what the server admits, rounded down; 0 where it has no limit.
    weight : [R, S] that make one knapsack of the limits of a server: prices of its resources,
        and little for those without; 0 where there is no limit.
    amount, most : [R, M, S] and [R, S] demand and limit in their own units, by which a decision
        is judged as the evaluator does; 0 where there is no limit.
    """

    cost: Floats
    demand: Floats
    weight: Floats
    amount: Floats
    most: Floats

    @classmethod
    def of(cls, instance: TwinAssignment) -> Limited:
        """All of an instance, without prices."""
        t = instance.tables
        finite = np.isfinite(t.most)
        scale = np.where(finite, t.most, 1.0)
        amount = np.where(finite[:, None, :], t.demand, 0.0)
        demand = amount / scale[:, None, :] * (1.0 - _ROUNDING)
        return cls(
            instance.open_cost,
            demand,
            finite.astype(np.float64),
            amount,
            np.where(finite, t.most, 0.0),
        )

    def priced(self, price: Floats) -> Limited:
        """With weights [R, S] from prices."""
        limited = self.weight > 0
        least = _LEAST_WEIGHT * price.max(axis=0, initial=0.0)
        weight = np.where(price > 0, np.maximum(price, least), np.where(least > 0, least, 1.0))
        return self._replace(weight=np.where(limited, weight, 0.0))

    def part(self, twins: Ints, servers: Ints) -> Limited:
        """Some twins on some servers, which they have for themselves."""
        return Limited(
            np.ascontiguousarray(self.cost[np.ix_(twins, servers)]),
            np.ascontiguousarray(self.demand[:, twins[:, None], servers]),
            np.ascontiguousarray(self.weight[:, servers]),
            np.ascontiguousarray(self.amount[:, twins[:, None], servers]),
            np.ascontiguousarray(self.most[:, servers]),
        )

    def value(self, decision: Ints) -> float:
        """Cost of a decision [M]."""
        return float(self.cost[np.arange(len(decision)), decision].sum())

    def used(self, decision: Ints) -> Floats:
        """Shares [R, S] of the limits that a decision uses."""
        use = np.zeros(self.weight.shape)
        twins = np.arange(len(decision))
        for own, demand in zip(use, self.demand, strict=True):
            np.add.at(own, decision, demand[twins, decision])
        return use
