"""The runs of one call of ``optkit solve``, one after the other."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from pathlib import Path

from optkit.console import (
    BAD_INPUT,
    INFEASIBLE,
    INTERRUPTED,
    NOTHING_FOUND,
    SUCCESS,
    debugging,
    describe,
    fail,
)
from optkit.errors import MethodUnavailable, UsageError
from optkit.result import Result, Status
from optkit.solve import output, report
from optkit.solve.core import solve_instance
from optkit.solve.plan import Task
from optkit.solve.progress import progress
from optkit.solve.signals import interruptible


def execute(tasks: Sequence[Task], options: argparse.Namespace) -> set[int]:
    """Solve, write and print every task; the exit statuses that occurred.

    After an interrupt, no further run is started.
    """
    statuses = set()
    done = []
    with interruptible() as interrupt:
        for task in tasks:
            status, result = _solve(task, options, interrupt)
            if result is not None:
                if not output.finish(result, task.out, task.trace):
                    status = BAD_INPUT
                if options.json:
                    report.print_json(result.to_dict())
                else:
                    print(report.block(task, result), end="\n\n", flush=True)
                    done.append((task, result))
            statuses.add(status)
            if interrupt.is_set():
                statuses.add(INTERRUPTED)
                break
        if len(done) > 1:
            report.table(done)
    return statuses


def overall(statuses: set[int]) -> int:
    """The exit status of several runs."""
    for status in (INTERRUPTED, BAD_INPUT, NOTHING_FOUND, INFEASIBLE):
        if status in statuses:
            return status
    return SUCCESS


def _solve(
    task: Task, options: argparse.Namespace, interrupt: threading.Event
) -> tuple[int, Result | None]:
    name = task.method.name
    label = f"{Path(task.file).name}: {name}"  # a whole path would fill the line
    with progress(label, task.instance.unit, options.quiet) as on_progress:
        try:
            result = solve_instance(
                task.instance,
                task.method,
                stop=options.stop,
                seed=options.seed,
                threads=options.threads,
                warm_start=task.warm_start,
                on_progress=on_progress,
                options=task.options,
                on_result=None if task.out is None else output.Snapshots(task.out),
                interrupt=interrupt,
            )
        except (UsageError, MethodUnavailable) as error:  # an option's value, a missing licence
            failure: Exception = error
            status, so_far = BAD_INPUT, None
        except Exception as error:
            if debugging():
                raise
            failure = error
            status, so_far = NOTHING_FOUND, getattr(error, "result", None)
        else:
            return _status(result), result
    text = str(failure) if status == BAD_INPUT else describe(failure)
    fail(f"{task.file}: {name}: {text}")
    return status, so_far


def _status(result: Result) -> int:
    if result.status is Status.INFEASIBLE:
        return INFEASIBLE
    return SUCCESS if result.feasible else NOTHING_FOUND
