"""Exact solution of choice problems: enumeration within a budget inside a branch and bound.

`prove` raises a limit above the Lagrangian bound and enumerates everything below it
(`optkit.exact.choice_layers`): the first choice found is optimal, whatever was known before. Where
the enumeration outgrows its allowance the node is split, preferably on how many groups use a
class of columns (say, on how many tasks stay on their device): such a count is fractional in the
relaxation, and rounding it either way raises the bound far more than fixing one group does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from optkit.exact.choice_kernels import CAPACITY
from optkit.exact.choice_layers import enumerate_within
from optkit.exact.choice_problem import (
    ChoiceProblem,
    DualSolution,
    Floats,
    Integers,
    dual,
    improve,
    starting_choices,
)

__all__ = ["ChoiceProblem", "DualSolution", "dual", "improve", "prove", "starting_choices"]

WORK = 150_000
"""Extensions of one enumeration before its node is split (about 20 ms)."""

GROWTH = 1.25
"""Least ratio of successive budgets of a node."""

CANDIDATES = 6
"""Counts tried before a split."""

MOST_EXTENTS = 200
"""Distinct extents up to which splits count the columns of an extent."""

SLACK = 2e-10
"""Relative allowance for rounding that is taken off every bound."""


@dataclass(frozen=True)
class _Row:
    """At most ``limit`` groups choose a column of ``member`` (bool [C])."""

    name: tuple[int, bool]
    member: NDArray[np.bool_]
    limit: int


@dataclass(frozen=True)
class _Node:
    """Part of the search space: columns left (numbers in the root) and rows on counts."""

    kept: Integers
    rows: tuple[_Row, ...]
    price: Floats
    lower: float
    step: float
    solved: bool = False


def prove(
    problem: ChoiceProblem,
    price: Floats,
    incumbent: Integers | None,
    tolerance: float = 1e-6,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Integers | None, float, float]:
    """Best choice and a lower bound, closed up to ``tolerance`` unless stopped.

    Parameters
    ----------
    price : [R], near the maximiser of the dual function.
    incumbent : int64 [K], the best choice known, or ``None``. **Precondition**: the problem holds
        every column whose reduced cost at ``price`` is at most the incumbent's value less
        D(price); without an incumbent of finite value, every column.
    tolerance : relative gap (value - bound) / abs(value) that counts as closed.
    stopped : polled about every 20 ms.

    Returns
    -------
    choice, value, bound : the best choice (``None`` if there is none), its objective (infinite
        then) and a bound on the optimum. An infinite bound proves that no choice keeps the limits.
    """
    return _Search(problem, price, incumbent, tolerance, stopped).run()


class _Search:
    """State of one call of `prove`."""

    def __init__(
        self,
        problem: ChoiceProblem,
        price: Floats,
        incumbent: Integers | None,
        tolerance: float,
        stopped: Callable[[], bool],
    ) -> None:
        self.whole = problem
        self.tolerance = tolerance
        self.stopped = stopped
        self.choice = None if incumbent is None else incumbent.astype(np.int64)
        self.value = np.inf if incumbent is None else problem.value(self.choice)
        self.root_bound = problem.dual(price)[0]
        self.price = price
        reduced = problem.reduced_costs(price)
        kept = np.flatnonzero(reduced <= self.value - self.root_bound)
        counts = np.bincount(problem.owner[kept], minlength=problem.groups)
        # A group without a column left proves that nothing is better than the incumbent.
        self.hopeless = counts.min() == 0
        self.columns = np.arange(len(problem.cost)) if self.hopeless else _distinct(problem, kept)
        self.problem = problem.restrict(self.columns)
        self.pattern, self.classes = _classes(self.problem)
        self.closed = np.inf
        # What counts as nothing beside the costs, should the objective itself be near zero.
        self.scale = max(1e-6 * float(np.abs(problem.cost).sum()), 1e-9 * float(problem.size.sum()))
        self.nodes = 0

    @property
    def target(self) -> float:
        """Nodes with a bound of at least this need no more work."""
        if not np.isfinite(self.value):
            return np.inf
        return self.value - max(self.tolerance * abs(self.value), 1e-9 * self.scale)

    def offer(self, choice: Integers) -> None:
        """Keep ``choice`` (column numbers of the whole problem) if it is the best so far."""
        value = self.whole.value(choice)
        if value < self.value:
            self.choice, self.value = choice, value

    def run(self) -> tuple[Integers | None, float, float]:
        """Best bound first until the gap is closed or the time is up."""
        if self.hopeless:
            return self._result(self.value)
        order = count()
        kept = np.arange(len(self.columns))
        root = _Node(kept, (), self.price, self.root_bound, 0.0)
        heap = [(root.lower, next(order), root)]
        while heap:
            lower, _, node = heap[0]
            if lower >= self.target or self.stopped():
                break
            heapq.heappop(heap)
            for child in self._process(node):
                heapq.heappush(heap, (child.lower, next(order), child))
        return self._result(min([self.closed] + [node[0] for node in heap]))

    def _result(self, lower: float) -> tuple[Integers | None, float, float]:
        if np.isfinite(lower):
            lower -= SLACK * max(abs(lower), self.scale)
        return self.choice, self.value, min(self.value, max(lower, self.root_bound))

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
        solution = dual(problem, node.price, cutoff=self.target)
        if solution.bound >= self.target:
            self.closed = min(self.closed, solution.bound)
            return []
        lower = max(node.lower, solution.bound)
        if not node.solved:
            kept = np.flatnonzero(
                problem.reduced_costs(solution.price) <= self.target - solution.bound
            )
            node = replace(node, kept=node.kept[kept], price=solution.price, solved=True)
            problem = problem.restrict(kept)
            solution = DualSolution(solution.price, solution.bound, solution.share[kept])
            self._round(problem, node, solution)
        scale = max(abs(solution.bound), self.scale)
        step = max(node.step, 0.3 * max(self.tolerance, 1e-7) * scale)
        # Far above the bound only the limits themselves decide, so let them alone do it.
        limit = lower + step if step < 100.0 * scale else np.inf
        limit = min(limit, self.target)
        found = enumerate_within(
            problem, solution.price, limit, scale, work=WORK, stopped=self.stopped
        )
        if found.choice is not None:
            self.offer(self.columns[node.kept[found.choice]])
        if found.complete:
            lower = max(lower, min(limit, found.value))
            if found.choice is not None or limit >= self.target:
                self.closed = min(self.closed, lower)
                return []
            growth = (0.5 * WORK / max(found.work, 1)) ** 0.2
            return [replace(node, lower=lower, step=step * min(max(growth, GROWTH), 3.0))]
        node = replace(node, lower=lower, step=step / 1.5)
        return [node] if self.stopped() else self._split(node, problem, solution)

    def _round(self, problem: ChoiceProblem, node: _Node, solution: DualSolution) -> None:
        """Improve the rounded relaxation of a node over the columns of the whole problem."""
        if self.nodes > 20 and self.nodes % 10:
            return
        rounded = np.empty(problem.groups, dtype=np.int64)
        for k in range(problem.groups):
            first, last = problem.starts[k], problem.starts[k + 1]
            rounded[k] = first + int(np.argmax(solution.share[first:last]))
        price = solution.price[: self.problem.resources]
        better, _ = improve(self.problem, node.kept[rounded], price, stopped=self.stopped)
        self.offer(self.columns[better])

    def _split(
        self, node: _Node, problem: ChoiceProblem, solution: DualSolution
    ) -> list[_Node]:
        """The two children of the most effective of some candidate splits."""
        near = np.zeros(len(self.columns), dtype=np.bool_)
        budget = max(8.0 * node.step, 1e-4 * abs(node.lower))
        near[node.kept[problem.reduced_costs(solution.price) <= budget]] = True
        best: list[_Node] = []
        best_score = -np.inf
        for pair in self._candidates(node, problem, solution):
            if self.stopped():
                return [node]
            trial = [self._child(replace(c, kept=c.kept[near[c.kept]])) for c in pair]
            gains = [min(child.lower, self.target) - node.lower for child in trial]
            score = min(gains) * (1e-9 * abs(node.lower) + max(gains))
            if score > best_score:
                best, best_score = list(pair), score
        best = [self._child(child) for child in best]
        for child in best:
            if child.lower >= self.target:
                self.closed = min(self.closed, child.lower)
        return [child for child in best if child.lower < self.target]

    def _child(self, child: _Node) -> _Node:
        """The child with its rows carried through to the columns, and a first bound."""
        reduced = self._propagate(child)
        if reduced is None:
            return replace(child, lower=np.inf)
        solution = dual(self._problem(reduced), reduced.price, tolerance=1e-7, cutoff=self.target)
        return replace(
            reduced, price=solution.price, lower=max(child.lower, solution.bound), solved=False
        )

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
        ranked = []
        uses = self.classes @ np.bincount(
            self.pattern[node.kept], weights=solution.share, minlength=self.classes.shape[1]
        )
        for number, floor in enumerate(np.floor(uses).astype(int)):
            part = uses[number] - floor
            if 0.01 < part < 0.99:
                ranked.append((abs(part - 0.5), number, int(floor)))
        ranked.sort()
        pairs = []
        for _, number, floor in ranked[:CANDIDATES]:
            member = self.classes[number][self.pattern]
            fewer = _Row((number, False), member, floor)
            more = _Row((number, True), ~member, groups - floor - 1)
            pairs.append((_with_row(node, fewer), _with_row(node, more)))
        largest = np.maximum.reduceat(solution.share, problem.starts[:-1])
        k = int(np.argmin(np.where(problem.sizes > 1, largest, np.inf)))
        own = node.kept[problem.starts[k] : problem.starts[k + 1]]
        chosen = own[int(np.argmax(solution.share[problem.starts[k] : problem.starts[k + 1]]))]
        pairs.append(
            (
                replace(node, kept=np.setdiff1d(node.kept, own[own != chosen])),
                replace(node, kept=np.setdiff1d(node.kept, [chosen])),
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


def _distinct(problem: ChoiceProblem, kept: Integers) -> Integers:
    """``kept`` without columns that another of the group equals in load and beats in cost."""
    order = np.lexsort((problem.cost[kept], *problem.load[kept].T, problem.owner[kept]))
    ranked = kept[order]
    same = (problem.owner[ranked][1:] == problem.owner[ranked][:-1]) & (
        problem.load[ranked][1:] == problem.load[ranked][:-1]
    ).all(axis=1)
    return np.sort(ranked[np.concatenate(([True], ~same))[: len(ranked)]])


def _classes(problem: ChoiceProblem) -> tuple[Integers, NDArray[np.bool_]]:
    """Sets of columns whose use is counted, by the resources that a column loads and how much.

    The extent of a column is the sum of its loads, each as a fraction of the most that a column
    of its group puts on that resource: 1 for work done wholly on the resources, however divided.

    Returns the pattern of each column, int64 [C], and the patterns in each set, bool [S, P]: those
    that load the same resources, that load resource r, that load several, and, if the extents
    are few, those of each extent and those up to it.
    """
    resources = problem.resources
    used = problem.load > 0.0
    most = np.maximum.reduceat(problem.load, problem.starts[:-1], axis=0)
    most = np.repeat(np.where(most > 0.0, most, 1.0), problem.sizes, axis=0)
    extent = np.round((problem.load / most).sum(axis=1), 6)
    levels, level = np.unique(extent, return_inverse=True)
    if len(levels) > MOST_EXTENTS:
        level = np.zeros_like(level)
    bits = used @ (1 << np.arange(resources))
    patterns, pattern = np.unique(np.column_stack((bits, level)), axis=0, return_inverse=True)
    same = patterns[:, 0] == np.unique(patterns[:, 0])[:, None]
    digits = ((patterns[:, 0] >> np.arange(resources)[:, None]) & 1).astype(np.bool_)
    several = digits.sum(axis=0)[None, :] >= 2
    steps = np.unique(patterns[:, 1])[:, None]
    sets = np.vstack((same, digits, several, patterns[:, 1] == steps, patterns[:, 1] <= steps))
    sets = np.unique(sets, axis=0)
    return pattern, sets[sets.any(axis=1) & ~sets.all(axis=1)]
