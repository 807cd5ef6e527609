"""HiGHS behind `solve_model`: right on every saved model, at every scale, under every limit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backend_toys import CANARY, EXPECTED, chosen, draw, hard, linear, point, read_mps
from hypothesis import given, settings
from hypothesis import strategies as st

from optkit.backends import highs
from optkit.backends.feed import Solution, SolveStatus
from optkit.backends.highs import export, solve_model
from optkit.backends.linear import LinearModel
from optkit.backends.native import highspy
from optkit.errors import BoundError, SolverError, UsageError
from optkit.result import StopReason
from optkit.run import Progress, Run
from optkit.stop import Stop

MPS = sorted(name for name, entry in EXPECTED.items() if entry["solver"] == "highspy")
SCALES = [1e-7, 1e-4, 1.0, 1e4, 1e7]


def _lp(**changes: Any) -> LinearModel:
    """Least cost of 10 units of which at most 6 are cheap: 6 * 1 + 4 * 3."""
    fields: dict[str, Any] = {
        "cost": [1.0, 3.0],
        "matrix": [[1.0, 1.0], [1.0, 0.0]],
        "row_lower": [10.0, -np.inf],
        "row_upper": [np.inf, 6.0],
        "lower": 0,
        "upper": 100,
        "integer": False,
    }
    return LinearModel(**{**fields, **changes})


def _run(**changes: Any) -> Run:
    return Run(draw(3, 2, 0, tightness=9), proves_bound=True, **changes)


# --- right optima ---------------------------------------------------------------------------


def test_all_saved_models_are_here() -> None:
    assert len(MPS) == 23


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("presolve", [{}, {"presolve": "off"}], ids=["as is", "presolve off"])
@pytest.mark.parametrize("name", MPS)
def test_saved_model(name: str, presolve: dict[str, Any], start: bool) -> None:
    entry = EXPECTED[name]
    solution = solve_model(
        read_mps(CANARY / name),
        _run(),
        bound_of=None,
        options=presolve,
        start=entry["witness"] if start else None,
    )
    optimum = entry["optimum"]
    assert solution.status is SolveStatus.OPTIMAL
    assert solution.objective == pytest.approx(optimum, rel=1e-7)
    assert optimum * (1 - 1e-7) <= solution.bound <= optimum * (1 + 1e-12)


@pytest.mark.parametrize("maximise", [False, True])
@pytest.mark.parametrize("cost_scale", SCALES)
@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    weight_scale=st.sampled_from([1e-9, 1.0, 1e9]),
    tightness=st.floats(0.75, 1.3),
)
def test_random_assignments_at_every_scale(
    maximise: bool, cost_scale: float, seed: int, weight_scale: float, tightness: float
) -> None:
    instance = draw(
        6, 3, seed, maximise=maximise, cost_scale=cost_scale,
        weight_scale=weight_scale, tightness=tightness,
    )  # fmt: skip
    run = Run(instance, proves_bound=True)
    solution = solve_model(
        linear(instance), run, bound_of=instance, decode=lambda v: chosen(instance, v)
    )
    best = instance.best()
    if best is None:
        assert solution.status is SolveStatus.INFEASIBLE
        assert run.proved_infeasible
        return
    sign = -1 if maximise else 1
    assert run.proved  # and may have stopped the solver within the tolerance of a proof
    assert run.objective == pytest.approx(best, rel=1.1e-6)
    assert sign * run.best_bound <= sign * best
    alone = solve_model(linear(instance), Run(instance), bound_of=None)
    assert alone.status is SolveStatus.OPTIMAL
    assert alone.objective == pytest.approx(best, rel=1e-9)
    assert alone.bound == pytest.approx(best, rel=1e-8)
    assert sign * alone.bound <= sign * best


def test_a_large_offset_and_negative_costs() -> None:
    instance = draw(5, 3, 1)
    model = linear(instance)
    shifted = LinearModel(
        -model.cost, model.matrix, model.row_lower, model.row_upper, 0, 1, True,
        sense="maximise", offset=1000.0,
    )  # fmt: skip
    solution = solve_model(shifted, _run(), bound_of=None)
    assert solution.objective == pytest.approx(1000 - instance.best())
    assert solution.bound >= 1000 - instance.best()


# --- threads --------------------------------------------------------------------------------


def test_the_number_of_threads_may_change() -> None:
    instance = draw(8, 3, 4)
    found = [
        solve_model(linear(instance), _run(threads=threads), bound_of=None)
        for threads in (2, 1, 2, 1)
    ]
    assert [s.status for s in found] == [SolveStatus.OPTIMAL] * 4
    assert [s.objective for s in found] == pytest.approx([instance.best()] * 4)


def test_a_scheduler_that_others_left_in_the_calling_thread_does_no_harm() -> None:
    other = highspy().Highs()
    for name, value in (("output_flag", False), ("threads", 2)):
        other.setOptionValue(name, value)
    other.addBinary(obj=-1)
    other.run()
    instance = draw(8, 3, 4)
    solution = solve_model(linear(instance), _run(), bound_of=None)
    assert solution.objective == pytest.approx(instance.best())
    highspy().Highs.resetGlobalScheduler(True)


# --- statuses -------------------------------------------------------------------------------


def test_infeasible_is_claimed_only_of_the_runs_own_instance() -> None:
    instance = draw(4, 2, 0, tightness=0.01)
    for bound_of, claimed in ((instance, True), (None, False), (draw(4, 2, 0), False)):
        run = Run(instance, proves_bound=True)
        solution = solve_model(linear(instance), run, bound_of=bound_of)
        assert solution.status is SolveStatus.INFEASIBLE
        assert (solution.objective, solution.bound, solution.values) == (None, None, None)
        assert run.proved_infeasible is claimed
        assert run.best_bound is None


@pytest.mark.parametrize("integer", [False, True])
def test_unbounded(integer: bool) -> None:
    model = _lp(cost=[-1.0, 0.0], row_upper=np.inf, upper=np.inf, integer=integer)
    solution = solve_model(model, _run(), bound_of=None)
    assert solution.status is SolveStatus.UNBOUNDED
    assert (solution.objective, solution.bound, solution.values) == (None, None, None)


def test_no_time_gives_no_numbers() -> None:
    run = _run(stop=Stop(time_s=0))
    solution = solve_model(_lp(), run, bound_of=run.instance)
    assert solution.status is SolveStatus.LIMIT
    assert (solution.objective, solution.bound, solution.values) == (None, None, None)
    assert run.best_bound is None


def test_a_model_without_columns_or_rows() -> None:
    empty = LinearModel([], np.zeros((0, 0)), [], [], [], [], [], offset=4.0)
    assert solve_model(empty, _run(), bound_of=None).objective == 4.0
    row = LinearModel([], np.zeros((1, 0)), 1, 2, [], [], [])
    assert solve_model(row, _run(), bound_of=None).status is SolveStatus.INFEASIBLE
    free = LinearModel([1.0, -1.0], np.zeros((0, 2)), [], [], 0, 3, [True, False])
    assert solve_model(free, _run(), bound_of=None).objective == -3.0


END = highs._End
OPTIMAL = END(Solution(SolveStatus.OPTIMAL, 1.0, 1.0))
DOUBTED = END(Solution(SolveStatus.LIMIT), "a point that breaks the model")
INFEASIBLE = END(Solution(SolveStatus.INFEASIBLE), "kInfeasible")
UNBOUNDED = END(Solution(SolveStatus.UNBOUNDED), "kUnbounded")
EITHER = END(Solution(SolveStatus.LIMIT), "kUnboundedOrInfeasible")
ERROR = END(Solution(SolveStatus.LIMIT), "kSolveError")


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ((OPTIMAL,), SolveStatus.OPTIMAL),
        ((DOUBTED, OPTIMAL), SolveStatus.OPTIMAL),
        ((INFEASIBLE, OPTIMAL), SolveStatus.OPTIMAL),
        ((ERROR, OPTIMAL), SolveStatus.OPTIMAL),
        ((INFEASIBLE, INFEASIBLE), SolveStatus.INFEASIBLE),
        ((EITHER, INFEASIBLE), SolveStatus.INFEASIBLE),
        ((EITHER, UNBOUNDED), SolveStatus.UNBOUNDED),
        ((ERROR, INFEASIBLE), None),
        ((INFEASIBLE, UNBOUNDED), None),
        ((INFEASIBLE, ERROR), None),
        ((DOUBTED, DOUBTED), None),
    ],
)
def test_what_is_believed(
    monkeypatch: pytest.MonkeyPatch, ends: tuple[Any, ...], status: SolveStatus | None
) -> None:
    queue = list(ends)
    seen: list[Any] = []

    def solve(attempt: Any, run: Run) -> Any:
        seen.append(attempt._solver.getOptionValue("presolve")[1])
        return queue.pop(0)

    monkeypatch.setattr(highs._Attempt, "solve", solve)
    if status is None:
        with pytest.raises(SolverError, match="without presolve"):
            solve_model(_lp(), _run(), bound_of=None)
    else:
        assert solve_model(_lp(), _run(), bound_of=None).status is status
    assert not queue
    assert seen == ["choose", "off"][: len(ends)]


def test_a_start_better_than_the_optimum_is_doubt() -> None:
    model = linear(draw(6, 3, 2))
    attempt = highs._Attempt(
        highs.ScaledModel.of(model), highs.Feed(_run(), None, None), {"output_flag": False}, None
    )
    attempt._start = np.zeros(model.shape[1])  # costs nothing, and is not feasible
    assert attempt.solve(_run()).doubtful == "a bound that the start disproves"


def test_a_bound_that_a_decision_disproves_is_an_error() -> None:
    instance = draw(6, 3, 3)
    model = linear(instance)
    dearer = LinearModel(model.cost + 1, model.matrix, model.row_lower, model.row_upper, 0, 1, True)
    with pytest.raises(BoundError):
        solve_model(
            dearer,
            Run(instance, proves_bound=True),
            bound_of=instance,
            decode=lambda v: chosen(instance, v),
        )


def test_a_relaxation_reports_no_bound() -> None:
    instance = draw(6, 3, 3)
    run = Run(instance, proves_bound=True)
    solution = solve_model(
        linear(instance), run, bound_of=None, decode=lambda v: chosen(instance, v)
    )
    assert solution.bound is not None
    assert run.best_bound is None
    assert run.objective == pytest.approx(instance.best())


# --- while it runs --------------------------------------------------------------------------


def test_incumbents_and_bounds_arrive_while_it_runs_and_an_interrupt_keeps_them() -> None:
    instance = hard()
    interrupt = threading.Event()
    seen: list[Progress] = []

    def progress(now: Progress) -> None:
        seen.append(now)
        if now.objective is not None and now.bound is not None:
            interrupt.set()

    run = Run(instance, Stop(time_s=100), proves_bound=True, interrupt=interrupt)
    run.on_progress = progress
    solution = solve_model(
        linear(instance), run, bound_of=instance, decode=lambda v: chosen(instance, v)
    )
    assert run.reason is StopReason.INTERRUPTED
    assert solution.status is SolveStatus.LIMIT
    assert interrupt.is_set()
    assert any(now.objective is not None for now in seen)
    assert run.objective == pytest.approx(solution.objective)
    assert solution.bound <= run.best_bound + 1e-6 <= run.objective


def test_an_interrupted_linear_programme_returns() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.uniform(0, 1, (400, 800))
    model = LinearModel(rng.uniform(1, 2, 800), matrix, 1.0, np.inf, 0, 9, False)
    run = _run(stop=Stop(time_s=1e-3))
    solution = solve_model(model, run, bound_of=run.instance)
    assert solution.status is SolveStatus.LIMIT
    assert run.best_bound is None


def test_decisions_are_judged_in_the_calling_thread_and_their_errors_propagate() -> None:
    instance = hard()
    threads: list[int] = []

    def decode(values: Any) -> Any:
        threads.append(threading.get_ident())
        raise RuntimeError("from decode")

    with pytest.raises(RuntimeError, match="from decode"):
        solve_model(linear(instance), Run(instance), bound_of=None, decode=decode)
    assert threads == [threading.get_ident()]


def test_the_gap_of_the_run_stops_the_solver() -> None:
    instance = hard()
    run = Run(instance, Stop(time_s=100, rel_gap=0.2), proves_bound=True)
    solve_model(linear(instance), run, bound_of=instance, decode=lambda v: chosen(instance, v))
    assert run.reason is StopReason.GAP


# --- start, options -------------------------------------------------------------------------


def test_the_start_is_used() -> None:
    instance = hard()
    first = Run(instance, Stop(time_s=100, target=1e9))  # the first feasible decision
    solve_model(linear(instance), first, bound_of=None, decode=lambda v: chosen(instance, v))
    assert first.x is not None
    seen: list[Any] = []
    solve_model(
        linear(instance),
        Run(instance),
        bound_of=None,
        decode=lambda v: seen.append(chosen(instance, v)[0]),
        start=point(instance, first.x),
        options={"mip_max_nodes": 0},
    )
    assert np.array_equal(seen[0], first.x)


@pytest.mark.parametrize("value", [0.5, 0.0, np.nan])
def test_a_start_that_is_not_feasible_is_dropped(value: float) -> None:
    instance = draw(6, 3, 5)
    model = linear(instance)
    solution = solve_model(model, _run(), bound_of=None, start=np.full(model.shape[1], value))
    assert solution.objective == pytest.approx(instance.best())


def test_an_incomplete_start_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="start"):
        solve_model(_lp(), _run(), bound_of=None, start=[1.0])


@pytest.mark.parametrize("options", [{"nonsense": 1}, {"presolve": "perhaps"}, {"threads": -5}])
def test_options_that_highs_refuses(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        solve_model(_lp(), _run(), bound_of=None, options=options)


def test_highs_has_every_option_that_is_set() -> None:
    solver = highspy().Highs()
    highs.set_options(solver, highs._SETTINGS)
    for name, value in highs._SETTINGS.items():
        assert solver.getOptionValue(name)[1] == value


# --- linear programmes ----------------------------------------------------------------------


@pytest.mark.parametrize("cost_scale", SCALES)
@pytest.mark.parametrize("row_scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("sense", ["minimise", "maximise"])
def test_duals_are_derivatives(cost_scale: float, row_scale: float, sense: Any) -> None:
    sign = 1 if sense == "minimise" else -1
    cost = np.array([1.0, 3.0]) * cost_scale * sign
    scale = np.array([row_scale, 1.0])

    def solve(sides: Any) -> Solution:
        return solve_model(
            _lp(
                cost=cost,
                sense=sense,
                matrix=np.array([[1.0, 1.0], [1.0, 0.0]]) * scale[:, None],
                row_lower=np.array([sides[0], -np.inf]) * scale,
                row_upper=np.array([np.inf, sides[1]]) * scale,
            ),
            _run(),
            bound_of=None,
        )

    base = solve([10.0, 6.0])
    assert base.objective == pytest.approx(sign * 18 * cost_scale)
    assert base.bound == pytest.approx(base.objective, rel=1e-8)
    assert sign * base.bound <= sign * base.objective + 1e-12 * abs(base.objective)
    for row, side in enumerate(([11.0, 6.0], [10.0, 7.0])):
        step = (solve(side).objective - base.objective) / scale[row]
        assert base.row_duals[row] == pytest.approx(step, rel=1e-6)
    assert base.reduced_costs == pytest.approx([0, 0], abs=1e-9 * cost_scale)


def test_the_bound_of_a_linear_programme_holds_for_any_duals() -> None:
    model = _lp()
    attempt = highs._Attempt(
        highs.ScaledModel.of(model), highs.Feed(_run(), None, None), {"output_flag": False}, None
    )
    rng = np.random.default_rng(0)
    for _ in range(200):
        bound = attempt._lp_bound(rng.normal(0, 300, 2), 1e9)
        assert bound is not None
        assert bound <= 18


# --- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mps", ".lp"])
@pytest.mark.parametrize("maximise", [False, True])
def test_export_round_trip(tmp_path: Path, suffix: str, maximise: bool) -> None:
    instance = draw(5, 3, 6, maximise=maximise)
    model = linear(instance)
    names = [f"x[{i},{j}]" for i in range(5) for j in range(3)]
    named = LinearModel(
        model.cost, model.matrix, model.row_lower, model.row_upper, 0, 1, True,
        sense=instance.sense, offset=3.0, column_names=names,
        row_names=[f"row{i}" for i in range(model.shape[0])],
    )  # fmt: skip
    path = tmp_path / f"model{suffix}"
    export(named, path)
    again = read_mps(path)
    written = names if suffix == ".mps" else [f"x({i},{j})" for i in range(5) for j in range(3)]
    assert sorted(again.column_names) == sorted(written)
    solution = solve_model(again, _run(), bound_of=None)
    assert solution.objective == pytest.approx(instance.best() + 3)


@pytest.mark.parametrize("name", ["model.txt", "model", "missing/model.mps"])
def test_a_file_that_cannot_be_written_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="export"):
        export(_lp(), tmp_path / name)
