"""From prices to a proof: pairs are closed, groups enumerated, the best choice of them found."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_master import GroupMaster
from formulations.dt_assignment.exact.selection import choose
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.search import Search
from optkit.run import Run

Floats = NDArray[np.float64]
#: So many groups are given to the integer programme at once, and looked at while they are listed.
_GROUPS, _NODES = 60_000, 20_000_000
#: The first choice is among so many groups.
_FIRST = 3_000
#: The next threshold is so many times the last.
_WIDER = 2.5


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
        self._widen()

    def _widen(self) -> None:
        """Choose among all groups up to a threshold above the bound, wider every time."""
        run, master, goal = self._run, self._master, self._goal
        theta = 0.0
        while not run.stopped() and master.best is not None:
            gap = goal.cut - master.bound
            master.pricer.close(master.pi, master.best, goal.cut)
            theta, listed = self._listed(theta, gap)
            if listed is None:
                return
            value = choose(listed, master.pi, master.best, run)
            complete = theta >= gap
            bound = min(value, math.inf if complete else master.bound + theta)
            if goal.report(bound) or run.stopped() or complete:
                return
            self._improve()
            theta *= _WIDER

    def _listed(self, least: float, gap: float) -> tuple[float, Columns | None]:
        """The groups up to a threshold of at least `least` that are not too many."""
        run, master = self._run, self._master
        assert master.best is not None
        theta = gap
        while not run.stopped() and theta > least:
            found = master.pricer.within(
                master.pi, theta + master.best.price, run, limit=_GROUPS, nodes=_NODES
            )
            if found is not None:
                return theta, found
            theta /= _WIDER
        return theta, None

    def _improve(self) -> None:
        """Local search from the incumbent."""
        run = self._run
        if run.x is not None and run.objective is not None:
            self._search.restart(run.x)
            self._search.improve(run, kicks=20 * self._instance.twins, time_s=1.0)
