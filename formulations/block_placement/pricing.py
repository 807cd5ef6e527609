"""Cheapest paths of all tasks under prices: the dynamic programme of every exact method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement import kernels
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.objective import SLACK
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_CHUNK = 5_000


class Prices(NamedTuple):
    """What a unit costs in the arcs of the layered graph.

    With every default the cost of a path is the task's uncoupled objective.
    """

    second: float  # of transfers, of local computing and of the result
    busy: Floats  # [T, N] per second of work on a server
    cycle: Floats  # [T, N] per cycle on a server
    device_cycle: Floats  # [D, T] per cycle on a device
    joule: Floats  # [D]
    closed: NDArray[np.bool_]  # [1 or T, I, M, N] servers where a block must not run
    late: float  # per second beyond a block's deadline
    hard: bool  # whether an arc beyond a block's deadline is removed
    literal: bool  # the printed reading of Eqs. 7 and 11
    result_bits: float

    @classmethod
    def of(
        cls,
        instance: BlockPlacement,
        second: float = 1.0,
        busy: Floats | float | None = None,
        cycle: Floats | float = 0.0,
        device_cycle: Floats | float = 0.0,
        joule: Floats | float = 0.0,
        closed: NDArray[np.bool_] | None = None,
    ) -> Prices:
        """Prices of an instance; arrays are broadcast to their full shapes."""
        slots, servers, devices = instance.slots, instance.servers, instance.devices
        options = instance.options
        per_block = instance.active_deadlines and options.deadline_scope == "block"

        def full(value: Floats | float, *shape: int) -> Floats:
            return np.ascontiguousarray(np.broadcast_to(np.asarray(value, dtype=float), shape))

        if closed is None:
            closed = np.zeros((1, *instance.tables.cycles.shape, servers), dtype=bool)
        return cls(
            second=float(second),
            busy=full(second if busy is None else busy, slots, servers),
            cycle=full(cycle, slots, servers),
            device_cycle=full(device_cycle, devices, slots),
            joule=full(joule, devices),
            closed=closed,
            late=options.penalty_weight if per_block and options.deadline == "penalty" else 0.0,
            hard=per_block and options.deadline == "hard",
            literal=options.energy_transfer == "literal",
            result_bits=options.result_bits,
        )


class Cheapest(NamedTuple):
    """The cheapest path of each task: cost [K] (infinite without one), locations [K, M]."""

    cost: Floats
    locations: Ints


def cheapest(
    instance: BlockPlacement,
    prices: Prices,
    tasks: Ints | None = None,
    run: Run | None = None,
) -> Cheapest:
    """Solve every task (or those named) by itself (mathematics page, section 3.1).

    With a run, it may stop early: the tasks that were not reached then have a cost of NaN.
    """
    chosen = np.arange(instance.tasks) if tasks is None else tasks
    values = np.full(len(chosen), np.nan)
    paths = np.zeros((len(chosen), instance.blocks), dtype=np.int64)
    for first in range(0, len(chosen), _CHUNK):
        if run is not None and run.stopped():
            break
        part = slice(first, first + _CHUNK)
        kernels.cheapest_paths(instance.tables, prices, chosen[part], values[part], paths[part])
    return Cheapest(values, paths)


def with_task_deadlines(instance: BlockPlacement, best: Cheapest, tasks: Ints) -> Floats:
    """Least uncoupled cost of each task where deadlines are for whole tasks [K].

    The path of least delay decides: in the penalty its lateness is the least, and where it is
    late no path is in time (infinite). Elsewhere the costs are those of the paths.
    """
    options = instance.options
    if not instance.active_deadlines or options.deadline_scope == "block":
        return best.cost
    limit = instance.tables.task_deadline_s[tasks]
    if options.deadline == "hard":
        late = best.cost > limit * (1 + SLACK)
        return np.where(late, np.inf, best.cost)
    penalty: Floats = options.penalty_weight * np.maximum(best.cost - limit, 0.0)
    return best.cost + penalty
