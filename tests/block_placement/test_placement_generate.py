"""The instance families give what the specification says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from formulations.block_placement import FAMILIES
from formulations.block_placement.generate import generate
from formulations.block_placement.instance import BlockPlacement
from optkit.errors import UsageError

SMALL = {"slots": 3, "rate": 4}
VGG16 = [
    (58.62, 1048576, 0.450),
    (37.81, 262144, 0.590),
    (56.66, 524288, 3.54),
    (37.78, 131072, 2.36),
    (56.64, 262144, 14.16),
    (85.01, 320, 113.45),
]


def build(family: str, seed: int = 0, **parameters: Any) -> BlockPlacement:
    return BlockPlacement(generate(family, seed, **parameters))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_is_an_instance(family: str) -> None:
    size = {} if family in ("tiny", "small", "large") else SMALL
    one, same, other = (build(family, seed, **size) for seed in (7, 7, 8))
    assert one.digest == same.digest != other.digest
    assert one.name == same.name != other.name


def test_paper_sizes_and_ranges() -> None:
    document = generate("paper", 0)
    tasks, t = document["tasks"], BlockPlacement(document).tables
    assert len(tasks["model"]) == 36_000
    assert np.all(np.bincount(tasks["slot"]) == 60) and tasks["slot"].max() == 599
    assert document["slot_s"] == 1.0 and document["wired_rate_bps"] == 1e9
    speed = document["servers"]["speed_hz"]
    assert len(speed) == 4 and speed.min() >= 5e9 and speed.max() <= 15e9
    rates = tasks["uplink_rate_bps"]
    assert rates.shape == (36_000, 4)
    assert 6.4e6 <= rates.min() < 6.41e6 and 15.99e6 < rates.max() <= 16e6
    assert set(tasks["device"]) == set(range(20))
    devices = document["devices"]
    assert set(devices["speed_hz"]) == {1e9}
    assert set(devices["kappa"]) == {1e-26} and set(devices["tx_power_w"]) == {0.1}
    assert document["options"] == {"congestion": "none"} and "deadline_s" not in tasks
    assert np.isinf(t.deadline_s).all()


def test_vgg16_in_six_blocks_is_the_table_of_the_specification() -> None:
    model = generate("paper", 0, **SMALL)["models"][0]
    assert model["input_bits"] == 24_576
    found = [(b["cycles"] / 1e6, b["output_bits"], b["param_bytes"] / 1e6) for b in model["blocks"]]
    for block, expected in zip(found, VGG16, strict=True):
        assert block == pytest.approx(expected, abs=0.006)


def test_the_other_paper_families() -> None:
    assert build("paper-ps", **SMALL).options.congestion == "ps"
    batch = build("paper-batch", slots=5)
    assert batch.tasks == batch.slots == 5 and np.all(batch.tables.scale == 60)
    storage = build("paper-storage", **SMALL)
    assert storage.storage_bytes.tolist() == [64e6, 32e6, 16e6, 8e6]
    assert storage.options.storage_scope == "horizon"
    assert build("paper-storage", storage_mb=128, **SMALL).storage_bytes[0] == 128e6
    large = build("large")
    assert (large.servers, large.tasks, large.slots) == (16, 1000, 1)
    assert large.options.congestion == "ps"


def test_small_is_one_short_slot() -> None:
    sizes = set()
    for seed in range(40):
        instance = build("small", seed)
        sizes.add(instance.tasks)
        assert instance.slots == 1
        assert instance.document.slot_s == pytest.approx(instance.tasks / 60)
    assert min(sizes) == 5 and max(sizes) == 20
    assert build("small", rate=7).tasks == 7


@pytest.mark.parametrize("family", ["paper-ps", "paper", "paper-storage"])
def test_fewer_servers_are_a_prefix_of_more(family: str) -> None:
    few, many = (generate(family, 3, servers=n, **SMALL) for n in (2, 9))
    np.testing.assert_array_equal(few["servers"]["speed_hz"], many["servers"]["speed_hz"][:2])
    rates = (document["tasks"]["uplink_rate_bps"] for document in (few, many))
    np.testing.assert_array_equal(next(rates), next(rates)[:, :2])
    np.testing.assert_array_equal(few["tasks"]["device"], many["tasks"]["device"])


@pytest.mark.parametrize("network", ["vgg16", "nin", "resnet32", "alexnet"])
def test_fewer_blocks_join_those_of_more(network: str) -> None:
    """Groups of a coarser model are unions of those of a finer one, all else being equal."""
    documents = [generate("paper", 3, network=network, blocks=m, **SMALL) for m in (3, 6, 9, 11)]
    for coarse, fine in zip(documents, documents[1:], strict=False):
        ends = [np.cumsum([b["cycles"] for b in d["models"][0]["blocks"]]) for d in (coarse, fine)]
        assert set(ends[0].tolist()) <= set(ends[1].tolist())
        sizes = [sum(b["param_bytes"] for b in d["models"][0]["blocks"]) for d in (coarse, fine)]
        assert sizes[0] == sizes[1]
        rates = [d["tasks"]["uplink_rate_bps"] for d in (coarse, fine)]
        np.testing.assert_array_equal(*rates)


def test_energy_budgets_bind_but_can_be_met() -> None:
    document = generate("energy", 0, **SMALL)
    assert document["models"][0]["name"].startswith("alexnet")
    assert set(document["devices"]["speed_hz"]) == {2e9}
    budget = document["devices"]["energy_budget_j"]
    wide, tight = (
        generate("energy", 0, budget_fraction=f, **SMALL)["devices"]["energy_budget_j"]
        for f in (1.0, 0.0)
    )
    assert np.all(tight <= budget) and np.all(budget <= wide)
    np.testing.assert_allclose(budget, (tight + wide) / 2)
    assert tight.sum() < wide.sum()


def test_paper_energy_allows_seven_tenths() -> None:
    document = generate("paper-energy", 0, slots=5)
    half = generate("paper-energy", 0, slots=5, budget_fraction=0.35)
    assert len(document["servers"]["speed_hz"]) == 2
    budget = document["devices"]["energy_budget_j"]
    assert budget.max() > 1.0
    np.testing.assert_allclose(budget, 2 * half["devices"]["energy_budget_j"])


def test_deadlines_and_congestion_can_be_chosen() -> None:
    document = generate("paper", 0, deadline_s=3.0, congestion="linear", **SMALL)
    assert np.all(document["tasks"]["deadline_s"] == 3.0)
    assert document["options"]["congestion"] == "linear"


@pytest.mark.parametrize(
    "wrong", [{"servers": 0}, {"blocks": 0}, {"rate": -1}, {"slots": 0}, {"network": "lenet"}]
)
def test_sizes_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        generate("paper", 0, **(SMALL | wrong))


def test_tiny_is_enumerable_and_covers_every_option() -> None:
    seen: Counter[tuple[str, Any]] = Counter()
    for seed in range(300):
        instance = build("tiny", seed)
        assert np.prod(instance.choices) <= 60_000
        document = instance.document
        options, tasks = document.options, document.tasks
        for name in (
            "return_transfer", "energy_transfer", "deadline", "deadline_scope", "congestion",
            "storage_scope",
        ):  # fmt: skip
            seen[name, getattr(options, name)] += 1
        seen["result", options.result_bits > 0] += 1
        seen["wired", isinstance(document.wired_rate_bps, float)] += 1
        seen["flat rates", tasks.uplink_rate_bps.ndim == 1] += 1
        for name in ("downlink_rate_bps", "associated_es", "deadline_s", "scale"):
            seen[name, getattr(tasks, name) is None] += 1
        seen["nulls", instance.has_nulls] += 1
        seen["measured", bool(instance.tables.arc_measured.any())] += 1
        seen["slower server", bool(instance.tables.server_speed_hz.min() < 1e9)] += 1
        for name in ("energy", "server_cycles", "device_cycles", "storage", "load"):
            seen[name, name in instance.couplings] += 1
        for name in ("tasks", "servers", "devices", "slots"):
            seen[name, getattr(instance, name)] += 1
        seen["blocks", instance.blocks] += 1
    assert min(seen.values()) >= 8, seen
    for name, count in (("tasks", 3), ("servers", 3), ("devices", 2), ("slots", 2), ("blocks", 4)):
        assert {value for key, value in seen if key == name} == set(range(1, count + 1))
    pairs = Counter(key for key, _ in seen)
    assert pairs["deadline"] == pairs["congestion"] == pairs["storage_scope"] == 3
    assert all(pairs[name] == 2 for name in ("nulls", "scale", "wired", "energy", "result"))


def test_tiny_limits_bind_and_leave_most_instances_feasible() -> None:
    feasible, cut = 0, 0
    for seed in range(120):
        instance = build("tiny", seed)
        grid = np.indices(instance.choices).reshape(len(instance.choices), -1).T
        judged = instance.evaluate_batch(grid)
        best = int(np.argmin(judged.objective))
        feasible += bool(judged.feasible.any())
        cut += bool(judged.feasible.any() and judged.broken_rows[best])
    assert 60 <= feasible <= 96
    assert cut >= 30
