"""Decisions from fractional choices of groups: groups are fixed one after another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_master import GroupMaster
from optkit.run import Run

Floats = NDArray[np.float64]
#: Groups with such a part are fixed together; at least this part of the servers that are left.
_SURE, _LEAST = 0.9, 0.03
#: Linear programmes after each fixing, and groups that each adds of a server.
_ROUNDS, _KEEP = 4, 4


def dive(master: GroupMaster, goal: Goal, run: Run, spread: float = 0.0) -> None:
    """Fix the groups with the largest parts and generate groups again, until all is whole.

    A fixed group has its server to itself, and its twins have no other. The decision goes to the
    run; nothing does where a twin remains that no server takes, or where the linear programme
    says that nothing better than the incumbent comes of it.

    Parameters
    ----------
    spread : standard deviation of what is added to the parts at random, for another dive.
    """
    pricer = master.pricer
    with master.on_trial():
        x = np.full(pricer.twins, -1)
        decided = np.zeros(pricer.servers, dtype=bool)
        while not run.stopped():
            columns, part = master.programme.fraction()
            free = ~decided[columns.server] & (x[first_twin(columns)] < 0)
            columns, part = columns.take(free), part[free]
            if len(columns) == 0:
                break
            wish = part + spread * run.rng.standard_normal(len(part)) * (part < 1.0 - 1e-6)
            _fix(columns, wish, x, decided, pricer.is_open)
            if (x >= 0).all():
                break
            master.narrow()
            master.generate(run, keep=_KEEP, rounds=_ROUNDS, quiet=True)
            if master.value >= goal.cut and (master.converged or master.bound >= goal.cut):
                break
        if (x >= 0).all():
            run.found(x)


def first_twin(columns: Columns) -> NDArray[np.int64]:
    """[n] the first twin of each group."""
    return columns.twins[columns.starts[:-1]]


def _fix(
    columns: Columns,
    wish: Floats,
    x: NDArray[np.int64],
    decided: NDArray[np.bool_],
    is_open: NDArray[np.bool_],
) -> None:
    """Fix the groups of the largest wishes that do not meet in a server or a twin."""
    count = max(1, int(_LEAST * int((~decided).sum())))
    for k in np.argsort(-wish, kind="stable"):
        s, group = columns.server[k], columns.twins[columns.starts[k] : columns.starts[k + 1]]
        if wish[k] < _SURE and count <= 0:
            return
        if decided[s] or (x[group] >= 0).any():
            continue
        x[group] = s
        decided[s] = True
        is_open[:, group] = False
        is_open[s, :] = False
        is_open[s, group] = True
        count -= 1
