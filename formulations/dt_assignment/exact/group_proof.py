"""From prices to a proof: dives and cuts, then a list of all groups that matter, or branching."""

from __future__ import annotations

from formulations.dt_assignment.exact.branching import Branching
from formulations.dt_assignment.exact.diving import dive
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_master import GroupMaster
from formulations.dt_assignment.exact.selection import choose
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.search import Search
from optkit.run import Run

#: A list of all groups that matter is chosen from at once up to this length; on one server so
#: many are looked at for it.
_LIST, _NODES = 1_500, 2_000_000
#: A round of cuts must close such a part of the gap; the bound is poor if two do not.
_WORTH, _POOR = 0.03, 2
#: Dives after the cuts, each more random than the last.
_DIVES, _SPREAD = 3, 0.1
#: Kicks for each twin, and seconds at most, after a dive found something better.
_KICKS, _SEARCH_S = 20, 1.0


class Proof:
    """The course of a column generation after its start.

    Parameters
    ----------
    instance : what is solved.
    master : with first groups and prices.
    search : the local search, taken up again from what dives find.
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
        """Each step until the bound meets the incumbent or the run stops."""
        run, master = self._run, self._master
        master.ascend(run)
        master.generate(run)
        run.note(root_bound=master.bound + self._goal.offset, groups=master.programme.shape[1])
        for step in (self._dive, self._cut, self._dives, self._choose, self._branch):
            if self._ended():
                return
            step()

    def _ended(self) -> bool:
        if self._master.best is None or self._goal.report(self._master.bound):
            return True
        return self._run.stopped()

    def _dive(self, spread: float = 0.0) -> None:
        """Dive, and search around what that found."""
        run, before = self._run, self._goal.cut
        dive(self._master, self._goal, run, spread)
        if self._goal.cut < before and run.x is not None and not run.stopped():
            self._search.restart(run.x)
            kicks = _KICKS * self._instance.twins
            self._search.improve(kicks=kicks, time_s=_SEARCH_S)

    def _dives(self) -> None:
        for number in range(_DIVES):
            if not self._ended():
                self._dive(_SPREAD * number)

    def _cut(self) -> None:
        """Add cuts while they close a good part of the gap."""
        master, goal, poor = self._master, self._goal, 0
        while poor < _POOR and master.converged and not self._ended():
            before = master.bound
            if master.programme.cut_off() == 0:
                break
            master.generate(self._run)
            poor += master.bound - before < _WORTH * (goal.cut - before)
        self._run.note(cut_bound=master.bound + goal.offset)

    def _choose(self) -> None:
        """Close pairs; choose among all groups below the cut where those are few."""
        run, master, goal = self._run, self._master, self._goal
        assert master.best is not None
        master.pricer.close(master.best, goal.cut, run)
        threshold = goal.cut - master.bound + master.best.price
        listed = master.pricer.within(master.best.prices, threshold, run, limit=_LIST, nodes=_NODES)
        if listed is not None:
            run.note(listed=len(listed))
            value = choose(listed, master.best, run)
            if not run.stopped():
                goal.report(value)

    def _branch(self) -> None:
        self._master.programme.restrict(self._master.pricer.is_open)
        Branching(self._master, self._goal, self._run).solve()
