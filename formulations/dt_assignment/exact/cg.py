"""Exact method for limits, shared processors and deadlines: column generation over groups.

Every server's cost is a set function of the group of twins on it, and each twin is in one group;
so the problem is to choose groups (paper 004 has no exact method). Prices of the twins give a
bound by pricing every server, whatever the linear programme says. The pairs, and then the groups,
that could be part of a better decision are few, and the cheapest choice of them ends the proof.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.bounds import claim_alone
from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_master import GroupMaster
from formulations.dt_assignment.exact.group_proof import Proof
from formulations.dt_assignment.exact.pairs import others
from formulations.dt_assignment.exact.pricing import Pricer
from formulations.dt_assignment.groups import Groups
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.placement_kernels import Placement, load
from formulations.dt_assignment.search import Search, filled
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Kicks of the local search before the bound, for each twin, and at most this part of the time.
_KICKS, _TIME_PART = 100, 0.1
#: Twins a server from which too many groups are priced where only limits couple.
_CROWDED = 10
#: Part of the pair costs of a twin in its first price.
_SHARE = 0.9


def applies(instance: TwinAssignment) -> str | None:
    """None where the cost of a group of twins adds up over its pairs, else why not."""
    if "backhaul" in instance.couplings:
        return "uploads share a backhaul"
    return None


def outdone(instance: TwinAssignment) -> bool:
    """Whether only limits (and deadlines) couple many twins a server: better by `lagrangian`."""
    crowded = instance.servers > 1 and instance.twins >= _CROWDED * instance.servers
    return (
        crowded
        and "limits" in instance.couplings
        and others(instance, "limits", "deadlines") is None
    )


def cg(instance: TwinAssignment, run: Run) -> None:
    """Local search, prices by column generation, then a proof over what could still be better."""
    if not instance.open.any(axis=1).all():
        run.infeasible()
        return
    claim_alone(run, instance.open_cost)
    run.built()
    if instance.servers == 1:
        _settle(instance, run)
        return
    groups = Groups.of(instance)
    first = filled(instance, groups)
    run.found(first)
    if run.warm_start is not None:
        run.found(run.warm_start[0])
    search = Search(instance, groups, first if run.x is None else run.x, run)
    kicks, time_s = _KICKS * instance.twins, _TIME_PART * run.remaining_s
    best = search.improve(kicks=kicks, time_s=time_s).x
    pricer = Pricer(groups, instance.cpu_sharing == "equal")
    goal = Goal(instance, run, pricer.offset, pricer.worst())
    columns, center = start(pricer, best)
    master = GroupMaster(pricer, center, columns, goal)
    Proof(instance, master, search, goal).run()


def _settle(instance: TwinAssignment, run: Run) -> None:
    """The only decision of an instance with one server."""
    evaluation = run.found(np.zeros(instance.twins, dtype=np.int64))
    if evaluation.feasible:
        run.bound(evaluation.objective)
    else:
        run.infeasible()


def start(pricer: Pricer, x: Ints) -> tuple[Columns, Floats]:
    """The groups of a placement that are feasible, and what each twin costs in it [M]."""
    g = pricer.groups
    placement = Placement.empty(len(g.room), pricer.servers, pricer.twins)
    load(g, placement, x)
    size = np.bincount(x, minlength=pricer.servers)
    starts = np.concatenate([[0], np.cumsum(size)])
    every = Columns(np.arange(pricer.servers), placement.cost, starts, np.argsort(x, kind="stable"))
    own = g.base[x, np.arange(pricer.twins)]
    center = own + _SHARE * (placement.leave - own)
    return every.take((size > 0) & (placement.excess <= 0)), center
