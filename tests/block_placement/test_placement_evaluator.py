"""The evaluator against a plain reading of the specification, by hand, and by laws."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from placement_plain import plain_evaluate

from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from optkit.evaluation import Evaluation

MINIMAL: dict[str, Any] = {
    "problem": "block_placement",
    "version": 1,
    "name": "two_blocks",
    "slot_s": 1.0,
    "devices": {
        "speed_hz": [1e9],
        "kappa": [1e-26],
        "tx_power_w": [0.1],
        "energy_budget_j": [2.0],
    },
    "servers": {
        "speed_hz": [8e9, 12e9],
        "cycles_per_slot": [None, 5e9],
        "storage_bytes": [64e6, None],
    },
    "wired_rate_bps": 1e9,
    "models": [
        {
            "name": "toy",
            "input_bits": 24576,
            "blocks": [
                {"cycles": 2e8, "output_bits": 131072, "param_bytes": 2e6},
                {"cycles": 1e8, "output_bits": 320, "param_bytes": 9e7},
            ],
        }
    ],
    "tasks": {
        "model": [0, 0],
        "device": [0, 0],
        "slot": [0, 0],
        "uplink_rate_bps": [[1.2e7, 8e6], [6.4e6, 1.6e7]],
        "deadline_s": [1.0, 1.0],
    },
    "options": {"deadline": "hard", "congestion": "ps", "storage_scope": "horizon"},
}


def tiny(seed: int, **parameters: Any) -> dict[str, Any]:
    return generate("tiny", seed, **parameters)


def draw(instance: BlockPlacement, seed: int, rows: int) -> Any:
    rng = np.random.default_rng([seed, 1])
    return rng.integers(0, instance.choices, (rows, len(instance.choices)))


def assert_same(found: Evaluation, expected: dict[str, Any]) -> None:
    assert found.objective == pytest.approx(expected["objective"], rel=1e-10)
    assert set(found.terms) == set(expected["terms"])
    for name, value in expected["terms"].items():
        np.testing.assert_allclose(found.terms[name], value, rtol=1e-10, atol=1e-12)
    for name, value in expected["violations"].items():
        assert found.violations.get(name, 0.0) == pytest.approx(value, rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize("first", range(0, 320, 40))
def test_agrees_with_the_plain_reading(first: int) -> None:
    broken: set[str] = set()
    for seed in range(first, first + 40):
        document = tiny(seed)
        instance = BlockPlacement(document)
        decisions = draw(instance, seed, 5)
        batch = instance.evaluate_batch(decisions)
        for row, x in enumerate(decisions):
            assert_same(batch[row], plain_evaluate(document, x.tolist()))
            broken |= set(batch[row].broken)
    assert {"deadline", "energy", "server_cycles", "device_cycles"} <= broken
    assert {"unstable", "storage", "impossible"} <= broken


@pytest.mark.parametrize("seed", range(30))
def test_measured_data_agrees_with_the_plain_reading(seed: int) -> None:
    document = tiny(1000 + seed, measured=True)
    instance = BlockPlacement(document)
    for x in draw(instance, seed, 10):
        assert_same(instance.evaluate(x), plain_evaluate(document, x.tolist()))


def test_the_minimal_instance_by_hand() -> None:
    instance = BlockPlacement(MINIMAL)
    found = instance.evaluate([1, 1, 2, 0])
    up = 24576 / 1.2e7 + 24576 / 1.6e7
    busy = (3e8 / 8e9, 2e8 / 12e9)
    edge = sum(rho / (1 - rho) for rho in busy)
    assert found.terms["up_s"] == pytest.approx(up)
    assert found.terms["down_s"] == pytest.approx(131072 / 1.6e7)
    assert found.terms["wired_s"] == 0.0
    assert found.terms["local_compute_s"] == pytest.approx(0.1)
    assert found.terms["edge_compute_s"] == pytest.approx(edge)
    assert found.terms["rho"][0] == pytest.approx(busy)
    assert found.terms["energy_j"] == pytest.approx([1.0 + 0.1 * up])
    assert found.objective == pytest.approx(0.003584 + 0.008192 + 0.1 + 0.0559101134962)
    assert found.terms["edge_inference_delay_s"] == pytest.approx(edge + up)
    assert found.terms["local_inference_delay_s"] == pytest.approx(0.108192)
    assert found.broken == {"storage": pytest.approx(28e6)}
    assert found.scale == found.objective


def test_wires_and_devices_by_hand() -> None:
    instance = BlockPlacement(MINIMAL)
    assert instance.evaluate([1, 2, 1, 2]).terms["wired_s"] == pytest.approx(2 * 131072e-9)
    local = instance.evaluate([0, 0, 0, 0])
    assert local.objective == pytest.approx(0.6)
    assert local.broken == {"energy": pytest.approx(4.0)}


def test_penalty_lateness_by_hand() -> None:
    document = copy.deepcopy(MINIMAL)
    document["tasks"]["deadline_s"] = [[0.15, 0.2], [0.3, 0.04]]
    document["options"] = {"deadline": "penalty", "penalty_weight": 3.0}
    late = BlockPlacement(document).evaluate([0, 0, 0, 0])
    assert late.terms["psi_s"] == pytest.approx(0.05 + 0.06)
    assert late.objective == pytest.approx(0.6 + 3.0 * 0.11)
    assert "deadline" not in late.violations
    document["options"]["deadline"] = "hard"
    assert BlockPlacement(document).evaluate([0] * 4).broken["deadline"] == pytest.approx(0.11)
    document["options"] = {"deadline": "off"}
    off = BlockPlacement(document).evaluate([0, 0, 0, 0])
    assert (off.objective, off.terms["psi_s"]) == pytest.approx((0.6, 0.11))


def test_a_task_deadline_includes_the_result() -> None:
    document = copy.deepcopy(MINIMAL)
    document["tasks"]["deadline_s"] = [0.05, 1.0]
    document["options"] = {"deadline": "hard", "deadline_scope": "task", "result_bits": 1.2e6}
    found = BlockPlacement(document).evaluate([1, 1, 2, 2])
    assert found.broken["deadline"] == pytest.approx(24576 / 1.2e7 + 0.0375 + 0.1 - 0.05)
    assert found.terms["down_s"] == pytest.approx(0.1 + 0.075)


def test_a_relay_goes_through_the_associated_server() -> None:
    document = copy.deepcopy(MINIMAL)
    document["tasks"]["associated_es"] = [1, 1]
    found = BlockPlacement(document).evaluate([1, 0, 2, 2])
    assert found.terms["up_s"] == pytest.approx(24576 * (1 / 8e6 + 1e-9 + 1 / 1.6e7))
    assert found.terms["down_s"] == pytest.approx(131072 * (1e-9 + 1 / 8e6))
    assert found.terms["energy_j"][0] == pytest.approx(1.0 + 0.1 * 24576 * (1 / 8e6 + 1 / 1.6e7))


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_a_batch_is_a_loop(seed: int) -> None:
    instance = BlockPlacement(tiny(seed))
    decisions = draw(instance, seed, 7)
    batch = instance.evaluate_batch(decisions)
    for row, x in enumerate(decisions):
        alone = instance.evaluate(x)
        assert batch[row].objective == alone.objective
        assert batch[row].violations == alone.violations
        for name, value in alone.terms.items():
            np.testing.assert_array_equal(batch[row].terms[name], value)


@pytest.mark.parametrize("seed", range(60))
def test_without_return_transfers_nothing_is_slower(seed: int) -> None:
    instance = BlockPlacement(tiny(seed))
    literal = instance.replace(options={"return_transfer": False})
    charged = instance.replace(options={"return_transfer": True})
    decisions = draw(instance, seed, 20)
    below = literal.evaluate_batch(decisions).objective
    above = charged.evaluate_batch(decisions).objective
    assert np.all(below <= above * (1 + 1e-12))


@pytest.mark.parametrize("seed", range(60))
def test_the_literal_energy_is_never_less(seed: int) -> None:
    instance = BlockPlacement(tiny(seed))
    decisions = draw(instance, seed, 20)
    energies = [
        instance.replace(options={"energy_transfer": reading}).evaluate_batch(decisions)
        for reading in ("uplink", "literal")
    ]
    assert np.all(energies[0].terms["energy_j"] <= energies[1].terms["energy_j"] * (1 + 1e-12))


def relabelled_servers(document: dict[str, Any], order: list[int]) -> dict[str, Any]:
    """The document with server order[n] in place n."""
    new = copy.deepcopy(document)
    places = [0, *(n + 1 for n in order)]

    def columns(rows: Any) -> Any:
        nested = rows is not None and isinstance(rows[0], list)
        return [[row[n] for n in order] for row in rows] if nested else rows

    for name, values in new["servers"].items():
        new["servers"][name] = None if values is None else [values[n] for n in order]
    if isinstance(new["wired_rate_bps"], list):
        new["wired_rate_bps"] = columns([new["wired_rate_bps"][n] for n in order])
    tasks = new["tasks"]
    for name in ("uplink_rate_bps", "downlink_rate_bps"):
        tasks[name] = columns(tasks[name])
    if tasks["associated_es"] is not None:
        tasks["associated_es"] = [order.index(n) for n in tasks["associated_es"]]
    for model in new["models"]:
        for block in model["blocks"]:
            for name in ("compute_s", "compute_energy_j"):
                if name in block:
                    block[name] = [block[name][a] for a in places]
            for name in ("transfer_s", "transfer_energy_j"):
                if name in block:
                    block[name] = [[block[name][a][b] for b in places] for a in places]
    return new


@pytest.mark.parametrize("seed", range(60))
def test_relabelling_servers_changes_nothing(seed: int) -> None:
    document = tiny(seed)
    instance = BlockPlacement(document)
    order = np.random.default_rng(seed).permutation(instance.servers).tolist()
    other = BlockPlacement(relabelled_servers(document, order))
    places = np.array([0, *(order.index(n) + 1 for n in range(instance.servers))])
    for x in draw(instance, seed, 5):
        assert_equal_but_rho(instance.evaluate(x), other.evaluate(places[x]))


@pytest.mark.parametrize("seed", range(60))
def test_relabelling_tasks_changes_nothing(seed: int) -> None:
    document = tiny(seed)
    instance = BlockPlacement(document)
    order = np.random.default_rng(seed).permutation(instance.tasks).tolist()
    new = copy.deepcopy(document)
    for name, values in new["tasks"].items():
        new["tasks"][name] = None if values is None else [values[k] for k in order]
    other = BlockPlacement(new)
    for x in draw(instance, seed, 5):
        moved = other.flat(instance.padded(x)[order])
        assert_equal_but_rho(instance.evaluate(x), other.evaluate(moved))


def assert_equal_but_rho(one: Evaluation, other: Evaluation) -> None:
    assert one.objective == pytest.approx(other.objective, rel=1e-9)
    for name, value in one.violations.items():
        assert other.violations[name] == pytest.approx(value, rel=1e-6, abs=1e-9)
    for name in set(one.terms) - {"rho"}:
        np.testing.assert_allclose(one.terms[name], other.terms[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_doubling_bits_and_rates_changes_nothing(seed: int) -> None:
    document = tiny(seed)
    new = copy.deepcopy(document)
    new["wired_rate_bps"] = (2 * np.array(document["wired_rate_bps"])).tolist()
    for name in ("uplink_rate_bps", "downlink_rate_bps"):
        if new["tasks"][name] is not None:
            new["tasks"][name] = (2 * np.array(new["tasks"][name])).tolist()
    new["options"]["result_bits"] *= 2
    for model in new["models"]:
        model["input_bits"] *= 2
        for block in model["blocks"]:
            block["output_bits"] *= 2
    one, other = BlockPlacement(document), BlockPlacement(new)
    for x in draw(one, seed, 5):
        assert_equal_but_rho(one.evaluate(x), other.evaluate(x))


@pytest.mark.parametrize("seed", range(60))
def test_scale_is_a_larger_model(seed: int) -> None:
    """A factor on every task is the same factor on cycles, bits and measurements."""
    document = tiny(seed)
    document["tasks"]["scale"] = None
    scaled, larger = copy.deepcopy(document), copy.deepcopy(document)
    scaled["tasks"]["scale"] = [2.0] * len(document["tasks"]["model"])
    larger["options"]["result_bits"] *= 2
    for model in larger["models"]:
        model["input_bits"] *= 2
        for block in model["blocks"]:
            for name in set(block) - {"param_bytes"}:
                values = np.array(block[name], dtype=float)  # null becomes NaN
                block[name] = json.loads(json.dumps((2 * values).tolist()).replace("NaN", "null"))
    one, other = BlockPlacement(scaled), BlockPlacement(larger)
    for x in draw(one, seed, 5):
        assert_equal_but_rho(one.evaluate(x), other.evaluate(x))


@pytest.mark.parametrize("seed", range(60))
def test_a_document_survives_its_file_form(seed: int) -> None:
    instance = BlockPlacement(tiny(seed))
    assert BlockPlacement(json.loads(json.dumps(instance.to_dict()))).digest == instance.digest


def test_deadlines_by_block_may_differ_in_length_and_skip_the_longest_model() -> None:
    document = copy.deepcopy(MINIMAL)
    block = {"cycles": 1e8, "output_bits": 100, "param_bytes": 1e6}
    document["models"] += [
        {"input_bits": 100, "blocks": [block]},
        {"input_bits": 100, "blocks": [block] * 3},
    ]
    document["tasks"]["model"] = [0, 1]
    document["tasks"]["deadline_s"] = [[0.15, 0.2], [0.04]]
    instance = BlockPlacement(document)
    assert instance.evaluate([0, 0, 0]).broken["deadline"] == pytest.approx(0.05 + 0.06)
    again = BlockPlacement(instance.to_dict())
    assert again.digest == instance.digest
    assert instance.to_dict()["tasks"]["deadline_s"] == [[0.15, 0.2], [0.04]]
