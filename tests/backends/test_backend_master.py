"""The growing linear programme: equal to a solve from scratch, at every scale, beside MIPs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backend_toys import chosen, draw, linear
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from optkit.backends.feed import SolveStatus
from optkit.backends.highs import solve_model
from optkit.backends.native import highspy
from optkit.errors import UsageError
from optkit.exact.master import ColumnMaster
from optkit.run import Run

SCALES = [1e-7, 1.0, 1e7]


def _run(**changes: Any) -> Run:
    return Run(draw(3, 2, 0), proves_bound=True, **changes)


def _covering(cost_scale: float = 1.0, row_scale: float = 1.0) -> ColumnMaster:
    """Least cost of 10 units of which at most 6 are cheap."""
    master = ColumnMaster([10.0 * row_scale, -np.inf], [np.inf, 6.0])
    master.add_column(1.0 * cost_scale, [0, 1], [row_scale, 1.0])
    master.add_column(3.0 * cost_scale, [0], [row_scale])
    return master


@pytest.mark.parametrize("cost_scale", SCALES)
@pytest.mark.parametrize("row_scale", [1e-6, 1.0, 1e9])
def test_duals_are_derivatives_by_the_sides(cost_scale: float, row_scale: float) -> None:
    master = _covering(cost_scale, row_scale)
    found = master.solve()
    assert found.status is SolveStatus.OPTIMAL
    assert found.objective == pytest.approx(18 * cost_scale)
    assert found.values == pytest.approx([6, 4])
    assert found.duals == pytest.approx([3 * cost_scale / row_scale, -2 * cost_scale])
    master.change_sides(0, 11 * row_scale, np.inf)
    more = master.solve().objective
    assert more - found.objective == pytest.approx(row_scale * found.duals[0])
    master.change_sides(0, 10 * row_scale, np.inf)
    master.change_sides(1, -np.inf, 7)
    assert master.solve().objective - found.objective == pytest.approx(found.duals[1])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), cost_scale=st.sampled_from(SCALES))
def test_growing_equals_starting_from_scratch(seed: int, cost_scale: float) -> None:
    rng = np.random.default_rng(seed)
    rows = 5
    master = ColumnMaster(np.ones(rows), np.full(rows, np.inf), cost_scale=None)
    master.add_columns(np.full(rows, 1e3 * cost_scale), np.eye(rows))
    for step in range(8):
        cost = rng.uniform(1, 9, 3) * cost_scale
        entries = sparse.random(master.shape[0], 3, 0.6, random_state=rng, format="csc")
        assert list(master.add_columns(cost, entries)) == list(
            range(master.shape[1] - 3, master.shape[1])
        )
        if step % 3 == 2:
            row = rng.uniform(0, 1, (1, master.shape[1]))
            assert list(master.add_rows(0.5, np.inf, row)) == [master.shape[0] - 1]
        found = master.solve()
        fresh = solve_model(master.model(integer=False), _run(), bound_of=None)
        assert found.objective == pytest.approx(fresh.objective, rel=1e-8)
        model = master.model(integer=False)
        reduced = model.cost - model.matrix.T @ found.duals
        assert reduced.min() >= -1e-7 * cost_scale
        sides = np.where(found.duals > 0, model.row_lower, 0.0)
        assert found.duals @ sides == pytest.approx(found.objective, rel=1e-7)


def test_costs_may_turn_out_far_smaller_than_the_first_ones() -> None:
    master = ColumnMaster(np.ones(2), np.ones(2))
    master.add_columns([1e6, 1e6], np.eye(2))
    for cost in (3e-6, 2e-6, 1e-6):
        master.add_columns(np.full(4, cost), np.tile(np.eye(2), 2))
    assert master.solve().objective == pytest.approx(2e-6)


def test_a_given_cost_scale_stays() -> None:
    master = ColumnMaster([1.0], [1.0], cost_scale=1e-6)
    master.add_column(1e9, [0], [1.0])
    master.add_column(3e-6, [0], [1.0])
    master.add_column(2e-6, [0], [1.0])
    assert master.solve().objective == pytest.approx(2e-6, rel=1e-9)
    with pytest.raises(UsageError, match="cost_scale"):
        ColumnMaster([1.0], [1.0], cost_scale=0.0)


def test_bounds_retire_a_column_and_bring_it_back() -> None:
    master = _covering()
    master.change_bounds([0], 0.0, 0.0)
    assert master.solve().objective == pytest.approx(30)
    master.change_bounds([0], 0.0, np.inf)
    assert master.solve().objective == pytest.approx(18)


def test_statuses_without_numbers() -> None:
    master = ColumnMaster([1.0], [1.0])
    found = master.solve()
    assert found.status is SolveStatus.INFEASIBLE
    assert (found.objective, len(found.duals), len(found.values)) == (None, 0, 0)
    master.add_column(-1.0, [0], [1.0])
    assert master.solve().objective == -1
    master.add_column(-1.0, [], [])
    assert master.solve().status is SolveStatus.UNBOUNDED
    assert _covering().solve(time_s=0.0).status is SolveStatus.LIMIT


def test_shapes_and_numbers_are_checked() -> None:
    master = _covering()
    with pytest.raises(UsageError, match="shape"):
        master.add_columns([1.0], np.ones((3, 1)))
    with pytest.raises(UsageError, match="shape"):
        master.add_rows(0.0, 1.0, np.ones((1, 1)))
    with pytest.raises(UsageError, match="finite"):
        master.add_column(np.nan, [0], [1.0])
    assert master.shape == (2, 2)
    assert master.solve().objective == pytest.approx(18)


def test_integer_finish_is_a_restriction() -> None:
    instance = draw(6, 3, 8)
    model = linear(instance)
    master = ColumnMaster(model.row_lower, model.row_upper)
    master.add_columns(model.cost, model.matrix, 0.0, 1.0)
    run = Run(instance, proves_bound=True)
    solution = master.integer_finish(run, decode=lambda v: chosen(instance, v))
    assert solution.objective == pytest.approx(instance.best())
    assert run.objective == pytest.approx(instance.best())
    assert run.best_bound is None
    assert master.solve().objective <= solution.objective


def test_masters_and_threaded_solves_do_not_disturb_each_other() -> None:
    instance = draw(8, 3, 4)
    master = _covering()
    for threads in (2, 1, 2):
        assert master.solve().objective == pytest.approx(18)
        found = solve_model(linear(instance), _run(threads=threads), bound_of=None)
        assert found.objective == pytest.approx(instance.best())
        assert _covering().solve().objective == pytest.approx(18)


def test_a_scheduler_left_by_others_in_this_thread_is_reset() -> None:
    other = highspy().Highs()
    for name, value in (("output_flag", False), ("threads", 2)):
        other.setOptionValue(name, value)
    other.addBinary(obj=-1)
    other.run()
    assert _covering().solve().objective == pytest.approx(18)
    highspy().Highs.resetGlobalScheduler(True)
