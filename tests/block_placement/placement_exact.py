"""What the tests of exact methods share: instances with chosen options, and agreement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from optkit.result import Result
from optkit.solve.core import solve_instance
from optkit.stop import Stop

#: Deadline mode and scope, congestion.
MIXES = [
    (deadline, scope, congestion)
    for deadline in ("hard", "penalty")
    for scope in ("block", "task")
    for congestion in ("none", "ps", "linear")
]


def mixed(seed: int, deadline: str, scope: str, congestion: str) -> BlockPlacement:
    """A tiny instance with these options and deadlines that matter."""
    document = generate("tiny", seed)
    rng = np.random.default_rng([seed, 7])
    document["options"] |= {
        "deadline": deadline,
        "deadline_scope": scope,
        "congestion": congestion,
    }
    count = len(document["tasks"]["model"])
    longest = 3.0 if scope == "task" else 1.5
    document["tasks"]["deadline_s"] = np.exp(rng.uniform(np.log(0.05), np.log(longest), count))
    return BlockPlacement(document)


def slower(instance: BlockPlacement, factor: float) -> BlockPlacement:
    """The same instance in a world where all takes `factor` times as long and as many joules."""
    document = _plain(instance.to_dict())
    _scale(document, factor)
    return BlockPlacement(document)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _scale(document: dict[str, Any], factor: float) -> None:
    seconds = ("slot_s", "deadline_s", "compute_s", "transfer_s")
    rates = ("speed_hz", "wired_rate_bps", "uplink_rate_bps", "downlink_rate_bps", "tx_power_w")

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item)
        if not isinstance(node, dict):
            return
        for name, value in node.items():
            if name in seconds:
                node[name] = times(value, factor)
            elif name in rates:
                node[name] = times(value, 1 / factor)
            elif name == "kappa":
                node[name] = times(value, factor**2)
            else:
                walk(value)

    def times(value: Any, by: float) -> Any:
        if isinstance(value, list):
            return [times(item, by) for item in value]
        return value if value is None else value * by

    walk(document)


def agree(instance: BlockPlacement, method: Any, **options: Any) -> Result:
    """Solve by a method and by enumeration; both prove the same."""
    found = solve_instance(instance, method, stop=Stop(time_s=300), options=options)
    truth = solve_instance(instance, "enumerate", stop=Stop(time_s=300))
    assert found.status == truth.status, (instance.name, found.status, truth.status)
    if truth.evaluation is not None and truth.evaluation.feasible:
        assert found.evaluation is not None
        best = truth.evaluation.objective
        assert abs(found.evaluation.objective - best) <= 1e-6 * best, instance.name
        assert found.bound is not None
        assert abs(found.bound - best) <= 1e-6 * best, instance.name
    return found
