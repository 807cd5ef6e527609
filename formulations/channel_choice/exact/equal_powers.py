"""Exact choice of channels where all are received with the same power.

Then a channel's load depends on how many share it alone. With ``m_n`` channels of n services
each, the rest is an assignment of services to places at channels of each size, whose linear
programme is integral: only the few ``m_n`` have to be whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import gains, thresholds
from optkit.backends.feed import SolveStatus
from optkit.backends.highs import solve_model
from optkit.backends.linear import LinearModel
from optkit.run import Run

#: Powers are the same within this factor: no more than rounding. So are sums of up to some
#: thousand of them.
_SAME = 1e-12


def equal_powers(o: Offloading, limits: NDArray[np.float64]) -> bool:
    """Whether all services that may offload at all are received with the same power."""
    power_w = o.power_w[o.power_w <= limits]
    return len(power_w) > 0 and float(power_w.max()) <= float(power_w.min()) * (1 + _SAME)


def choose_sizes(o: Offloading, k: int, most: int, held: Held, run: Run) -> float:
    """Report the best decision of at most so many offloaders, served as one of k; returns a
    bound on all such decisions, -inf where there is none.

    Powers are rounded down, below every sum of as many of them: less interference is never worse.
    Rounded up, one of two services would disturb itself where noise is as weak as the rounding.
    """
    limits = thresholds(o, k)
    usable = o.power_w <= limits
    power_w = float(o.power_w[usable].min()) * (1 - _SAME)
    largest = int(min(usable.sum(), most))
    size = np.arange(1, largest + 1)
    worth = gains(o, size * power_w, k)
    service, column = np.nonzero(size * power_w <= limits[:, None])
    services, places = len(usable), len(service)
    taken = sparse.csc_matrix((np.ones(places), (service, np.arange(places))), (services, places))
    sized = sparse.csc_matrix((np.ones(places), (column, np.arange(places))), (largest, places))
    late = o.late_at_home
    model = LinearModel(
        cost=np.concatenate([-worth[service, column], np.zeros(largest)]),
        matrix=sparse.bmat(
            [
                [taken, None],
                [sized, -sparse.diags_array(size.astype(float))],
                [None, np.ones((1, largest))],
                [np.ones((1, places)), None],
            ],
            format="csc",
        ),
        row_lower=np.concatenate([np.where(late, 1.0, -np.inf), np.zeros(largest), [-np.inf] * 2]),
        row_upper=np.concatenate([np.ones(services), np.zeros(largest), [o.channels, most]]),
        lower=np.zeros(places + largest),
        upper=np.concatenate([np.ones(places), np.full(largest, float(o.channels))]),
        integer=np.arange(places + largest) >= places,
    )

    def decode(values: NDArray[Any]) -> tuple[ArrayLike, Mapping[str, Any]] | None:
        chosen = values[:places] > 0.5
        coalitions = []
        for number in size:
            members = service[chosen & (column == number - 1)]
            coalitions += [members[j : j + number] for j in range(0, len(members), number)]
        if len(coalitions) <= o.channels:
            held.found(channels_of(coalitions, services))
        return None

    solution = solve_model(model, run, bound_of=None, decode=decode)
    if solution.status is SolveStatus.INFEASIBLE:
        return -np.inf
    return np.inf if solution.bound is None else -solution.bound
