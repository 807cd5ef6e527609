"""The verb ``solve``, and the command ``python -m optkit.solve``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optkit.instance import Instance
    from optkit.registry import Method
    from optkit.result import Result
    from optkit.run import Progress
    from optkit.stop import Stop


def solve(
    instance: Instance,
    method: str | Method | Callable[..., None] = "auto",
    *,
    stop: Stop | None = None,
    seed: int = 0,
    threads: int = 1,
    warm_start: Any = None,
    on_progress: Callable[[Progress], None] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Result:
    """Solve an instance and return the judged decision, the bound and how the run went.

    Parameters
    ----------
    instance : from ``load`` or ``generate``.
    method : a name of ``methods(problem)``, "auto" (the first exact method that applies), a
        `Method`, or your own function ``(instance, run, **options) -> None``.
    stop : limits, 60 seconds by default; a limit never raises.
    seed : >= 0.
    threads : threads or processes that a method may use.
    warm_start : a decision vector, a readable decision or a `Result`; the answer is never worse,
        but of methods whose answer is their last state: games, printed algorithms.
    on_progress : called with a `Progress` about once a second and on improvements.
    options : of the method.

    Raises
    ------
    UsageError, MethodUnavailable, DecisionError
        Before anything is solved.
    Exception
        What the method raised, with the result so far in its attribute ``result``.
    """
    from optkit.solve.core import solve_instance

    return solve_instance(
        instance,
        method,
        stop=stop,
        seed=seed,
        threads=threads,
        warm_start=warm_start,
        on_progress=on_progress,
        options=options,
    )
