"""Every decision of a small space, judged in batches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from optkit.evaluation import Evaluation
from optkit.instance import Instance
from optkit.run import Run
from optkit.search.batches import at_least, chunk_rows, judge
from optkit.space import Space

#: Vectors that are walked at most.
LIMIT = 10_000_000


def applies(instance: Instance) -> str | None:
    """Why the space is too large to be walked, or ``None``."""
    size = _vectors(instance.space)
    if size <= LIMIT:
        return None
    count = f"{size:.4g}" if math.isfinite(size) else "more than 1e304"
    return f"the space has {count} vectors, enumerate walks at most {LIMIT:,}"


def enumerate_all(instance: Instance, run: Run, *, limit: int = LIMIT) -> None:
    """Judge every vector of the space in mixed-radix order, the last position fastest.

    A complete walk of an exact space proves its best decision optimal, or the instance
    infeasible. A walk that was stopped, or whose space has no claim to hold an optimum, proves
    nothing. The result's details say whether it was ``complete``.

    Parameters
    ----------
    instance : what is solved.
    run : where decisions and the bound go; one iteration a batch.
    limit : at most so many vectors are walked.
    """
    at_least(1, limit=limit)
    space, sense = instance.space, instance.sense
    total = _vectors(space)
    end, rows = int(min(total, limit)), chunk_rows(instance, space)
    best: Evaluation | None = None
    walked = 0
    for start in run.steps(range(0, end, rows)):
        stop = min(start + rows, end)
        batch = judge(instance, space, mixed_radix(space.choices, start, stop))
        row = batch.evaluation.best(sense)
        if best is None or batch.evaluation[row].rank(sense) < best.rank(sense):
            best = batch.report(run, row)
        walked = stop
    complete = walked == total
    run.note(complete=complete)
    if not (complete and space.exact):
        return
    if best is not None and best.feasible:
        run.bound(best.objective)
    else:
        run.infeasible()


def _vectors(space: Space) -> float:
    """Number of vectors, exact where an int64 holds it: the size is a rounded logarithm."""
    size = space.size
    return math.prod(space.choices.tolist()) if size < 2**62 else size


def mixed_radix(choices: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
    """The vectors numbered start to stop - 1 in lexicographic order, as rows [B, L]."""
    left = np.arange(start, stop, dtype=np.int64)
    vectors = np.zeros((stop - start, len(choices)), dtype=np.int64)
    for position in range(len(choices) - 1, -1, -1):
        if not left.any():
            break
        left, vectors[:, position] = np.divmod(left, choices[position])
    return vectors
