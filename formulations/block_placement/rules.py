"""The rules of the paper's comparison and plain references, none of them learned."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement import rules_kernels as kernels
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.marginal import KINDS, marginal_greedy, marginal_greedy_locations
from optkit.run import Run
from optkit.search.batches import at_least, chunk_rows, judge, uniform

__all__ = [
    "all_local",
    "apdi",
    "greedy",
    "greedy_delay",
    "marginal_greedy",
    "marginal_greedy_locations",
    "rpdi",
    "single_es",
]

_MEAN_OF = 20  # decisions that stand for "a" random placement


def rpdi(instance: BlockPlacement, run: Run, *, samples: int = 100) -> None:
    """Every block to a uniformly random location; the best of the samples is kept.

    The result's details hold ``samples``, ``feasible_samples`` and ``mean_objective``, the mean
    over the first 20 feasible ones (``None`` without any): what the paper plots as RPDI.

    Parameters
    ----------
    instance : what is solved.
    run : where the decisions go; one iteration a batch.
    samples : how many decisions are drawn.
    """
    at_least(1, samples=samples)
    space, rows = instance.space, chunk_rows(instance, instance.space)
    objectives: list[float] = []
    judged = 0
    for start in run.steps(range(0, samples, rows)):
        batch = judge(instance, space, uniform(space, run.rng, min(rows, samples - start)))
        batch.report_best(run)
        judged += len(batch.x)
        objectives += batch.evaluation.objective[batch.evaluation.feasible].tolist()
    run.note(
        samples=judged,
        feasible_samples=len(objectives),
        mean_objective=float(np.mean(objectives[:_MEAN_OF])) if objectives else None,
    )


def apdi(
    instance: BlockPlacement,
    run: Run,
    *,
    order: Literal["contiguous", "round_robin"] = "contiguous",
) -> None:
    """The blocks of each task spread evenly over the servers, never local.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    order : runs of blocks on one server after the other, or one block each in turn.
    """
    block, servers = np.arange(instance.blocks), instance.servers
    if order == "round_robin":
        locations = np.broadcast_to(1 + block % servers, (instance.tasks, instance.blocks))
    else:
        locations = 1 + block * servers // instance.lengths[:, None]
    run.found(instance.flat(locations))


def greedy(
    instance: BlockPlacement, run: Run, *, device: bool = False, within_storage: bool = False
) -> None:
    """Each block to the server with the least seconds of work in its slot so far.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    device : also offer the task's own device, with its own work in the slot.
    within_storage : pass over servers that have no room left for the block (the paper's rule
        knows no storage); where none has, the block stays on the device.
    """
    busy_s = np.zeros((instance.slots, instance.servers))
    local_s = np.zeros((instance.devices, instance.slots))
    paths = np.zeros((instance.tasks, instance.blocks), dtype=np.int64)
    by_slot = instance.options.storage_scope == "slot"
    room = np.full((instance.slots if by_slot else 1, instance.servers), np.inf)
    if within_storage and instance.storage_bytes is not None:
        room[:] = np.where(np.isnan(instance.storage_bytes), np.inf, instance.storage_bytes)
    held = np.zeros((len(room), *instance.tables.cycles.shape, instance.servers), dtype=bool)
    kernels.least_loaded(
        instance.tables, device, 0, instance.tasks, busy_s, local_s, room, held, paths
    )
    run.found(instance.flat(paths))


def greedy_delay(instance: BlockPlacement, run: Run) -> None:
    """Each block to where it is done soonest, given the block before it and the loads so far.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    """
    busy_s = np.zeros((instance.slots, instance.servers))
    paths = np.zeros((instance.tasks, instance.blocks), dtype=np.int64)
    kernels.least_delay(
        instance.tables, KINDS[instance.options.congestion], instance.options.congestion_slope,
        instance.document.slot_s, 0, instance.tasks, busy_s, paths,
    )  # fmt: skip
    run.found(instance.flat(paths))


def all_local(instance: BlockPlacement, run: Run) -> None:
    """Every block on the task's own device.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    """
    run.found(np.zeros(len(instance.choices), dtype=np.int64))


def single_es(instance: BlockPlacement, run: Run) -> None:
    """Each task as a whole to the server with the least upload and compute time, load-blind.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    """
    servers = np.argmin(_whole_task_s(instance), axis=1)
    run.found(instance.flat(np.repeat(1 + servers[:, None], instance.blocks, axis=1)))


def _whole_task_s(instance: BlockPlacement) -> NDArray[np.float64]:
    """Seconds [K, N] of each task on each server alone, without load; infinite with a null."""
    t = instance.tables
    real = np.arange(instance.blocks) < t.lengths[:, None]
    node_s = t.cycles_timed[..., None] / t.server_speed_hz + t.measured_s[..., 1:]
    stay_s = np.diagonal(t.arc_s, axis1=2, axis2=3)[..., 1:].copy()
    stay_s[:, 0] = t.arc_s[:, 0, 0, 1:]
    spent: NDArray[np.float64] = np.where(real[..., None], node_s + stay_s, 0.0).sum(axis=1)
    return t.scale[:, None] * (spent[t.model] + t.bits[t.model, 0, None] * t.up_s_per_bit)
