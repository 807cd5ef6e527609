"""Local search over exchanges: a decision that may leave twins out, improved in slices."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.exchange_kernels import Hosting, host, shake
from formulations.dt_assignment.exact.limited import Limited

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Servers that each twin is offered.
_NEAR = 8
#: Moves of a kick, exchanges after it, servers and tried pairs of an exchange.
_KICKS, _TRIES, _LARGEST, _LIMIT = 6, 60, 4, 2_000
#: How much worse a round may be, relative to the value; drawn for each search.
_HEATS = (0.0, 2e-4, 5e-4, 1e-3)
#: What shares, which are rounded down, are multiplied by for decisions.
_ROUNDED_UP = 1.0 + 3e-11


class Exchange:
    """A decision and its search.

    Parameters
    ----------
    problem : M twins on S servers.
    price : [R, S] of whole limits.
    rng : for kicks.

    Attributes
    ----------
    best : [M] the best decision so far; S where a twin has no server.
    penalised : its cost, with a great one for each twin without a server.
    paid : [M, S] costs and prices of pairs; near : [M, K] the servers that pay least.
    """

    def __init__(self, problem: Limited, price: Floats, rng: np.random.Generator) -> None:
        resources, twins, servers = problem.demand.shape
        finite = np.isfinite(problem.cost)
        self._worst = np.where(finite, problem.cost, -np.inf).max(axis=1)
        # Leaving a twin out must cost more than any other change can gain, rounded or not.
        spread = float((self._worst - problem.cost.min(axis=1)).sum())
        largest = np.abs(np.where(finite, problem.cost, 0.0)).max(axis=1)
        outside = float(largest.max()) + 1.1 * spread + 1e-6 * max(1.0, float(largest.sum()))
        # Sums of shares rounded up keep a limit whatever the order of the twins.
        demand = problem.demand * _ROUNDED_UP
        self._problem = problem._replace(
            cost=np.column_stack([problem.cost, np.full(twins, outside)]),
            demand=np.concatenate([demand, np.zeros((resources, twins, 1))], axis=2),
            weight=np.column_stack([problem.weight, np.zeros(resources)]),
        )
        self._rng = rng
        self._hosting = Hosting(
            np.full(twins, servers),
            np.zeros((servers + 1, twins), dtype=np.int64),
            np.zeros(servers + 1, dtype=np.int64),
            np.zeros((resources, servers + 1)),
        )
        self.best = self._hosting.server.copy()
        self.penalised = float(host(self._problem, self._hosting))
        self.reprice(price)

    def reprice(self, price: Floats) -> None:
        """Search at other prices [R, S], from a decision that they lead to if it is better."""
        self._price = np.column_stack([price, np.zeros(len(price))])
        demand = self._problem.demand[:, :, :-1]
        self.paid = self._problem.cost[:, :-1] + np.einsum("rs,rms->ms", price, demand)
        self.near = np.argsort(self.paid, axis=1)[:, :_NEAR].copy()
        self.adopt(self._constructed())

    def _constructed(self) -> Ints:
        """Twins with most to lose first, each to the server that pays best and has room."""
        demand = self._problem.demand[:, :, :-1]
        twins, servers = self.paid.shape
        decision = np.full(twins, servers)
        use = np.zeros(demand.shape[::2])
        if servers > 1:
            first, second = np.partition(self.paid, 1, axis=1)[:, :2].T
        else:
            first, second = self.paid[:, 0], np.full(twins, np.inf)
        for m in np.argsort(first - second, kind="stable"):
            fits = (use + demand[:, m] <= 1.0).all(axis=0) & np.isfinite(self.paid[m])
            if fits.any():
                s = int(np.where(fits, self.paid[m], np.inf).argmin())
                decision[m] = s
                use[:, s] += demand[:, m, s]
        return decision

    @property
    def estimate(self) -> float:
        """Cost of the best decision if twins without a server had their dearest."""
        inside = np.flatnonzero(self.best < self.paid.shape[1])
        cost = self._worst.copy()
        cost[inside] = self._problem.cost[inside, self.best[inside]]
        return float(cost.sum())

    @property
    def complete(self) -> bool:
        """Whether the best decision gives every twin a server."""
        return bool((self.best < len(self._hosting.members) - 1).all())

    @property
    def value(self) -> float:
        """Cost of the best decision; infinite while it leaves twins out."""
        return self.penalised if self.complete else math.inf

    def adopt(self, decision: Ints) -> None:
        """Go on from a decision [M], in which S stands for no server."""
        self._hosting.server[:] = decision
        value = float(host(self._problem, self._hosting))
        if value < self.penalised:
            self.penalised = value
            self.best[:] = decision

    def search(self, rounds: int) -> bool:
        """Kick and repair so often; whether the best decision got better."""
        before = self.penalised
        heat = float(self._rng.choice(_HEATS)) * abs(before)
        self.penalised = shake(
            self._problem, self._price, self._hosting, self.near, self.best, before,
            (rounds, _KICKS, _TRIES, _LARGEST, _LIMIT), heat, self._rng,
        )  # fmt: skip
        return bool(self.penalised < before)

    def wander(self, rounds: int) -> Ints:
        """Kick the best decision so often; where that leads, S where a twin lost its server."""
        self._hosting.server[:] = self.best
        self.search(rounds)
        return self._hosting.server.copy()
