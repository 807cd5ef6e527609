"""The one evaluator of dt_assignment, batched over decisions (paper 004, Eqs. 1-17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.sharing import RULES
from optkit.evaluation import BatchEvaluation

if TYPE_CHECKING:
    from formulations.dt_assignment.instance import TwinAssignment

Floats = NDArray[np.float64]


# Numbers whose products overflow make an objective infinite, which no decision survives.
@np.errstate(over="ignore", invalid="ignore")
def evaluate(instance: TwinAssignment, decisions: NDArray[np.int64]) -> BatchEvaluation:
    """Judge decisions X [B, M]; section 1.3 of the mathematics page."""
    tables = instance.tables
    batch, twins = decisions.shape
    load = np.zeros((batch, *tables.limit.shape))
    violations: dict[str, Floats] = {}
    if instance.has_nulls:
        hosted = tables.allowed[np.arange(twins), decisions]
        violations["forbidden"] = (twins - np.count_nonzero(hosted, axis=1)).astype(float)
    terms: dict[str, NDArray[Any]]
    if instance.measured_cost:
        costs = tables.cost[np.arange(twins), decisions]
        objective = costs.sum(axis=1)
        scale = np.abs(costs).sum(axis=1)
        terms = {"pair_cost": objective}
        if len(tables.limit):
            _add_loads(tables.demand, decisions, load)
    else:
        terms, objective = _formula(instance, decisions, load)
        scale = objective  # nothing that adds up is negative
        if "deadlines" in instance.couplings:
            latency = terms["latency_s"]
            late = np.where(latency > tables.latest_s, latency - tables.deadline_s, 0.0)
            violations["deadline_s"] = late.sum(axis=1)
    terms["cloud_share"] = np.count_nonzero(instance.is_cloud[decisions], axis=1) / twins
    for row, name in enumerate(instance.resource_names):
        use = load[:, row]
        terms[f"load_{name}"] = use
        over = np.where(use > tables.most[row], use - tables.limit[row], 0.0)
        violations[name] = over.sum(axis=1)
    return BatchEvaluation(objective, scale, terms, violations)


def _formula(
    instance: TwinAssignment, decisions: NDArray[np.int64], load: Floats
) -> tuple[dict[str, NDArray[Any]], Floats]:
    """Terms and objective by Eqs. 14-17; fills the loads."""
    from formulations.dt_assignment.evaluation_kernels import add_up

    tables = instance.tables
    latency_s, sums = np.zeros(decisions.shape), np.zeros((len(decisions), 3))
    add_up(
        decisions, tables.allowed, tables.transfer_s, tables.compute_s, tables.energy_j,
        tables.weight, tables.devices, tables.largest_input_bits, tables.backhaul_s_per_bit,
        tables.demand, RULES.index(instance.cpu_sharing), instance.orders, latency_s, sums, load,
    )  # fmt: skip
    transfer_s, compute_s, energy_j = sums.T
    delay_s = transfer_s + compute_s
    delay_cost = _weighted(tables.delay_factor, delay_s)
    energy_cost = _weighted(tables.energy_factor, energy_j)
    terms: dict[str, NDArray[Any]] = {
        "delay_cost": delay_cost,
        "energy_cost": energy_cost,
        "delay_s": delay_s,
        "energy_j": energy_j,
        "transfer_s": transfer_s,
        "compute_s": compute_s,
        "latency_s": latency_s,
    }
    return terms, delay_cost + energy_cost


def _weighted(factor: float, amount: Floats) -> Floats:
    """The product, 0 where the factor is, even of an infinite amount."""
    return factor * amount if factor > 0 else np.zeros_like(amount)


def _add_loads(demand: Floats, decisions: NDArray[np.int64], load: Floats) -> None:
    """Fill loads [B, R, S] with what the twins take."""
    batch, twins = decisions.shape
    servers = load.shape[2]
    place = (decisions + servers * np.arange(batch)[:, None]).ravel()
    column = np.arange(twins)
    for row in range(len(demand)):
        amounts = demand[row][column, decisions].ravel()
        load[:, row] = np.bincount(place, amounts, batch * servers).reshape(batch, servers)
