"""Decisions written into the variables of the Pyomo model of ``mip``, for solvers to start from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.instance import BlockPlacement


def begin_at(model: Any, instance: BlockPlacement, x: NDArray[np.int64]) -> None:
    """Write where a decision runs, sends and stores blocks."""
    for component in (model.x, model.flow, model.stored, model.late):
        for variable in component.values():
            variable.set_value(0, skip_validation=True)
    slot, kind = instance.tables.slot.tolist(), instance.tables.model.tolist()
    locations = instance.padded(x).tolist()
    for k, length in enumerate(instance.lengths.tolist()):
        at = 0
        for m in range(length):
            to = locations[k][m]
            taken = [model.x[k, m, to]]
            hops = [(at, to)] if (k, m, at, to) in model.flow else [(at, "hub"), ("hub", to)]
            taken += [model.flow[k, m, start, end] for start, end in hops]
            for scope in (slot[k], "horizon"):
                if (scope, kind[k], m, to - 1) in model.stored:
                    taken.append(model.stored[scope, kind[k], m, to - 1])
            for variable in taken:
                variable.set_value(1, skip_validation=True)
            at = to


def raise_lateness(model: Any) -> None:
    """Give each lateness, 0 so far, the value that its row asks for."""
    from pyomo.environ import value

    for index, row in model.eq13_lateness.items():
        short = value(row.body) - value(row.upper)
        model.late[index].set_value(max(0.0, short), skip_validation=True)
