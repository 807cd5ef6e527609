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

import optkit
from optkit.console import debugging, describe
from optkit.errors import MethodUnavailable, UsageError, suggestion
from optkit.instance import Instance
from optkit.registry import method as find_method
from optkit.registry import problem as find_problem
from optkit.result import Result, StopReason, relative_gap
from optkit.solve.core import solve_instance
from optkit.solve.signals import interruptible

#: Families of a table that asks for none, where the problem has them: minutes, not hours.
_QUICK_FAMILIES = ("tiny", "small")
#: A method first runs so long without being timed, so that compiled code is there.
_WARM_UP_S = 1.0


@dataclass(frozen=True)
class GapTask:
    """One run: an instance, by the arguments that generate it, and a method.

    Parameters
    ----------
    parameters : of the generator, as pairs.
    seed : of the generator and of the method.
    method : as asked for; may be "auto".
    """

    problem: str
    family: str
    parameters: tuple[tuple[str, Any], ...]
    seed: int
    method: str
    time_limit_s: float
    threads: int


@dataclass(frozen=True)
class GapRun:
    """What came of a task; absent numbers are ``None``.

    Parameters
    ----------
    used : the method's real name.
    status : that of the result, or "unavailable" or "crashed", and then `note` says why.
    bound_gap : the method's own gap, to the bound that it proved itself.
    tolerance : how far a bound may lie beyond the objective and still be rounding.
    """

    family: str
    seed: int
    method: str
    used: str
    instance: str
    instance_digest: str
    sense: str
    origin: float
    status: str
    reason: str | None = None
    objective: float | None = None
    feasible: bool = False
    bound: float | None = None
    bound_gap: float | None = None
    tolerance: float = 0.0
    seconds: float | None = None
    note: str = ""


def default_families(problem: str) -> list[str]:
    """The quick families of a problem, or all of them where it has none of those names."""
    known = find_problem(problem).families
    return [name for name in _QUICK_FAMILIES if name in known] or list(known)


def default_methods(problem: str, instances: Sequence[Instance]) -> list[str]:
    """``auto``, and the installed heuristics that apply to at least one of the instances."""
    return ["auto"] + [
        name
        for name, method in optkit.methods(problem).items()
        if method.kind in ("heuristic", "game")
        and any(method.why_not_for(instance) is None for instance in instances)
    ]


def check_methods(problem: str, names: Sequence[str], instances: Sequence[Instance]) -> None:
    """Refuse a method that is unknown, or can solve none of the instances.

    Raises
    ------
    UsageError
        In one line, with a suggestion or the reason.
    """
    known = optkit.methods(problem)
    for name in names:
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


@functools.lru_cache(maxsize=2)
def instance_of(
    problem: str, family: str, parameters: tuple[tuple[str, Any], ...], seed: int
) -> Instance:
    """The instance of a task; the last ones are kept, as several methods solve each."""
    return optkit.generate(problem, family, seed, **dict(parameters))


def run_task(task: GapTask, interrupt: threading.Event) -> GapRun | None:
    """Generate, solve and judge; ``None`` if the run was interrupted."""
    instance = instance_of(task.problem, task.family, task.parameters, task.seed)
    blank = functools.partial(
        GapRun,
        family=task.family,
        seed=task.seed,
        method=task.method,
        instance=instance.name,
        instance_digest=instance.digest,
        sense=instance.sense,
        origin=instance.origin,
    )
    try:
        name, warm = find_method(task.method, instance).name, _warmed_up(task.problem)
        if name not in warm:
            _solve(instance, task, min(_WARM_UP_S, task.time_limit_s), interrupt)
            warm.add(name)
        result = _solve(instance, task, task.time_limit_s, interrupt)
    except MethodUnavailable as error:
        return blank(used=task.method, status="unavailable", note=str(error))
    except Exception as error:
        if debugging():
            raise
        return blank(used=task.method, status="crashed", note=describe(error))
    if result.reason is StopReason.INTERRUPTED:
        return None
    evaluation = result.evaluation
    gap = None
    if result.feasible and result.bound is not None and evaluation is not None:
        gap = relative_gap(evaluation.objective, result.bound)
    return blank(
        used=result.method,
        status=result.status.value,
        reason=result.reason.value,
        objective=result.objective,
        feasible=result.feasible,
        bound=result.bound,
        bound_gap=gap,
        tolerance=evaluation.tolerance if evaluation is not None and result.feasible else 0.0,
        seconds=(result.build_s or 0.0) + (result.solve_s or 0.0),
    )


@functools.cache
def _warmed_up(problem: str) -> set[str]:
    """Methods that have run in this process."""
    return set()


def _solve(instance: Instance, task: GapTask, time_s: float, interrupt: threading.Event) -> Result:
    return solve_instance(
        instance,
        task.method,
        stop=optkit.Stop(time_s=time_s),
        seed=task.seed,
        threads=task.threads,
        interrupt=interrupt,
    )


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
