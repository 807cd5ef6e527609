"""What never changed while a policy was trained, and is therefore not among its inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optkit.fields import jsonable
from optkit.instance import Instance

_FREE = ("problem", "version", "name")


def surroundings(scenarios: Sequence[Instance]) -> dict[str, str | None]:
    """Digest of each field, by its path, that all scenarios share; ``None`` for one that varies.

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
        path: hashlib.sha256(json.dumps(jsonable(value)).encode()).hexdigest()
        for path, value in _leaves(instance.canonical())
        if path not in _FREE
    }


def _leaves(document: Mapping[str, Any], owner: str = "") -> Iterator[tuple[str, Any]]:
    """Fields that are no mappings themselves, with their paths such as ``devices.cycles``."""
    for field, value in document.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{owner}{field}.")
        else:
            yield f"{owner}{field}", value
