"""Exact method for counts of twins, and for one after another at equal weights.

Both are one linear assignment of twins to places. A server has a place for each twin that it may
host. Where twins compute one after another and weigh the same, the place j from the end delays j
computing times, one each of the twin itself and of those behind it (Horn 1973): an optimum takes
the last places first, the longest twin foremost, as the shortest-first rule wants.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.pairs import (
    assigned,
    begin,
    equal_weights,
    most_twins,
    others,
)
from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Places of a server at first, in twins a server; and a few more.
_FIRST = 2
_FEW = 4
#: Twins times first places beyond which the matrix is too large (400 MB).
_LARGEST = 50_000_000


def applies(instance: TwinAssignment) -> str | None:
    """None where servers only have places, of costs that rise from one to the next."""
    reason = others(instance, "limits", "sharing", "deadlines")
    if reason is not None:
        return reason
    if not instance.couplings & {"limits", "sharing"}:
        return "nothing couples twins: argmin is exact"
    if "sharing" in instance.couplings:
        if instance.cpu_sharing != "wspt":
            return f"cpu_sharing is {instance.cpu_sharing}, not wspt"
        if not equal_weights(instance):
            return "twins have different weights"
        if "deadlines" in instance.couplings:
            return "deadlines depend on the order of the twins"
    most = most_twins(instance)
    if most is None:
        return "limits are about more than the number of twins"
    if len(instance.open) * int(_first_places(len(instance.open), most).sum()) > _LARGEST:
        return "too many twins for one matrix"
    return None


def _first_places(twins: int, most: Ints) -> Ints:
    """Places [S] of the servers at first."""
    return np.minimum(most, _FIRST * -(-twins // len(most)) + _FEW)


def assignment(instance: TwinAssignment, run: Run) -> None:
    """Assign twins to a few places of each server, and to more where they are all taken."""
    cost = begin(instance, run)
    if cost is None:
        return
    most = most_twins(instance)
    assert most is not None
    tables = instance.tables
    later = np.zeros_like(cost)
    if "sharing" in instance.couplings:
        later = tables.delay_factor * tables.weight[:, None] * tables.compute_s
    twins, servers = cost.shape
    places = _first_places(twins, most)
    run.built()
    for _ in run.steps():
        answer = _assign(cost, later, places, run)
        if answer is not None:
            run.found(answer[0])
            full = (np.bincount(answer[0], minlength=servers) == places) & (places < most)
        else:
            full = places < most
        if not full.any():
            break
        places = np.where(full, np.minimum(2 * places, most), places)
    else:
        return
    # A place that stays empty has price 0, and places beyond it only cost more: the prices of
    # this assignment prove it optimal among all places.
    if answer is None:
        run.infeasible()
    else:
        run.bound(answer[1])


def _assign(cost: Floats, later: Floats, places: Ints, run: Run) -> tuple[Ints, float] | None:
    """The cheapest server of each twin with so many places [S], and the total cost."""
    if places.sum() < len(cost):
        return None
    server = np.repeat(np.arange(len(places)), places)
    rank = np.arange(len(server)) - np.repeat(np.cumsum(places) - places, places)
    matrix = later[:, server]
    matrix *= rank
    matrix += cost[:, server]
    column = assigned(matrix, run)
    if column is None:
        return None
    return server[column], float(matrix[np.arange(len(matrix)), column].sum())
