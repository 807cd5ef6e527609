"""Local search and annealing over one position."""

from __future__ import annotations

import numpy as np
import pytest

from optkit.errors import UsageError
from optkit.evaluation import BatchEvaluation
from optkit.result import StopReason
from optkit.search import batches
from optkit.search.chains import Chains
from optkit.search.local import annealing, local_search
from optkit.search.neighbourhood import Excess, Neighbourhood
from optkit.space import Space

METHODS = [(local_search, {}), (annealing, {"steps": 400, "chains": 16})]


def test_neighbours_are_every_single_change_once() -> None:
    around = Neighbourhood(Space(np.array([2, 1, 3])))
    z = np.array([1, 0, 2])
    position, option = around.moves(z, np.arange(around.size))
    assert around.size == 3
    assert {(int(p), int(o)) for p, o in zip(position, option, strict=True)} == {
        (0, 0),
        (2, 0),
        (2, 1),
    }
    rows = np.array([[0, 0, 0], [1, 0, 1]])
    position, option = around.moves(rows, np.array([0, 1]))
    assert position.tolist() == [0, 2]
    assert option[0] == 1
    assert option[1] != 1


def test_excess_is_relative_and_keeps_its_references() -> None:
    excess = Excess()

    def judged(bytes_over: list[float], seconds_over: list[list[float]]) -> BatchEvaluation:
        zeros = np.zeros(len(bytes_over))
        over = {"storage": np.array(bytes_over), "deadline": np.array(seconds_over)}
        return BatchEvaluation(zeros, zeros, {}, over)

    first = excess(judged([4e9, 1e9], [[0, 0], [0, 0]]))
    assert first.tolist() == [1.0, 0.25]
    second = excess(judged([8e9, 0], [[0, 0], [1e-3, 3e-3]]))
    assert second.tolist() == [2.0, 1.0]
    assert excess(judged([np.inf, np.nan], [[0, 0], [0, 0]])).tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("method,options", METHODS)
@pytest.mark.parametrize("kind", ["random_assignment", "random_knapsack"])
@pytest.mark.parametrize("seed", range(4))
def test_reaches_the_optimum_of_small_problems(
    toys, start, method, options, kind: str, seed: int
) -> None:
    instance = getattr(toys, kind)(seed)
    run = start(instance)
    options = {"restarts": 60} if method is local_search else {"steps": 1500}
    method(instance, run, **options)
    assert run.objective == toys.brute_force(instance)
    assert run.reason is None
    assert run.best_bound is None


def test_a_descent_ends_where_no_neighbour_is_better(toys, start) -> None:
    instance = toys.random_assignment(1, tasks=12)
    run = start(instance)
    local_search(instance, run, restarts=0)
    space = instance.space
    around = Neighbourhood(space)
    position, option = around.moves(run.x, np.arange(around.size))
    vectors = np.repeat(run.x[None], around.size, axis=0)
    vectors[np.arange(around.size), position] = option
    near = instance.evaluate_batch(vectors)
    assert run.evaluation.feasible
    assert np.all(near.objective[near.feasible] >= run.objective)


@pytest.mark.parametrize("method,options", METHODS)
def test_walks_out_of_infeasibility_with_one_aggregated_violation(
    toys, start, method, options
) -> None:
    # 40 unit tasks, all free on server 0, which holds 2: only the amount shows the way out.
    cost = np.zeros((40, 3))
    cost[:, 1:] = 10.0
    document = {"cost": cost, "size": [1] * 40, "capacity": [2, 20, 20], "crowding": 0.0}
    instance = toys.Assignment(document)
    everything = np.zeros(40, dtype=np.int64)
    run = start(instance, warm_start=(everything, {}))
    options = {"restarts": 0} if method is local_search else options
    method(instance, run, **options)
    assert run.evaluation.feasible
    assert run.objective == 380.0


@pytest.mark.parametrize("method,options", METHODS)
def test_leaves_infinite_objectives(toys, start, method, options) -> None:
    instance = toys.Overload({"tasks": 30, "room": 4})
    run = start(instance)
    method(instance, run, **options)
    assert run.objective == 273.0  # three tasks: 270 + 3; with a fourth the queue is endless


def test_annealing_wanders_where_every_objective_is_infinite(toys, start) -> None:
    instance = toys.Overload({"tasks": 10, "room": 1, "silent": True})
    run = start(instance, warm_start=(np.ones(10, dtype=np.int64), {}))
    annealing(instance, run, chains=1, steps=4000)
    assert run.objective == 100.0  # the one vector of 1024 that is finite


def test_an_infinite_objective_counts_as_a_broken_row(toys, start) -> None:
    instance = toys.Overload({"tasks": 10, "room": 1, "silent": True})
    run = start(instance, warm_start=(np.zeros(10, dtype=np.int64), {}))
    walk = Chains(instance, run, 3)
    walk.restart()
    for _ in range(20):
        walk.step(temperature=1.0, penalty=1e9)
    assert not walk._z[0].any()
    assert walk._z[1:].any()


def test_annealing_survives_when_nothing_is_ever_finite(toys, start) -> None:
    instance = toys.Overload({"tasks": 8, "room": 0})
    run = start(instance)
    annealing(instance, run, steps=50)
    assert run.evaluation is not None
    assert not run.evaluation.feasible


@pytest.mark.parametrize("method,options", METHODS)
def test_walks_the_space_with_its_parts(toys, start, method, options) -> None:
    instance = toys.Levels({"bits": 6, "target": 41})
    run = start(instance, warm_start=(np.zeros(6, dtype=np.int64), {"price": 0.0}))
    method(instance, run, **options)
    assert run.objective == 0.0
    assert run.parts == {"price": 41.0}


@pytest.mark.parametrize("method,options", METHODS)
def test_same_seed_same_walk(toys, start, method, options) -> None:
    def walk(seed: int) -> list[float | None]:
        instance = toys.random_assignment(9, tasks=15)
        run = start(instance, seed=seed)
        method(instance, run, **options)
        return [point.objective for point in run.trace]

    assert walk(3) == walk(3)
    assert walk(3) != walk(4)


@pytest.mark.parametrize("method,options", METHODS)
def test_never_worse_than_the_warm_start(toys, start, method, options) -> None:
    instance = toys.random_assignment(9, tasks=15)
    good = start(instance)
    local_search(instance, good)
    run = start(instance, seed=1, iterations=1, warm_start=(good.x, {}))
    method(instance, run, **options)
    assert run.objective <= good.objective
    cold = start(instance, seed=1, iterations=1)
    method(instance, cold, **options)
    assert cold.objective is None or cold.objective > good.objective


def test_a_warm_start_is_not_changed(toys, start) -> None:
    instance = toys.random_assignment(9, tasks=15)
    warm = np.zeros(15, dtype=np.int64)
    for method, options in METHODS:
        method(instance, start(instance, warm_start=(warm, {})), **options)
    assert not warm.any()


@pytest.mark.parametrize("method,options", METHODS)
def test_iteration_limit(toys, start, method, options) -> None:
    instance = toys.random_assignment(9, tasks=15)
    run = start(instance, iterations=5)
    method(instance, run, **options)
    assert run.iterations == 5
    assert run.reason is StopReason.ITERATIONS
    assert run.evaluation is not None


@pytest.mark.parametrize("method,options", METHODS)
def test_nothing_is_judged_after_the_stop(toys, start, method, options) -> None:
    instance = toys.random_assignment(9)
    method(instance, start(instance, iterations=0), **options)
    assert instance.judged == 0


def test_limits_are_looked_at_between_the_batches_of_one_move(
    toys, start, small_chunks: int
) -> None:
    instance = toys.Long({"positions": 100})
    warm = np.ones(100, dtype=np.int64)
    run = start(instance, target=99, warm_start=(warm, {}))
    local_search(instance, run)
    assert run.reason is StopReason.TARGET
    assert instance.judged == 1 + small_chunks + 2  # the start, a batch, and two reports


def test_limits_are_looked_at_while_the_temperature_is_measured(toys, start) -> None:
    instance = toys.Long({"positions": 100})
    run = start(instance, target=100)
    annealing(instance, run, chains=4)
    assert run.reason is StopReason.TARGET
    assert instance.judged < 4 * 4


def test_the_temperature_is_measured_once_objectives_are_finite(toys, start) -> None:
    instance = toys.Overload({"tasks": 60, "room": 8})
    run = start(instance)
    annealing(instance, run, chains=4, steps=1000)
    assert run.details["start_temperature"] > 1.5


def test_restarts_for_ever_end_at_a_limit_on_a_flat_problem(toys, start) -> None:
    document = {"cost": np.ones((3, 2)), "size": [0] * 3, "capacity": [1, 1]}
    instance = toys.Assignment(document)
    run = start(instance, iterations=20)
    local_search(instance, run, restarts=None)
    assert run.reason is StopReason.ITERATIONS
    assert run.objective == 3.0


def test_restarts_add_starts(toys, start) -> None:
    judged = []
    for restarts in (0, 3):
        instance = toys.Assignment({"cost": np.ones((4, 2)), "size": [0] * 4, "capacity": [1, 1]})
        local_search(instance, start(instance), restarts=restarts)
        judged.append(instance.judged)
    once = 1 + 1 + 4  # the start, its report, its neighbours
    assert judged[0] <= once + 1
    assert judged[1] == pytest.approx(4 * judged[0], abs=4)


def test_sampled_neighbours(toys, start) -> None:
    instance = toys.random_assignment(2, tasks=10, slack=3.0)
    run = start(instance)
    local_search(instance, run, restarts=30, neighbours=4)
    full = start(instance)
    local_search(instance, full, restarts=30)
    assert instance.largest <= 20 * 10
    assert run.objective == full.objective


def test_large_neighbourhoods_are_judged_in_batches_of_the_row_limit(
    toys, start, small_chunks: int
) -> None:
    instance = toys.random_assignment(2, tasks=10, slack=3.0)
    small = start(instance)
    local_search(instance, small)
    assert instance.largest == small_chunks * 10


def test_batches_do_not_change_the_walk(toys, start, monkeypatch) -> None:
    answers = []
    for rows in (3, 20_000):
        monkeypatch.setattr(batches, "ROWS", rows)
        instance = toys.random_assignment(2, tasks=12)
        run = start(instance)
        local_search(instance, run)
        answers.append((run.x.tolist(), run.iterations))
    assert answers[0] == answers[1]


def test_local_search_takes_a_million_positions(toys, start) -> None:
    instance = toys.Long({"positions": 1_000_000})
    warm = np.ones(1_000_000, dtype=np.int64)
    run = start(instance, iterations=2, warm_start=(warm, {}))
    local_search(instance, run)
    assert run.iterations == 2
    assert run.objective == 999_998.0
    assert instance.largest == 10_000_000


def test_annealing_takes_a_million_positions(toys, start) -> None:
    instance = toys.Long({"positions": 1_000_000})
    run = start(instance, iterations=2)
    annealing(instance, run)
    assert run.iterations == 2
    assert run.objective is not None
    assert instance.largest == 10_000_000


def test_annealing_cools_from_the_measured_scale(toys, start) -> None:
    instance = toys.Long({"positions": 20})
    run = start(instance)
    annealing(instance, run, steps=300)
    assert run.details["start_temperature"] == pytest.approx(1.0)
    assert run.details["end_temperature"] == pytest.approx(1e-3)
    assert run.objective == 0.0
    assert run.iterations == 300


def test_a_hot_walk_is_worse_than_one_that_cools(toys, start) -> None:
    instance = toys.Long({"positions": 300})
    hot, cooled = start(instance), start(instance)
    annealing(instance, hot, steps=2500, chains=4, start_temperature=1e6, end_temperature=1e6)
    annealing(instance, cooled, steps=2500, chains=4)
    assert cooled.objective == 0.0
    assert hot.objective > 80


@pytest.mark.parametrize("method,options", METHODS)
def test_a_single_vector(toys, start, method, options) -> None:
    instance = toys.Assignment({"cost": [[1], [2]], "size": [1, 1], "capacity": [9]})
    run = start(instance)
    method(instance, run, **options)
    assert run.objective == 7.0


@pytest.mark.parametrize(
    "method,options,message",
    [
        (local_search, {"restarts": -1}, "option restarts is -1"),
        (local_search, {"neighbours": 0}, "option neighbours is 0"),
        (annealing, {"steps": 0}, "option steps is 0"),
        (annealing, {"chains": 0}, "option chains is 0"),
        (annealing, {"start_temperature": 0.0}, "option start_temperature is 0.0"),
        (annealing, {"end_temperature": float("nan")}, "option end_temperature is nan"),
        (annealing, {"start_temperature": 1.0, "end_temperature": 2.0}, "above start"),
    ],
)
def test_bad_options(toys, start, method, options, message: str) -> None:
    instance = toys.Long({"positions": 3})
    with pytest.raises(UsageError, match=message):
        method(instance, start(instance), **options)
