"""Compiled loops of the exact methods against plain twins."""

import itertools

import numpy as np
import pytest

from formulations.dt_assignment.exact.backhaul_kernels import fill
from formulations.dt_assignment.exact.backhaul_kernels import knapsack as whole_knapsack
from formulations.dt_assignment.exact.exchange_kernels import Hosting, exchange, host
from formulations.dt_assignment.exact.limit_kernels import cheapest
from formulations.dt_assignment.exact.limited import Limited
from formulations.dt_assignment.exact.place_kernels import (
    WORK,
    begin_steps,
    fix_pairs,
    gather,
    knapsack,
    node_of,
    price_servers,
    raise_place_prices,
    settle,
)
from formulations.dt_assignment.exact.subset_kernels import merge, split
from formulations.dt_assignment.exact.tree import KNAPSACK_LIMIT, Tree

SEEDS = range(25)


def problem_of(seed, twins=5, servers=3, resources=2):
    rng = np.random.default_rng(seed)
    demand = rng.uniform(0.1, 0.7, (resources, twins, servers))
    weight = rng.uniform(0.2, 2.0, (resources, servers))
    cost = rng.uniform(1.0, 9.0, (twins, servers))
    return Limited(cost, demand, weight, demand, np.ones((resources, servers)))


def feasible(problem):
    """Every decision that keeps the limits, with its cost."""
    twins, servers = problem.cost.shape
    for choice in itertools.product(range(servers), repeat=twins):
        decision = np.array(choice)
        if (problem.used(decision) <= 1.0).all():
            yield decision, problem.value(decision)


def best_gain(problem, price, s):
    """Most that a server earns, over all sets of twins."""
    twins = len(price)
    best = 0.0
    for bits in itertools.product((False, True), repeat=twins):
        chosen = np.array(bits)
        if (problem.demand[:, chosen, s].sum(axis=1) <= 1.0).all():
            best = max(best, float((price - problem.cost[:, s])[chosen].sum()))
    return best


def test_merge_and_split_find_the_best_subset():
    rng = np.random.default_rng(0)
    first, second, merged = rng.random(32), rng.random(32), np.empty(32)
    first[[3, 9]] = np.inf
    merge(first, second, 0, 8, merged)
    for whole in range(32):
        parts = [part for part in range(32) if part & ~whole == 0]
        least = min(first[part] + second[whole ^ part] for part in parts)
        assert merged[whole] == least
        at = split(first, second, whole)
        assert first[at] + second[whole ^ at] == least


@pytest.mark.parametrize("seed", SEEDS)
def test_knapsack_of_the_backhaul_and_its_bound(seed):
    rng = np.random.default_rng(seed)
    gain, weight, room = rng.uniform(0.1, 5.0, 7), rng.integers(1, 6, 7), int(rng.integers(1, 20))
    best = 0.0
    for bits in itertools.product((False, True), repeat=7):
        if weight[list(bits)].sum() <= room:
            best = max(best, gain[list(bits)].sum())
    taken = whole_knapsack(gain, weight, room)
    assert weight[taken].sum() <= room
    assert gain[taken].sum() == pytest.approx(best)
    bound, _, filled = fill(gain, weight, np.argsort(-gain / weight), room)
    assert bound >= best - 1e-9
    assert weight[filled].sum() <= room


@pytest.mark.parametrize("seed", SEEDS)
def test_both_relaxations_bound_and_pairs_are_closed_rightly(seed):
    problem = problem_of(seed)
    rng = np.random.default_rng([seed, 1])
    price = rng.uniform(0.0, 2.0, problem.weight.shape)
    use = np.empty_like(price)
    decisions = list(feasible(problem))
    optimum = min((value for _, value in decisions), default=np.inf)
    assert cheapest(problem.cost, problem.demand, price, use) <= optimum + 1e-9

    node = node_of(5, 3, 2)
    is_open = np.ones((5, 3), dtype=bool)
    assert settle(problem, is_open, node)
    place_price = rng.uniform(2.0, 9.0, 5)
    bound = price_servers(problem, place_price, node, KNAPSACK_LIMIT)
    plain = place_price.sum() - sum(best_gain(problem, place_price, s) for s in range(3))
    assert bound == pytest.approx(plain)
    rise, target = np.zeros((5, 3)), bound + 3.0
    fix_pairs(problem, place_price, node, bound, target, is_open, rise, KNAPSACK_LIMIT)
    for decision, value in decisions:
        used = (np.arange(5), decision)
        assert bound + rise[used].max() <= value + 1e-9 or not is_open[used].all()
        assert is_open[used].all() or value >= target - 1e-9

    assert settle(problem, np.ones((5, 3), dtype=bool), node)
    begin_steps(place_price, node, 0.1)
    aim = bound + 5.0 if np.isinf(optimum) else optimum
    raised = raise_place_prices(problem, place_price, node, np.inf, aim, 100, 10, KNAPSACK_LIMIT)
    assert bound - 1e-9 <= raised <= optimum + 1e-9


@pytest.mark.parametrize("twins", [12, 90])
def test_candidates_of_a_knapsack_come_by_falling_gain_per_size(twins):
    problem = problem_of(0, twins=twins)
    node = node_of(twins, 3, 2)
    assert settle(problem, np.ones((twins, 3), dtype=bool), node)
    price = np.full(twins, 6.0)
    count = gather(problem, price, node, 1)
    earns = price - problem.cost[:, 1]
    size = problem.weight[:, 1] @ problem.demand[:, :, 1]
    expected = [m for m in np.argsort(-earns / size) if earns[m] > 0]
    assert node.pack.twin[:count].tolist() == expected
    np.testing.assert_allclose(node.pack.gain[:count], earns[expected])
    np.testing.assert_allclose(node.pack.size[:count], size[expected])
    np.testing.assert_array_equal(node.pack.need[:, :count], problem.demand[:, expected, 1])


def test_a_knapsack_that_may_look_at_nothing_has_its_first_bound():
    problem = problem_of(0, twins=12)
    node = node_of(12, 3, 2)
    assert settle(problem, np.ones((12, 3), dtype=bool), node)
    bounds = []
    for limit in (0.0, KNAPSACK_LIMIT):
        count = gather(problem, np.full(12, 9.0), node, 0)
        room, work = np.ones(2), np.zeros(1)
        bounds.append(knapsack(count, node.pack, room, problem.weight, 0, 0.0, limit, work))
        best = node.pack.best[:count]
        assert (node.pack.need[:, :count][:, best].sum(axis=1) <= 1.0).all()
        assert node.pack.gain[:count][best].sum() <= bounds[-1] + 1e-9
        assert work[0] > 0.0
    assert bounds[1] < bounds[0]  # here the first bound takes a part of a candidate


def test_steps_of_prices_end_when_knapsacks_took_long():
    """Room for 200 of 300 twins, and what a twin earns is about what it takes."""
    rng = np.random.default_rng(0)
    demand = rng.uniform(0.01, 0.02, (1, 300, 3))
    cost = 1.0 - 60.0 * demand[0] + rng.uniform(0.0, 0.01, (300, 3))
    problem = Limited(cost, demand, np.ones((1, 3)), demand, np.ones((1, 3)))
    node = node_of(300, 3, 1)
    assert settle(problem, np.ones((300, 3), dtype=bool), node)
    price = np.full(300, 1.0)
    begin_steps(price, node, 0.1)
    raise_place_prices(problem, price, node, np.inf, 1e3, 10_000, 20, KNAPSACK_LIMIT)
    assert node.work[0] > WORK
    assert 1 <= node.pace[3] < 10_000
    steps = node.pace[3]
    raise_place_prices(problem, price, node, np.inf, 1e3, 1, 20, KNAPSACK_LIMIT)
    assert node.pace[3] == steps + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_tree_finds_what_is_below_its_target_and_nothing_else(seed):
    problem = problem_of(seed)
    optimum = min((value for _, value in feasible(problem)), default=np.inf)
    price = problem.cost.min(axis=1)
    everything = Tree(problem, price, 100.0, 1e-9)
    while not everything.done:
        everything.search(10)
    assert everything.value == pytest.approx(optimum)
    if np.isfinite(optimum):
        assert (problem.used(everything.decision) <= 1.0).all()
        nothing = Tree(problem, price, optimum - 1e-6, 1e-9)
        while not nothing.done:
            nothing.search(10)
        assert nothing.value == np.inf


@pytest.mark.parametrize("seed", SEEDS)
def test_exchange_shares_twins_out_at_least_cost(seed):
    problem = problem_of(seed)
    decisions = list(feasible(problem))
    if not decisions:
        return
    worst, before = max(decisions, key=lambda pair: pair[1])
    hosting = Hosting(
        worst.copy(), np.zeros((3, 5), dtype=np.int64), np.zeros(3, dtype=np.int64),
        np.zeros((2, 3)),
    )  # fmt: skip
    assert host(problem, hosting) == pytest.approx(before)
    gained = exchange(problem, np.zeros((2, 3)), hosting, np.arange(3), 100_000)
    optimum = min(value for _, value in decisions)
    assert before - gained == pytest.approx(optimum)
    assert problem.value(hosting.server) == pytest.approx(optimum)
    np.testing.assert_allclose(hosting.used, problem.used(hosting.server))
