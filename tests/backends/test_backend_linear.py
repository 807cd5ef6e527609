"""Models as arrays, and their scaling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optkit.backends.linear import LinearModel, ScaledModel, objective_factor, row_divisors
from optkit.errors import UsageError

SIZES = st.floats(1e-12, 1e12)


def _model(**changes: Any) -> LinearModel:
    fields: dict[str, Any] = {
        "cost": [1.0, 2.0],
        "matrix": [[1.0, 1.0]],
        "row_lower": -np.inf,
        "row_upper": 1.0,
        "lower": 0,
        "upper": 1,
        "integer": True,
    }
    return LinearModel(**{**fields, **changes})


@given(st.lists(SIZES, min_size=1, max_size=6))
def test_scaled_costs_are_at_most_ten_thousand_and_by_a_power_of_two(sizes: list[float]) -> None:
    factor = objective_factor(np.array(sizes))
    assert np.frexp(factor)[0] == 0.5
    scaled = np.array(sizes) * factor
    assert scaled.max() <= 1e4
    if max(sizes) <= 1e3 * min(sizes):
        assert scaled.min() >= 1


@given(SIZES, SIZES)
def test_rows_are_divided_by_their_side_within_reason(side: float, largest: float) -> None:
    divisor = row_divisors(np.array([-np.inf]), np.array([side]), np.array([largest]))[0]
    assert 1e-4 / 1.5 <= largest / divisor <= 1.5
    if largest <= side <= 1e4 * largest:
        assert 2 / 3 <= side / divisor <= 1.5


def test_scaling_is_undone_exactly() -> None:
    model = _model(cost=[3e-7, 5e-7], matrix=[[2e9, 3e9]], row_upper=4e9, offset=7.0)
    scaled = ScaledModel.of(model)
    values = np.array([1.0, 0.5])
    assert scaled.unscaled(float(scaled.cost @ values)) == pytest.approx(model.objective(values))
    assert np.array_equal((scaled.matrix @ values) * scaled.divisors, model.matrix @ values)
    assert scaled.row_upper[0] == pytest.approx(1, rel=0.5)


def test_a_maximisation_is_turned_round() -> None:
    scaled = ScaledModel.of(_model(sense="maximise"))
    assert scaled.factor < 0
    assert (scaled.cost < 0).all()


@pytest.mark.parametrize(
    ("values", "amount"),
    [
        ([1.0, 0.0], 0.0),
        ([1.0, 1.0], 1.0),
        ([0.5, 0.0], 0.5),
        ([-2.0, 1.0], 2.0),
        ([np.nan, 0.0], np.inf),
        ([1.0], np.inf),
    ],
)
def test_violation(values: list[float], amount: float) -> None:
    assert ScaledModel.of(_model()).violation(np.array(values)) == amount


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": [1.0]},
        {"cost": [1.0, np.nan]},
        {"matrix": [[1.0, np.inf]]},
        {"row_upper": [1.0, 2.0]},
        {"lower": np.nan},
        {"sense": "min"},
        {"offset": np.inf},
        {"column_names": ["x"]},
    ],
)
def test_a_wrong_model_is_a_usage_error(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        _model(**changes)


def test_huge_sides_are_infinite_and_repeated_entries_add_up() -> None:
    from scipy import sparse

    twice = sparse.coo_matrix(([1.0, 2.0], ([0, 0], [0, 0])), shape=(1, 2))
    model = _model(matrix=twice, row_upper=1e30, lower=-1e25)
    assert model.row_upper[0] == np.inf
    assert model.lower[0] == -np.inf
    assert model.matrix[0, 0] == 3
