"""When a run stops and why, how it counts, and what its trace shows."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from core_toys import begin, costs, limited, profits

import optkit.run
from optkit import Run, Stop, UsageError
from optkit.result import StopReason

# --- Stop ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        *({"time_s": v} for v in (-1, "60", True, math.nan)),
        *({"rel_gap": v} for v in (-1e-9, None, "0", math.nan)),
        *({"iterations": v} for v in (-1, 1.5, True, "3")),
        *({"stall": v} for v in (-1, 1.5, False)),
        *({"target": v} for v in ("low", True, math.nan)),
    ],
    ids=str,
)
def test_a_limit_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"Stop.{next(iter(wrong))} is "):
        Stop(**wrong)


def test_a_limit_cannot_be_changed_halfway() -> None:
    stop = Stop(time_s=1)
    with pytest.raises(AttributeError):
        stop.time_s = 2


# --- reasons -------------------------------------------------------------------------------------


def walk(run: Run) -> int:
    """Steps that a method makes which does nothing."""
    return sum(1 for _ in run.steps(range(1000)))


def test_iterations() -> None:
    run = begin(costs(), iterations=3)
    assert walk(run) == 3
    assert (run.iterations, run.reason) == (3, StopReason.ITERATIONS)


def test_no_iterations_at_all() -> None:
    assert walk(begin(costs(), iterations=0)) == 0
    assert walk(begin(costs(), stall=0)) == 0


def test_stall_counts_from_the_last_improvement() -> None:
    run = begin(costs(), stall=4)
    for step in run.steps():
        if step in (0, 3):
            run.found([0, 0] if step == 0 else [1, 1])
        elif step == 5:
            run.found([2, 2])  # no improvement
    assert (run.iterations, run.reason) == (7, StopReason.STALL)


def test_time(clock) -> None:
    run = begin(costs(), time_s=10)
    for _ in run.steps():
        clock.wait(3)
    assert (run.iterations, run.reason) == (4, StopReason.TIME)
    assert run.remaining_s == -2


def test_no_limit_of_time(clock) -> None:
    run = begin(costs())
    clock.wait(1e9)
    assert not run.stopped()
    assert run.remaining_s == math.inf


@pytest.mark.parametrize(
    ("make", "worse", "better", "target"),
    [(costs, [0, 0], [2, 1], 7), (profits, [1, 1], [0, 1], 9)],
)
def test_target(make: Callable[[], Any], worse: Any, better: Any, target: float) -> None:
    run = begin(make(), target=target)
    run.found(worse)
    assert not run.stopped()
    run.found(better)
    assert run.stopped()
    assert run.reason is StopReason.TARGET


def test_an_infeasible_decision_reaches_no_target() -> None:
    run = begin(limited(), target=100)
    run.found([2, 2])
    assert not run.stopped()


def test_gap() -> None:
    run = begin(costs(), rel_gap=0.2)
    run.found([2, 1])
    run.bound(5)
    assert not run.stopped()
    run.bound(5.7)
    assert run.stopped()
    assert run.reason is StopReason.GAP
    assert not run.proved, "a gap that is small enough to stop is no proof"
    run = begin(costs(), rel_gap=0.5)
    run.found([2, 1])
    run.bound(3.5)
    assert run.stopped(), "a gap of just what was asked for"


def test_proved() -> None:
    run = begin(costs(), rel_gap=0.0)
    run.found([1, 1])
    run.bound(6 * (1 - 0.9e-6))
    assert run.stopped()
    assert run.reason is StopReason.PROVED


def test_proved_infeasible() -> None:
    run = begin(costs())
    run.infeasible()
    assert run.stopped()
    assert run.reason is StopReason.PROVED


def test_interrupted() -> None:
    event = threading.Event()
    run = Run(costs(), interrupt=event)
    assert not run.stopped()
    event.set()
    assert run.stopped()
    assert run.reason is StopReason.INTERRUPTED


def test_the_first_reason_stays(clock) -> None:
    run = begin(costs(), time_s=1, target=100)
    run.found([1, 1])
    assert run.stopped()
    clock.wait(2)
    run._interrupt.set()
    assert run.stopped()
    assert run.reason is StopReason.TARGET


def test_a_reason_is_not_read_before_it_is_asked_for() -> None:
    run = begin(costs(), target=100)
    run.found([1, 1])
    assert run.reason is None


# --- steps ---------------------------------------------------------------------------------------


def test_steps_count_for_ever() -> None:
    run = begin(costs(), iterations=4)
    assert list(run.steps()) == [0, 1, 2, 3]


def test_steps_over_items() -> None:
    run = begin(costs())
    assert list(run.steps("abc")) == ["a", "b", "c"]
    assert run.iterations == 3
    assert run.reason is None, "the items ended, not the run"


def test_steps_over_items_that_are_too_many() -> None:
    run = begin(costs(), iterations=2)
    assert list(run.steps(iter("abc"))) == ["a", "b"]
    assert run.reason is StopReason.ITERATIONS


def test_steps_of_several_loops_add_up() -> None:
    run = begin(costs(), iterations=5)
    assert [list(run.steps(range(3))), list(run.steps(range(3)))] == [[0, 1, 2], [0, 1]]


# --- clock, trace, progress ----------------------------------------------------------------------


def test_building_ends_once(clock) -> None:
    run = begin(costs())
    clock.wait(2)
    run.built()
    clock.wait(2)
    run.built()
    assert run.build_s == 2
    assert run.elapsed_s == 4


@pytest.mark.parametrize(("make", "sign"), [(costs, 1), (profits, -1)])
def test_the_trace_only_improves(clock, make: Callable[[], Any], sign: int) -> None:
    run = begin(make())
    for step in range(300):
        clock.wait(0.5)
        run.found(run.rng.integers(0, run.instance.choices))
        run.bound(sign * (-100 + step / 4))
    assert len(run.trace) > 300
    times = np.array([point.time_s for point in run.trace])
    assert np.all(np.diff(times) >= 0)
    objectives = [sign * p.objective for p in run.trace if p.objective is not None]
    bounds = [sign * p.bound for p in run.trace if p.bound is not None]
    assert np.all(np.diff(objectives) <= 0)
    assert np.all(np.diff(bounds) >= 0)
    assert (run.trace[-1].objective, run.trace[-1].bound) == (run.objective, run.best_bound)


def test_the_trace_holds_improvements_alone(clock) -> None:
    run = begin(limited())
    run.found([2, 2])  # infeasible
    clock.wait(1)
    run.found([0, 0])
    run.found([0, 0])
    clock.wait(1)
    for value in (6, 5, 6):
        run.bound(value)
    points = [(point.time_s, point.objective, point.bound) for point in run.trace]
    assert points == [(1, 14, None), (2, 14, 6)]


def test_the_trace_of_a_long_run_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optkit.run, "_TRACE_POINTS", 100)
    run = begin(costs())
    for value in range(-1000, 0):
        run.bound(value)
    assert len(run.trace) <= 100
    bounds = [point.bound for point in run.trace]
    assert bounds[0] == -1000
    assert bounds[-1] == -1
    assert bounds == sorted(bounds)


def test_progress_once_a_second_and_on_improvements(clock) -> None:
    run = begin(costs())
    seen = []
    run.on_progress = seen.append
    run.found([0, 0])
    for _ in run.steps(range(10)):
        clock.wait(0.25)
    run.built()
    run.bound(3)
    assert [(p.time_s, p.objective, p.bound, p.improved) for p in seen] == [
        (0, 14, None, True),
        (1, 14, None, False),
        (2, 14, None, False),
        (2.5, 14, 3, True),
    ]
    assert [p.phase for p in seen] == ["running"] * 3 + ["solving"]
    assert [p.iterations for p in seen] == [0, 4, 8, 10]


def test_a_part_shows_the_progress_of_the_whole(clock) -> None:
    run = begin(costs())
    run.found([0, 0])
    seen = []
    run.on_progress = seen.append
    part = run.part(costs(cost=[[1.0]]))
    part.found([0])
    assert seen == [], "the decision of a part is no improvement of the whole"
    clock.wait(1)
    assert not part.stopped()
    assert [(p.objective, p.improved) for p in seen] == [(14, False)]


# --- watch ---------------------------------------------------------------------------------------


class Native:
    """Work in another thread that ends when it is cancelled."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.began = threading.Event()

    def work(self) -> str:
        self.began.set()
        return "cancelled" if self.cancelled.wait(60) else "was left alone"

    def cancel(self) -> None:
        self.cancelled.set()


def test_what_the_work_returns() -> None:
    polls = []
    run = begin(costs())
    assert run.watch(lambda: 42, lambda: None, lambda: polls.append(1)) == 42
    assert polls, "what the work found last is taken over"
    assert run.reason is None


def test_what_the_work_raises() -> None:
    def fail() -> None:
        raise ArithmeticError("in the other thread")

    with pytest.raises(ArithmeticError, match="in the other thread"):
        begin(costs()).watch(fail, lambda: None)


def test_the_work_runs_in_another_thread() -> None:
    run = begin(costs())
    found_in = run.watch(threading.get_ident, lambda: None)
    assert found_in != threading.get_ident()


def interrupt(run: Run) -> None:
    run._interrupt.set()


def reach_target(run: Run) -> None:
    run.found([2, 1])


def prove(run: Run) -> None:
    run.bound(run.found([1, 1]).objective)


def close_gap(run: Run) -> None:
    run.found([1, 1])
    run.bound(5.9)


@pytest.mark.parametrize(
    ("during", "reason", "limits"),
    [
        (interrupt, StopReason.INTERRUPTED, {}),
        (reach_target, StopReason.TARGET, {"target": 8}),
        (close_gap, StopReason.GAP, {"rel_gap": 0.1}),
        (prove, StopReason.PROVED, {}),
    ],
)
def test_the_work_is_cancelled(during: Callable[[Run], None], reason: Any, limits: Any) -> None:
    run, native = begin(costs(), **limits), Native()

    def poll() -> None:
        if native.began.is_set() and run.reason is None:
            during(run)

    assert run.watch(native.work, native.cancel, poll) == "cancelled"
    assert run.reason is reason


def test_the_work_is_cancelled_at_the_limit(clock) -> None:
    run, native = begin(costs(), time_s=5), Native()
    assert run.watch(native.work, native.cancel, lambda: clock.wait(1)) == "cancelled"
    assert run.reason is StopReason.TIME


def test_a_part_is_cancelled_with_its_run() -> None:
    run, native = begin(costs()), Native()
    part = run.part(costs())
    outcome = part.watch(native.work, native.cancel, lambda: run._interrupt.set())
    assert outcome == "cancelled"
    assert part.reason is run.reason is StopReason.INTERRUPTED


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_while_polling_cancels_the_work(error: type[BaseException]) -> None:
    native = Native()

    def poll() -> None:
        raise error

    with pytest.raises(error):
        begin(costs()).watch(native.work, native.cancel, poll)
    assert native.cancelled.is_set()
