"""Exact method for shared storage: branch and bound on what each server stores.

A node says of each (model, block, server) whether it is closed (the block does not run there),
held (it is stored) or free. With every free one open, each task is a shortest path by itself,
and the sum is a bound. Where its paths use more bytes than a server has, one of its free blocks
is branched on; whatever no longer fits beside the held blocks is closed at once, which is what
keeps the trees small. Storage per slot decomposes by slot.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement import kernels
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.marginal import marginal_greedy_locations
from formulations.block_placement.objective import SLACK
from formulations.block_placement.pricing import Prices, cheapest, with_task_deadlines
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def applies(instance: BlockPlacement) -> str | None:
    """None where storage is the one coupling, else why not."""
    if "storage" not in instance.couplings:
        return "no server has limited storage"
    others = sorted(instance.couplings - {"storage"})
    return f"tasks are also coupled by {', '.join(others)}" if others else None


@dataclass(frozen=True)
class _Node:
    closed: Mask  # [I, M, N]
    held: Mask  # [I, M, N]
    cost: float  # of the cheapest paths: a bound on every decision of the node
    paths: Ints  # [K, M]
    used: Floats  # [I, M, N] tasks that run each block on each server


class _Tree:
    """The tree of one group of tasks that share the storage of the servers."""

    def __init__(self, instance: BlockPlacement, tasks: Ints, best: float) -> None:
        self.instance = instance
        self.tasks = tasks
        self.size = instance.tables.param_bytes[:, :, None]
        limit = instance.storage_bytes
        assert limit is not None
        self.room = np.where(np.isnan(limit), np.inf, limit) * (1 + SLACK)
        self.best = best
        self.paths: Ints | None = None
        self.open: list[tuple[float, int, _Node]] = []
        self._count = itertools.count()
        nothing = np.zeros((*instance.tables.cycles.shape, instance.servers), dtype=bool)
        self.add(nothing, nothing)

    @property
    def bound(self) -> float:
        """A bound on every decision of the group."""
        return min(self.open[0][0], self.best) if self.open else self.best

    def add(self, closed: Mask, held: Mask) -> _Node | None:
        """Make a node, unless it holds nothing better; a node that fits is a decision."""
        left = self.room - (self.size * held).sum(axis=(0, 1))
        if (left < 0).any():
            return None
        closed = closed | (~held & (self.size > left))
        best = cheapest(self.instance, Prices.of(self.instance, closed=closed[None]), self.tasks)
        cost = float(with_task_deadlines(self.instance, best, self.tasks).sum())
        if not cost < self.best:
            return None
        counts = np.zeros((*closed.shape[:2], closed.shape[2] + 1))
        kernels.count_use(self.instance.tables, self.tasks, best.locations, counts)
        node = _Node(closed, held, cost, best.locations, counts[:, :, 1:])
        if (self.excess(node) <= 0).all():
            self.best, self.paths = cost, best.locations
            return None
        heapq.heappush(self.open, (cost, next(self._count), node))
        return node

    def excess(self, node: _Node) -> Floats:
        """Bytes that each server lacks for what the node's paths use and hold [N]."""
        stored = (node.used > 0) | node.held
        missing: Floats = (self.size * stored).sum(axis=(0, 1)) - self.room
        return missing

    def branch(self) -> None:
        """Take the node of least cost and plunge: branch it and its better child, and so on."""
        node: _Node | None = heapq.heappop(self.open)[2]
        limited = np.flatnonzero(np.isfinite(self.room))
        while node is not None and node.cost < self.best:
            missing = self.excess(node)
            relative = missing[limited] / np.maximum(self.room[limited], 1.0)
            server = int(limited[np.argmax(relative)])
            free = (node.used[:, :, server] > 0) & ~node.held[:, :, server]
            largest = int(np.argmax(np.where(free, self.size[:, :, 0], -1.0)))
            pair = (*divmod(largest, free.shape[1]), server)
            with_it, without = node.held.copy(), node.closed.copy()
            with_it[pair] = without[pair] = True
            children = [self.add(without, node.held), self.add(node.closed, with_it)]
            left = [child for child in children if child is not None]
            node = min(left, key=lambda child: child.cost) if left else None
            if node is not None:
                self.open = [entry for entry in self.open if entry[2] is not node]
                heapq.heapify(self.open)


def storage(instance: BlockPlacement, run: Run) -> None:
    """Branch and bound on the stored blocks of each group of tasks that share storage."""
    run.built()
    locations = marginal_greedy_locations(instance, run)
    start = run.found(instance.flat(locations))
    by_slot = instance.options.storage_scope == "slot"
    slot = instance.tables.slot
    if by_slot:
        trees = [_Tree(instance, np.flatnonzero(slot == s), np.inf) for s in np.unique(slot)]
    else:
        best = start.objective if start.feasible else np.inf
        trees = [_Tree(instance, np.arange(instance.tasks), best)]
    run.bound(sum(tree.bound for tree in trees))
    nodes = 0
    for tree in trees:
        while tree.open and not run.stopped():
            before = tree.paths
            tree.branch()
            nodes += 1
            while tree.open and tree.open[0][0] >= tree.best:
                heapq.heappop(tree.open)
            if tree.paths is not None and tree.paths is not before:
                locations[tree.tasks] = tree.paths
                run.found(instance.flat(locations))
            if np.isfinite(tree.bound):
                run.bound(sum(other.bound for other in trees))
        if not tree.open and not np.isfinite(tree.best):
            run.infeasible()
            return
        if tree.paths is not None:
            locations[tree.tasks] = tree.paths
    run.note(nodes=nodes)
    run.found(instance.flat(locations))
    bound = sum(tree.bound for tree in trees)
    if np.isfinite(bound):
        run.bound(bound)
