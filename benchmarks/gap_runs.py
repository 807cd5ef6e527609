"""The runs of a gap table: every instance by every method, here or in several processes."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from gap_variants import MEAN, OBJECTIVE, Step, Variant

import optkit
from optkit.console import debugging, describe
from optkit.errors import MethodUnavailable, UsageError, suggestion
from optkit.instance import Instance
from optkit.registry import method as find_method
from optkit.result import Result, StopReason, relative_gap
from optkit.solve.core import solve_instance
from optkit.solve.signals import interruptible

#: A method first runs so long without being timed, so that compiled code is there.
_WARM_UP_S = 1.0


@dataclass(frozen=True)
class GapTask:
    """One run: an instance, by the arguments that generate it, and a method.

    Parameters
    ----------
    column : title of the table's column that it counts in.
    parameters : of the generator, as pairs.
    seed : of the generator and of the method.
    method : as asked for; may be "auto".
    """

    problem: str
    column: str
    family: str
    parameters: tuple[tuple[str, Any], ...]
    seed: int
    method: Variant
    time_limit_s: float
    threads: int


@dataclass(frozen=True)
class GapRun:
    """What came of a task; absent numbers are ``None``.

    Parameters
    ----------
    column, family, parameters, seed : of the instance.
    method : as asked for; `used` : the real name of the last method that ran.
    status : that of the result, or "unavailable" or "crashed", and then `note` says why.
    bound_gap : the method's own gap, to the bound that it proved itself.
    tolerance : how far a bound may lie beyond the objective and still be rounding.
    figure : what counts in the table instead of the objective, a detail of the result with the
        name `figure_name`; decisions that it comes from may be infeasible.
    equilibrium, largest_gain : of a game's end point, as the result's details say.
    """

    column: str
    family: str
    seed: int
    method: str
    used: str
    instance: str
    instance_digest: str
    sense: str
    origin: float
    status: str
    parameters: str = ""
    reason: str | None = None
    objective: float | None = None
    feasible: bool = False
    bound: float | None = None
    bound_gap: float | None = None
    tolerance: float = 0.0
    seconds: float | None = None
    figure: float | None = None
    figure_name: str = ""
    equilibrium: bool | None = None
    largest_gain: float | None = None
    note: str = ""

    @property
    def value(self) -> float | None:
        """What the table shows the gap of: the figure, or the objective where it is feasible."""
        if self.figure_name:
            return self.figure
        return self.objective if self.feasible else None


def default_methods(problem: str, instances: Sequence[Instance]) -> list[Variant]:
    """``auto``, and the installed heuristics that apply to at least one of the instances."""
    names = [
        name
        for name, method in optkit.methods(problem).items()
        if method.kind in ("heuristic", "game")
        and any(method.why_not_for(instance) is None for instance in instances)
    ]
    return [Variant(name, (Step(name),)) for name in ("auto", *names)]


def check_methods(problem: str, asked: Sequence[Variant], instances: Sequence[Instance]) -> None:
    """Refuse a method that is unknown, can solve none of the instances, or has no such option.

    Raises
    ------
    UsageError
        In one line, with a suggestion or the reason.
    """
    known = optkit.methods(problem)
    for step in (step for each in asked for step in each.steps):
        name = step.name
        if name == "auto":
            continue
        if name not in known:
            raise UsageError(
                f"unknown method {name[:60]!r} for {problem}{suggestion(name, known)}; "
                f"known: {', '.join(['auto', *known])}"
            )
        reasons = [known[name].why_not_for(instance) for instance in instances]
        if all(reason is not None for reason in reasons):
            raise UsageError(f"method {name} can solve none of the instances: {reasons[0]}")
        if step.options:
            known[name].check_options(dict(step.options))


@functools.lru_cache(maxsize=2)
def instance_of(
    problem: str, family: str, parameters: tuple[tuple[str, Any], ...], seed: int
) -> Instance:
    """The instance of a task; the last ones are kept, as several methods solve each."""
    return optkit.generate(problem, family, seed, **dict(parameters))


def run_task(task: GapTask, interrupt: threading.Event) -> GapRun | None:
    """Generate, solve and judge; ``None`` if the run was interrupted."""
    instance = instance_of(task.problem, task.family, task.parameters, task.seed)
    word = task.method.word
    blank = functools.partial(
        GapRun,
        column=task.column,
        family=task.family,
        parameters=",".join(f"{name}={value}" for name, value in task.parameters),
        seed=task.seed,
        method=word,
        instance=instance.name,
        instance_digest=instance.digest,
        sense=instance.sense,
        origin=instance.origin,
    )
    try:
        names = [find_method(step.name, instance).name for step in task.method.steps]
        key, warm = (word, *names), _warmed_up(task.problem)
        if key not in warm:
            _solve(instance, task, min(_WARM_UP_S, task.time_limit_s), interrupt)
            warm.add(key)
        result, seconds = _solve(instance, task, task.time_limit_s, interrupt)
    except MethodUnavailable as error:
        return blank(used=word, status="unavailable", note=str(error))
    except Exception as error:
        if debugging():
            raise
        return blank(used=word, status="crashed", note=describe(error))
    if result.reason is StopReason.INTERRUPTED:
        return None
    evaluation = result.evaluation
    gap = None
    if result.feasible and result.bound is not None and evaluation is not None:
        gap = relative_gap(evaluation.objective, result.bound)
    figure_name, figure = figure_of(result, task.method)
    return blank(
        used=result.method,
        status=result.status.value,
        reason=result.reason.value,
        objective=result.objective,
        feasible=result.feasible,
        bound=result.bound,
        bound_gap=gap,
        tolerance=evaluation.tolerance if evaluation is not None and result.feasible else 0.0,
        seconds=seconds,
        figure=figure,
        figure_name=figure_name,
        equilibrium=result.details.get("equilibrium"),
        largest_gain=result.details.get("largest_gain"),
    )


def figure_of(result: Result, asked: Variant) -> tuple[str, float | None]:
    """Name and value of the detail that counts instead of the objective; no name where none does.

    A detail that was asked for and is nowhere leaves the figure ``None``.
    """
    facts = {**result.details, OBJECTIVE: result.objective}
    for name in asked.figures or (MEAN,):
        if facts.get(name) is not None:
            return name, float(facts[name])
    return "/".join(asked.figures), None


@functools.cache
def _warmed_up(problem: str) -> set[tuple[str, ...]]:
    """Methods that have run in this process, as asked for and by their real names."""
    return set()


def _solve(
    instance: Instance, task: GapTask, time_s: float, interrupt: threading.Event
) -> tuple[Result, float]:
    """The last step's result, each step started from the one before, and seconds of all."""
    spent: float = 0.0
    result: Result | None = None
    for step in task.method.steps:
        result = solve_instance(
            instance,
            step.name,
            stop=optkit.Stop(time_s=max(0.0, time_s - spent)),
            seed=task.seed,
            threads=task.threads,
            warm_start=None if result is None or result.x is None else result,
            interrupt=interrupt,
            options=dict(step.options),
        )
        spent += (result.build_s or 0.0) + (result.solve_s or 0.0)
        if result.reason is StopReason.INTERRUPTED:
            break
    assert result is not None  # there is a step
    return result, spent


def run_all(tasks: Sequence[GapTask], jobs: int) -> Generator[GapRun, None, None]:
    """Yield what comes of the tasks, as it comes.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM; a run that was under way is lost.
    """
    if jobs == 1:
        with interruptible() as interrupt:
            for task in tasks:
                run = run_task(task, interrupt)
                if run is None or interrupt.is_set():
                    raise KeyboardInterrupt
                yield run
        return
    executor = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_leave_signals_to_the_parent
    )
    try:
        for future in as_completed([executor.submit(_run_alone, task) for task in tasks]):
            run = future.result()
            if run is not None:
                yield run
    except BaseException:
        # Nobody waits for what is under way: it could not be shown beside complete runs.
        for child in multiprocessing.active_children():
            child.kill()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _run_alone(task: GapTask) -> GapRun | None:
    return run_task(task, threading.Event())


def _leave_signals_to_the_parent() -> None:
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
