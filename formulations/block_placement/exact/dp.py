"""Exact method for uncoupled instances: one layered shortest path for each task."""

from __future__ import annotations

import numpy as np

from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.pricing import Prices, cheapest, with_task_deadlines
from optkit.run import Run


def applies(instance: BlockPlacement) -> str | None:
    """None where nothing couples the tasks, else what does."""
    if instance.couplings:
        return f"tasks are coupled by {', '.join(sorted(instance.couplings))}"
    return None


def dp(instance: BlockPlacement, run: Run) -> None:
    """Backward dynamic programme over locations: the printed model is polynomial."""
    run.built()
    tasks = np.arange(instance.tasks)
    best = cheapest(instance, Prices.of(instance), tasks, run)
    cost = with_task_deadlines(instance, best, tasks)
    reached = ~np.isnan(cost)
    if np.isinf(cost[reached]).any():
        run.infeasible()
        return
    run.found(instance.flat(best.locations))  # a task that was not reached stays local
    run.bound(float(cost[reached].sum()))  # and costs at least nothing
