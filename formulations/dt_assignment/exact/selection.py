"""The cheapest choice of given groups that places every twin once, by mixed-integer programming."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.cuts import entries
from formulations.dt_assignment.exact.pricing import Priced
from optkit.backends.feed import SolveStatus
from optkit.backends.highs import solve_model
from optkit.backends.linear import LinearModel
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Costs below this part of the largest price are rounding.
_NOTHING = 1e-11


def choose(columns: Columns, priced: Priced, run: Run) -> float:
    """Solve the choice; decisions go to the run.

    The objective is what a choice costs above the bound of the prices, so that none of its
    coefficients is negative and the numbers are of the size of the gap.

    Parameters
    ----------
    columns : groups to choose from; every server may stay empty.
    priced : prices and what they say.

    Returns
    -------
    A bound on the cost of every choice from these groups, infinite where there is none.
    """
    prices, price = priced.prices, priced.price
    twins, servers, count = len(prices.twin), len(price), len(columns)
    above = priced.above(columns)
    above[above < _NOTHING * float(np.abs(price).max(initial=0.0))] = 0.0
    rows = columns.rows(twins, servers)
    cost = [above, -price]
    used = prices.cut > 0
    cuts = int(used.sum())
    if cuts:  # what a cut leaves unused, its price pays back
        rows = sparse.vstack([rows, entries(prices.elements[used], rows)])
        cost.append(prices.cut[used])
    slack = [sparse.eye(twins + servers + cuts, servers + cuts, k=-twins)]
    matrix = sparse.hstack([rows, *slack], format="csc")
    number = np.arange(matrix.shape[1])
    model = LinearModel(
        cost=np.concatenate(cost),
        matrix=matrix,
        row_lower=np.ones(twins + servers + cuts),
        row_upper=np.ones(twins + servers + cuts),
        lower=np.zeros(matrix.shape[1]),
        upper=np.ones(matrix.shape[1]),
        integer=number < count + servers,
    )
    start = None if run.objective is None else incumbent_values(columns, servers, run.x)
    if start is not None:
        unused = 1.0 - model.matrix[twins + servers :, : count + servers] @ start
        start = np.concatenate([start, unused])

    def decode(values: Floats) -> tuple[Ints, dict[str, Any]] | None:
        x = columns.take(values[:count] > 0.5).placed(twins)
        return (x, {}) if (x >= 0).all() else None

    solution = solve_model(model, run, bound_of=None, decode=decode, start=start)
    if solution.status is SolveStatus.INFEASIBLE:
        return math.inf
    if solution.bound is None:
        return -math.inf
    return priced.bound + solution.bound


def incumbent_values(columns: Columns, servers: int, x: Ints | None) -> Floats | None:
    """Values of the columns, then of the empty servers, in a decision; None if one is absent."""
    if x is None:
        return None
    own = np.bincount(
        columns.owner, weights=x[columns.twins] == columns.server[columns.owner],
        minlength=len(columns),
    )  # fmt: skip
    size = np.bincount(x, minlength=servers)
    same = (own == np.diff(columns.starts)) & (own == size[columns.server])
    values = np.concatenate([same.astype(float), (size == 0).astype(float)])
    _, first = np.unique(columns.server[same], return_index=True)
    if len(first) != int((size > 0).sum()):
        return None
    values[: len(columns)] = 0.0
    values[np.flatnonzero(same)[first]] = 1.0
    return values
