"""The baselines on instances worked out by hand, and their order on the paper's data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from formulations.block_placement import PROBLEM, rules
from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from optkit.errors import UsageError
from optkit.run import Run
from optkit.stop import Stop

RULES = ("rpdi", "apdi", "greedy", "greedy_delay", "all_local", "single_es", "marginal_greedy")


def solved(instance: BlockPlacement, name: str, seed: int = 0, **options: Any) -> Run:
    run = Run(instance, Stop(time_s=None), seed=seed)
    getattr(rules, name)(instance, run, **options)
    return run


def answer(instance: BlockPlacement, name: str, **options: Any) -> list[int]:
    run = solved(instance, name, **options)
    assert run.x is not None
    return run.x.tolist()


def document(tasks: int = 2, blocks: int = 2, **options: Any) -> dict[str, Any]:
    """Blocks of 2e8, 1e8, 1e8 .. cycles; a 1 GHz device, servers of 8 and 10 GHz."""
    cycles = [2e8] + [1e8] * (blocks - 1)
    return {
        "problem": "block_placement",
        "version": 1,
        "slot_s": 1.0,
        "devices": {"speed_hz": [1e9], "kappa": [1e-26], "tx_power_w": [0.1]},
        "servers": {"speed_hz": [8e9, 10e9]},
        "wired_rate_bps": 1e9,
        "models": [
            {
                "input_bits": 1e5,
                "blocks": [{"cycles": c, "output_bits": 1e6, "param_bytes": 1.0} for c in cycles],
            }
        ],
        "tasks": {
            "model": [0] * tasks,
            "device": [0] * tasks,
            "slot": [0] * tasks,
            "uplink_rate_bps": [[1e8, 1e7]] + [[1e7, 1e8]] * (tasks - 1),
        },
        "options": options,
    }


@pytest.mark.parametrize("name", RULES)
def test_is_registered_and_always_answers(name: str) -> None:
    method = next(m for m in PROBLEM.methods if m.name == name)
    assert (method.kind, method.proves_bound) == ("heuristic", False)
    assert method.summary and method.reference
    assert method.load() is getattr(rules, name)
    for seed in range(25):
        assert len(answer(BlockPlacement(generate("tiny", seed)), name)) > 0


def test_apdi_spreads_runs_of_blocks_or_takes_turns() -> None:
    instance = BlockPlacement(generate("paper", 0, servers=4, blocks=6, rate=1, slots=1))
    assert answer(instance, "apdi") == [1, 1, 2, 3, 3, 4]
    assert answer(instance, "apdi", order="round_robin") == [1, 2, 3, 4, 1, 2]


def test_apdi_spreads_each_model_by_its_own_length() -> None:
    mixed = document()
    mixed["models"].append({"input_bits": 1, "blocks": mixed["models"][0]["blocks"][:1]})
    mixed["tasks"]["model"] = [0, 1]
    assert answer(BlockPlacement(mixed), "apdi") == [1, 2, 1]


def test_greedy_takes_the_least_seconds_of_work() -> None:
    """Seconds: 0.025 on server 1, 0.01 and 0.02 on server 2, then server 1 again."""
    instance = BlockPlacement(document())
    assert answer(instance, "greedy") == [1, 2, 2, 1]
    # The device takes 0.2 s, the servers 0.0125 s and 0.02 s, then server 1 is least loaded.
    assert answer(instance, "greedy", device=True) == [0, 1, 2, 1]


def test_greedy_counts_each_slot_and_device_alone() -> None:
    slots = document(tasks=2)
    slots["tasks"]["slot"] = [0, 1]
    assert answer(BlockPlacement(slots), "greedy") == [1, 2, 1, 2]
    devices = document(tasks=2)
    devices["devices"] = {name: [v[0]] * 2 for name, v in devices["devices"].items()}
    devices["tasks"]["device"] = [0, 1]
    assert answer(BlockPlacement(devices), "greedy", device=True) == [0, 1, 0, 2]


def test_greedy_avoids_nulls() -> None:
    measured = document(tasks=1)
    measured["models"][0]["blocks"][0]["compute_s"] = [0.5, None, 0.25]
    measured["models"][0]["blocks"][1]["transfer_s"] = [[0, 1, 1], [1, 0, 1], [1, None, 0.5]]
    for name in ("greedy", "greedy_delay", "single_es"):
        assert answer(BlockPlacement(measured), name) == [2, 2]


def test_greedy_delay_looks_at_transfers_and_loads() -> None:
    """Task 0 starts on server 1, 0.001 + 0.025 s against 0.01 + 0.02 s, and hops for its second
    block, 0.0125 s against 0.001 + 0.01 s; task 1 has the good radio to server 2 and stays."""
    assert answer(BlockPlacement(document()), "greedy_delay") == [1, 2, 2, 2]
    # With g = 1 + 100 rho: 0.0885 s against 0.07 s, then 0.029 s (with the hop) against 0.04 s;
    # 0.129 s against 0.101 s, then 0.045 s against 0.06 s.
    busy = document(congestion="linear", congestion_slope=100.0)
    assert answer(BlockPlacement(busy), "greedy_delay") == [2, 1, 2, 1]


def test_single_es_is_blind_to_load() -> None:
    """Server 1 for task 0: 0.001 + 0.0375 s against 0.01 + 0.03 s."""
    assert answer(BlockPlacement(document(congestion="ps")), "single_es") == [1, 1, 2, 2]


def test_all_local() -> None:
    assert answer(BlockPlacement(document()), "all_local") == [0, 0, 0, 0]


def test_rpdi_reports_mean_and_best() -> None:
    instance = BlockPlacement(document(tasks=3))
    run = solved(instance, "rpdi", seed=5)
    rng = np.random.default_rng(5)
    drawn = instance.evaluate_batch(rng.integers(0, instance.choices, (100, 6))).objective
    assert run.objective == drawn.min()
    assert run.details["mean_objective"] == pytest.approx(drawn[:20].mean())
    assert (run.details["samples"], run.details["feasible_samples"]) == (100, 100)
    assert solved(instance, "rpdi", samples=1).details["samples"] == 1
    with pytest.raises(UsageError, match="samples is 0"):
        solved(instance, "rpdi", samples=0)


def test_rpdi_without_a_feasible_sample_has_no_mean() -> None:
    full = document()
    full["servers"]["cycles_per_slot"] = [0.0, 0.0]
    full["devices"]["cycles_per_slot"] = [0.0]
    run = solved(BlockPlacement(full), "rpdi")
    assert (run.details["mean_objective"], run.details["feasible_samples"]) == (None, 0)
    assert run.objective is None and run.x is not None


def test_order_on_the_paper_with_processor_sharing() -> None:
    """As in the comparison of the specification: (N, M, rate) = (4, 6, 60), VGG16."""
    for seed in (1, 2):
        instance = BlockPlacement(generate("paper-ps", seed, slots=4))
        value = {name: solved(instance, name).objective for name in RULES if name != "rpdi"}
        mean = solved(instance, "rpdi").details["mean_objective"]
        assert value["marginal_greedy"] < value["greedy_delay"] < value["greedy"] < value["apdi"]
        assert value["greedy"] < 1.3 * value["marginal_greedy"]
        assert value["apdi"] < mean if seed == 1 else mean > value["greedy"]
        assert value["all_local"] > 2 * value["marginal_greedy"]


def test_gaps_on_the_printed_model() -> None:
    """greedy_delay and single_es are within a few per cent, random and local placement are not."""
    for network in ("vgg16", "resnet32"):
        instance = BlockPlacement(generate("paper", 1, network=network, slots=10))
        best = solved(instance, "marginal_greedy").objective
        for name, low, high in (
            ("greedy_delay", 0.0, 0.05),
            ("single_es", 0.0, 0.05),
            ("apdi", 0.1, 1.5),
            ("greedy", 0.1, 1.5),
            ("all_local", 5.0, 20.0),
        ):
            gap = solved(instance, name).objective / best - 1
            assert low - 1e-9 <= gap <= high, (network, name, gap)
        assert solved(instance, "rpdi").details["mean_objective"] > 4 * best
