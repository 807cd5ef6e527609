"""What the benchmarks share: how to run them again, with what they ran, and lists of seeds."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from optkit.console import non_negative

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


def seeds(word: str) -> list[int]:
    """Seeds of a command line, such as ``0-4`` or ``0,1,7``."""
    found: list[int] = []
    for part in word.split(","):
        low, dash, high = part.partition("-")
        with contextlib.suppress(argparse.ArgumentTypeError):
            first = non_negative(low)
            last = non_negative(high) if dash else first
            if last >= first:
                found += range(first, last + 1)
                continue
        raise argparse.ArgumentTypeError(f"found {word!r}, expected seeds such as 0-4 or 0,1,7")
    return list(dict.fromkeys(found))
