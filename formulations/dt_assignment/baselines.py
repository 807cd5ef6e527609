"""The baselines of the paper's comparison, and the two rules that know no coupling."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run
from optkit.search.batches import at_least, chunk_rows, judge, uniform

Ints = NDArray[np.int64]


def ro(instance: TwinAssignment, run: Run, *, draws: int = 200) -> None:
    """Random offloading: every twin to a uniformly random server; the first draw is the answer.

    The result's details hold ``mean_objective`` (what the paper plots as RO): the exact mean
    where twins are not coupled and no pair is forbidden, else that of the draws, feasible or
    not, with ``draws`` and ``feasible_draws``.

    Parameters
    ----------
    instance, run : as for every method.
    draws : how many decisions a sampled mean is taken over.
    """
    at_least(1, draws=draws)
    space = instance.space
    first = judge(instance, space, uniform(space, run.rng, 1))
    first.report(run, 0)
    if instance.tables.allowed.all() and not instance.couplings:
        run.note(mean_objective=float(instance.tables.cost.mean(axis=1).sum()))
        return
    objectives = [first.evaluation.objective]
    feasible = int(first.evaluation.feasible.sum())
    rows = chunk_rows(instance, space)
    for start in run.steps(range(1, draws, rows)):
        batch = judge(instance, space, uniform(space, run.rng, min(rows, draws - start)))
        objectives.append(batch.evaluation.objective)
        feasible += int(batch.evaluation.feasible.sum())
    drawn = np.concatenate(objectives)
    run.note(mean_objective=float(drawn.mean()), draws=len(drawn), feasible_draws=feasible)


def co_applies(instance: TwinAssignment) -> str | None:
    """None, or that there is no cloud."""
    return None if instance.is_cloud.any() else "there is no cloud"


def co(instance: TwinAssignment, run: Run) -> None:
    """Cloud only: all twins on the first cloud.

    Parameters
    ----------
    instance, run : as for every method.
    """
    run.found(np.full(instance.twins, int(np.argmax(instance.is_cloud)), dtype=np.int64))


def ad_applies(instance: TwinAssignment) -> str | None:
    """None, or that workloads are not known."""
    return None if instance.tables.input_bits.any() else "there are no devices to weigh twins by"


def ad(
    instance: TwinAssignment, run: Run, *, reading: Literal["lpt", "cut", "index"] = "lpt"
) -> None:
    """Average distribution: workloads (sums of input bits) spread evenly over the servers.

    Parameters
    ----------
    instance, run : as for every method.
    reading : "lpt": twins by decreasing workload, each to the server with the least so far;
        "cut": in the same order, cut into pieces of equal workload; "index": cut in the order of
        the file.
    """
    bits, servers = instance.tables.input_bits, instance.servers
    order = np.arange(instance.twins)
    if reading != "index":
        order = np.argsort(-bits, kind="stable")
    x = np.empty(instance.twins, dtype=np.int64)
    if reading == "lpt":
        load = np.zeros(servers)
        for twin in order.tolist():
            x[twin] = np.argmin(load)
            load[x[twin]] += bits[twin]
    else:
        middle = np.cumsum(bits[order]) - bits[order] / 2
        x[order] = np.minimum(servers * middle / bits.sum(), servers - 1).astype(np.int64)
    run.found(x)


def best_edge_applies(instance: TwinAssignment) -> str | None:
    """None, or that there is no edge server."""
    return "there is no edge server" if instance.is_cloud.all() else None


def best_edge(instance: TwinAssignment, run: Run) -> None:
    """Each twin to the edge server that is cheapest without any coupling.

    Parameters
    ----------
    instance, run : as for every method.
    """
    run.found(cheapest(instance, ~instance.is_cloud))


def separable(instance: TwinAssignment, run: Run) -> None:
    """Each twin to the server that is cheapest without any coupling: optimal as printed.

    Parameters
    ----------
    instance, run : as for every method.
    """
    run.found(cheapest(instance))


def cheapest(instance: TwinAssignment, among: NDArray[np.bool_] | None = None) -> Ints:
    """The cheapest server for each twin [M], those possible for it alone first.

    Parameters
    ----------
    among : [S] which servers to choose from; all by default.
    """
    tables = instance.tables
    worse = np.where(instance.open, 0, np.where(tables.allowed, 1, 2))
    if among is not None:
        worse = worse + np.where(among, 0, 3)
    best = worse == worse.min(axis=1, keepdims=True)
    chosen: Ints = np.where(best, tables.cost, np.inf).argmin(axis=1)
    return chosen
