"""CP-SAT behind `solve_cp`: bounds that hold, hints, limits, and the styles that it refuses."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from backend_toys import CANARY, EXPECTED, cp, draw, hard
from hypothesis import given, settings
from hypothesis import strategies as st

from optkit.backends.cpsat import CpValues, IntegerScale, forbid, solve_cp
from optkit.backends.feed import SolveStatus
from optkit.backends.native import cp_model
from optkit.errors import SolverError, UsageError
from optkit.result import StopReason
from optkit.run import Progress, Run
from optkit.stop import Stop

PROTOS = sorted(name for name, entry in EXPECTED.items() if entry["solver"] != "highspy")
#: Optional intervals: no parameter is right on all of these, so the style itself is refused.
REFUSED = [
    f"cpsat/{name}.pbtxt"
    for name in (
        "expr_11554", "expr_12187", "expr_1276", "expr_6241", "shared_242", "shared_475",
        "shared_482", "shared_693", "shared_714", "shared_87",
    )
]  # fmt: skip


def _run(**changes: Any) -> Run:
    return Run(draw(3, 2, 0), proves_bound=True, **changes)


def _read(name: str) -> Any:
    model = cp_model().CpModel()
    assert model.proto.parse_text_format((CANARY / name).read_text())
    return model


def _bins(x: Any) -> Any:
    return lambda values: (values.array(x).argmax(axis=1), {})


# --- right optima ---------------------------------------------------------------------------


def test_all_saved_models_are_here() -> None:
    assert len(PROTOS) == 18
    assert set(REFUSED) < set(PROTOS)


@pytest.mark.parametrize("name", sorted(set(PROTOS) - set(REFUSED)))
def test_saved_model(name: str) -> None:
    solution = solve_cp(_read(name), _run(), bound_of=None)
    assert solution.status is SolveStatus.OPTIMAL
    assert solution.objective == EXPECTED[name]["optimum"]
    assert solution.bound == EXPECTED[name]["optimum"]


@pytest.mark.parametrize("name", REFUSED)
def test_saved_model_in_a_style_that_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="optional interval"):
        solve_cp(_read(name), _run(), bound_of=None)


@pytest.mark.parametrize("fixed_size", [False, True])
def test_optional_intervals_are_refused_as_they_are_made(fixed_size: bool) -> None:
    model = cp_model().CpModel()
    start, here = model.new_int_var(0, 9, "start"), model.new_bool_var("here")
    if fixed_size:
        model.new_optional_fixed_size_interval_var(start, 3, here, "task")
    else:
        model.new_optional_interval_var(start, 3, start + 3, here, "task")
    with pytest.raises(UsageError, match=r"\(task\).*one non-optional interval a task"):
        solve_cp(model, _run(), bound_of=None)


def test_non_optional_intervals_are_solved() -> None:
    model = cp_model().CpModel()
    starts = [model.new_int_var(0, 9, f"start{i}") for i in range(3)]
    size = [2, 3, 4]
    spans = [
        model.new_interval_var(s, n, s + n, f"task{i}")
        for i, (s, n) in enumerate(zip(starts, size, strict=True))
    ]
    model.add_no_overlap(spans)
    end = model.new_int_var(0, 20, "end")
    for start, n in zip(starts, size, strict=True):
        model.add(end >= start + n)
    model.minimize(end)
    assert solve_cp(model, _run(), bound_of=None).objective == 9


@pytest.mark.parametrize("maximise", [False, True])
@pytest.mark.parametrize("cost_scale", [1e-7, 1e-4, 1.0, 1e4, 1e7])
@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10**6), tightness=st.floats(0.75, 1.3))
def test_random_assignments_at_every_scale(
    maximise: bool, cost_scale: float, seed: int, tightness: float
) -> None:
    instance = draw(6, 3, seed, maximise=maximise, cost_scale=cost_scale, tightness=tightness)
    model, x, scale = cp(instance)
    run = Run(instance, proves_bound=True)
    solution = solve_cp(model, run, bound_of=instance, decode=_bins(x), scale=scale.scale)
    best = instance.best()
    if best is None:
        assert solution.status is SolveStatus.INFEASIBLE
        assert run.proved_infeasible
        return
    sign = -1 if maximise else 1
    assert run.proved  # and may have stopped the solver within the tolerance of a proof
    assert run.objective == pytest.approx(best, rel=1.1e-6)
    assert sign * run.best_bound <= sign * best + 1e-12 * best
    alone = solve_cp(model, Run(instance), bound_of=None, scale=scale.scale)
    assert alone.status is SolveStatus.OPTIMAL
    assert alone.bound == alone.objective == pytest.approx(best, rel=1e-8)
    assert sign * alone.bound <= sign * best + 1e-12 * best


# --- whole-numbered objectives --------------------------------------------------------------


@given(
    st.lists(st.floats(-1e9, 1e9).map(lambda v: v if abs(v) > 1e-9 else 0.0), max_size=6),
    st.sampled_from(["minimise", "maximise"]),
)
def test_rounding_keeps_the_bound_valid(coefficients: list[float], sense: Any) -> None:
    scale = IntegerScale.of(coefficients, sense)
    whole = scale.whole(coefficients)
    exact = np.array(coefficients) * scale.scale
    sign = 1 if sense == "minimise" else -1
    assert (sign * whole <= sign * exact).all()
    assert (np.abs(whole - exact) < 1).all()
    assert (np.abs(whole) < 2**31).all()


def test_coefficients_beyond_the_scale_are_refused() -> None:
    scale = IntegerScale.of([1.0, 2.0])
    assert scale.whole([2.0]) == [2**30]
    for wrong in (4.1, np.nan):
        with pytest.raises(UsageError):
            scale.whole([wrong])
    with pytest.raises(UsageError, match="finite"):
        IntegerScale.of([np.inf])


def test_an_objective_of_floats_is_refused() -> None:
    model = cp_model().CpModel()
    model.minimize(0.5 * model.new_bool_var("x"))
    with pytest.raises(UsageError, match="IntegerScale"):
        solve_cp(model, _run(), bound_of=None)


def test_offset_and_scale_are_undone() -> None:
    model = cp_model().CpModel()
    x = model.new_int_var(3, 9, "x")
    model.minimize(2 * x)
    solution = solve_cp(model, _run(), bound_of=None, scale=4.0, offset=10.0)
    assert (solution.objective, solution.bound) == (11.5, 11.5)


# --- statuses -------------------------------------------------------------------------------


@pytest.mark.parametrize("time_s", [0.0, 1e-9])
def test_no_time_gives_no_numbers(time_s: float) -> None:
    model, x, scale = cp(hard())
    run = Run(hard(), proves_bound=True)
    solution = solve_cp(
        model, run, bound_of=run.instance, decode=_bins(x), scale=scale.scale, time_s=time_s
    )
    assert solution.status is SolveStatus.LIMIT
    assert (solution.objective, solution.bound, solution.values) == (None, None, None)
    assert run.best_bound is None


def test_unknown_gives_no_numbers() -> None:
    model, x, scale = cp(hard())
    run = Run(hard(), proves_bound=True)
    solution = solve_cp(
        model, run, bound_of=run.instance, decode=_bins(x), scale=scale.scale,
        parameters={"max_deterministic_time": 0.0},
    )  # fmt: skip
    assert solution.status is SolveStatus.LIMIT
    assert (solution.objective, solution.values) == (None, None)
    assert solution.bound is None or solution.bound > 0


def test_infeasible_is_claimed_only_of_the_runs_own_instance() -> None:
    instance = draw(4, 2, 0, tightness=0.01)
    for bound_of, claimed in ((instance, True), (None, False), (draw(4, 2, 0), False)):
        run = Run(instance, proves_bound=True)
        model, _, scale = cp(instance)
        solution = solve_cp(model, run, bound_of=bound_of, scale=scale.scale)
        assert solution.status is SolveStatus.INFEASIBLE
        assert (solution.objective, solution.bound, solution.values) == (None, None, None)
        assert run.proved_infeasible is claimed


def test_an_overflow_is_an_error_with_the_solvers_own_text() -> None:
    model = cp_model().CpModel()
    model.minimize(model.new_int_var(0, 2**62, "huge"))
    with pytest.raises(SolverError, match="huge"):
        solve_cp(model, _run(), bound_of=None)


def test_a_model_without_objective() -> None:
    model = cp_model().CpModel()
    x, y = model.new_bool_var("x"), model.new_bool_var("y")
    model.add(x + y == 1)
    run = _run()
    solution = solve_cp(model, run, bound_of=run.instance)
    assert solution.status is SolveStatus.OPTIMAL
    assert (solution.objective, solution.bound, run.best_bound) == (None, None, None)
    assert solution.values.sum() == 1


@pytest.mark.parametrize("parameters", [{"nonsense": 1}, {"num_workers": "many"}])
def test_parameters_that_cp_sat_refuses(parameters: dict[str, Any]) -> None:
    model, _, _ = cp(draw(3, 2, 0))
    with pytest.raises(UsageError, match=next(iter(parameters))) as caught:
        solve_cp(model, _run(), bound_of=None, parameters=parameters)
    assert "\n" not in str(caught.value)


def test_a_relaxation_reports_no_bound() -> None:
    instance = draw(6, 3, 3)
    model, x, scale = cp(instance)
    run = Run(instance, proves_bound=True)
    solution = solve_cp(model, run, bound_of=None, decode=_bins(x), scale=scale.scale)
    assert solution.bound is not None
    assert run.best_bound is None
    assert run.objective == pytest.approx(instance.best())


# --- while it runs --------------------------------------------------------------------------


@pytest.mark.parametrize("maximise", [False, True])
def test_incumbents_and_bounds_arrive_while_it_runs_and_an_interrupt_keeps_them(
    maximise: bool,
) -> None:
    instance = draw(100, 20, 0, tightness=0.8, maximise=maximise)
    interrupt = threading.Event()

    def progress(now: Progress) -> None:
        if now.objective is not None and now.bound is not None:
            interrupt.set()

    model, x, scale = cp(instance)
    run = Run(instance, Stop(time_s=100), proves_bound=True, interrupt=interrupt)
    run.on_progress = progress
    solution = solve_cp(model, run, bound_of=instance, decode=_bins(x), scale=scale.scale)
    assert run.reason is StopReason.INTERRUPTED
    assert solution.status is SolveStatus.LIMIT
    assert run.objective == pytest.approx(solution.objective, rel=1e-6)
    sign = -1 if maximise else 1
    assert sign * run.best_bound <= sign * run.objective


def test_decisions_are_judged_in_the_calling_thread_and_their_errors_propagate() -> None:
    model, _, _ = cp(hard())
    threads: list[int] = []

    def decode(values: CpValues) -> Any:
        threads.append(threading.get_ident())
        raise RuntimeError("from decode")

    with pytest.raises(RuntimeError, match="from decode"):
        solve_cp(model, Run(hard()), bound_of=None, decode=decode)
    assert threads == [threading.get_ident()]


def test_one_worker_repeats_exactly() -> None:
    instance = draw(30, 6, 0, tightness=0.9)
    points = []
    for _ in range(2):
        model, _, scale = cp(instance)
        points.append(
            solve_cp(model, Run(instance, seed=2**40 + 5), bound_of=None, scale=scale.scale).values
        )
    assert np.array_equal(points[0], points[1])


# --- hints and repairs ----------------------------------------------------------------------


def _hint(x: Any, decision: Any) -> list[tuple[Any, int]]:
    return [(v, int(j == decision[i])) for i, row in enumerate(x) for j, v in enumerate(row)]


def test_a_complete_hint_is_the_first_incumbent() -> None:
    instance = hard()
    model, x, scale = cp(instance)
    first = Run(instance, Stop(time_s=100, target=1e9))
    solve_cp(model, first, bound_of=None, decode=_bins(x), scale=scale.scale)
    seen: list[Any] = []
    solve_cp(
        model,
        Run(instance, Stop(time_s=0.5)),
        bound_of=None,
        decode=lambda v: seen.append(v.array(x).argmax(1)),
        scale=scale.scale,
        hint=_hint(x, first.x),
    )
    assert np.array_equal(seen[0], first.x)


def test_an_incomplete_hint_is_refused_by_name() -> None:
    model, x, _ = cp(draw(4, 2, 1))
    with pytest.raises(UsageError, match=r"leaves out the variable x\[0,0\]"):
        solve_cp(model, _run(), bound_of=None, hint=_hint(x, [0, 0, 0, 0])[1:])


def test_a_hint_may_use_negations_and_leave_out_constants() -> None:
    model = cp_model().CpModel()
    a, b, constant = model.new_bool_var("a"), model.new_bool_var("b"), model.new_constant(3)
    model.add(a + b + constant >= 4)
    model.minimize(a + 2 * b)
    seen: list[tuple[int, ...]] = []
    solve_cp(
        model,
        _run(),
        bound_of=None,
        decode=lambda v: seen.append((v(a), v(b), v(a.negated()), v(constant))),
        hint=[(a.negated(), 1), (b, 1)],
    )
    assert seen[0] == (0, 1, 1, 3)
    assert seen[-1] == (1, 0, 0, 3)


def test_a_wrong_hint_is_dropped() -> None:
    instance = draw(6, 3, 5)
    model, x, scale = cp(instance)
    everything = [(v, 1) for row in x for v in row]
    solution = solve_cp(model, _run(), bound_of=None, scale=scale.scale, hint=everything)
    assert solution.objective == pytest.approx(instance.best(), rel=1e-8)


def test_points_that_break_the_instance_are_cut_off_until_one_holds() -> None:
    instance = draw(6, 3, 7, tightness=1.0)
    loose = draw(6, 3, 7, tightness=1.15)
    assert loose.best() < instance.best()
    model, x, scale = cp(loose)
    run = Run(instance, proves_bound=True)
    cuts: list[int] = []

    def repair(values: CpValues) -> bool:
        chosen = values.array(x).argmax(axis=1)
        if instance.evaluate(chosen).feasible:
            return False
        cuts.append(1)
        forbid(model, [x[i][j] for i, j in enumerate(chosen)])
        return True

    solution = solve_cp(
        model, run, bound_of=instance, decode=_bins(x), scale=scale.scale, repair=repair
    )
    assert cuts
    assert instance.evaluate(solution.values.reshape(6, 3).argmax(axis=1)).feasible
    assert run.objective == pytest.approx(instance.best(), rel=1.1e-6)
    assert run.proved
