"""The best disjoint coalitions out of a list: an integer programme for HiGHS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.exact.pricing import Coalitions
from formulations.channel_choice.offloading import Offloading
from optkit.backends.feed import SolveStatus
from optkit.backends.highs import solve_model
from optkit.backends.linear import LinearModel
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
    count = len(coalitions)
    if count == 0:
        return -np.inf if o.late_at_home.any() else 0.0
    sizes = np.diff(coalitions.start)
    inside = sparse.csc_matrix(
        (np.ones(len(coalitions.member)), coalitions.member, coalitions.start), (services, count)
    )
    model = LinearModel(
        cost=-coalitions.value,
        matrix=sparse.vstack(
            [inside, np.ones((1, count)), sizes[None].astype(float)], format="csc"
        ),
        row_lower=np.concatenate([np.where(o.late_at_home, 1.0, -np.inf), [-np.inf] * 2]),
        row_upper=np.concatenate([np.ones(services), [o.channels, most]]),
        lower=np.zeros(count),
        upper=np.ones(count),
        integer=np.ones(count, dtype=bool),
    )

    def decode(values: NDArray[Any]) -> tuple[ArrayLike, Mapping[str, Any]] | None:
        chosen = [coalitions[int(j)] for j in np.flatnonzero(values > 0.5)]
        held.found(channels_of(chosen, services))
        return None

    options = {} if nodes is None else {"mip_max_nodes": nodes}
    solution = solve_model(model, run, bound_of=None, decode=decode, start=start, options=options)
    if solution.status is SolveStatus.INFEASIBLE:
        return -np.inf
    return np.inf if solution.bound is None else -solution.bound
