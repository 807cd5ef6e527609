"""One solve as its method sees it: clock, seed, incumbents, bounds, interrupt and trace."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.errors import BoundError, RunEnded
from optkit.evaluation import Evaluation
from optkit.instance import Instance
from optkit.kernels import compiling_s, now_s
from optkit.result import StopReason, TracePoint, relative_gap
from optkit.stop import NATIVE_THREAD, Stop

Outcome = TypeVar("Outcome")
_POLL_S = 0.02
_GRACE_S = 5.0
_REPORT_S = 1.0
_TRACE_POINTS = 10_000


@dataclass(frozen=True)
class Progress:
    """What a progress callback receives, about once a second and on every improvement."""

    time_s: float
    objective: float | None
    bound: float | None
    iterations: int
    improved: bool
    phase: str


class Run:
    """What a method ``(instance, run, **options) -> None`` talks to.

    Every decision goes through `found` (or `answer`), every bound through `bound`; so each
    method is anytime, traced, interruptible and judged alike.

    Parameters
    ----------
    instance : what is solved; `bound` speaks of this instance and no other.
    stop, seed, threads, warm_start : as given to ``solve``; the warm start is ``(x, parts)``.
    proves_bound : whether the method is described as proving bounds.
    interrupt : set from outside to end the run.
    clock : start of the run on the clock of `optkit.kernels.now_s`.
    parent : the run that this one is a part of.

    Attributes
    ----------
    on_progress : called with a `Progress` about once a second and on improvements.
    """

    def __init__(
        self,
        instance: Instance,
        stop: Stop | None = None,
        *,
        seed: int = 0,
        threads: int = 1,
        warm_start: tuple[NDArray[np.int64], Mapping[str, Any]] | None = None,
        proves_bound: bool = False,
        interrupt: threading.Event | None = None,
        clock: float | None = None,
        parent: Run | None = None,
    ) -> None:
        self.instance = instance
        self.stop = Stop() if stop is None else stop
        self.seed = seed
        self.threads = threads
        self.warm_start = warm_start
        self.rng: np.random.Generator = (
            np.random.default_rng(seed) if parent is None else parent.rng
        )
        self.x: NDArray[np.int64] | None = None
        self.parts: Mapping[str, Any] = {}
        self.evaluation: Evaluation | None = None
        self.best_bound: float | None = None
        self.proved_infeasible = False
        self.reason: StopReason | None = None
        self.details: dict[str, Any] = {}
        self.trace: list[TracePoint] = []
        self.iterations = 0
        self.build_s: float | None = None
        self._proves_bound = proves_bound
        self._interrupt = interrupt or threading.Event()
        self.on_progress: Callable[[Progress], None] | None = None
        self._start = now_s() if clock is None else clock
        self._compiling_s = compiling_s()
        self._parent = parent
        self._began_s = self.elapsed_s if parent is not None else 0.0
        self._improved_at = 0
        self._answered = False
        self._reported_s = 0.0
        self._sign = 1.0 if instance.sense == "minimise" else -1.0

    # --- what a method reports -------------------------------------------------------------

    def found(self, x: ArrayLike, **parts: Any) -> Evaluation:
        """Judge a decision and keep it if it is the best so far: feasible beats infeasible.

        Raises
        ------
        DecisionError
            The vector is not a decision of the instance.
        BoundError
            The decision beats a bound that was claimed before, or is feasible where
            infeasibility was claimed. It is kept, and the claim is dropped.
        """
        evaluation = self._judge(x, parts)
        if not self._answered and self._improves(evaluation):
            self._keep(x, parts, evaluation)
        return evaluation

    def answer(self, x: ArrayLike, **parts: Any) -> Evaluation:
        """Judge a decision and keep it whatever its value.

        For a method whose answer is its last state: a game's end point, a printed algorithm.
        """
        evaluation = self._judge(x, parts)
        self._answered = True
        self._keep(x, parts, evaluation)
        return evaluation

    def bound(self, value: float) -> None:
        """Claim a bound on the optimum of this run's instance; kept if it is tighter.

        Raises
        ------
        RuntimeError
            The method is not described as proving bounds.
        BoundError
            A feasible incumbent disproves it.
        """
        if not self._proves_bound:
            raise RuntimeError("this method is not described as proving bounds")
        if math.isnan(value):
            raise BoundError("a bound is not a number")
        if self._sign * value == -math.inf:
            return
        if self.best_bound is not None and self._sign * value <= self._sign * self.best_bound:
            return
        best = self.evaluation
        if best is not None and best.feasible:
            excess = self._sign * (value - best.objective)
            if excess > best.tolerance:
                raise BoundError(
                    f"bound {value!r} is better than the feasible objective {best.objective!r}"
                )
            if excess > 0:  # rounding
                value = best.objective
                if self.best_bound is not None and (
                    self._sign * value <= self._sign * self.best_bound
                ):
                    return
        self.best_bound = float(value)
        self._record(improved=True)

    def infeasible(self) -> None:
        """Claim that the instance has no feasible decision.

        Raises
        ------
        BoundError
            A feasible decision is known.
        """
        if not self._proves_bound:
            raise RuntimeError("this method is not described as proving bounds")
        if self.evaluation is not None and self.evaluation.feasible:
            raise BoundError("claimed infeasible, but a feasible decision is known")
        self.proved_infeasible = True

    def note(self, **facts: Any) -> None:
        """Add facts to the ``details`` of the result."""
        self.details.update(facts)

    def built(self) -> None:
        """Mark the end of building the model; the time so far is the result's ``build_s``."""
        if self.build_s is None:
            self.build_s = self.elapsed_s

    # --- what a method asks ------------------------------------------------------------------

    @property
    def elapsed_s(self) -> float:
        """Seconds since the whole solve began, without those of compiling kernels."""
        return now_s() - self._start

    @property
    def compile_s(self) -> float:
        """Seconds that kernels were compiled for since the run began, which no clock counts."""
        return compiling_s() - self._compiling_s

    @property
    def remaining_s(self) -> float:
        """Seconds left of the time limit (of every enclosing run too); may be infinite."""
        own = math.inf
        if self.stop.time_s is not None:
            own = self.stop.time_s - (self.elapsed_s - self._began_s)
        return own if self._parent is None else min(own, self._parent.remaining_s)

    @property
    def objective(self) -> float | None:
        """Objective of the incumbent, if it is feasible."""
        best = self.evaluation
        return best.objective if best is not None and best.feasible else None

    @property
    def gap(self) -> float | None:
        """Relative gap of the feasible incumbent; ``None`` without incumbent or bound."""
        if self.objective is None or self.best_bound is None:
            return None
        return relative_gap(self.objective, self.best_bound)

    @property
    def proved(self) -> bool:
        """Whether the incumbent is optimal within the tolerance, or infeasibility is proved."""
        if self.proved_infeasible:
            return True
        best = self.evaluation
        if best is None or not best.feasible or self.best_bound is None:
            return False
        return self._sign * (best.objective - self.best_bound) <= best.tolerance

    def stopped(self) -> bool:
        """Whether the method should return now; the first reason found is kept."""
        if self.reason is None:
            self.reason = self._reason()
        self._report()
        return self.reason is not None

    def steps(self, items: Iterable[Outcome] | None = None) -> Iterator[Any]:
        """Iterate over the items (or 0, 1, 2 ... for ever), one iteration each, until stopped."""
        source: Iterable[Any] = iter(int, 1) if items is None else items
        for count, item in enumerate(source):
            if self.stopped():
                return
            yield count if items is None else item
            self.iterations += 1

    def part(self, instance: Instance, stop: Stop | None = None) -> Run:
        """A sub-run on another instance: own incumbent and bound; clock, random numbers and
        interrupt of this run. Its bound says nothing about this run's instance."""
        return Run(
            instance,
            Stop(time_s=None, rel_gap=self.stop.rel_gap) if stop is None else stop,
            seed=self.seed,
            threads=self.threads,
            proves_bound=self._proves_bound,
            interrupt=self._interrupt,
            clock=self._start,
            parent=self,
        )

    def watch(
        self,
        work: Callable[[], Outcome],
        cancel: Callable[[], None],
        poll: Callable[[], None] | None = None,
    ) -> Outcome:
        """Run native work in a thread and cancel it when this run is to stop.

        The calling thread polls, so that one rule serves Ctrl-C, SIGTERM, the limits, gap and
        target for every solver. Whatever the work raises is raised here. ``poll`` is called in
        the calling thread at every poll and once after the work: it takes over what the solver
        found so far. An exception in it cancels the work.

        Raises
        ------
        RunEnded
            The work did not react for some seconds (HiGHS in the presolve of a model of millions
            of columns); its thread is left behind. ``solve`` takes it as the end of the method.
        """
        outcome: list[Outcome] = []
        failure: list[BaseException] = []
        ended = threading.Event()

        def target() -> None:
            try:
                outcome.append(work())
            except BaseException as error:
                failure.append(error)
            finally:
                ended.set()

        # A daemon, so that it can be left behind in native code.
        threading.Thread(target=target, daemon=True, name=NATIVE_THREAD).start()
        cancelled_s = math.inf
        try:
            while not ended.wait(_POLL_S):
                if poll is not None:
                    poll()
                if self.stopped():
                    cancel()
                    cancelled_s = min(cancelled_s, self.elapsed_s)
                    if self.elapsed_s - cancelled_s > _GRACE_S:
                        raise RunEnded
            if poll is not None:
                poll()
        except BaseException:
            cancel()
            raise
        if failure:
            raise failure[0]
        return outcome[0]

    # --- inside ------------------------------------------------------------------------------

    def _judge(self, x: ArrayLike, parts: Mapping[str, Any]) -> Evaluation:
        evaluation = self.instance.evaluate(x, **parts)
        false_claim = self._disproved_by(evaluation)
        if false_claim is not None:
            self.best_bound, self.proved_infeasible = None, False
            if not self._answered and self._improves(evaluation):
                self._keep(x, parts, evaluation)
            raise BoundError(false_claim)
        return evaluation

    def _disproved_by(self, evaluation: Evaluation) -> str | None:
        if not evaluation.feasible:
            return None
        if self.proved_infeasible:
            return "claimed infeasible, but a feasible decision was found"
        if self.best_bound is not None:
            excess = self._sign * (self.best_bound - evaluation.objective)
            if excess > evaluation.tolerance:
                return (
                    f"the feasible objective {evaluation.objective!r} is better than the claimed "
                    f"bound {self.best_bound!r}"
                )
        return None

    def _improves(self, new: Evaluation) -> bool:
        old, sense = self.evaluation, self.instance.sense
        return old is None or new.rank(sense) < old.rank(sense)

    def _keep(self, x: ArrayLike, parts: Mapping[str, Any], evaluation: Evaluation) -> None:
        self.x = self.instance.check_decision(x)
        self.parts = copy.deepcopy(dict(parts))  # the method may go on to change its arrays
        self.evaluation = evaluation
        self._improved_at = self.iterations
        if self.objective is not None:
            self._record(improved=True)

    def _record(self, improved: bool) -> None:
        point = TracePoint(self.elapsed_s, self.objective, self.best_bound)
        if len(self.trace) >= _TRACE_POINTS:  # keep every second one
            self.trace = self.trace[::2]
        self.trace.append(point)
        self._report(improved)

    def _report(self, improved: bool = False) -> None:
        if self._parent is not None:
            if not improved:
                self._parent._report()
            return
        now = self.elapsed_s
        if self.on_progress is None or (not improved and now - self._reported_s < _REPORT_S):
            return
        self._reported_s = now
        phase = "solving" if self.build_s is not None else "running"
        self.on_progress(
            Progress(now, self.objective, self.best_bound, self.iterations, improved, phase)
        )

    def _reason(self) -> StopReason | None:
        if self._parent is not None and self._parent.stopped():
            return self._parent.reason
        if self._interrupt.is_set():
            return StopReason.INTERRUPTED
        if self.proved:
            return StopReason.PROVED
        stop = self.stop
        if stop.time_s is not None and self.remaining_s <= 0:
            return StopReason.TIME
        if stop.iterations is not None and self.iterations >= stop.iterations:
            return StopReason.ITERATIONS
        if stop.stall is not None and self.iterations - self._improved_at >= stop.stall:
            return StopReason.STALL
        objective, gap = self.objective, self.gap
        if (
            stop.target is not None
            and objective is not None
            and self._sign * objective <= self._sign * stop.target
        ):
            return StopReason.TARGET
        if gap is not None and gap <= stop.rel_gap:
            return StopReason.GAP
        return None
