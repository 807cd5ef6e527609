"""``python cli_methods.py solve ...``: the commands with methods that misbehave on purpose."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from optkit import registry
from optkit.__main__ import main
from optkit.errors import UsageError
from optkit.instance import Instance
from optkit.registry import Method
from optkit.run import Run


def crash(instance: Instance, run: Run) -> None:
    """Fails after its first decision."""
    run.found(np.full(len(instance.choices), 2))
    raise RuntimeError("first line\nsecond line \x1b[31m")


def refuse(instance: Instance, run: Run, *, size: int = 0) -> None:
    """Finds its option wrong only when it runs."""
    run.found(np.full(len(instance.choices), 2))
    raise UsageError(f"option size is {size}, expected something else")


def lie(instance: Instance, run: Run) -> None:
    """Claims a bound that its own decision disproves."""
    run.found(np.full(len(instance.choices), 2))
    run.bound(1.0)


def walk(instance: Instance, run: Run, *, ready: str = "", pause_s: float = 0.01) -> None:
    """Draws decisions for ever."""
    for _ in run.steps():
        run.found(run.rng.integers(0, instance.choices))
        if run.objective is not None and ready:
            Path(ready).touch()
        time.sleep(pause_s)


def hang(instance: Instance, run: Run, *, ready: str) -> None:
    """Native work that cannot be cancelled."""
    run.found(np.full(len(instance.choices), 2))
    Path(ready).touch()
    run.watch(lambda: time.sleep(1000), lambda: None)


def dots(instance: Instance, run: Run) -> None:
    """Notes what no terminal should see raw."""
    run.found(np.full(len(instance.choices), 2))
    run.note(text="two\nlines \x1b[31m", rows=np.arange(6.0).reshape(2, 3), deep={"a": [1, "b"]})


METHODS = (
    Method("crash", crash, "heuristic"),
    Method("refuse", refuse, "heuristic"),
    Method("lie", lie, "exact", proves_bound=True),
    Method("walk", walk, "heuristic"),
    Method("hang", hang, "heuristic"),
    Method("dots", dots, "heuristic"),
    Method("absent", walk, "exact", requires=("no_such_package",), extra="solvers"),
)

if __name__ == "__main__":
    registry.GENERIC = (*registry.GENERIC, *METHODS)
    sys.exit(main())
