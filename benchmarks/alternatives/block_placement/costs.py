"""Seconds and loads of one task's arcs, from the file's fields alone and in plain Python.

Written apart from the tables that optkit's own methods use, so that agreement means something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskCosts:
    """Costs of a task with M blocks over locations 0 (device) to N.

    Parameters
    ----------
    compute : [M][N + 1] seconds of each block at each location, on an idle server.
    moves : [M][N + 1][N + 1] seconds to bring the input of each block from one to another; only
        the device's row counts for the first block.
    """

    compute: list[list[float]]
    moves: list[list[list[float]]]


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with lists in place of arrays, which plain Python reads much faster.

    Raises
    ------
    ValueError
        It uses more than the generated paper families do, which `task_costs` would not see.
    """
    tasks, options = document["tasks"], document.get("options", {})
    unknown = set(tasks) - {"model", "device", "slot", "uplink_rate_bps"}
    unknown |= set(options) - {"congestion", "storage_scope"}
    for model in document["models"]:
        for block in model["blocks"]:
            unknown |= set(block) - {"cycles", "output_bits", "param_bytes"}
    if unknown or not isinstance(document["wired_rate_bps"], (int, float)):
        raise ValueError(f"no alternative reads {sorted(unknown) or 'a matrix of wired rates'}")
    listed: dict[str, Any] = _listed(document)
    return listed


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _listed(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(inner) for inner in value]
    return value.tolist() if hasattr(value, "tolist") else value


def task_costs(document: Mapping[str, Any], task: int) -> TaskCosts:
    """The costs of one task of a `plain` document (Eqs. 3, 5 and 6)."""
    tasks = document["tasks"]
    model = document["models"][tasks["model"][task]]
    speeds = [document["devices"]["speed_hz"][tasks["device"][task]]]
    speeds += document["servers"]["speed_hz"]
    radio = tasks["uplink_rate_bps"][task]
    wired = document["wired_rate_bps"]
    places = range(len(speeds))
    rates = [[wired] * len(speeds) for _ in places]
    for n, rate in enumerate(radio, start=1):
        rates[0][n] = rates[n][0] = rate
    compute, moves = [], []
    bits = model["input_bits"]
    for block in model["blocks"]:
        compute.append([block["cycles"] / speed for speed in speeds])
        moves.append([[0.0 if i == j else bits / rates[i][j] for j in places] for i in places])
        bits = block["output_bits"]
    return TaskCosts(compute, moves)
