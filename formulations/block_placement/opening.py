"""What the exact models begin with, and what is left of a run that ends before they do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.marginal import first_decision
from formulations.block_placement.pricing import Prices, cheapest
from optkit.run import Run


@contextlib.contextmanager
def opened(instance: BlockPlacement, run: Run) -> Iterator[None]:
    """Begin a model's run at a greedy decision, and end it with some bound.

    The model proves by itself: the sum of the tasks' cheapest paths is reported only where the
    run ends before the solver has a bound, as it does while a large model is built. Alone, a
    task can choose its cheapest path: couplings only remove paths, loads only slow servers
    down, and a whole task's lateness, left out of the paths, only adds.
    """
    alone = cheapest(instance, Prices.of(instance), run=run)
    reached = ~np.isnan(alone.cost)
    if np.isinf(alone.cost[reached]).any():
        run.infeasible()  # a task without any path: there is no model to build
        yield
        return
    if run.stopped():
        run.found(np.zeros(len(instance.choices), dtype=np.int64))  # all on the devices
    else:
        first_decision(instance, run)
        run.note(start="marginal_greedy")
    try:
        yield
    finally:
        if run.best_bound is None and not run.proved_infeasible:
            run.bound(float(alone.cost[reached].sum()))  # the others cost at least nothing
            run.note(bound_from="the tasks' cheapest paths alone")
