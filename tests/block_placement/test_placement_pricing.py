"""Cheapest and near paths under prices, against the formulas of the document."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from placement_plain import Plain

from formulations.block_placement import kernels
from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.pricing import Prices, cheapest


class PricedPlain(Plain):
    """Costs of arcs straight from the document."""

    def __init__(self, document: Mapping[str, Any], prices: Mapping[str, Any]) -> None:
        super().__init__(document)
        self.prices = prices

    def arc(self, k: int, m: int, i: int, j: int) -> float:
        prices, slot, d = self.prices, self.tasks["slot"][k], self.device(k)
        moving, computing = self.transfer(k, m, i, j), self.compute(k, m, j)
        closed = prices["closed"]
        model = self.tasks["model"][k]
        if moving is None or computing is None:
            return math.inf
        if j > 0 and closed[min(slot, len(closed) - 1), model, m, j - 1]:
            return math.inf
        cycles = self.scale(k) * self.blocks(k)[m]["cycles"]
        if j == 0:
            cost = prices["second"] * computing + prices["device_cycle"][d, slot] * cycles
        else:
            cost = prices["busy"][slot, j - 1] * computing + prices["cycle"][slot, j - 1] * cycles
        cost += prices["second"] * moving + prices["joule"][d] * self.energy(k, m, i, j)
        deadlines = self.tasks.get("deadline_s")
        if deadlines is not None and self.options["deadline_scope"] == "block":
            limit = deadlines[k][m] if isinstance(deadlines[k], list) else deadlines[k]
            late = max(0.0, moving + computing - limit)
            if self.options["deadline"] == "hard" and late > 1e-9 * limit:
                return math.inf
            if self.options["deadline"] == "penalty":
                cost += self.options["penalty_weight"] * late
        return cost

    def path(self, k: int, locations: tuple[int, ...]) -> float:
        before = (0, *locations[:-1])
        arcs = [
            self.arc(k, m, i, j) for m, (i, j) in enumerate(zip(before, locations, strict=True))
        ]
        return sum(arcs) + self.prices["second"] * self.result(k, locations[-1])

    def all_paths(self, k: int) -> dict[tuple[int, ...], float]:
        options = range(len(self.servers["speed_hz"]) + 1)
        every = itertools.product(options, repeat=len(self.blocks(k)))
        return {locations: self.path(k, locations) for locations in every}

    def shortest(self, k: int) -> float:
        """By dynamic programming, backwards."""
        options = range(len(self.servers["speed_hz"]) + 1)

        @cache
        def left(m: int, at: int) -> float:
            if m == len(self.blocks(k)):
                return self.prices["second"] * self.result(k, at)
            return min(self.arc(k, m, at, j) + left(m + 1, j) for j in options)

        return left(0, 0)


def random_prices(instance: BlockPlacement, seed: int) -> dict[str, Any]:
    """Prices of every kind, each of them absent in some seeds."""
    rng = np.random.default_rng([seed, 3])
    slots, servers, devices = instance.slots, instance.servers, instance.devices

    def some(size: float, *shape: int) -> Any:
        return rng.uniform(0.0, size, shape) * (rng.random() < 0.6)

    scopes = slots if rng.random() < 0.5 else 1
    shape = (scopes, *instance.tables.cycles.shape, servers)
    return {
        "second": float(rng.choice([0.0, 1.0, 2.5])),
        "busy": 1.0 + some(3.0, slots, servers),
        "cycle": some(1e-9, slots, servers),
        "device_cycle": some(1e-9, devices, slots),
        "joule": some(0.5, devices),
        "closed": rng.random(shape) < rng.choice([0.0, 0.3]),
    }


def priced(seed: int) -> tuple[BlockPlacement, Prices, PricedPlain]:
    document = generate("tiny", seed)
    instance = BlockPlacement(document)
    prices = random_prices(instance, seed)
    return instance, Prices.of(instance, **prices), PricedPlain(document, prices)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_cheapest_paths_are_the_least_of_all_paths(first: int) -> None:
    unreachable = 0
    for seed in range(first, first + 50):
        instance, prices, plain = priced(seed)
        found = cheapest(instance, prices)
        for k in range(instance.tasks):
            costs = plain.all_paths(k)
            least = min(costs.values())
            assert plain.shortest(k) == pytest.approx(least, rel=1e-12)
            assert found.cost[k] == pytest.approx(least, rel=1e-12)
            unreachable += math.isinf(least)
            path = found.locations[k]
            length = instance.lengths[k]
            if math.isfinite(least):
                own = costs[tuple(path[:length].tolist())]
                assert own == pytest.approx(least, rel=1e-12)
            assert np.all(path[length:] == path[length - 1])
    assert unreachable > 0


@pytest.mark.parametrize("network", ["vgg16", "nin"])
def test_cheapest_paths_of_a_real_network(network: str) -> None:
    document = generate("small", 2, rate=8, network=network, blocks=9)
    instance = BlockPlacement(document)
    prices = random_prices(instance, 1)
    plain = PricedPlain(BlockPlacement(document).to_dict(), prices)
    found = cheapest(instance, Prices.of(instance, **prices))
    for k in range(instance.tasks):
        assert found.cost[k] == pytest.approx(plain.shortest(k), rel=1e-12)


def test_named_tasks_in_any_order() -> None:
    instance = BlockPlacement(generate("paper", 0, rate=5, slots=2))
    prices = Prices.of(instance)
    every = cheapest(instance, prices)
    chosen = np.array([7, 0, 7])
    some = cheapest(instance, prices, chosen)
    np.testing.assert_array_equal(some.cost, every.cost[chosen])
    np.testing.assert_array_equal(some.locations, every.locations[chosen])


@pytest.mark.parametrize("seed", range(60))
def test_without_prices_the_cost_is_the_uncoupled_objective(seed: int) -> None:
    options = {"congestion": "none", "deadline_scope": "block"}
    document = generate("tiny", seed)
    if document["options"]["deadline_scope"] == "task":
        document["tasks"]["deadline_s"] = None
    instance = BlockPlacement(document).replace(options=options)
    found = cheapest(instance, Prices.of(instance))
    if np.all(np.isfinite(found.cost)):
        judged = instance.evaluate(instance.flat(found.locations))
        assert judged.objective == pytest.approx(found.cost.sum(), rel=1e-12)
        assert not {"deadline", "impossible"} & set(judged.broken)


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_near_paths_are_exactly_those_within_the_budget(first: int) -> None:
    listed = 0
    for seed in range(first, first + 25):
        instance, prices, plain = priced(seed)
        if prices.second == 0.0:  # ties
            continue
        for k in range(instance.tasks):
            costs = plain.all_paths(k)
            order = sorted(cost for cost in costs.values() if math.isfinite(cost))
            paths = np.full((300, instance.blocks), -1, dtype=np.int64)
            values = np.zeros(300)
            if not order:
                assert kernels.near_paths(instance.tables, prices, k, 1.0, paths, values) == 0
                continue
            middle = len(order) // 2
            limit = (order[middle] + order[min(middle + 1, len(order) - 1)]) / 2 + 1e-9
            budget = limit - order[0]
            count = kernels.near_paths(instance.tables, prices, k, budget, paths, values)
            length = instance.lengths[k]
            found = {tuple(p[:length].tolist()): v for p, v in zip(paths, values, strict=True)}
            found.pop((-1,) * int(length), None)
            expected = {path: cost for path, cost in costs.items() if cost <= limit}
            assert len(found) == count
            assert found == pytest.approx(expected, rel=1e-12)
            if count > 1:
                room = kernels.near_paths(
                    instance.tables, prices, k, budget, paths[: count - 1], values[: count - 1]
                )
                assert room == -1
            listed += count
    assert listed > 150


@pytest.mark.parametrize("seed", range(40))
def test_path_usage(seed: int) -> None:
    instance, prices, plain = priced(seed)
    if instance.has_nulls:
        pytest.skip("a null is no time")
    for k in range(instance.tasks):
        limits = instance.tables.deadline_s[k]
        every = list(itertools.product(range(instance.servers + 1), repeat=len(plain.blocks(k))))
        paths = np.zeros((len(every), instance.blocks), dtype=np.int64)
        paths[:, : instance.lengths[k]] = every
        moved, energy, late = (np.zeros(len(every)) for _ in range(3))
        busy, cycles = (np.zeros((len(every), instance.servers + 1)) for _ in range(2))
        kernels.path_usage(
            instance.tables,
            prices,
            np.full(len(every), k),
            paths,
            moved,
            busy,
            cycles,
            energy,
            late,
        )
        for row, path in enumerate(every):
            steps = list(enumerate(zip((0, *path[:-1]), path, strict=True)))
            times = [(plain.transfer(k, m, i, j), plain.compute(k, m, j)) for m, (i, j) in steps]
            result = plain.result(k, path[-1])
            beyond = [max(0.0, sum(time) - limits[m]) for m, time in enumerate(times)]
            if prices.hard and any(late > 1e-9 * limits[m] for m, late in enumerate(beyond)):
                assert moved[row] == math.inf
            else:
                assert moved[row] == pytest.approx(sum(time[0] for time in times) + result)
            assert energy[row] == pytest.approx(
                sum(plain.energy(k, m, i, j) for m, (i, j) in steps)
            )
            assert late[row] == pytest.approx(sum(beyond))
            for j in range(instance.servers + 1):
                here = [m for m, location in enumerate(path) if location == j]
                assert busy[row, j] == pytest.approx(sum(times[m][1] for m in here))
                counted = sum(plain.blocks(k)[m]["cycles"] for m in here)
                assert cycles[row, j] == pytest.approx(plain.scale(k) * counted)
