"""A branch-and-bound tree over the servers of twins, searched in slices."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.limited import Limited
from formulations.dt_assignment.exact.place_kernels import node_of
from formulations.dt_assignment.exact.tree_kernels import Branch, search

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Candidates that the bounds within one knapsack look at; beyond, its first bound is taken.
KNAPSACK_LIMIT = 300_000.0
#: Bytes of the levels of a tree at most.
_LARGEST = 250_000_000


class Tree:
    """All decisions of a problem below a target.

    Parameters
    ----------
    problem : M twins on S servers, priced.
    place_price : [M] prices of twins to begin with.
    target : decisions of at least this value are not looked for.
    margin : by how much a further decision must be better than one that was found.

    Attributes
    ----------
    done : whether all decisions have been looked through. Those that were not found are then at
        least as costly as `target`.
    """

    def __init__(self, problem: Limited, place_price: Floats, target: float, margin: float) -> None:
        twins, servers = problem.cost.shape
        levels = twins + 1
        self._problem = problem
        self._node = node_of(twins, servers, len(problem.demand))
        self._branch = Branch(
            depth=np.zeros(1, dtype=np.int64),
            is_open=np.zeros((levels, twins, servers), dtype=np.bool_),
            place_price=np.zeros((levels, twins)),
            child=np.zeros((levels, servers), dtype=np.int64),
            twin=np.zeros(levels, dtype=np.int64),
            children=np.zeros(levels, dtype=np.int64),
            tried=np.full(levels, -1, dtype=np.int64),
            limits=np.array([target, margin]),
            decision=np.zeros(twins, dtype=np.int64),
            value=np.array([math.inf]),
            nodes=np.zeros(1, dtype=np.int64),
        )
        self._branch.is_open[0] = np.isfinite(problem.cost)
        self._branch.place_price[0] = place_price
        self.done = False

    @staticmethod
    def fits(twins: int, servers: int) -> bool:
        """Whether the levels of so large a tree can be held."""
        return (twins + 1) * twins * (servers + 8) <= _LARGEST

    def search(self, nodes: int) -> bool:
        """Bound so many more nodes; whether a better decision was found.

        It ends earlier once their knapsacks took about a second, so that the clock is looked at.
        """
        before = self.value
        self.done = search(self._problem, self._node, self._branch, nodes, KNAPSACK_LIMIT)
        return self.value < before

    def lower(self, target: float) -> None:
        """Look for less than that only."""
        self._branch.limits[0] = min(self._branch.limits[0], target)

    @property
    def target(self) -> float:
        """Below which decisions are looked for now."""
        return float(self._branch.limits[0])

    @property
    def value(self) -> float:
        """Of the best decision that was found, or infinite."""
        return float(self._branch.value[0])

    @property
    def decision(self) -> Ints:
        """The best decision [M] that was found; any before."""
        return self._branch.decision.copy()

    @property
    def nodes(self) -> int:
        """How many were bounded so far."""
        return int(self._branch.nodes[0])
