"""From prices to a proof: pairs are closed, groups enumerated, the best choice of them found."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.branching import Branching
from formulations.dt_assignment.exact.diving import dive
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_master import GroupMaster
from formulations.dt_assignment.exact.selection import choose
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.search import Search
from optkit.run import Run

Floats = NDArray[np.float64]
#: Groups that are looked at on one server while they are listed.
_NODES = 20_000_000
#: So many groups are chosen from, one after another, each within a part of the time that is left.
_SIZES, _CHOICE_TIME = (2_000, 5_000, 15_000, 60_000, 200_000), 0.15
#: Where a list is too long, the threshold is divided by this.
_NARROWER = 1.3
DEBUG = True
#: A round of cuts must close such a part of the gap.
_WORTH = 0.03


class Proof:
    """The course of a column generation after its start.

    Parameters
    ----------
    instance : what is solved.
    master : with first groups and prices.
    search : the local search, taken up again where a choice of groups gives a new placement.
    goal : incumbent and bound.
    """

    def __init__(
        self, instance: TwinAssignment, master: GroupMaster, search: Search, goal: Goal
    ) -> None:
        self._instance = instance
        self._master = master
        self._search = search
        self._goal = goal
        self._run: Run = goal.run

    def run(self) -> None:
        """Prices, closing of pairs, and choices among more and more groups."""
        run, master, goal = self._run, self._master, self._goal
        master.ascend(run)
        master.generate(run)
        run.note(columns=len(master.columns()), root_bound=master.bound + goal.offset)
        if not master.possible:
            run.infeasible()
            return
        if run.stopped() or master.best is None or goal.report(master.bound):
            return
        self._dives()
        self._cut()
        self._dives()
        if run.stopped() or goal.report(master.bound):
            return
        self._widen()

    def _dives(self) -> None:
        for n in range(5):
            if self._run.stopped(): return
            before = self._goal.cut
            dive(self._master, self._goal, self._run, 0.1 * n)
            if DEBUG: import time; print("dive", self._goal.cut+self._goal.offset, time.process_time(), self._master.shape)
            if self._goal.cut < before:
                self._improve()
                if DEBUG: print("improved", self._goal.cut+self._goal.offset, time.process_time())

    def _cut(self) -> None:
        """Add cuts while they close a good part of the gap."""
        run, master, goal = self._run, self._master, self._goal
        poor = 0
        while not run.stopped() and poor < 2 and master.bound < goal.cut:
            before = master.bound
            if not master.converged or master.cut_off() == 0:
                return
            master.generate(run)
            poor = poor + 1 if master.bound - before < _WORTH * (goal.cut - before) else 0
            if DEBUG: import time; print("cut round", master.bound+goal.offset, goal.cut+goal.offset, master.rounds, len(master._elements), (master.best.prices.cut>0).sum(), time.process_time())

    def _widen(self) -> None:
        """Choose among all groups up to a threshold above the bound, more and more of them."""
        run, master, goal = self._run, self._master, self._goal
        for size in _SIZES:
            if run.stopped() or master.best is None:
                return
            gap = goal.cut - master.bound
            closed = master.pricer.close(master.best, goal.cut)
            theta, listed = self._listed(gap, size)
            if listed is None:
                return
            complete = theta >= gap
            if not complete:
                Branching(master, goal, run).solve(); return
            share = math.inf if complete else _CHOICE_TIME * run.remaining_s
            if DEBUG: import time; print("choose", size, len(listed), theta, gap, closed, master.pricer.is_open.sum(), time.process_time(), flush=True)
            value = choose(listed, master.best, run, cover=not complete, time_s=share)
            bound = min(value, math.inf if complete else master.bound + theta)
            if DEBUG: print("chosen", value+goal.offset, bound+goal.offset, goal.cut+goal.offset, time.process_time(), flush=True)
            if goal.report(bound) or run.stopped() or complete:
                return
            self._improve()
            if DEBUG: print("improved", goal.cut+goal.offset, time.process_time(), flush=True)

    def _listed(self, gap: float, size: int) -> tuple[float, Columns | None]:
        """The groups up to the largest threshold at which they are not too many."""
        run, master = self._run, self._master
        assert master.best is not None
        theta = gap
        while not run.stopped():
            found = master.pricer.within(
                master.best.prices, theta + master.best.price, run, limit=size, nodes=_NODES
            )
            if found is not None:
                return theta, found
            theta /= _NARROWER
        return theta, None

    def _improve(self) -> None:
        """Local search from the incumbent."""
        run = self._run
        if run.x is not None and run.objective is not None:
            self._search.restart(run.x)
            self._search.improve(run, kicks=20 * self._instance.twins, time_s=1.0)
