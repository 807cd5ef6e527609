"""Branch and bound over a list of all groups that matter.

With the list, reduced costs of all its groups take the place of pricing, cuts cost nothing there,
and a branch strikes groups off: two rows, twins or servers, are in one group or in none (Ryan and
Foster 1981). So a node takes few linear programmes, and pairs of rows can be tried beforehand.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.cuts import entries
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_programme import GroupProgramme
from formulations.dt_assignment.exact.pricing import Priced
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Groups in the linear programme at first, and that it takes at a time.
_FIRST, _ADDED = 1500, 150
#: Reduced costs are judged in parts of the typical cost of a twin.
_SMALL = 1e-9
#: Cuts in a round, what it must close of the gap, and how many rounds may not.
_ROOT_CUTS, _NODE_CUTS = (100, 0.01, 3), (20, 0.05, 1)
#: Pairs of rows that are tried before a branch.
_TRIED = 3
#: Every so many nodes the linear programme is rebuilt from what its last solutions used, and every
#: so many end with a dive.
_REBUILT_EVERY, _RECENT, _DIVE_EVERY = 5, 60, 10
#: Groups with such a part are fixed together in a dive.
_SURE = 0.85


@dataclass(order=True)
class Node:
    """Decisions out of some groups of the list, by their bound."""

    bound: float
    order: int
    numbers: Ints = field(compare=False)


class Relaxed(NamedTuple):
    """What the linear programme over some groups says.

    Attributes
    ----------
    bound : on decisions from them.
    numbers : those of them that a decision below the cut could use; none if there is no such.
    used, part : groups in the last solution, and their parts in it.
    """

    bound: float
    numbers: Ints
    used: Ints
    part: Floats


class ListedTree:
    """Nodes downwards, then in the order of their bounds, until none is below the cut.

    Parameters
    ----------
    listed : every group of a decision of cost below `reach`, server after server.
    reach : decisions that cost more are met by chance, and bound nothing.
    priced : prices to begin with, and cuts.
    goal, run : incumbent, bound and end.
    improve : called after a better decision.
    """

    _rows: sparse.csc_matrix  # [M + S + K, n] of the list, cuts included
    _inside: Ints  # groups of the list that the linear programme has, in its order

    def __init__(
        self,
        listed: Columns,
        reach: float,
        priced: Priced,
        goal: Goal,
        run: Run,
        improve: Callable[[], None],
    ) -> None:
        self._goal, self._run, self._reach, self._improve = goal, run, reach, improve
        self._twins, self._servers = len(priced.prices.twin), len(priced.price)
        self._unit = max(float(listed.cost.sum()) / max(len(listed.twins), 1), 1e-9)
        self._columns = listed
        self._plain = listed.rows(self._twins, self._servers)
        self._by_row = self._plain.tocsr()
        elements = priced.prices.elements[priced.prices.cut > 0]
        unplaced = 2.0 * max(goal.cut, 0.0) + self._unit
        self._programme = GroupProgramme(self._twins, self._servers, self._unit, unplaced, elements)
        self._last_used = np.zeros(len(listed), dtype=np.int64)
        self._heap: list[Node] = []
        self._nodes = 0
        self._next: Node | None = None
        self._left = math.inf  # least bound of what was left out
        self._rebuild(np.argsort(priced.above(listed), kind="stable")[:_FIRST])

    @property
    def _cut(self) -> float:
        return min(self._goal.cut, self._reach)

    def _enough(self, bound: float) -> bool:
        return bound >= self._reach or self._goal.enough(bound)

    def solve(self) -> bool:
        """Branch until no decision below `reach` is left; False where the run stopped before."""
        self._next = Node(-math.inf, 0, np.arange(len(self._columns)))
        while self._next is not None or self._heap:
            node, self._next = self._next or heapq.heappop(self._heap), None
            if self._run.stopped() or not self._open(node):
                return False
            self._report()
        return True

    def _report(self) -> None:
        """Of the bound on what is left, unless a branch was cut short."""
        self._run.note(nodes=self._nodes)
        if not self._run.stopped():
            waiting = [n.bound for n in (self._next, *self._heap[:1]) if n is not None]
            self._goal.report(min(self._left, self._cut, *waiting))

    def _open(self, node: Node) -> bool:
        """Bound a node, and branch if it may hold something better; whether that could be done."""
        if self._enough(node.bound):
            self._left = min(self._left, node.bound)
            return True
        if self._nodes % _REBUILT_EVERY == 1:
            self._rebuild(self._recent())
        cuts, worth, poor = _NODE_CUTS if self._nodes else _ROOT_CUTS
        relaxed = self._relax(node.numbers)
        while relaxed is not None and len(relaxed.numbers) and poor and self._cut_off(cuts):
            before, relaxed = relaxed, self._relax(relaxed.numbers)
            if relaxed is not None:
                poor -= relaxed.bound - before.bound < worth * (self._cut - before.bound)
        if relaxed is not None and len(relaxed.numbers) and self._nodes % _DIVE_EVERY == 0:
            self._dive(relaxed)
            relaxed = self._relax(relaxed.numbers)
        if relaxed is None:
            return False
        self._nodes += 1
        self._settle(relaxed._replace(bound=max(node.bound, relaxed.bound)))
        return True

    def _settle(self, relaxed: Relaxed) -> None:
        """Leave a node that was bounded, or branch on the pair of rows that raises most."""
        if not len(relaxed.numbers) or self._enough(relaxed.bound):
            self._left = min(self._left, relaxed.bound)
            return
        pairs = self._undecided(relaxed)
        if not pairs:
            self._decide(relaxed)
            self._left = min(self._left, relaxed.bound)
            return
        best, gains, chosen = -math.inf, (0.0, 0.0), None
        for pair in pairs:
            children = self._children(relaxed.numbers, *pair)
            first, second = (max(self._value(c) - relaxed.bound, _SMALL) for c in children)
            if first * second > best:
                best, gains, chosen = first * second, (first, second), children
            if self._run.stopped():
                break
        assert chosen is not None
        if gains[1] < gains[0]:
            chosen = chosen[::-1]
        self._next, other = (
            Node(relaxed.bound, 2 * self._nodes + number, child)
            for number, child in enumerate(chosen)
        )
        heapq.heappush(self._heap, other)

    def _relax(self, numbers: Ints) -> Relaxed | None:
        """Solve the linear programme over some groups of the list; None if the run stops."""
        programme, columns = self._programme, self._columns
        self._allow(numbers)
        rows, cost, server = self._rows[:, numbers], columns.cost[numbers], columns.server[numbers]
        first = np.flatnonzero(np.diff(server, prepend=-1))
        bound, kept = -math.inf, numbers
        while not self._run.stopped() and programme.solve(self._run.remaining_s):
            prices = programme.prices
            weights = np.concatenate([prices.twin, np.zeros(self._servers), -prices.cut])
            above = cost - rows.T @ weights
            least = np.minimum(np.minimum.reduceat(above, first), 0.0) if len(numbers) else above
            now = prices.total + float(least.sum())
            if now > bound:
                slack = self._cut - now + np.repeat(least, np.diff([*first, len(numbers)]))
                bound, kept = now, numbers[above <= slack]
            if self._enough(bound):
                return Relaxed(bound, numbers[:0], numbers[:0], np.zeros(0))
            reduced = above - programme.server_duals[server]
            worthy = np.flatnonzero(reduced < -_SMALL * self._unit)
            best = worthy[np.argsort(reduced[worthy], kind="stable")[:_ADDED]]
            if self._add(numbers[best]) == 0:
                parts = programme.parts
                inside = np.flatnonzero(parts > 1e-9)
                used = self._inside[inside]
                self._last_used[used] = programme.solved
                return Relaxed(bound, kept, used, parts[inside])
        return None

    def _value(self, numbers: Ints) -> float:
        """Of the linear programme over those of the groups that it has; the cut at most."""
        self._allow(numbers)
        solved = self._programme.solve(self._run.remaining_s)
        return min(self._programme.value, self._cut) if solved else self._cut

    def _undecided(self, relaxed: Relaxed) -> list[tuple[int, int]]:
        """Pairs of rows, the nearest to a half first, that groups hold together in part."""
        rows = self._plain[:, relaxed.used]
        together = sparse.triu(rows @ sparse.diags(relaxed.part) @ rows.T, k=1).tocoo()
        distance = np.abs(together.data - 0.5)
        order = np.argsort(distance, kind="stable")[:_TRIED]
        order = order[distance[order] < 0.5 - 1e-6]
        return list(zip(together.row[order].tolist(), together.col[order].tolist(), strict=True))

    def _children(self, numbers: Ints, a: int, b: int) -> tuple[Ints, Ints]:
        """The groups with both rows or none, and those that do not have both."""
        has = np.zeros((2, len(self._columns)), dtype=np.bool_)
        for side, row in enumerate((a, b)):
            has[side, self._by_row.indices[slice(*self._by_row.indptr[row : row + 2])]] = True
        first, second = has[:, numbers]
        return numbers[first == second], numbers[~(first & second)]

    def _dive(self, relaxed: Relaxed) -> None:
        """Fix groups one after another, those with large parts together."""
        rows = self._plain
        while len(relaxed.numbers) and self._undecided(relaxed):
            fixed, fresh = np.zeros(rows.shape[0], dtype=np.bool_), 0
            groups = []
            for k in np.argsort(-relaxed.part, kind="stable").tolist():
                if fresh and relaxed.part[k] < _SURE:
                    break
                own = rows[:, [relaxed.used[k]]].indices
                if not fixed[own].any():
                    fixed[own] = True
                    groups.append(relaxed.used[k])
                    fresh += relaxed.part[k] < 1.0 - 1e-6
            numbers = relaxed.numbers
            apart = rows[:, numbers].T @ fixed.astype(float) == 0
            again = self._relax(numbers[apart | np.isin(numbers, groups)])
            if again is None or not fresh:
                return
            relaxed = again
        if len(relaxed.numbers):
            self._decide(relaxed)

    def _decide(self, relaxed: Relaxed) -> None:
        """Report the decision of a whole solution."""
        x = self._columns.take(relaxed.used[relaxed.part > 0.5]).placed(self._twins)
        before = self._goal.cut
        if (x >= 0).all():
            self._run.found(x)
        if self._goal.cut < before:
            self._improve()

    def _allow(self, numbers: Ints) -> None:
        allowed = np.zeros(len(self._columns), dtype=np.bool_)
        allowed[numbers] = True
        self._programme.allow(allowed[self._inside])

    def _add(self, numbers: Ints) -> int:
        """Take groups of the list into the linear programme; returns how many."""
        new = np.setdiff1d(numbers, self._inside)
        if len(new):
            self._programme.add(self._columns.take(new))
            self._inside = np.append(self._inside, new)
            self._last_used[new] = self._programme.solved
        return len(new)

    def _cut_off(self, most: int) -> int:
        """Add cuts that the last solution breaks; returns how many."""
        count = self._programme.cut_off(most=most)
        if count:
            fresh = entries(self._programme.elements[-count:], self._plain)
            self._rows = sparse.vstack([self._rows, fresh], format="csc")
        return count

    def _recent(self) -> Ints:
        """Groups that are in the linear programme and were in one of its last solutions."""
        recent = self._last_used[self._inside] > self._programme.solved - _RECENT
        return np.asarray(self._inside[recent])

    def _rebuild(self, numbers: Ints) -> None:
        """Start the linear programme anew with some groups, and the cuts used of late."""
        programme = self._programme
        programme.rebuild(np.zeros(len(programme.columns), dtype=np.bool_), _RECENT)
        cuts = entries(programme.elements, self._plain)
        self._rows = sparse.vstack([self._plain, cuts], format="csc")
        self._inside = np.zeros(0, dtype=np.int64)
        self._add(numbers)
