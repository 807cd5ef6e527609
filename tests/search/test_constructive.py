"""Greedy and beam search on an environment."""

from __future__ import annotations

import numpy as np
import pytest

from optkit.errors import MethodUnavailable, UsageError
from optkit.result import StopReason
from optkit.search.constructive import applies, beam, greedy


def costs_of(instance, x) -> float:
    """Sum of the step costs of a decision, taken alone."""
    steps = instance.steps
    state, total = steps.reset(1), 0.0
    for position in steps.order:
        state, cost = steps.step(state, np.array([x[position]]))
        total += float(cost[0])
    return total


@pytest.mark.parametrize("seed", range(8))
def test_step_costs_add_up_to_the_objective(toys, start, seed: int) -> None:
    instance = toys.random_assignment(seed, slack=3.0)
    for method, options in ((greedy, {}), (beam, {"width": 3})):
        run = start(instance)
        method(instance, run, **options)
        assert run.objective == pytest.approx(costs_of(instance, run.x))
        assert run.best_bound is None


def test_greedy_takes_the_cheapest_and_the_lowest_of_equals(toys, start) -> None:
    instance = toys.Assignment(
        {
            "cost": [[5, 1, 1], [0, 0, 0], [9, 9, 2]],
            "size": [2, 2, 2],
            "capacity": [9, 9, 9],
            "crowding": 0.0,
        }
    )
    run = start(instance)
    greedy(instance, run)
    assert run.x.tolist() == [1, 0, 2]
    assert run.iterations == 3
    assert instance.steps.selections == 0


def test_greedy_is_not_optimal_where_beam_is(toys, start) -> None:
    instance = toys.Assignment({"cost": [[0, 1], [0, 90]], "size": [2, 2], "capacity": [2, 2]})
    short, wide = start(instance), start(instance)
    greedy(instance, short)
    beam(instance, wide, width=2)
    assert short.objective == 98.0
    assert wide.objective == 9.0 == toys.brute_force(instance)


@pytest.mark.parametrize("seed", range(8))
def test_a_wide_beam_is_exhaustive(toys, start, seed: int) -> None:
    instance = toys.random_assignment(seed)
    run = start(instance)
    beam(instance, run, width=3**6)
    assert run.objective == toys.brute_force(instance)


def test_beam_of_width_1_is_greedy_and_a_beam_keeps_its_width(toys, start) -> None:
    instance = toys.random_assignment(3, tasks=12, slack=3.0)
    one, two = start(instance), start(instance)
    greedy(instance, one)
    beam(instance, two, width=1)
    assert one.x.tolist() == two.x.tolist()
    instance.largest = 0
    beam(instance, start(instance), width=5)
    assert instance.largest == 5 * 12


def test_ties_of_a_beam_keep_the_lowest_options(toys, start) -> None:
    instance = toys.Assignment(
        {
            "cost": np.tile(np.arange(30)[::-1] % 2, (4, 1)),  # 1, 0, 1, 0 ...
            "size": [1] * 4,
            "capacity": [4] * 30,
            "crowding": 0.0,
        }
    )
    run = start(instance)
    beam(instance, run, width=30)
    assert run.x.tolist() == [1, 1, 1, 1]


def test_a_beam_keeps_by_the_cost_so_far_and_not_by_the_last_step(toys, start) -> None:
    # The last task needs server 0 empty. By cost so far the second step keeps 1,0 and 1,1; by
    # the cost of that step alone it would keep 1,0 and 0,0, both of which are dead.
    instance = toys.Assignment(
        {
            "cost": [[5, 0], [1, 2], [0, 0]],
            "size": [1, 1, 2],
            "capacity": [2, 2],
            "crowding": 0.0,
        }
    )
    run = start(instance)
    beam(instance, run, width=2)
    assert run.x.tolist() == [1, 1, 0]
    assert run.objective == 2.0


def test_dead_ends(toys, start) -> None:
    # Both small tasks are cheapest on server 0; together they leave no room for the large one.
    instance = toys.Assignment(
        {
            "cost": [[0, 50], [0, 50], [0, 0]],
            "size": [2, 2, 4],
            "capacity": [4, 3],
            "crowding": 0.0,
        }
    )
    dead, dropped = start(instance), start(instance)
    greedy(instance, dead)
    assert dead.evaluation is None
    assert dead.details == {"dead_end_step": 2}
    beam(instance, dropped, width=4)
    assert dropped.evaluation is None  # two on server 1 exceed 3, so no decision exists
    assert toys.brute_force(instance) is None
    wider = toys.Assignment({**instance.document, "capacity": [4, 4]})
    run = start(wider)
    beam(wider, run, width=2)
    assert run.objective == 0.0 == toys.brute_force(wider)


def test_a_dead_row_is_dropped_and_the_others_go_on(toys, start) -> None:
    instance = toys.Assignment(
        {"cost": [[0, 9], [7, 99]], "size": [1, 4], "capacity": [4, 1], "crowding": 0.0}
    )
    dead, run = start(instance), start(instance)
    greedy(instance, dead)
    beam(instance, run, width=2)
    assert dead.evaluation is None
    assert run.objective == 16.0
    assert run.x.tolist() == [1, 0]


def test_infinite_costs_are_not_options(toys, start) -> None:
    instance = toys.Assignment(
        {"cost": [[np.inf, 3.0]], "size": [1], "capacity": [4, 4], "crowding": 0.0}
    )
    run = start(instance)
    beam(instance, run, width=8)
    assert run.x.tolist() == [1]
    assert instance.largest == 1


def test_a_limit_ends_without_a_decision(toys, start) -> None:
    instance = toys.random_assignment(0, slack=3.0)
    for method in (greedy, beam):
        run = start(instance, iterations=3)
        method(instance, run)
        assert run.evaluation is None
        assert run.reason is StopReason.ITERATIONS
        exact = start(instance, iterations=6)
        method(instance, exact)
        assert exact.evaluation is not None


def test_without_environment(toys, start) -> None:
    instance = toys.Long({"positions": 3})
    assert applies(instance) == "the problem has no environment"
    assert applies(toys.random_assignment(0)) is None
    with pytest.raises(MethodUnavailable):
        greedy(instance, start(instance))


def test_bad_width(toys, start) -> None:
    instance = toys.random_assignment(0)
    with pytest.raises(UsageError, match="option width is 0"):
        beam(instance, start(instance), width=0)
