"""The model over coalitions as arrays: for relaxations, and where Pyomo would take too long."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from formulations.channel_choice.exact.pricing import Coalitions
from formulations.channel_choice.offloading import Offloading
from optkit.backends.linear import LinearModel


def incidence(sets: Coalitions, services: int) -> sparse.csc_matrix:
    """Which services [N] are in which coalition [J]."""
    return sparse.csc_matrix(
        (np.ones(len(sets.member)), sets.member, sets.start), (services, len(sets))
    )


def linear_model(
    o: Offloading, sets: Coalitions, most: int, offset: float, relaxed: bool
) -> LinearModel:
    """Choose coalitions of most gain: each service in one at most (exactly one where it is late
    at home), at most M of them, at most so many members in all.

    Parameters
    ----------
    most : offloaders.
    offset : constant of the objective.
    relaxed : leave out that coalitions are chosen as a whole.
    """
    services = len(o.power_w)
    inside = incidence(sets, services)
    sizes = np.diff(sets.start)
    late = o.late_at_home
    return LinearModel(
        cost=sets.value,
        matrix=sparse.vstack([inside, np.ones((1, len(sets))), sizes[None].astype(float)]),
        row_lower=np.concatenate([np.where(late, 1.0, -np.inf), [-np.inf, -np.inf]]),
        row_upper=np.concatenate([np.ones(services), [float(o.channels), float(most)]]),
        lower=np.zeros(len(sets)),
        upper=np.ones(len(sets)),
        integer=np.full(len(sets), not relaxed),
        sense="maximise",
        offset=offset,
        column_names=[f"z[{number}]" for number in range(len(sets))],
        row_names=[*(f"one_channel[{i}]" for i in range(services)), "channels", "offloaders"],
    )
