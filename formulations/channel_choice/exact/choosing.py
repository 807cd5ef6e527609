"""The best disjoint coalitions out of a list: an integer programme for HiGHS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from formulations.channel_choice.exact.coalition_master import cut_entries
from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.exact.pricing import Coalitions, Cuts
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
    cuts: Cuts,
    held: Held,
    run: Run,
    *,
    start: Floats | None = None,
    nodes: int | None = None,
) -> float:
    """Report the best decision out of some coalitions; returns a bound on all such decisions.

    Parameters
    ----------
    most : at most so many offloaders.
    cuts : rows that hold for every decision.
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
    rows = cut_entries(cuts, inside)
    model = LinearModel(
        cost=-coalitions.value,
        matrix=sparse.vstack(
            [inside, np.ones((1, count)), sizes[None].astype(float), rows], format="csc"
        ),
        row_lower=np.concatenate(
            [np.where(o.late_at_home, 1.0, -np.inf), np.full(2 + rows.shape[0], -np.inf)]
        ),
        row_upper=np.concatenate([np.ones(services), [o.channels, most], cuts.side]),
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
