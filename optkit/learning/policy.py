"""A trained policy: what was learned, what for, and how; on disk and in packages."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from optkit import registry
from optkit.errors import MethodUnavailable, UsageError
from optkit.learning.archive import Arrays, read_archive, write_archive

_FORMAT = "optkit policy"
_VERSION = 1


@dataclass(frozen=True)
class Policy:
    """What a trained method knows, whatever the method.

    Parameters
    ----------
    method, problem : whose it is.
    network : sizes and reading of the network, as the method describes them.
    arrays : its weights by name.
    training : family, generator parameters, seed, options, command, versions, and what all
        scenarios ``shared`` (`optkit.learning.surroundings`).
    history : what was measured while it was trained, one mapping a measurement.
    source : the file it came from; empty for one in memory.
    """

    method: str
    problem: str
    network: Mapping[str, Any]
    arrays: Arrays
    training: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    source: str = ""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an NPZ file, atomically; equal policies give equal bytes."""
        document = {
            "format": _FORMAT,
            "version": _VERSION,
            "method": self.method,
            "problem": self.problem,
            "network": dict(self.network),
            "training": dict(self.training),
            "history": list(self.history),
        }
        write_archive(path, document, self.arrays, compress=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """Read a file that `save` wrote.

        Raises
        ------
        UsageError
            One line: missing, not such a file, damaged, or of a later version.
        """
        return cls._read(os.fspath(path), os.fspath(path))

    @classmethod
    def _read(cls, source: Any, name: str) -> Policy:
        document, arrays = read_archive(source, name)
        if document.get("format") != _FORMAT:
            raise UsageError(f"{name}: is not a policy")
        if document.get("version") != _VERSION:
            found = document.get("version")
            raise UsageError(f"{name}: policy version {found!r}, expected {_VERSION}")
        kinds = {"method": str, "problem": str, "network": dict, "training": dict, "history": list}
        for key, kind in kinds.items():
            if not isinstance(document.get(key), kind):
                raise UsageError(f"{name}: the policy has no {key}, or a wrong one")
        return cls(**{key: document[key] for key in kinds}, arrays=arrays, source=name)

    def require(self, method: str, problem: str) -> None:
        """Raise where the policy is another method's or another problem's.

        Raises
        ------
        UsageError
            Says whose it is.
        """
        if (self.method, self.problem) != (method, problem):
            raise UsageError(
                f"{self.source}: is a policy of {self.method} for {self.problem}, expected one "
                f"of {method} for {problem}"
            )


def find_policy(problem: str, method: str, given: str | None) -> Policy:
    """The policy of a file, or the one that the problem ships for the method.

    Raises
    ------
    UsageError
        The file is not a policy of this method and problem.
    MethodUnavailable
        No file is given and none is shipped.
    """
    policy = Policy.load(given) if given is not None else _shipped(problem, method)
    policy.require(method, problem)
    return policy


def _shipped(problem: str, method: str) -> Policy:
    dotted = registry.problem(problem).policies.get(method)
    if dotted is None:
        raise MethodUnavailable(
            f"no policy is given and none is shipped for {problem}: train one with "
            f"'optkit train {problem} --method {method} --family FAMILY --out policy.npz' "
            "and give it as --policy policy.npz"
        )
    package, _, path = dotted.partition(":")
    with files(package).joinpath(path).open("rb") as stream:
        return Policy._read(stream, f"{package}/{path}")
