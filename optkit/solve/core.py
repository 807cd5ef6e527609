"""How one solve is carried out: method, options, warm start, signals, result."""

from __future__ import annotations

import contextlib
import math
import platform
import threading
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.errors import BoundError, DecisionError, MethodUnavailable, RunEnded, UsageError
from optkit.instance import Instance
from optkit.registry import Method
from optkit.registry import method as find_method
from optkit.result import Result, Status, StopReason
from optkit.run import Progress, Run
from optkit.solve.signals import interruptible
from optkit.stop import Stop


def solve_instance(
    instance: Instance,
    method: str | Method | Callable[..., None] = "auto",
    *,
    stop: Stop | None = None,
    seed: int = 0,
    threads: int = 1,
    warm_start: Any = None,
    on_progress: Callable[[Progress], None] | None = None,
    options: Mapping[str, Any] | None = None,
    on_result: Callable[[Callable[[], Result]], None] | None = None,
    interrupt: threading.Event | None = None,
) -> Result:
    """As ``optkit.solve``, with two hooks for those who run many.

    `on_result` is called with each progress and is given a function that builds the result so
    far, as of a run that crashes now. With an `interrupt`, the caller handles the signals.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise UsageError(f"the seed is {seed!r}, expected an integer >= 0")
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise UsageError(f"threads is {threads!r}, expected an integer >= 1")
    chosen = _chosen(method, instance)
    checked = chosen.check_options(options or {})
    start = None if warm_start is None else starting_point(instance, warm_start)
    signals = interruptible() if interrupt is None else contextlib.nullcontext(interrupt)
    with signals as event:
        run = Run(
            instance,
            stop,
            seed=int(seed),
            threads=threads,
            warm_start=start,
            proves_bound=chosen.proves_bound,
            interrupt=event,
        )

        def report(progress: Progress) -> None:
            if on_progress is not None:
                on_progress(progress)
            if on_result is not None:
                on_result(lambda: _result(run, chosen, checked, StopReason.CRASHED))

        if on_progress is not None or on_result is not None:
            run.on_progress = report
        try:
            if start is not None:
                run.found(start[0], **start[1])
            if not run.stopped():
                with contextlib.suppress(RunEnded):
                    chosen.load()(instance, run, **checked)
        except Exception as error:
            if isinstance(error, BoundError):
                run.best_bound, run.proved_infeasible = None, False  # disproved
            with contextlib.suppress(AttributeError):
                error.result = _result(run, chosen, checked, StopReason.CRASHED)  # type: ignore[attr-defined]
            raise
    if run.proved:
        reason = StopReason.PROVED
    else:
        reason = run.reason or StopReason.FINISHED
    return _result(run, chosen, checked, reason)


def _chosen(method: str | Method | Callable[..., None], instance: Instance) -> Method:
    if isinstance(method, str):
        return find_method(method, instance)
    if isinstance(method, Method):
        if (reason := method.why_not_for(instance)) is not None:
            raise MethodUnavailable(f"method {method.name} cannot solve this instance: {reason}")
        return method
    if callable(method):
        name = getattr(method, "__name__", type(method).__name__)
        return Method(name, method, "heuristic", "the caller's own function")
    raise UsageError(f"method is {method!r}, expected a name, a Method or a function")


def starting_point(instance: Instance, given: Any) -> tuple[NDArray[np.int64], Mapping[str, Any]]:
    """The vector and the parts of a warm start: a vector, a readable decision or a result.

    Raises
    ------
    DecisionError
        It holds no decision, or none of this instance.
    """
    if isinstance(given, Result):
        if given.decision is not None:
            given = given.decision
        elif given.x is not None:
            given = given.x
        else:
            raise DecisionError("the result given as warm start holds no decision")
    if isinstance(given, Mapping):
        x, parts = instance.from_decision(given)
        return instance.check_decision(x), parts
    return instance.check_decision(given), {}


def _result(run: Run, method: Method, options: Mapping[str, Any], reason: StopReason) -> Result:
    instance = run.instance
    feasible = run.evaluation is not None and run.evaluation.feasible
    if run.proved_infeasible:
        status = Status.INFEASIBLE
    elif feasible:
        status = Status.OPTIMAL if run.proved else Status.FEASIBLE
    else:
        status = Status.UNKNOWN
    bound = run.best_bound
    if feasible and bound is not None and run.evaluation is not None:
        best = run.evaluation.objective  # a bound beyond it by rounding is the objective itself
        bound = min(bound, best) if instance.sense == "minimise" else max(bound, best)
    if bound is not None and not math.isfinite(bound):
        bound = None  # says that nothing is feasible, which is a status and not a number
    elapsed = run.elapsed_s
    return Result(
        problem=instance.problem,
        instance=instance.name,
        instance_digest=instance.digest,
        sense=instance.sense,
        method=method.name,
        options=dict(options),
        seed=run.seed,
        status=status,
        reason=reason,
        x=run.x,
        decision=None if run.x is None else instance.decision(run.x, **run.parts),
        evaluation=run.evaluation,
        bound=bound,
        details=dict(run.details),
        build_s=run.build_s,
        solve_s=elapsed - (run.build_s or 0.0),
        compile_s=run.compile_s,
        trace=tuple(run.trace),
        versions=_versions(),
        unit=instance.unit,
    )


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("optkit", "numpy", "scipy", "highspy", "ortools", "pyomo", "numba"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
