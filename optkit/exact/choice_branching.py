"""Best-first branch and bound over the columns of a choice problem.

A node is bounded by the dual function, then enumerated within a budget above its bound
(`optkit.exact.choice_layers`) that grows each time the node comes up. Where the enumeration
outgrows its allowance the node is split, preferably on how many groups use a class of columns
(say, on how many tasks stay on their device): such a count is fractional in the relaxation, and
rounding it either way raises the bound far more than fixing one group does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from optkit.exact.choice_kernels import CAPACITY
from optkit.exact.choice_layers import Enumeration, enumerate_within
from optkit.exact.choice_problem import (
    ChoiceProblem,
    DualSolution,
    Floats,
    Integers,
    dual,
)
from optkit.exact.choice_search import improve

WORK = 150_000
"""Extensions of one enumeration before its node is split (about 20 ms)."""

GROWTH = 1.25
"""Least ratio of successive budgets of a node."""

CANDIDATES = 8, 6
"""Counts tried before a split: by the resources of columns, and by their extents."""

MOST_EXTENTS = 200
"""Distinct extents up to which splits count the columns of an extent."""


class Incumbent(Protocol):
    """The best choice so far, shared with whoever else searches."""

    @property
    def target(self) -> float:
        """Nodes with a bound of at least this need no more work."""

    def offer(self, choice: Integers) -> None:
        """Keep a choice, int64 [K], if it is the best so far."""


@dataclass(frozen=True)
class _Row:
    """At most ``limit`` groups choose a column of ``member`` (bool [C])."""

    name: tuple[int, bool]
    member: NDArray[np.bool_]
    limit: int


@dataclass(frozen=True)
class _Node:
    """Part of the search space: columns left (numbers in the problem) and rows on counts."""

    kept: Integers
    rows: tuple[_Row, ...]
    price: Floats
    lower: float
    step: float
    solved: bool = False


class BranchAndBound:
    """Search of all choices of a problem for one below the incumbent's target.

    Parameters
    ----------
    price : [R], near the maximiser of the dual function; ``lower`` : a bound on the optimum.
    incumbent : receives the choices found.
    tolerance : relative gap that matters, the first budget of a node.
    scale : magnitude that counts as nothing beside the costs.
    """

    def __init__(
        self,
        problem: ChoiceProblem,
        price: Floats,
        lower: float,
        incumbent: Incumbent,
        *,
        tolerance: float,
        scale: float,
        stopped: Callable[[], bool],
    ) -> None:
        self.problem = problem
        self.incumbent = incumbent
        self.tolerance = tolerance
        self.scale = scale
        self.stopped = stopped
        self.pattern, self.classes, self.fine = _classes(problem)
        self.root = _Node(np.arange(len(problem.cost)), (), price, lower, 0.0)
        self.closed = np.inf
        self.nodes = 0

    def run(self) -> float:
        """Search until every node is closed or the time is up; returns the bound proved."""
        order = count()
        heap = [(self.root.lower, next(order), self.root)]
        while heap and heap[0][0] < self.incumbent.target and not self.stopped():
            for child in self._process(heapq.heappop(heap)[2]):
                heapq.heappush(heap, (child.lower, next(order), child))
        return min([self.closed] + [entry[0] for entry in heap])

    def _problem(self, node: _Node) -> ChoiceProblem:
        """The node's columns, with a capacity of 1 per use for each of its rows."""
        base = self.problem.restrict(node.kept)
        if not node.rows:
            return base
        extra = len(node.rows)
        members = np.column_stack([row.member[node.kept] for row in node.rows])
        return ChoiceProblem(
            base.starts,
            base.cost,
            np.hstack((base.load, members)),
            np.concatenate((base.kind, np.full(extra, CAPACITY))),
            np.concatenate((base.size, [row.limit for row in node.rows])),
            np.concatenate((base.slope, np.zeros(extra))),
            np.concatenate((base.base, np.zeros(extra))),
        )

    def _process(self, node: _Node) -> list[_Node]:
        """Bound the node, enumerate within its next budget, or split it."""
        self.nodes += 1
        problem = self._problem(node)
        target = self.incumbent.target
        solution = dual(problem, node.price, cutoff=target)
        if solution.bound >= target:
            self.closed = min(self.closed, solution.bound)
            return []
        lower = max(node.lower, solution.bound)
        if not node.solved:
            kept = np.flatnonzero(problem.reduced_costs(solution.price) <= target - solution.bound)
            node = replace(node, kept=node.kept[kept], price=solution.price, solved=True)
            problem = problem.restrict(kept)
            solution = DualSolution(solution.price, solution.bound, solution.share[kept])
            self._round(node, solution)
            target = self.incumbent.target
        scale = max(abs(solution.bound), self.scale)
        step = max(node.step, 0.3 * max(self.tolerance, 1e-7) * scale)
        # Far above the bound only the limits themselves decide, so let them alone do it.
        limit = min(lower + step if step < 100.0 * scale else np.inf, target)
        found = self._enumerate(node, solution.price, limit, scale)
        if found.choice is not None:
            self.incumbent.offer(node.kept[found.choice])
        if found.complete:
            lower = max(lower, min(limit, found.value))
            if found.choice is not None or limit >= target:
                self.closed = min(self.closed, lower)
                return []
            growth = (0.5 * WORK / max(found.work, 1)) ** 0.2
            return [replace(node, lower=lower, step=step * min(max(growth, GROWTH), 3.0))]
        node = replace(node, lower=lower, step=step / 1.5)
        return [node] if self.stopped() else self._split(node, problem, solution)

    def _enumerate(self, node: _Node, price: Floats, limit: float, scale: float) -> Enumeration:
        """Enumerate the node without the rows that cost nothing, which would only split states."""
        resources = self.problem.resources
        costly = np.flatnonzero(price[resources:] > 1e-12 * scale)
        price = np.concatenate((price[:resources], price[resources:][costly]))
        problem = self._problem(replace(node, rows=tuple(node.rows[i] for i in costly)))
        return enumerate_within(problem, price, limit, scale, work=WORK, stopped=self.stopped)

    def _round(self, node: _Node, solution: DualSolution) -> None:
        """Improve the rounded relaxation of a node; later in the search, of every tenth."""
        if self.nodes > 20 and self.nodes % 10:
            return
        starts = np.searchsorted(node.kept, self.problem.starts)
        rounded = [
            node.kept[first + int(np.argmax(solution.share[first:last]))]
            for first, last in pairwise(starts)
        ]
        price = solution.price[: self.problem.resources]
        better, _ = improve(self.problem, np.array(rounded), price, stopped=self.stopped)
        self.incumbent.offer(better)

    def _split(self, node: _Node, problem: ChoiceProblem, solution: DualSolution) -> list[_Node]:
        """The two children of the most effective of some candidate splits."""
        target = self.incumbent.target
        near = np.zeros(len(self.problem.cost), dtype=np.bool_)
        budget = max(node.lower - solution.bound + 8.0 * node.step, 1e-4 * abs(node.lower))
        near[node.kept[problem.reduced_costs(solution.price) <= budget]] = True
        best: tuple[_Node, ...] = ()
        best_score = -np.inf
        for pair in self._candidates(node, problem, solution):
            if self.stopped():
                return [node]
            # The gain is that of the dual bound: it makes the child's enumeration smaller even
            # where enumeration has already raised the node's bound above it.
            trial = [
                self._child(replace(child, kept=child.kept[near[child.kept]], lower=-np.inf))
                for child in pair
            ]
            gains = [max(min(child.lower, target) - solution.bound, 0.0) for child in trial]
            score = min(gains) * (1e-9 * abs(target) + max(gains)) + 1e-9 * max(gains)
            if score > best_score:
                best, best_score = pair, score
        children = [self._child(child) for child in best]
        self.closed = min([self.closed] + [c.lower for c in children if c.lower >= target])
        return [child for child in children if child.lower < target]

    def _child(self, child: _Node) -> _Node:
        """The child with its rows carried through to the columns, and a first bound."""
        reduced = self._propagate(child)
        if reduced is None:
            return replace(child, lower=np.inf)
        target = self.incumbent.target
        solution = dual(self._problem(reduced), reduced.price, tolerance=1e-7, cutoff=target)
        lower = max(child.lower, solution.bound)
        return replace(reduced, price=solution.price, lower=lower, solved=False)

    def _propagate(self, node: _Node) -> _Node | None:
        """Remove the columns that full rows forbid, and the rows that nothing can break.

        Returns ``None`` if a row cannot be kept.
        """
        resources = self.problem.resources
        groups = self.problem.groups
        owner = self.problem.owner
        kept = node.kept
        while True:
            sizes = np.bincount(owner[kept], minlength=groups)
            if sizes.min() == 0:
                return None
            before = len(kept)
            for row in node.rows:
                member = row.member[kept]
                uses = np.bincount(owner[kept], weights=member, minlength=groups)
                forced = uses == np.bincount(owner[kept], minlength=groups)
                if forced.sum() > row.limit:
                    return None
                if forced.sum() == row.limit:
                    kept = kept[~member | forced[owner[kept]]]
            if len(kept) == before:
                break
        tight = []
        for i, row in enumerate(node.rows):
            uses = np.bincount(owner[kept], weights=row.member[kept], minlength=groups)
            if np.count_nonzero(uses) > row.limit:
                tight.append(i)
        price = np.concatenate((node.price[:resources], node.price[resources:][tight]))
        return replace(node, kept=kept, rows=tuple(node.rows[i] for i in tight), price=price)

    def _candidates(
        self, node: _Node, problem: ChoiceProblem, solution: DualSolution
    ) -> list[tuple[_Node, _Node]]:
        """Splits on fractional counts of classes, and on the columns of the most split group."""
        groups = self.problem.groups
        uses = self.classes @ np.bincount(
            self.pattern[node.kept], weights=solution.share, minlength=self.classes.shape[1]
        )
        part = uses - np.floor(uses)
        ranked = np.argsort(np.abs(part - 0.5), kind="stable")
        ranked = ranked[(part[ranked] > 0.01) & (part[ranked] < 0.99)]
        fine = self.fine[ranked]
        pairs = []
        for number in (*ranked[~fine][: CANDIDATES[0]], *ranked[fine][: CANDIDATES[1]]):
            floor = int(uses[number])
            member = self.classes[number][self.pattern]
            fewer = _Row((number, False), member, floor)
            more = _Row((number, True), ~member, groups - floor - 1)
            pairs.append((_with_row(node, fewer), _with_row(node, more)))
        largest = np.maximum.reduceat(solution.share, problem.starts[:-1])
        k = int(np.argmin(np.where(problem.sizes > 1, largest, np.inf)))
        first, last = problem.starts[k], problem.starts[k + 1]
        chosen = first + int(np.argmax(solution.share[first:last]))
        others = np.delete(np.arange(first, last), chosen - first)
        pairs.append(
            (
                replace(node, kept=np.delete(node.kept, others)),
                replace(node, kept=np.delete(node.kept, chosen)),
            )
        )
        return pairs


def _with_row(node: _Node, row: _Row) -> _Node:
    """The node with one more row; a weaker row on the same count goes."""
    places = [i for i, other in enumerate(node.rows) if other.name == row.name]
    if places:
        rows = tuple(row if i == places[0] else other for i, other in enumerate(node.rows))
        return replace(node, rows=rows)
    return replace(node, rows=(*node.rows, row), price=np.append(node.price, 0.0))


def _classes(problem: ChoiceProblem) -> tuple[Integers, NDArray[np.bool_], NDArray[np.bool_]]:
    """Sets of columns whose use is counted, by the resources that a column loads and how much.

    The extent of a column is the sum of its loads, each as a fraction of the most that a column
    of its group puts on that resource: 1 for work done wholly on the resources, however divided.

    Returns the pattern of each column, int64 [C], the patterns in each set, bool [S, P] (those
    that load the same resources, that load resource r, that load several, and, if the extents
    are few, those of each extent and those up to it), and which sets are by extent, bool [S].
    """
    used = problem.load > 0.0
    most = np.maximum.reduceat(problem.load, problem.starts[:-1], axis=0)
    most = np.repeat(np.where(most > 0.0, most, 1.0), problem.sizes, axis=0)
    extent = (problem.load / most).sum(axis=1)
    for digits in (6, 1):  # almost none and almost all are classes where the extents scatter
        levels, level = np.unique(extent.round(digits), return_inverse=True)
        if len(levels) <= MOST_EXTENTS:
            break
    else:
        level = np.zeros_like(level)
    if problem.resources <= 40:
        support = used @ (1 << np.arange(problem.resources))
    else:
        support = np.unique(used, axis=0, return_inverse=True)[1].ravel()
    code = support * len(levels) + level
    _, first, pattern = np.unique(code, return_index=True, return_inverse=True)
    support, level, uses = support[first], level[first], used[first].T
    same = support == np.unique(support)[:, None]
    several = uses.sum(axis=0)[None, :] >= 2
    steps = np.unique(level)[:, None]
    sets = np.vstack((same, uses, several, level == steps, level <= steps))
    fine = np.arange(len(sets)) >= len(same) + problem.resources + 1
    sets, origin = np.unique(sets, axis=0, return_index=True)
    proper = sets.any(axis=1) & ~sets.all(axis=1)
    return pattern, sets[proper], fine[origin[proper]]
