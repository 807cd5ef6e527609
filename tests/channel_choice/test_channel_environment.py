"""The environment: costs that add up, masks that mean profit for all, search on it, features."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from formulations.channel_choice.environment import ChannelEnvironment
from formulations.channel_choice.environment_kernels import look_ahead
from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from optkit.run import Run
from optkit.search.constructive import beam, greedy
from optkit.stop import Stop


def tiny(seed: int, **parameters: Any) -> ChannelChoice:
    return ChannelChoice(generate("tiny", seed, **parameters))


def walk(environment: ChannelEnvironment, x: Any) -> tuple[np.ndarray, np.ndarray]:
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


@pytest.mark.parametrize("first", range(0, 240, 40))
def test_costs_add_up_to_the_negative_objective(first: int) -> None:
    for seed in range(first, first + 40):
        instance = tiny(seed)
        rng = np.random.default_rng(seed)
        x = rng.integers(0, instance.choices, (12, len(instance.choices)))
        costs, _ = walk(ChannelEnvironment(instance), x)
        objective = instance.evaluate_batch(x).objective
        np.testing.assert_allclose(-costs.sum(axis=0), objective, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("seed", range(60))
def test_changes_are_differences_of_the_evaluator(seed: int) -> None:
    instance = tiny(seed, balanced=False)
    rng = np.random.default_rng(seed)
    channel = rng.integers(0, instance.channels + 1, (6, instance.services))
    service = int(rng.integers(0, instance.services))
    channel[:, service] = 0
    change, _, load = look_ahead(instance.offloading(), channel, service)
    before = instance.evaluate_batch(channel).objective
    for option in range(instance.channels + 1):
        moved = channel.copy()
        moved[:, service] = option
        after = instance.evaluate_batch(moved).objective
        np.testing.assert_allclose(change[:, option], after - before, atol=1e-12)
        if option:
            powers = ((channel == option) * instance.static.power_w).sum(axis=1)
            np.testing.assert_allclose(load[:, option], powers, rtol=1e-12)


def canonical(x: Any) -> Any:
    """The same decision with channels numbered as they are met, along the last axis."""
    names = [0]
    for channel in x:
        if channel not in names:
            names.append(channel)
    return [names.index(channel) for channel in x]


@pytest.mark.parametrize("first", range(0, 200, 40))
def test_the_mask_admits_every_feasible_decision_once(first: int) -> None:
    """Without load balance, where profit is asked: admitted walks are the feasible decisions."""
    admitted_ever = refused_ever = 0
    for seed in range(first, first + 40):
        instance = tiny(seed, balanced=False).replace(require_profitable=True)
        environment = ChannelEnvironment(instance)
        options = range(instance.channels + 1)
        x = np.array(list(itertools.product(options, repeat=instance.services)))
        _, allowed = walk(environment, x)
        numbered = [row[environment.order].tolist() for row in x]
        first_names = np.array([row == canonical(row) for row in numbered])
        feasible = instance.evaluate_batch(x).feasible
        np.testing.assert_array_equal(allowed.all(axis=0), feasible & first_names)
        admitted_ever += allowed.all(axis=0).sum()
        refused_ever += (~allowed.all(axis=0)).sum()
    assert admitted_ever > 100
    assert refused_ever > 100


def test_masked_walks_with_load_balance_add_no_violation() -> None:
    ended = 0
    for seed in range(60):
        instance = tiny(seed, balanced=True, deadlines=False)
        environment, rng = ChannelEnvironment(instance), np.random.default_rng(seed)
        state = environment.reset(8)
        for _ in environment.order:
            mask = environment.mask(state)
            assert mask.any(axis=1).all()
            action = np.array([rng.choice(np.flatnonzero(row)) for row in mask])
            assert np.all(np.isfinite(environment.costs(state)[np.arange(8), action]))
            state, _ = environment.step(state, action)
        judged = instance.evaluate_batch(environment.decisions(state)[0])
        assert judged.feasible.all() or not instance.static.require_profitable
        ended += int(judged.feasible.sum())
    assert ended > 300


def test_who_is_late_at_home_must_leave() -> None:
    seen = 0
    for seed in range(150):
        instance = tiny(seed, balanced=False, deadlines=True)
        late = instance.offloading().late_at_home
        environment = ChannelEnvironment(instance)
        state = environment.reset(1)
        for position in environment.order:
            assert environment.mask(state)[0, 0] == (not late[position])
            seen += late[position]
            state, _ = environment.step(state, np.zeros(1, dtype=np.int64))
    assert seen > 20


@pytest.mark.parametrize("seed", range(60))
def test_a_beam_as_wide_as_the_tree_is_exact(seed: int) -> None:
    instance = tiny(seed, balanced=False)
    options = range(instance.channels + 1)
    everything = np.array(list(itertools.product(options, repeat=instance.services)))
    judged = instance.evaluate_batch(everything)
    run = Run(instance, Stop(time_s=None))
    beam(instance, run, width=len(everything))
    if judged.feasible.any():
        best = judged.objective[judged.feasible].max()
        assert run.objective == pytest.approx(best, abs=1e-12)
    else:
        assert "dead_end_step" in run.details


def test_greedy_and_beam_gain_on_a_dense_instance() -> None:
    instance = ChannelChoice(generate("dense", 1, services=30, channels=5))
    objectives = []
    for method in (greedy, beam):
        run = Run(instance, Stop(time_s=None))
        method(instance, run)
        assert run.objective is not None
        objectives.append(run.objective)
    assert instance.origin < objectives[0] <= objectives[1]


def test_those_who_gain_most_alone_are_first() -> None:
    instance = ChannelChoice(generate("dense", 1, services=20, channels=20))
    environment = ChannelEnvironment(instance)
    solo = []
    for service in environment.order:
        x = np.zeros(20, dtype=np.int64)
        x[service] = 1
        solo.append(instance.evaluate(x).objective)
    assert np.all(np.diff(solo) <= 1e-12)


def test_rows_can_be_chosen_and_repeated() -> None:
    for seed in (2, 3, 8):
        instance = tiny(seed)
        environment, rng = ChannelEnvironment(instance), np.random.default_rng(0)
        state, spent = environment.reset(4), np.zeros(4)
        expected = np.zeros((4, len(instance.choices)), dtype=np.int64)
        for position in environment.order:
            rows = rng.integers(0, len(spent), 5)
            action = rng.integers(0, instance.choices[position], 5)
            before = state.x.copy()
            chosen = environment.select(state, rows)
            after, cost = environment.step(chosen, action)
            np.testing.assert_array_equal(state.x, before)  # states are values
            state, spent, expected = after, spent[rows] + cost, expected[rows]
            expected[:, position] = action
        np.testing.assert_array_equal(environment.decisions(state)[0], expected)
        np.testing.assert_allclose(-spent, instance.evaluate_batch(expected).objective)


@pytest.mark.parametrize("family", ["tiny", "dense", "paper", "joint"])
def test_observations_and_features_are_finite_and_moderate(family: str) -> None:
    for seed in range(40 if family == "tiny" else 2):
        instance = ChannelChoice(generate(family, seed))
        environment, rng = ChannelEnvironment(instance), np.random.default_rng(seed)
        features = environment.features()
        assert features is not None
        assert features.dtype == np.float32
        assert len(features) == len(instance.choices)
        assert np.all(np.isfinite(features))
        assert np.abs(features).max() <= 10.0
        state = environment.reset(3)
        for position in environment.order:
            seen = environment.observe(state)
            assert seen.shape == (3, environment.observation_size)
            assert seen.dtype == np.float32
            assert np.all(np.isfinite(seen))
            assert np.abs(seen).max() <= 20.0
            state, _ = environment.step(state, rng.integers(0, instance.choices[position], 3))
        assert environment.observe(state).shape == (3, environment.observation_size)


def test_observations_tell_states_apart() -> None:
    instance = ChannelChoice(generate("dense", 0, services=6, channels=3))
    environment = ChannelEnvironment(instance)
    state = environment.reset(4)
    assert np.all(environment.observe(state) == environment.observe(state)[0])
    state, _ = environment.step(state, np.arange(4))
    seen = environment.observe(state)
    assert len(np.unique(seen, axis=0)) == 4


def test_features_of_heads_differ_from_those_of_services() -> None:
    instance = ChannelChoice(generate("joint", 0))
    table = ChannelEnvironment(instance).features()
    assert table is not None
    services = instance.services
    np.testing.assert_array_equal(table[:services, :-2], table[services:, :-2])
    assert np.all(table[:services, -2:] == 0)
    assert np.all(table[services:, -2] == 1)
