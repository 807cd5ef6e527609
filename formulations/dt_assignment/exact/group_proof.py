"""From prices to a proof: dives and cuts, then a list of all groups that matter, or branching."""

from __future__ import annotations

from formulations.dt_assignment.exact.branching import Branching
from formulations.dt_assignment.exact.diving import dive
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_master import GroupMaster
from formulations.dt_assignment.exact.listed import ListedTree
from formulations.dt_assignment.exact.selection import choose
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.search import Search
from optkit.run import Run

#: A list of all groups that matter is chosen from at once up to the first length, and branched on
#: up to the second; on one server so many are looked at for it.
_CHOICE, _LIST, _NODES = 1_500, 300_000, 2_000_000
#: The least part of the gap whose groups are listed where those of all of it are too many.
_LEAST_SHARE = 0.1
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
        self._settled = False

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
        before = self._goal.cut
        dive(self._master, self._goal, self._run, spread)
        if self._goal.cut < before:
            self._improve()

    def _improve(self) -> None:
        """Search around the incumbent."""
        if self._run.x is not None and not self._run.stopped():
            self._search.restart(self._run.x)
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
        """Close pairs; list all groups below the cut, or as near to it as can be, and choose."""
        run, master, goal = self._run, self._master, self._goal
        priced = master.best
        assert priced is not None
        master.pricer.close(priced, goal.cut, run)
        gap = goal.cut - master.bound
        share, longer = 1.0, True
        while share >= _LEAST_SHARE and not run.stopped():
            reach = min(goal.cut, master.bound + share * gap)
            listed = master.pricer.within(
                priced.prices, reach - master.bound + priced.price, run, limit=_LIST, nodes=_NODES
            )
            if listed is None:
                if not longer:
                    return
                share *= 0.5
                continue
            run.note(listed=len(listed))
            if len(listed) <= _CHOICE:
                value = choose(listed, priced, run)
                if not run.stopped():
                    goal.report(min(value, reach))
            elif not ListedTree(listed, reach, priced, goal, run, self._improve).solve():
                return
            if goal.cut <= reach:
                self._settled = not run.stopped()
                return
            share, longer = 2.0 * share, False

    def _branch(self) -> None:
        if self._settled:
            return
        self._master.programme.restrict(self._master.pricer.is_open)
        Branching(self._master, self._goal, self._run).solve()
