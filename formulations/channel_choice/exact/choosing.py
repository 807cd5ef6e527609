"""The best disjoint coalitions out of a list: an integer programme for HiGHS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from formulations.channel_choice.coalition_models import linear_model
from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.exact.pricing import Coalitions
from formulations.channel_choice.offloading import Offloading
from optkit.backends.feed import SolveStatus
from optkit.backends.highs import solve_model
from optkit.run import Run

Floats = NDArray[np.float64]


def best_choice(
    o: Offloading,
    most: int,
    coalitions: Coalitions,
    held: Held,
    run: Run,
    *,
    start: Floats | None = None,
    nodes: int | None = None,
) -> float:
    """Report the best decision out of some coalitions; returns a bound on all such decisions.

    Without the cuts of the linear programme: with them HiGHS takes several times as long.

    Parameters
    ----------
    most : at most so many offloaders.
    start : [J] 1 for coalitions of a decision to start from, else 0.
    nodes : of branch and bound at most.
    """
    services = len(o.power_w)
    if len(coalitions) == 0:
        return -np.inf if o.late_at_home.any() else 0.0
    model = linear_model(o, coalitions, most, 0.0, relaxed=False)

    def decode(values: NDArray[Any]) -> tuple[ArrayLike, Mapping[str, Any]] | None:
        chosen = [coalitions[int(j)] for j in np.flatnonzero(values > 0.5)]
        held.found(channels_of(chosen, services))
        return None

    options = {} if nodes is None else {"mip_max_nodes": nodes}
    solution = solve_model(model, run, bound_of=None, decode=decode, start=start, options=options)
    if solution.status is SolveStatus.INFEASIBLE:
        return -np.inf
    return np.inf if solution.bound is None else solution.bound
