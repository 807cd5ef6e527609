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
#: How much worse a round may be, relative to the value.
_HEAT = 5e-4


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
    """

    def __init__(self, problem: Limited, price: Floats, rng: np.random.Generator) -> None:
        resources, twins, servers = problem.demand.shape
        finite = problem.cost[np.isfinite(problem.cost)]
        self.outside_cost = float(finite.max() + 0.5 * (finite.max() - finite.min()) + 1e-6)
        self._problem = Limited(
            np.column_stack([problem.cost, np.full(twins, self.outside_cost)]),
            np.concatenate([problem.demand, np.zeros((resources, twins, 1))], axis=2),
            np.column_stack([problem.weight, np.zeros(resources)]),
        )
        self._price = np.column_stack([price, np.zeros(resources)])
        self._rng = rng
        self.paid = problem.cost + np.einsum("rs,rms->ms", price, problem.demand)
        self.near = np.argsort(self.paid, axis=1)[:, :_NEAR].copy()
        self._hosting = Hosting(
            np.full(twins, servers),
            np.zeros((servers + 1, twins), dtype=np.int64),
            np.zeros(servers + 1, dtype=np.int64),
            np.zeros((resources, servers + 1)),
        )
        self._construct()
        self._value = host(self._problem, self._hosting)
        self.best = self._hosting.server.copy()

    def _construct(self) -> None:
        """Twins with most to lose first, each to the server that pays best and has room."""
        demand = self._problem.demand[:, :, :-1]
        use = np.zeros(demand.shape[::2])
        ordered = np.sort(self.paid, axis=1)
        with np.errstate(invalid="ignore"):
            regret = ordered[:, 1] - ordered[:, 0] if ordered.shape[1] > 1 else ordered[:, 0]
        for m in np.argsort(-np.nan_to_num(regret, nan=np.inf), kind="stable"):
            fits = (use + demand[:, m] <= 1.0).all(axis=0) & np.isfinite(self.paid[m])
            if fits.any():
                s = int(np.where(fits, self.paid[m], np.inf).argmin())
                self._hosting.server[m] = s
                use[:, s] += demand[:, m, s]

    @property
    def complete(self) -> bool:
        """Whether the best decision gives every twin a server."""
        return bool((self.best < len(self._hosting.members) - 1).all())

    @property
    def value(self) -> float:
        """Cost of the best decision; infinite while it leaves twins out."""
        return self._value if self.complete else math.inf

    def adopt(self, decision: Ints) -> None:
        """Go on from a complete decision."""
        self._hosting.server[:] = decision
        value = host(self._problem, self._hosting)
        if value < self._value:
            self._value = value
            self.best[:] = decision

    def search(self, rounds: int) -> bool:
        """Kick and repair so often; whether the best decision got better."""
        before = self._value
        seed = int(self._rng.integers(2**31))
        self._value = shake(
            self._problem, self._price, self._hosting, self.near, self.best, before, rounds,
            _KICKS, _TRIES, _LARGEST, _LIMIT, _HEAT * abs(before), seed,
        )  # fmt: skip
        return self._value < before
