"""Servers whose twins are shared out anew, where the decision is farthest from its bound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.limited import Limited
from formulations.dt_assignment.exact.tree import Tree
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Servers of a group at first; it grows while trees are done, and shrinks while they are not.
_FIRST_SIZE, _LEAST_SIZE = 8.0, 3.0
_GROW, _SHRINK = 1.01, 0.97
#: Nodes of the tree of a group.
_NODES = 300
#: Draws of a neighbour, and how much less likely each next one is.
_DRAWS = 300
_NEXT = 0.7
#: Every server is drawn with at least this part of the largest chance.
_LEAST_CHANCE = 1e-3


class Regroup:
    """Draws groups of servers and solves them.

    At prices of twins the gap of a decision is a sum over servers: what each could earn at most
    less what its twins earn. Only groups with much of it can gain much.

    Parameters
    ----------
    rng : for the draws.

    Attributes
    ----------
    nodes : of all trees of groups.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._size = _FIRST_SIZE
        self.nodes = 0

    def reprice(self, problem: Limited, near: Ints, place_price: Floats, earned: Floats) -> None:
        """Take over the servers [M, K] near to each twin, prices of twins [M], and what each
        server earns at most [S]."""
        self._problem, self._near, self._place_price = problem, near, place_price
        self._earned = earned.copy()

    def search(self, decision: Ints, margin: float, run: Run) -> Ints | None:
        """Solve one group; the better decision, or ``None``. The run tells when to stop."""
        servers = self._draw(decision)
        twins = np.flatnonzero(np.isin(decision, servers))
        if not len(twins) or not Tree.fits(len(twins), len(servers)):
            return None
        part = self._problem.part(twins, servers)
        local = np.full(len(self._earned), -1)
        local[servers] = np.arange(len(servers))
        value = part.value(local[decision[twins]])
        tree = Tree(part, self._place_price[twins], value - margin, margin)
        better = False
        while not tree.done and tree.nodes < _NODES and not run.stopped():
            better = tree.search(_NODES - tree.nodes) or better
        self.nodes += tree.nodes
        if tree.done and not better:
            self._size = min(self._size * _GROW, float(len(self._earned)))
        elif not tree.done:
            self._size = max(self._size * _SHRINK, _LEAST_SIZE)
        if not better:
            return None
        changed = decision.copy()
        changed[twins] = servers[tree.decision]
        return changed

    def _draw(self, decision: Ints) -> Ints:
        """Servers [K], from one with a large gap to near ones with large gaps."""
        rng, near = self._rng, self._near
        gap = self._earned.copy()
        twins = np.arange(len(decision))
        np.add.at(gap, decision, self._problem.cost[twins, decision] - self._place_price)
        chance = np.maximum(gap, 0.0)
        chance += _LEAST_CHANCE * chance.max() + 1e-12
        size = min(int(self._size + rng.random()), len(gap))
        group = [int(rng.choice(len(gap), p=chance / chance.sum()))]
        members: list[int] = []
        fresh = group[0]
        for _ in range(_DRAWS):
            if len(group) == size:
                break
            if fresh >= 0:
                members.extend(np.flatnonzero(decision == fresh).tolist())
                fresh = -1
            m = int(rng.choice(members)) if members else int(rng.integers(len(decision)))
            options = np.array([s for s in near[m] if s not in group], dtype=np.int64)
            if not len(options):
                continue
            likely = chance[options] * _NEXT ** np.arange(len(options))
            fresh = int(rng.choice(options, p=likely / likely.sum()))
            group.append(fresh)
        return np.array(group, dtype=np.int64)
