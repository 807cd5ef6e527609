"""Branch and bound on pairs: a twin on a server, or not on it, which leaves pricing as it is."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.diving import dive
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_master import GroupMaster
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Rounds of cuts in a node, which must each close such a part of its gap.
_CUTS, _WORTH = 2, 0.05
#: The linear programme is started anew when it has grown so much; cuts that had a price in so many
#: last solutions stay.
_GROWTH, _RECENT = 2.0, 60
#: Every so many nodes end with a dive.
_DIVE_EVERY = 20


@dataclass(order=True)
class Node:
    """Decisions over some open pairs, by their bound."""

    bound: float
    number: int
    packed: NDArray[np.uint8] = field(compare=False)


class Branching:
    """Nodes in the order of their bounds, until none is below the cut.

    Parameters
    ----------
    master : at the root, whose open pairs hold every decision below the cut.
    goal, run : incumbent, bound and end.
    """

    def __init__(self, master: GroupMaster, goal: Goal, run: Run) -> None:
        self._master = master
        self._goal = goal
        self._run = run
        self._heap: list[Node] = []
        self._nodes = 0
        self._left = math.inf  # least bound of what was left out

    def solve(self) -> None:
        """Branch until the bound meets the incumbent, or the run stops."""
        master, goal, run = self._master, self._goal, self._run
        root, size = master.best, 0
        assert root is not None
        self._settle(master.bound)
        while self._heap and not run.stopped():
            node = heapq.heappop(self._heap)
            if goal.enough(node.bound):
                self._left = min(self._left, node.bound)
                self._heap.clear()
                break
            rows, columns = master.programme.shape
            if rows * columns > _GROWTH * size:
                master.compact(root, _RECENT)
                rows, columns = master.programme.shape
                size = rows * columns
            self._open(node)
            lowest = min([self._left, *(other.bound for other in self._heap[:1])])
            if not run.stopped():
                goal.report(lowest)
        run.note(nodes=self._nodes)
        if not self._heap and not run.stopped():
            goal.report(min(self._left, goal.cut))

    def _open(self, node: Node) -> None:
        """Bound a node, and branch if it may hold something better."""
        master, goal, run = self._master, self._goal, self._run
        is_open = master.pricer.is_open
        is_open[:] = np.unpackbits(node.packed, count=is_open.size).reshape(is_open.shape)
        if not is_open.any(axis=0).all():
            return
        master.narrow()
        master.generate(run, quiet=True)
        for _ in range(_CUTS):
            before = master.bound
            if run.stopped() or goal.enough(before) or not master.converged:
                break
            if master.programme.cut_off() == 0:
                break
            master.generate(run, quiet=True)
            if master.bound - before < _WORTH * (goal.cut - before):
                break
        if run.stopped():
            heapq.heappush(self._heap, node)
            return
        self._nodes += 1
        if self._nodes % _DIVE_EVERY == 0:
            dive(master, goal, run)
        self._settle(max(node.bound, master.bound))

    def _settle(self, bound: float) -> None:
        """Leave a node that was bounded, or branch on its most undecided pair."""
        master, goal = self._master, self._goal
        if goal.enough(bound):
            self._left = min(self._left, bound)
            return
        pair = self._undecided()
        if goal.enough(bound):
            self._left = min(self._left, bound)
            return
        if pair is None:
            return
        pricer = master.pricer
        if master.best is not None:
            pricer.close(master.best, goal.cut, self._run)
        s, m = pair
        with_pair, without = pricer.is_open.copy(), pricer.is_open.copy()
        with_pair[:, m] = False
        with_pair[s, m] = pricer.is_open[s, m]
        without[s, m] = False
        for child in (with_pair, without):
            number = len(self._heap) + 1_000_000 * self._nodes
            heapq.heappush(self._heap, Node(bound, number, np.packbits(child)))

    def _undecided(self) -> tuple[int, int] | None:
        """The open pair whose part is nearest to a half; None where no twin has a choice.

        A whole solution goes to the run. It need not be the best of the node where pricing was cut
        short, so that some twin is branched on even then.
        """
        master = self._master
        is_open = master.pricer.is_open
        columns, part = master.programme.fraction()
        share = np.zeros_like(is_open, dtype=np.float64)
        owner = columns.owner
        np.add.at(share, (columns.server[owner], columns.twins), part[owner])
        servers = is_open.sum(axis=0)
        distance = np.where(is_open & (servers > 1), np.abs(share - 0.5), np.inf)
        if float(distance.min()) > 0.5 - 1e-6:
            x = np.where(is_open, share, -1.0).argmax(axis=0)
            self._run.found(x)
            most = int(servers.argmax())
            return (int(x[most]), most) if servers[most] > 1 else None
        s, m = np.unravel_index(int(distance.argmin()), share.shape)
        return int(s), int(m)
