"""Uniformly random decisions: the baseline that every heuristic must beat."""

from __future__ import annotations

import numpy as np

from optkit.instance import Instance
from optkit.run import Run
from optkit.search.batches import at_least, chunk_rows, judge, uniform


def random(instance: Instance, run: Run, *, samples: int = 100) -> None:
    """Judge uniformly random vectors of the space and keep the best.

    The result's details hold ``samples`` (how many were judged before a limit),
    ``feasible_samples`` and ``mean_objective`` (over the feasible ones, ``None`` without any).

    Parameters
    ----------
    instance : what is solved.
    run : where decisions go; one iteration a batch.
    samples : how many vectors are drawn.
    """
    at_least(1, samples=samples)
    space = instance.space
    rows = chunk_rows(instance, space)
    judged, feasible, total = 0, 0, 0.0
    for start in run.steps(range(0, samples, rows)):
        size = min(rows, samples - start)
        batch = judge(instance, space, uniform(space, run.rng, size))
        batch.report_best(run)
        good = batch.evaluation.feasible
        judged += size
        feasible += int(np.count_nonzero(good))
        total += float(np.sum(batch.evaluation.objective[good]))
    run.note(
        samples=judged,
        feasible_samples=feasible,
        mean_objective=total / feasible if feasible else None,
    )
