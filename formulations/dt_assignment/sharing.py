"""The five rules by which twins on one server share its processor (``cpu_sharing``).

With A the twins on a server, W their weights and p their computing times alone there, the
computing time of m is p_m ("none"), |A| p_m ("equal"), the sum of p over A ("proportional"),
sqrt(p_m / W_m) times the sum of sqrt(W p) over A ("optimal"), or the sum of p up to and including
m in the order of p / W, ties by index ("wspt"). Each is p_m plus what every other twin adds, so
the weighted sum over A is additive but for one cost for each pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from formulations.dt_assignment.instance import TwinAssignment
    from formulations.dt_assignment.tables import Tables

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: In the order in which the compiled loops number them.
RULES = ("none", "equal", "proportional", "optimal", "wspt")


def smith_order(tables: Tables, server: int) -> Ints:
    """Every twin in the order in which "wspt" serves them on a server: by (p_ms / W_m, m)."""
    ratio = tables.compute_s[:, server] / tables.weight
    return np.argsort(ratio, kind="stable")


def smith_orders(tables: Tables) -> Ints:
    """`smith_order` of every server [S, M], or one row [1, M] where all are the same."""
    ratio = np.ascontiguousarray((tables.compute_s / tables.weight[:, None]).T)
    orders = np.argsort(ratio, axis=1, kind="stable")
    return orders[:1] if (orders == orders[0]).all() else orders


def added_delay(
    rule: str,
    work_s: Floats,
    weight: Floats,
    other_s: Floats,
    other_weight: Floats,
    after: ArrayLike,
) -> Floats:
    """Seconds by which another twin on the same server prolongs the computing of a twin.

    Parameters
    ----------
    rule : one of `RULES`.
    work_s, weight : p and W of the twin; arrays that broadcast with all that follow.
    other_s, other_weight : p and W of the other.
    after : whether "wspt" serves the twin after the other.
    """
    if rule == "equal":
        delay = work_s + 0.0 * other_s
    elif rule == "proportional":
        delay = other_s + 0.0 * work_s
    elif rule == "optimal":
        delay = np.sqrt(work_s / weight) * np.sqrt(other_weight * other_s)
    elif rule == "wspt":
        delay = np.where(after, other_s, 0.0)
    else:
        delay = 0.0 * (work_s + other_s)
    return delay


def pair_delays(instance: TwinAssignment, server: int, twins: ArrayLike) -> Floats:
    """What twins add to each other's computing times on a server.

    Parameters
    ----------
    server : s.
    twins : [n] distinct twins.

    Returns
    -------
    [n, n] : seconds that column twin k adds to row twin m; 0 on the diagonal, and for twins that
    the server cannot host.
    """
    tables, chosen = instance.tables, np.asarray(twins, dtype=np.int64)
    work_s, weight = tables.compute_s[chosen, server], tables.weight[chosen]
    after = np.zeros((len(chosen), len(chosen)), dtype=bool)
    if instance.cpu_sharing == "wspt":
        place = np.argsort(smith_order(tables, server))[chosen]
        after = place[:, None] > place[None, :]
    delays = added_delay(
        instance.cpu_sharing, work_s[:, None], weight[:, None], work_s, weight, after
    )
    hosted = tables.allowed[chosen, server]
    together = np.logical_and.outer(hosted, hosted)
    np.fill_diagonal(together, False)
    return np.where(together, delays, 0.0)


def pair_costs(instance: TwinAssignment, server: int, twins: ArrayLike) -> Floats:
    """kappa of twins on a server: what each two of them add to the objective by being together.

    Parameters
    ----------
    server : s.
    twins : [n] distinct twins.

    Returns
    -------
    [n, n] : symmetric, >= 0, in the unit of the objective; 0 on the diagonal, and for twins that
    the server cannot host.
    """
    tables, chosen = instance.tables, np.asarray(twins, dtype=np.int64)
    weighted = pair_delays(instance, server, chosen) * tables.weight[chosen][:, None]
    costs: Floats = tables.delay_factor * (weighted + weighted.T)
    return costs
