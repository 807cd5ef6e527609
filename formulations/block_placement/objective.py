"""The one evaluator of block_placement, batched over decisions (paper 001, Eqs. 3-14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement import evaluation_kernels as kernels
from optkit.evaluation import BatchEvaluation

if TYPE_CHECKING:
    from formulations.block_placement.instance import BlockPlacement

Floats = NDArray[np.float64]
#: A row is broken when it exceeds its limit by more than this fraction of it.
SLACK = 1e-9


class Usage(NamedTuple):
    """What B decisions use; filled by the compiled loops."""

    busy_s: Floats  # [B, T, N] seconds of work on each server in each slot
    cycles: Floats  # [B, T, N]
    device_cycles: Floats  # [B, D, T]
    energy_j: Floats  # [B, D]
    local_compute_s: Floats  # [B]
    up_s: Floats  # [B]
    down_s: Floats  # [B]
    wired_s: Floats  # [B]
    impossible: Floats  # [B] null times used
    held: NDArray[np.bool_]  # [B, 1 or T, I, M, N] blocks that a server must store

    @classmethod
    def of(cls, instance: BlockPlacement, decisions: NDArray[np.int64]) -> Usage:
        """Add up what decisions X [B, n] use."""
        batch, slots, servers = len(decisions), instance.slots, instance.servers
        scopes = 0
        if instance.storage_bytes is not None:
            scopes = slots if instance.options.storage_scope == "slot" else 1
        usage = cls(
            np.zeros((batch, slots, servers)),
            np.zeros((batch, slots, servers)),
            np.zeros((batch, instance.devices, slots)),
            np.zeros((batch, instance.devices)),
            np.zeros(batch),
            np.zeros(batch),
            np.zeros(batch),
            np.zeros(batch),
            np.zeros(batch),
            np.zeros((batch, scopes, *instance.tables.cycles.shape, servers), dtype=bool),
        )
        options = instance.options
        literal = options.energy_transfer == "literal"
        kernels.add_usage(
            instance.tables, instance.starts, literal, options.result_bits, decisions, usage
        )
        return usage


def evaluate(instance: BlockPlacement, decisions: NDArray[np.int64]) -> BatchEvaluation:
    """Judge decisions X [B, n]; sections 1.3, 1.4 and 1.6 of the mathematics page."""
    usage = Usage.of(instance, decisions)
    rho = usage.busy_s / instance.document.slot_s
    slowdown = instance.slowdown(rho)
    served = np.multiply(usage.busy_s, slowdown, where=usage.busy_s > 0, out=np.zeros_like(rho))
    edge = served.sum(axis=(1, 2))
    total = usage.local_compute_s + edge + usage.up_s + usage.down_s + usage.wired_s
    psi, late = np.zeros(len(decisions)), np.zeros(len(decisions))
    options = instance.options
    if instance.has_deadlines:
        kernels.add_lateness(
            instance.tables, instance.starts, options.deadline_scope == "task",
            options.result_bits, decisions, slowdown, psi, late,
        )  # fmt: skip
    penalty = options.penalty_weight if options.deadline == "penalty" else 0.0
    objective = total + penalty * psi if penalty else total
    terms = {
        "total_delay_s": total,
        "local_compute_s": usage.local_compute_s,
        "edge_compute_s": edge,
        "up_s": usage.up_s,
        "down_s": usage.down_s,
        "wired_s": usage.wired_s,
        "psi_s": psi,
        "edge_inference_delay_s": edge + usage.up_s + usage.wired_s,
        "local_inference_delay_s": usage.local_compute_s + usage.down_s,
        "energy_j": usage.energy_j,
        "rho": rho,
    }
    # Every term is >= 0, so the scale is the objective itself.
    return BatchEvaluation(objective, objective, terms, _violations(instance, usage, rho, late))


def _violations(
    instance: BlockPlacement, usage: Usage, rho: Floats, late: Floats
) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    if instance.has_deadlines and instance.options.deadline == "hard":
        found["deadline"] = late
    if instance.energy_budget_j is not None:
        found["energy"] = _excess(usage.energy_j, instance.energy_budget_j)
    if instance.server_cycles is not None:
        found["server_cycles"] = _excess(usage.cycles, instance.server_cycles)
    if instance.device_cycles is not None:
        found["device_cycles"] = _excess(usage.device_cycles, instance.device_cycles[:, None])
    if instance.options.congestion == "ps":
        found["unstable"] = (rho >= 1.0).sum(axis=(1, 2)).astype(float)
    if instance.storage_bytes is not None:
        stored = np.einsum("btimn,im->btn", usage.held, instance.tables.param_bytes)
        found["storage"] = _excess(stored, instance.storage_bytes)
    if instance.has_nulls:
        found["impossible"] = usage.impossible
    return found


def _excess(amount: Floats, limit: Floats) -> Floats:
    """Sum over the broken rows of what exceeds the limit [B]; a NaN limit is none."""
    bound = np.where(np.isnan(limit), np.inf, limit)
    over = np.subtract(amount, bound, where=amount > bound * (1 + SLACK), out=np.zeros_like(amount))
    total: Floats = over.reshape(len(amount), -1).sum(axis=1)
    return total
