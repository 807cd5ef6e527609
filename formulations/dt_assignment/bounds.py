"""What every decision costs at least, and how a solver's bound is tightened by it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

#: A bound of whole costs is rounded up unless it exceeds a whole number by less than this.
_WHOLE = 1e-6


def claim_alone(run: Run, cost: NDArray[np.float64]) -> None:
    """Claim that every twin costs what its cheapest server does, whatever couples them.

    Couplings only add to the cost of pairs: the rules of sharing and a backhaul never speed a twin
    up.

    Parameters
    ----------
    cost : [M, S] of the pairs alone, infinite where they are not open.
    """
    run.bound(float(cost.min(axis=1).sum()))


def claim(instance: TwinAssignment, run: Run, bound: float | None) -> None:
    """Claim what a solver proved, and what pairs alone say.

    The solver's bound is a rounding slack below the optimum, which an optimum of 0 has no
    tolerance for. Where all costs are whole it is rounded up.

    Parameters
    ----------
    instance : every twin has an open server.
    bound : of the solver, or none.
    """
    if bound is not None:
        run.bound(math.ceil(bound - _WHOLE) if instance.integer_cost else bound)
    claim_alone(run, instance.open_cost)
