"""Decisions built step by step on the environment of an instance: greedy and beam search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.environment import Environment
from optkit.errors import MethodUnavailable
from optkit.instance import Instance
from optkit.run import Run
from optkit.search.batches import Batch, at_least

_NO_ENVIRONMENT = "the problem has no environment"


def applies(instance: Instance) -> str | None:
    """Why nothing can be built step by step, or ``None``."""
    return _NO_ENVIRONMENT if instance.environment() is None else None


def greedy(instance: Instance, run: Run) -> None:
    """Take the cheapest allowed option of every step, ties to the lowest option.

    At a dead end it leaves no decision; the result's details then hold ``dead_end_step``.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes; one iteration a step.
    """
    beam(instance, run, width=1)


def beam(instance: Instance, run: Run, *, width: int = 16) -> None:
    """Keep the cheapest partial decisions of every step, by their cost so far.

    Ties go to the partial decision kept first, then to the lowest option. Dead ends are
    dropped; where all are dead the result's details hold ``dead_end_step``.

    Parameters
    ----------
    instance : what is solved.
    run : where the best complete decision goes; one iteration a step.
    width : how many partial decisions are kept.
    """
    at_least(1, width=width)
    environment = instance.environment()
    if environment is None:
        raise MethodUnavailable(_NO_ENVIRONMENT)
    state: Any = environment.reset(1)
    spent = np.zeros(1)
    built = 0
    for step in run.steps(range(len(environment.order))):
        rows, actions = _cheapest(environment, state, spent, width)
        if not len(rows):
            run.note(dead_end_step=step)
            return
        # Copying the state is most of the work of a long greedy run, which never branches.
        if not np.array_equal(rows, np.arange(len(spent))):
            state = environment.select(state, rows)
        state, cost = environment.step(state, actions)
        spent = spent[rows] + cost
        built = step + 1
    if built < len(environment.order):  # a limit: partial decisions cannot be judged
        return
    x, parts = environment.decisions(state)
    Batch(x, parts, instance.evaluate_batch(x, **parts)).report_best(run)


def _cheapest(
    environment: Environment[Any], state: Any, spent: NDArray[np.float64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and options of the cheapest extensions, at most `width`, cheapest first."""
    totals = spent[:, None] + environment.costs(state)
    totals = np.where(environment.mask(state), totals, np.inf).ravel()
    if width == 1:
        order = np.array([np.argmin(totals)])
    else:
        order = np.argsort(totals, kind="stable")[:width]
    order = order[totals[order] < np.inf]
    rows, actions = np.divmod(order, environment.options)
    return rows, actions
