"""What every decision costs at least, and how a solver's bound is tightened by it."""

from __future__ import annotations

import math

import numpy as np

from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

#: A bound of whole costs is rounded up unless it exceeds a whole number by less than this.
_WHOLE = 1e-6


def claim(instance: TwinAssignment, run: Run, bound: float | None) -> None:
    """Claim what a solver proved, and that every twin costs what its cheapest open server does.

    The solver's bound is a rounding slack below the optimum, which an optimum of 0 has no
    tolerance for. Where all costs are whole it is rounded up.

    Parameters
    ----------
    instance : every twin has an open server; couplings only add to its cost there.
    bound : of the solver, or none.
    """
    if bound is not None:
        run.bound(math.ceil(bound - _WHOLE) if instance.integer_cost else bound)
    run.bound(float(np.where(instance.open, instance.tables.cost, np.inf).min(axis=1).sum()))
