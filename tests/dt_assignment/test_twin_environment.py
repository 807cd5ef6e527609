"""The environment: costs that add up, masks that mean violations, search and features on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from twin_tools import RULES, decisions, random_decisions, tiny

from formulations.dt_assignment.environment import TwinEnvironment
from formulations.dt_assignment.features import SLOTS
from formulations.dt_assignment.generate import generate
from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run
from optkit.search.constructive import beam, greedy
from optkit.stop import Stop


def walk(environment: TwinEnvironment, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Costs and masks [steps, B] of given decisions X [B, M]."""
    state, rows = environment.reset(len(x)), np.arange(len(x))
    costs, allowed = [], []
    for position in environment.order:
        action = x[:, position]
        seen = environment.observe(state)
        assert seen.shape == (len(x), environment.observation_size)
        assert seen.dtype == np.float32
        assert np.isfinite(seen).all()
        allowed.append(environment.mask(state)[rows, action])
        offered = environment.costs(state)[rows, action]
        state, cost = environment.step(state, action)
        np.testing.assert_array_equal(cost, offered)
        costs.append(cost)
    found, parts = environment.decisions(state)
    np.testing.assert_array_equal(found, x)
    assert not parts
    assert np.isfinite(environment.observe(state)).all()
    return np.array(costs), np.array(allowed)


def assert_consistent(instance: TwinAssignment, x: Any) -> np.ndarray:
    """Costs add up, and a server is masked exactly if it breaks something."""
    costs, allowed = walk(TwinEnvironment(instance), x)
    judged = instance.evaluate_batch(x)
    forbidden = judged.violations.get("forbidden", np.zeros(len(x))) > 0
    total = costs.sum(axis=0)
    assert np.isinf(total[forbidden]).all()
    np.testing.assert_allclose(
        total[~forbidden], judged.objective[~forbidden], rtol=1e-9, atol=1e-9
    )
    np.testing.assert_array_equal(allowed.all(axis=0), judged.feasible)
    return np.array([judged.feasible.sum(), (~judged.feasible).sum()])


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_costs_add_up_and_masks_are_the_violations(first: int) -> None:
    counts = np.zeros(2, dtype=int)
    for seed in range(first, first + 50):
        instance = tiny(seed)
        counts += assert_consistent(instance, random_decisions(instance, 24, seed))
    assert counts.min() > 100


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("couplings", ["", "load,deadline", "count,backhaul,deadline", "memory"])
def test_every_rule_with_other_couplings(rule: str, couplings: str) -> None:
    words = ",".join(filter(None, [couplings, "" if rule == "none" else rule]))
    factor = 5.0 if "deadline" in words else None
    instance = TwinAssignment(generate("paper", 3, couplings=words, deadline_factor=factor))
    x = random_decisions(instance, 60, 3)
    greedy_x = _greedy(instance)
    if greedy_x is not None:
        x = np.vstack([x, greedy_x])
    assert_consistent(instance, x)


def _greedy(instance: TwinAssignment) -> Any:
    run = Run(instance, Stop(iterations=10_000), seed=0)
    greedy(instance, run)
    return run.x if run.evaluation is not None else None


def test_the_heaviest_twin_comes_first() -> None:
    instance = TwinAssignment(generate("paper", 0))
    weighted = instance.tables.weight * instance.tables.compute_s.mean(axis=1)
    assert (np.diff(weighted[TwinEnvironment(instance).order]) <= 0).all()
    measured = TwinAssignment(generate("gap-c", 0))
    assert sorted(TwinEnvironment(measured).order) == list(range(50))


def test_a_wide_beam_finds_the_optimum() -> None:
    found = 0
    for seed in range(60):
        instance = tiny(seed)
        judged = instance.evaluate_batch(decisions(instance))
        run = Run(instance, Stop(iterations=100), seed=0)
        beam(instance, run, width=5000)
        if not judged.feasible.any():
            assert run.evaluation is None
            continue
        best = judged.objective[judged.feasible].min()
        assert run.evaluation is not None
        assert run.evaluation.objective == pytest.approx(best, rel=1e-12)
        found += 1
    assert found > 40


def test_select_makes_independent_rows() -> None:
    instance = TwinAssignment(generate("paper", 1, couplings="wspt,load,backhaul"))
    environment = TwinEnvironment(instance)
    state = environment.reset(2)
    for _ in range(5):
        state, _ = environment.step(state, np.array([0, 3]))
    picked = environment.select(state, np.array([1, 1, 0]))
    np.testing.assert_array_equal(environment.costs(picked), environment.costs(state)[[1, 1, 0]])
    after, _ = environment.step(picked, np.array([0, 1, 2]))
    assert after.load[0, 0, 0] > picked.load[0, 0, 0]
    np.testing.assert_array_equal(picked.load[0], picked.load[1])


# --- features -------------------------------------------------------------------------------


def test_features_are_the_devices_of_each_twin() -> None:
    instance = TwinAssignment(generate("paper", 4))
    found = TwinEnvironment(instance).features()
    assert found is not None
    assert found.shape == (15, 4 * SLOTS)
    slots = found.reshape(15, SLOTS, 4)
    devices, servers = instance.document.devices, instance.document.servers
    assert devices is not None
    low = np.nanmin(np.concatenate([devices.x_m, servers.x_m]))
    high = np.nanmax(np.concatenate([devices.x_m, servers.x_m]))
    for twin in range(15):
        own = np.flatnonzero(devices.twin == twin)
        own = own[np.argsort(-devices.input_bits[own])]
        shown = slots[twin, : len(own)]
        np.testing.assert_allclose(shown[:, 0], devices.input_bits[own] / 3.2e8, rtol=1e-6)
        x = 2 * (devices.x_m[own] - low) / (high - low) - 1
        np.testing.assert_allclose(shown[:, 1], x, atol=1e-6)
        assert (shown[:, 3] == 1).all()
        assert (slots[twin, len(own) :] == 0).all()
    assert slots[..., 1:3].min() >= -1
    assert slots[..., 1:3].max() <= 1


def test_the_place_of_a_cloud_is_not_shown() -> None:
    document = generate("paper", 0)
    plain = TwinAssignment(document).environment().features()
    document["servers"]["x_m"][-1] = document["servers"]["y_m"][-1] = 1e6
    np.testing.assert_array_equal(TwinAssignment(document).environment().features(), plain)


def test_features_of_a_large_group_are_its_largest_inputs() -> None:
    instance = TwinAssignment(generate("paper", 0, twins=2, devices=70))
    found = TwinEnvironment(instance).features()
    assert found is not None
    inputs = found.reshape(2, SLOTS, 4)[..., 0]
    devices = instance.document.devices
    assert devices is not None
    for twin in range(2):
        own = np.sort(devices.input_bits[devices.twin == twin])[::-1]
        assert len(own) > SLOTS
        np.testing.assert_allclose(inputs[twin], own[:SLOTS] / 3.2e8, rtol=1e-6)


def test_features_without_places_and_without_devices() -> None:
    assert TwinEnvironment(TwinAssignment(generate("gap-c", 0))).features() is None
    instance = TwinAssignment(
        {
            "problem": "dt_assignment",
            "version": 1,
            "pair_cost": [[1.0, 2.0]],
            "devices": {"twin": [0], "input_bits": [1.6e8]},
        }
    )
    found = TwinEnvironment(instance).features()
    assert found is not None
    assert found[0, :4].tolist() == [0.5, 0.0, 0.0, 1.0]
