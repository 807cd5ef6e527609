"""Which columns of the array model are what: decisions to points of the model and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.instance import BlockPlacement

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Points:
    """Reads and writes points of an `ArrayModel`.

    Attributes
    ----------
    nodes : arrays [., 4] of column, task, block and location of each x.
    arcs : arrays [., 5] of column, task, block, and the locations from and to of each flow.
    stored : [Y, 5] column, slot (-1 for the horizon), model, block and server of what is stored.
    """

    def __init__(self, instance: BlockPlacement) -> None:
        self._instance = instance
        self.nodes: list[Ints] = []
        self.arcs: list[Ints] = []
        self.stored = np.zeros((0, 5), dtype=np.int64)

    def read(self, values: Floats) -> Ints:
        """The decision vector of a point; tasks that are not in the model stay local."""
        x = np.zeros(len(self._instance.choices), dtype=np.int64)
        column, task, block, location = np.concatenate(self.nodes).T
        chosen = values[column] > 0.5
        x[self._instance.starts[task[chosen]] + block[chosen]] = location[chosen]
        return x

    def chosen(self, x: Ints) -> Ints:
        """The columns of x that a decision sets to 1."""
        locations = self._instance.padded(x)
        column, task, block, location = np.concatenate(self.nodes).T
        found: Ints = column[locations[task, block] == location]
        return found

    def write(self, values: Floats, x: Ints) -> None:
        """Write where a decision runs, sends and stores blocks into a point."""
        instance, tables = self._instance, self._instance.tables
        locations, hub = instance.padded(x), instance.servers + 1
        values[self.chosen(x)] = 1.0
        column, task, block, start, end = np.concatenate(self.arcs).T
        to = locations[task, block]
        at = np.where(block > 0, locations[task, block - 1], 0)
        hops = (at > 0) & (to > 0) & (at != to)
        leaves = (start == at) | (start == hub) & hops
        values[column] = leaves & ((end == to) | (end == hub) & hops)
        if not len(self.stored):
            return
        held = np.zeros((instance.slots, *tables.cycles.shape, hub), dtype=bool)
        in_model = np.unique(task)
        real = np.arange(instance.blocks) < instance.lengths[in_model, None]
        row, block = np.nonzero(real)
        task = in_model[row]
        held[tables.slot[task], tables.model[task], block, locations[task, block]] = True
        column, scope, i, m, n = self.stored.T
        ever = np.asarray(held.any(axis=0))
        values[column] = np.where(scope < 0, ever[i, m, n + 1], held[scope, i, m, n + 1])
