"""What the exact models begin with: a bound and a decision before anything is built."""

from __future__ import annotations

import numpy as np

from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.pricing import Prices, cheapest
from formulations.block_placement.rules import marginal_greedy_locations
from optkit.run import Run


def open_run(instance: BlockPlacement, run: Run) -> None:
    """Bound the run by the tasks' cheapest paths, and let it begin with a greedy decision.

    Alone, a task can choose its cheapest path: couplings only remove paths, loads only slow
    servers down, and a whole task's lateness, left out of the paths, only adds.
    """
    alone = cheapest(instance, Prices.of(instance), run=run)
    reached = ~np.isnan(alone.cost)
    if np.isinf(alone.cost[reached]).any():
        run.infeasible()
        return
    run.bound(float(alone.cost[reached].sum()))  # the others cost at least nothing
    run.found(instance.flat(alone.locations))
    if not run.stopped():
        run.found(instance.flat(marginal_greedy_locations(instance, run)))
        run.note(start="marginal_greedy")
    elif run.objective is None:
        run.found(np.zeros(len(instance.choices), dtype=np.int64))  # all on the devices
