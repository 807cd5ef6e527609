"""Channels and load balance together, exactly: branch and bound over where heads run.

A node has decided where some heads run. Its bound (see ``joint_bound``) is the load balance at
good channels plus what other channels could still gain; both halves are solved exactly, and both
give decisions. It is exact once all is decided, and often long before.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.alternate import turns
from formulations.channel_choice.exact.balance_dp import applies as applies
from formulations.channel_choice.exact.balance_dp import balanced
from formulations.channel_choice.exact.channels_alone import choose_channels
from formulations.channel_choice.exact.joint_bound import JointBound, Relaxed
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.objective import qos
from optkit.run import Run

Ints = NDArray[np.int64]
#: Reference channels that are tried at the root; elsewhere the incumbent's serve.
_REFERENCES = 3
#: Part of the evaluator's tolerance within which a node is closed.
_CLOSED = 0.5


def joint(instance: ChannelChoice, run: Run) -> None:
    """The best channels and places of heads, with a bound on all of them at any time."""
    nobody = np.zeros(instance.services, dtype=np.int64)
    run.found(np.concatenate([nobody, nobody]))
    search = _Search(instance, run)
    search.begin()
    run.built()
    search.solve()
    run.note(nodes=search.nodes)


@dataclass(order=True)
class _Node:
    """Places that are decided (-1: not yet), and what no completion of them exceeds.

    Attributes
    ----------
    priority : minus that bound, then the order of creation.
    fixed : [N] decided places.
    reference : [N] channels that its own bound begins with.
    branch : the service to decide next; None before it has a bound of its own.
    """

    priority: tuple[float, int]
    fixed: Ints = field(compare=False)
    reference: Ints = field(compare=False)
    branch: int | None = field(compare=False, default=None)

    @property
    def upper(self) -> float:
        """What no completion exceeds."""
        return -self.priority[0]


class _Search:
    """The open nodes, those of the largest bound first.

    Attributes
    ----------
    nodes : how many were bounded.
    """

    def __init__(self, instance: ChannelChoice, run: Run) -> None:
        self.nodes = 0
        self._instance, self._run = instance, run
        self._bounds = JointBound(instance, run)
        self._open: list[_Node] = []
        self._closed = -np.inf  # the largest bound of what is not looked into any further
        self._seen: set[bytes] = set()

    def begin(self) -> None:
        """The root, bounded before and after there are good decisions."""
        services = self._instance.services
        nobody = np.zeros(services, dtype=np.int64)
        root = _Node((-np.inf, 0), np.full(services, -1), nobody)
        self._bound(root)
        self._push(root)
        self._report()
        for omega in (nobody, balanced(self._instance, nobody, run=self._run).omega):
            turns(self._instance, self._run, omega)
        root.branch = None  # with what is known now, it gets another bound

    def solve(self) -> None:
        """Bound and branch until nothing open can be better than the incumbent."""
        run = self._run
        while self._open and not run.stopped():
            node = heapq.heappop(self._open)
            if node.upper <= self._enough():
                self._close(node)
            elif node.branch is None:
                self._bound(node)
                self._push(node)
            else:
                for place in (0, 1):
                    fixed = node.fixed.copy()
                    fixed[node.branch] = place
                    self._push(_Node((-node.upper, 0), fixed, node.reference))
            run.iterations += 1
            self._report()
        self._report()
        if not self._open and self._closed == -np.inf and run.objective is None:
            run.infeasible()

    def _push(self, node: _Node) -> None:
        """Open a node that may still hold something better than the incumbent."""
        if node.upper <= self._enough():
            self._close(node)
            return
        node.priority = node.priority[0], self.nodes
        heapq.heappush(self._open, node)

    def _close(self, node: _Node) -> None:
        self._closed = max(self._closed, node.upper)

    def _enough(self) -> float:
        """A bound at which a node is not worth a look."""
        best = self._run.evaluation
        if best is None or not best.feasible:
            return -np.inf
        return best.objective + _CLOSED * best.tolerance

    def _report(self) -> None:
        best = -np.inf if self._run.objective is None else self._run.objective
        upper = max(self._closed, best, -np.inf if not self._open else self._open[0].upper)
        if np.isfinite(upper):
            self._run.bound(upper)

    # --- one node -----------------------------------------------------------------------------

    def _bound(self, node: _Node) -> None:
        """Give a node its own bound, and the decisions that come with it, unless the run stops."""
        if self._run.stopped():
            return
        self.nodes += 1
        if (node.fixed >= 0).all():
            self._finish(node)
            return
        reference = node.reference
        if self._run.objective is not None and self._run.x is not None:
            reference = self._run.x[: self._instance.services]
        for _ in range(1 if (node.fixed >= 0).any() else _REFERENCES):
            if self._run.stopped():
                return
            relaxed = self._bounds.relaxed(node.fixed, reference)
            part = choose_channels(relaxed.offloading, self._run)
            if part.proved_infeasible:
                node.priority = np.inf, 0
                return
            if part.best_bound is not None:
                upper = min(node.upper, relaxed.constant + part.best_bound)
                node.priority = -upper, 0
            node.branch = int(np.flatnonzero(node.fixed < 0)[0])
            if part.objective is None or part.x is None:
                return
            node.branch = self._most_optimistic(node.fixed, relaxed, reference, part)
            if np.array_equal(part.x, reference) or node.upper <= self._enough():
                return
            reference = node.reference = part.x

    def _finish(self, node: _Node) -> None:
        """The best channels where all places are decided."""
        o = self._instance.offloading(node.fixed)
        part = choose_channels(o, self._run)
        if part.objective is not None and part.x is not None:
            self._run.found(np.concatenate([part.x, node.fixed]))
        upper = -np.inf
        if not part.proved_infeasible:
            upper = node.upper
            if part.best_bound is not None:
                upper = min(upper, float(qos(o, o.local_overhead).sum()) + part.best_bound)
        self._closed = max(self._closed, upper)  # there is nothing left to branch on
        node.priority = np.inf, 0

    def _most_optimistic(self, fixed: Ints, relaxed: Relaxed, reference: Ints, part: Run) -> int:
        """The service whose place, once decided, may bring the bound down most.

        Reports what the two halves of the bound give as decisions, too.
        """
        run, instance = self._run, self._instance
        assert part.x is not None and part.evaluation is not None
        before = run.found(np.concatenate([reference, relaxed.omega]))
        after = run.found(np.concatenate([part.x, relaxed.omega]))
        self._improve(part.x, relaxed.omega)
        assumed = np.asarray(part.evaluation.terms["gain"]) + relaxed.optimism
        real = np.asarray(after.terms["qos"]) - np.asarray(before.terms["qos"])
        excess = np.maximum(assumed - real, 0.0)
        heads = instance.heads
        assert heads is not None
        # What others have in excess depends on who else comes to their servers.
        place = np.where(relaxed.omega > 0, heads.away, heads.home)
        undecided = fixed < 0
        there = np.bincount(place, excess, len(heads.speed))
        open_ = np.bincount(heads.home[undecided], minlength=len(there))
        open_ += np.bincount(heads.away[undecided], minlength=len(there))
        shared = there / np.maximum(open_, 1)
        score = excess + shared[heads.home] + shared[heads.away]
        return int(np.argmax(np.where(undecided, score, -np.inf)))

    def _improve(self, channel: Ints, omega: Ints) -> None:
        """Go on from channels that were not there before."""
        key = channel.tobytes()
        if key not in self._seen:
            self._seen.add(key)
            places = balanced(self._instance, channel, run=self._run, start=omega).omega
            self._run.found(np.concatenate([channel, places]))
