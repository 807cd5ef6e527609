"""What the exact methods ask of pairs of a twin and a server before they begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from formulations.dt_assignment.bounds import claim_alone
from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Matrices of fewer entries are assigned within some milliseconds.
_QUICK = 50_000


def begin(instance: TwinAssignment, run: Run) -> Floats | None:
    """Report what pairs alone say: the cheapest server of each twin and what that must cost.

    Returns
    -------
    array of float or None
        The open costs [M, S]; ``None`` where a twin has no open server, and the run knows it.
    """
    if not instance.open.any(axis=1).all():
        run.infeasible()
        return None
    cost = instance.open_cost
    run.found(cost.argmin(axis=1))
    claim_alone(run, cost)
    return cost


def most_twins(instance: TwinAssignment) -> Ints | None:
    """How many twins [S] each server may host, where this is all that its limits say.

    A limit says no more than a count if all twins that may come take the same of its resource,
    or if it holds them all.
    """
    tables = instance.tables
    most: Ints = instance.open.sum(axis=0)
    for demand, within in zip(tables.demand, tables.most, strict=True):
        most_used = np.where(instance.open, np.maximum(demand, 0.0), 0.0).sum(axis=0)
        largest = np.where(instance.open, demand, -np.inf).max(axis=0)
        smallest = np.where(instance.open, demand, np.inf).min(axis=0)
        tight = most_used > within
        if (largest != smallest)[tight].any():
            return None
        # Added up one by one, as the evaluator does: a quotient may round to another count.
        sums = np.cumsum(np.broadcast_to(largest[tight], (len(demand), int(tight.sum()))), axis=0)
        most[tight] = np.minimum(most[tight], (sums <= within[tight]).sum(axis=0))
    return most


def assigned(matrix: Floats, run: Run) -> Ints | None:
    """The columns [n] of the cheapest assignment of all rows; ``None`` without a finite one.

    Raises
    ------
    RunEnded
        The run is to stop, and the assignment was left behind.
    """

    def work() -> Ints | None:
        try:
            columns: Ints = linear_sum_assignment(matrix)[1]
        except ValueError:  # no complete assignment of finite cost
            return None
        return columns

    if matrix.size < _QUICK:
        return work()
    return run.watch(work, cancel=lambda: None)


def others(instance: TwinAssignment, *admitted: str) -> str | None:
    """Why a method does not apply that knows only some couplings, or ``None``."""
    unknown = sorted(instance.couplings - set(admitted))
    return f"twins are also coupled by {', '.join(unknown)}" if unknown else None


def equal_weights(instance: TwinAssignment) -> bool:
    """Whether the latency of every twin counts the same."""
    weight = instance.tables.weight
    return bool((weight == weight[0]).all())
