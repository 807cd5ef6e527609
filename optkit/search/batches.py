"""Batches of position vectors: their size, how they are drawn, judged and reported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.errors import UsageError
from optkit.evaluation import BatchEvaluation, Evaluation
from optkit.instance import Instance
from optkit.run import Run
from optkit.space import Space

#: Integers that one batch may hold, which bounds the memory of every generic method.
CELLS = 10_000_000
#: Rows of one batch, however short: limits are looked at between batches.
ROWS = 20_000


@dataclass(frozen=True)
class Batch:
    """Decisions that were judged together.

    Parameters
    ----------
    x : decisions [B, n].
    parts : what the decisions do not fix, each with a leading axis B.
    evaluation : the evaluator's word on them.
    """

    x: NDArray[np.int64]
    parts: Mapping[str, Any]
    evaluation: BatchEvaluation

    def report(self, run: Run, row: int) -> Evaluation:
        """Hand one row to ``run.found``."""
        return run.found(self.x[row], **{name: part[row] for name, part in self.parts.items()})

    def report_best(self, run: Run) -> Evaluation:
        """Hand the best row to ``run.found``."""
        return self.report(run, self.evaluation.best(run.instance.sense))


def judge(instance: Instance, space: Space, positions: NDArray[np.int64]) -> Batch:
    """Decode positions Z [B, L] and evaluate their decisions."""
    x, parts = space.decode(positions)
    return Batch(x, parts, instance.evaluate_batch(x, **parts))


def budget(instance: Instance, space: Space) -> int:
    """Rows that fit in `CELLS`, at least 1; the longer of positions and decisions counts."""
    return max(1, CELLS // max(1, len(space.choices), len(instance.choices)))


def chunk_rows(instance: Instance, space: Space) -> int:
    """Rows of one batch: within `CELLS` and `ROWS`."""
    return min(ROWS, budget(instance, space))


def uniform(space: Space, rng: np.random.Generator, rows: int) -> NDArray[np.int64]:
    """Positions [rows, L], each option equally likely."""
    return rng.integers(0, space.choices, size=(rows, len(space.choices)), dtype=np.int64)


def not_negative(**options: float) -> None:
    """Check options of a method that are finite numbers of at least 0.

    Raises
    ------
    UsageError
        Names the option, what was found and what was expected.
    """
    for name, value in options.items():
        if not 0 <= value < math.inf:
            raise UsageError(f"option {name} is {value}, expected a number >= 0")


def at_least(least: int, **options: int | None) -> None:
    """Check integer options of a method; ``None`` passes.

    Raises
    ------
    UsageError
        Names the option, what was found and what was expected.
    """
    for name, value in options.items():
        if value is not None and value < least:
            raise UsageError(f"option {name} is {value}, expected an integer of at least {least}")
