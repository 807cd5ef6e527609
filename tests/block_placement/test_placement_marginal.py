"""``marginal_greedy`` against its plain twin, and what it keeps."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
from placement_plain_marginal import PlainMarginal

from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.rules import marginal_greedy, marginal_greedy_locations
from optkit.run import Run
from optkit.stop import Stop


def one_block_tasks(count: int, **changes: Any) -> dict[str, Any]:
    """Tasks of one block of 1e9 cycles on a 1 GHz device or one of two servers of 10 and 5 GHz,
    with an upload of 0.1 s."""
    document: dict[str, Any] = {
        "problem": "block_placement",
        "version": 1,
        "slot_s": 1.0,
        "devices": {"speed_hz": [1e9], "kappa": [1e-27], "tx_power_w": [0.5]},
        "servers": {"speed_hz": [10e9, 5e9]},
        "wired_rate_bps": 1e9,
        "models": [{"input_bits": 1e6, "blocks": [{"cycles": 1e9, "param_bytes": 5e6}]}],
        "tasks": {
            "model": [0] * count,
            "device": [0] * count,
            "slot": [0] * count,
            "uplink_rate_bps": [1e7] * count,
        },
    }
    for name, value in changes.items():
        document[name] = document.get(name, {}) | value
    return document


def placed(document: dict[str, Any], sweeps: int = 0) -> list[int]:
    instance = BlockPlacement(document)
    return instance.flat(marginal_greedy_locations(instance, sweeps=sweeps)).tolist()


def without_nulls(seed: int) -> dict[str, Any]:
    """A tiny instance; the fall-back for nulls is tested by itself."""
    document = generate("tiny", seed, measured=seed % 4 == 0)
    for model in document["models"]:
        for block in model["blocks"]:
            for name in ("compute_s", "transfer_s"):
                values = np.array(block.get(name, 0.0), dtype=float)
                if name in block:
                    block[name] = np.nan_to_num(values, nan=0.5).tolist()
    return document


@pytest.mark.parametrize("first", range(0, 160, 20))
def test_agrees_with_its_plain_twin(first: int) -> None:
    for seed in range(first, first + 20):
        document, sweeps = without_nulls(seed), seed % 3
        twin = PlainMarginal(document)
        expected = twin.run(sweeps)
        assert placed(document, sweeps) == expected, seed
        found = BlockPlacement(document).evaluate(expected)
        if twin.allowed and not sweeps:
            tasks_late = document["options"]["deadline_scope"] == "task"
            broken = set(found.broken) - ({"deadline"} if tasks_late else set())
            assert not broken, (seed, found.broken)


@pytest.mark.parametrize(
    ("deadline", "scope", "congestion"),
    list(itertools.product(["hard", "penalty"], ["block", "task"], ["none", "ps", "linear"])),
)
def test_agrees_with_its_plain_twin_on_tight_deadlines(
    deadline: str, scope: str, congestion: str
) -> None:
    for seed in range(12):
        document = without_nulls(seed)
        tasks, rng = document["tasks"], np.random.default_rng(seed)
        for name, values in tasks.items():  # more tasks, and all in one slot
            tasks[name] = None if values is None else values * 3
        tasks["slot"] = [0] * len(tasks["slot"])
        tasks["deadline_s"] = rng.uniform(0.05, 1.0, len(tasks["slot"])).tolist()
        document["slot_s"] = 4.0
        for part, limit in (("devices", "energy_budget_j"), ("servers", "cycles_per_slot")):
            document[part][limit] = None
        document["options"] |= {
            "deadline": deadline,
            "deadline_scope": scope,
            "congestion": congestion,
            "penalty_weight": 4.0,
        }
        for sweeps in (0, 3):
            assert placed(document, sweeps) == PlainMarginal(document).run(sweeps), seed


def test_fills_servers_by_marginal_delay() -> None:
    """Under processor sharing the fast server takes tasks until its slowdown costs more."""
    shared = one_block_tasks(4, options={"congestion": "ps"})
    # rho 0.1, 0.2 and so on: h grows by 1/9, then 5/36; alone on the slow server h is 1/4.
    assert placed(shared) == [1, 1, 1, 1]
    crowded = one_block_tasks(5, options={"congestion": "ps"}, servers={"speed_hz": [3e9, 2.5e9]})
    # 1/2, then 2/3 on the slow one beats 2 - 1/2, then the device for ever (h would be infinite).
    assert placed(crowded) == [1, 2, 0, 0, 0]


def test_keeps_server_cycles() -> None:
    assert placed(one_block_tasks(4, servers={"cycles_per_slot": [2e9, 1e9]})) == [1, 1, 2, 0]


def test_keeps_device_cycles_and_energy() -> None:
    servers = {"cycles_per_slot": [0.0, 1e9]}
    local = one_block_tasks(3, servers=servers, devices={"cycles_per_slot": [1e9]})
    assert placed(local)[:2] == [2, 0]
    # A local block draws 1e-27 * 1e18 * 1e9 = 1 J, an upload 0.05 J.
    frugal = one_block_tasks(3, devices={"energy_budget_j": [0.1]})
    assert placed(frugal)[:2] == [1, 1]
    exhausted = BlockPlacement(one_block_tasks(3, devices={"energy_budget_j": [0.1]}))
    assert exhausted.evaluate(placed(frugal)).broken["energy"] == pytest.approx(0.05)


def test_counts_a_stored_block_once() -> None:
    limit = {"storage_bytes": [4e6, 5e6]}
    for scope in ("horizon", "slot"):
        document = one_block_tasks(3, servers=limit, options={"storage_scope": scope})
        assert placed(document) == [2, 2, 2]


def test_keeps_the_deadlines_of_earlier_tasks() -> None:
    """One task alone on the fast server takes 0.1 s + 0.1 s / 0.9; with two it is too late."""
    document = one_block_tasks(3, options={"congestion": "ps"})
    document["tasks"]["deadline_s"] = [0.22, 5.0, 5.0]
    assert placed(document) == [1, 2, 2]
    assert not BlockPlacement(document).evaluate([1, 2, 2]).broken


def test_takes_the_least_broken_path_where_none_is_allowed() -> None:
    document = one_block_tasks(1, devices={"cycles_per_slot": [0.9e9]})
    document["servers"]["cycles_per_slot"] = [0.5e9, 0.2e9]
    assert placed(document) == [0]


def test_walks_where_every_arc_must_move() -> None:
    """A shortest path by measured data: no path with one change exists."""
    hole = None
    arcs = [[hole, 1.0, 9.0], [hole, hole, 1.0], [hole, 1.0, hole]]
    block = {"transfer_s": arcs, "compute_s": [0.0] * 3, "compute_energy_j": [0.0] * 3}
    last = block | {"compute_s": [hole, hole, 0.0]}
    document = one_block_tasks(1)
    document["models"] = [{"blocks": [b | {"param_bytes": 0} for b in (block, last)]}]
    assert placed(document) == [1, 2]
    longer = copy.deepcopy(document)
    longer["models"][0]["blocks"] = [b | {"param_bytes": 0} for b in (block, block, block, last)]
    assert placed(longer) == [1, 2, 1, 2]
    impossible = copy.deepcopy(document)
    impossible["models"][0]["blocks"][1]["compute_s"] = [hole] * 3
    assert BlockPlacement(impossible).evaluate(placed(impossible)).broken == {"impossible": 1.0}


def test_sweeps_never_make_it_worse() -> None:
    instance = BlockPlacement(generate("paper-ps", 3, slots=4))
    objectives = [
        instance.evaluate(placed_by(instance, sweeps)).objective for sweeps in (0, 1, 2, 8)
    ]
    assert objectives == sorted(objectives, reverse=True)
    assert objectives[3] < objectives[0]


def placed_by(instance: BlockPlacement, sweeps: int) -> Any:
    return instance.flat(marginal_greedy_locations(instance, sweeps=sweeps))


def test_reports_one_decision_and_stops_when_asked() -> None:
    instance = BlockPlacement(generate("paper-ps", 3, slots=2))
    run = Run(instance, Stop(time_s=None))
    marginal_greedy(instance, run, sweeps=1)
    assert run.x is not None
    assert run.x.tolist() == placed_by(instance, 1).tolist()
    assert run.best_bound is None
    stopped = Run(instance, Stop(time_s=0.0))
    assert not marginal_greedy_locations(instance, stopped).any()
