"""What every benchmark prints first: how to run it again, and with what it ran."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "optkit", "numpy", "scipy", "numba", "highspy", "ortools", "pyomo", "networkx", "pyscipopt",
)  # fmt: skip


def header(script: str, words: Sequence[str]) -> list[str]:
    """The command that was run, the versions it ran with and the processors there were."""
    versions = [f"python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    cores = os.cpu_count()
    return [
        f"$ python benchmarks/{script} {shlex.join(words)}".rstrip(),
        ", ".join(versions),
        f"{platform.system()} {platform.machine()}, {cores} processors",
    ]


def status_line(text: str) -> None:
    """Say on stderr what goes on, at once."""
    print(text, file=sys.stderr, flush=True)
