"""What never changed while a policy was trained, and is therefore not among its inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from optkit.fields import jsonable
from optkit.instance import Instance

_FREE = ("problem", "version", "name")


def surroundings(scenarios: Sequence[Instance]) -> dict[str, str | None]:
    """Digest of each top-level field that all scenarios share; ``None`` for one that varies.

    Servers, weights and rules that are the same in every scenario are learned as constants: a
    policy speaks of them alone, whatever else it may be given.
    """
    digests = [_digests(scenario) for scenario in scenarios]
    fields = sorted({field for one in digests for field in one})
    shared: dict[str, str | None] = {}
    for field in fields:
        values = {one.get(field) for one in digests}
        shared[field] = values.pop() if len(values) == 1 else None
    return shared


def changes(instance: Instance, trained: Mapping[str, Any]) -> list[str]:
    """The fields in which an instance differs from what all training scenarios shared."""
    varied = {field for field, digest in trained.items() if digest is None}
    now = _digests(instance)
    return [
        field for field in sorted({*now, *trained} - varied) if now.get(field) != trained.get(field)
    ]


def _digests(instance: Instance) -> dict[str, str]:
    return {
        field: hashlib.sha256(json.dumps(jsonable(value), sort_keys=True).encode()).hexdigest()
        for field, value in instance.canonical().items()
        if field not in _FREE
    }
