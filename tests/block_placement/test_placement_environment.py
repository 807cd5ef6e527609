"""The environment: costs that add up, masks that mean violations, search on it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from formulations.block_placement.environment import PlacementEnvironment
from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from optkit.run import Run
from optkit.search.constructive import beam, greedy
from optkit.stop import Stop


def tiny(seed: int, **options: Any) -> BlockPlacement:
    instance = BlockPlacement(generate("tiny", seed))
    return instance.replace(options=options) if options else instance


def walk(environment: PlacementEnvironment, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Costs and masks [steps, B] of given decisions X [B, n]."""
    state = environment.reset(len(x))
    rows = np.arange(len(x))
    costs, allowed = [], []
    for position in environment.order:
        action = x[:, position]
        allowed.append(environment.mask(state)[rows, action])
        offered = environment.costs(state)[rows, action]
        state, cost = environment.step(state, action)
        np.testing.assert_array_equal(cost, offered)
        costs.append(cost)
    found, parts = environment.decisions(state)
    np.testing.assert_array_equal(found, x)
    assert not parts
    return np.array(costs), np.array(allowed)


def assert_consistent(instance: BlockPlacement, x: Any) -> tuple[int, int]:
    """Costs add up, and an option is masked exactly if it breaks something."""
    costs, allowed = walk(PlacementEnvironment(instance), x)
    judged = instance.evaluate_batch(x)
    impossible = judged.violations.get("impossible", np.zeros(len(x))) > 0
    total = costs.sum(axis=0)
    assert np.all(np.isinf(total[impossible]))
    np.testing.assert_allclose(total[~impossible], judged.objective[~impossible], rtol=1e-9)
    np.testing.assert_array_equal(allowed.all(axis=0), judged.feasible)
    return int(judged.feasible.sum()), int((~judged.feasible).sum())


@pytest.mark.parametrize("first", range(0, 300, 30))
def test_costs_add_up_and_masks_are_the_violations(first: int) -> None:
    counts = np.zeros(2, dtype=int)
    for seed in range(first, first + 30):
        instance = tiny(seed)
        rng = np.random.default_rng([seed, 2])
        counts += assert_consistent(
            instance, rng.integers(0, instance.choices, (24, len(instance.choices)))
        )
    assert counts.min() > 100


@pytest.mark.parametrize(
    ("deadline", "scope", "congestion"),
    list(itertools.product(["hard", "penalty"], ["block", "task"], ["none", "ps", "linear"])),
)
def test_every_kind_of_deadline_and_congestion(deadline: str, scope: str, congestion: str) -> None:
    for seed in range(12):
        instance = tiny(seed)
        own = np.random.default_rng(seed).uniform(0.05, 0.6, instance.tasks)
        instance = instance.replace(
            options={
                "deadline": deadline,
                "deadline_scope": scope,
                "congestion": congestion,
                "result_bits": 1e5,
            },
            tasks={"deadline_s": own},
            slot_s=4.0,
        )
        assert_consistent(instance, np.random.default_rng(seed).integers(
            0, instance.choices, (24, len(instance.choices))
        ))  # fmt: skip


def test_masked_walks_end_feasible_or_dead() -> None:
    ended = dead = 0
    for seed in range(80):
        instance = tiny(seed)
        environment, rng = PlacementEnvironment(instance), np.random.default_rng(seed)
        state = environment.reset(5)
        alive = np.ones(5, dtype=bool)
        for _ in environment.order:
            mask = environment.mask(state)
            alive &= mask.any(axis=1)
            action = [rng.choice(np.flatnonzero(row)) if row.any() else 0 for row in mask]
            state, _ = environment.step(state, np.array(action))
        feasible = instance.evaluate_batch(environment.decisions(state)[0]).feasible
        assert np.all(feasible[alive])
        ended, dead = ended + alive.sum(), dead + (~alive).sum()
    assert ended > 100
    assert dead > 20


def test_unstable_options_cost_infinity() -> None:
    document = generate("small", 0, rate=5)
    document["servers"]["speed_hz"] = document["servers"]["speed_hz"] * 1e-3
    environment = PlacementEnvironment(BlockPlacement(document))
    costs = environment.costs(environment.reset(2))
    assert np.all(np.isfinite(costs[:, 0])) and np.all(np.isinf(costs[:, 1:]))


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_a_beam_as_wide_as_the_tree_is_exact(seed: int) -> None:
    instance = tiny(seed)
    size = int(np.prod(instance.choices))
    if size > 5000:
        pytest.skip("too many decisions to keep")
    everything = np.array(
        list(itertools.product(range(instance.servers + 1), repeat=len(instance.choices)))
    )
    judged = instance.evaluate_batch(everything)
    run = Run(instance, Stop(time_s=None))
    beam(instance, run, width=size)
    if judged.feasible.any():
        assert run.objective == pytest.approx(judged.objective[judged.feasible].min(), rel=1e-9)
    else:
        assert "dead_end_step" in run.details


def test_greedy_and_beam_on_a_slot_of_the_paper() -> None:
    instance = BlockPlacement(generate("paper-ps", 1, slots=1))
    objectives = []
    for method in (greedy, beam):
        run = Run(instance, Stop(time_s=None))
        method(instance, run)
        assert run.objective is not None
        objectives.append(run.objective)
    assert objectives[1] <= objectives[0]


def test_slots_are_placed_in_order() -> None:
    document = generate("tiny", 0)
    document["tasks"]["slot"] = [1 - k % 2 for k in range(len(document["tasks"]["slot"]))]
    instance = BlockPlacement(document)
    environment = PlacementEnvironment(instance)
    task = np.searchsorted(instance.starts, environment.order, side="right") - 1
    assert np.all(np.diff(instance.tables.slot[task]) >= 0)
    np.testing.assert_array_equal(np.sort(environment.order), np.arange(len(instance.choices)))


def test_rows_can_be_chosen_and_repeated() -> None:
    instance = tiny(2)
    environment, rng = PlacementEnvironment(instance), np.random.default_rng(0)
    state, spent = environment.reset(4), np.zeros(4)
    expected = np.zeros((4, len(instance.choices)), dtype=np.int64)
    for position in environment.order:
        rows = rng.integers(0, len(spent), 5)
        action = rng.integers(0, environment.options, 5)
        before = state.busy_s.copy()
        environment.costs(state)
        chosen = environment.select(state, rows)
        state_after, cost = environment.step(chosen, action)
        np.testing.assert_array_equal(state.busy_s, before)  # states are values
        state, spent, expected = state_after, spent[rows] + cost, expected[rows]
        expected[:, position] = action
    np.testing.assert_array_equal(environment.decisions(state)[0], expected)
    assert np.all(np.isinf(spent) | np.isclose(spent, instance.evaluate_batch(expected).objective))


def test_observations_are_finite_and_tell_states_apart() -> None:
    for seed in range(40):
        environment = PlacementEnvironment(tiny(seed))
        state = environment.reset(environment.options)
        for step in range(len(environment.order) + 1):
            seen = environment.observe(state)
            assert seen.shape == (environment.options, environment.observation_size)
            assert seen.dtype == np.float32
            assert np.all(np.isfinite(seen)) and np.all(seen >= 0)
            if step == 0:
                assert np.all(seen == seen[0])
            if step < len(environment.order):
                state, _ = environment.step(state, np.arange(environment.options))


def test_the_observation_by_hand() -> None:
    document = generate("small", 4, rate=5, servers=2, blocks=3, network="alexnet")
    document["devices"]["energy_budget_j"] = np.full(20, 1.0)
    instance = BlockPlacement(document)
    environment, t = PlacementEnvironment(instance), instance.tables
    state = environment.reset(2)
    for action in ([0, 1], [0, 2], [0, 2], [0, 1]):
        state, _ = environment.step(state, np.array(action))
    up = t.up_s_per_bit[1]
    first, second = (t.cycles[0, m] / t.server_speed_hz for m in (0, 1))
    third = t.cycles[0, 2] / t.server_speed_hz
    busy = [2 * first[0], second[1] + third[1]]
    local = t.cycles[0, 0] + (t.cycles[0].sum() if t.device[0] == t.device[1] else 0.0)
    expected = [
        [
            *(up / up.mean()),
            1 / 5,
            t.bits[0, 1] / t.bits[0].max(),
            t.cycles[0, 1] / t.cycles[0].max(),
        ]
        + [1.0, 0.0, 1.0, 0.0]
        + tail
        for tail in (
            [1 - 1e-8 * local, 0.0, 0.0, 1.0, 0.0, 0.0],
            [1 - 0.1 * t.bits[0, 0] * up[0], *(b * 12 for b in busy), 0.0, 1.0, 0.0],
        )
    ]
    np.testing.assert_allclose(environment.observe(state), expected, rtol=1e-6)
