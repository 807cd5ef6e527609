"""The families: what each holds, that seeds repeat, and that every word is checked."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest
from twin_tools import decisions, tiny

from formulations.dt_assignment import FAMILIES
from formulations.dt_assignment.generate import COUPLINGS, generate
from formulations.dt_assignment.instance import TwinAssignment
from optkit import generate as draw
from optkit.errors import UsageError

SIZES = {"small": (10, 4, 60), "paper": (15, 4, 120), "4x": (60, 13, 480),
         "10x": (150, 31, 1200), "30x": (450, 91, 3600), "100x": (1500, 301, 12000)}  # fmt: skip


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_same_words_give_the_same_instance(family: str) -> None:
    one, other = draw("dt_assignment", family, seed=5), draw("dt_assignment", family, seed=5)
    assert one.digest == other.digest
    assert one.digest != draw("dt_assignment", family, seed=6).digest
    assert one.name.startswith(family)


@pytest.mark.parametrize("family", sorted(SIZES))
def test_sizes_and_ranges(family: str) -> None:
    twins, servers, devices = SIZES[family]
    instance = TwinAssignment(generate(family, 1, couplings=""))
    assert (instance.twins, instance.servers) == (twins, servers)
    assert instance.is_cloud.tolist() == [False] * (servers - 1) + [True]
    assert instance.couplings == set()
    document = instance.document
    assert document.devices is not None
    assert len(document.devices.twin) == devices
    bits = document.devices.input_bits
    assert bits.min() >= 0.8e8
    assert bits.max() <= 3.2e8
    wide = 1000.0 * np.sqrt((servers - 1) / 3)
    assert document.devices.x_m.min() >= 0
    assert 0.7 * wide < document.devices.x_m.max() <= wide
    assert document.servers.speed_hz[:-1].min() >= 1.8e9
    assert document.servers.speed_hz[:-1].max() <= 3e9
    assert document.servers.speed_hz[-1] == 3.5e9


def test_large_families_are_clustered() -> None:
    devices = TwinAssignment(generate("10x", 0)).document.devices
    assert devices is not None
    for twin in range(0, 150, 10):
        own = devices.twin == twin
        assert devices.x_m[own].std() < 200 < devices.x_m.std()


def test_each_coupling_is_there_alone_and_with_others() -> None:
    kinds = {"load": "limits", "memory": "limits", "count": "limits", "backhaul": "backhaul",
             "deadline": "deadlines"}  # fmt: skip
    for word in COUPLINGS:
        instance = TwinAssignment(generate("paper", 2, couplings=word))
        assert instance.couplings == {kinds.get(word, "sharing")}
        assert instance.open.any(axis=1).all()
        assert word in instance.name
    words = "load,memory,count,proportional,backhaul,deadline"
    instance = TwinAssignment(generate("4x", 2, couplings=words))
    assert instance.couplings == {"limits", "backhaul", "deadlines", "sharing"}
    assert instance.cpu_sharing == "proportional"
    names = ("max_twins", "max_devices", "max_input_bits", "memory_bytes")
    assert instance.resource_names == names


def test_limits_are_as_tight_as_they_say() -> None:
    instance = TwinAssignment(generate("10x", 3, couplings="load,memory,count"))
    tables = instance.tables
    assert tables.limit[0].tolist() == [5.0] * 31
    assert tables.limit[1].tolist() == [43.0] * 31
    for row, share in ((2, 1.05), (3, 1.05)):
        room = tables.limit[row].sum() / tables.demand[row, :, 0].sum()
        assert share * (1 - 1e-12) <= room < 1.3
        assert tables.limit[row].min() >= tables.demand[row].max()
    wide = TwinAssignment(generate("10x", 3, couplings="load", load_factor=1.3))
    assert wide.tables.limit[0].sum() > 1.2 * tables.limit[2].sum()


def test_small_draws_one_coupling() -> None:
    seen = collections.Counter(
        next(iter(TwinAssignment(generate("small", seed)).couplings)) for seed in range(60)
    )
    assert set(seen) == {"limits", "sharing", "backhaul", "deadlines"}


def test_an_environment_is_shared_by_all_seeds() -> None:
    one, other = (generate("paper", seed, environment=7) for seed in (1, 2))
    for name, values in one["servers"].items():
        np.testing.assert_array_equal(values, other["servers"][name])
    assert (one["devices"]["input_bits"] != other["devices"]["input_bits"]).any()
    another = generate("paper", 1, environment=8)
    assert (another["servers"]["x_m"][:-1] != one["servers"]["x_m"][:-1]).all()
    for name, values in one["devices"].items():
        np.testing.assert_array_equal(values, another["devices"][name])


def test_overrides() -> None:
    instance = TwinAssignment(generate("paper", 0, servers=6, twins=8, delay_weight=0.25))
    assert (instance.servers, instance.twins) == (6, 8)
    assert instance.tables.devices.sum() == 64
    assert instance.document.delay_weight == 0.25
    alone = TwinAssignment(generate("paper", 0, servers=1, twins=2, devices=2))
    assert alone.is_cloud.tolist() == [True]
    gap = TwinAssignment(generate("gap-d", 0, servers=3, twins=7))
    assert (gap.servers, gap.twins) == (3, 7)


def test_an_empty_list_of_couplings_suits_every_family() -> None:
    for family in ("tiny", "small", "paper", "gap-c"):
        assert draw("dt_assignment", family, couplings="").name.startswith(family)


def test_generalised_assignment_families() -> None:
    for family, integer in (("gap-c", True), ("gap-d", True), ("gap-e", False)):
        instance = TwinAssignment(generate(family, 0, servers=10, twins=60))
        load, cost = instance.tables.demand[0], instance.tables.cost
        assert instance.integer_cost == integer
        np.testing.assert_allclose(instance.tables.limit[0], 0.8 * load.sum(axis=0) / 10)
        correlation = np.corrcoef(load.ravel(), cost.ravel())[0, 1]
        assert abs(correlation) < 0.15 if family == "gap-c" else correlation < -0.5
    cost = TwinAssignment(generate("gap-c", 1)).tables.cost
    assert (cost.min(), cost.max()) == (10, 50)


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        ("paper", {"couplings": "equel"}, "unknown coupling 'equel' (did you mean 'equal'?)"),
        ("paper", {"couplings": "equal,wspt"}, "more than one"),
        ("paper", {"twins": 0}, "twins is 0"),
        ("paper", {"servers": -1}, "servers is -1"),
        ("paper", {"devices": 10}, "devices is 10"),
        ("paper", {"couplings": "deadline,deadline"}, "deadline more than once"),
        ("gap-c", {"couplings": "load"}, "gap-c has no parameter couplings; it has servers, twins"),
        ("gap-c", {"delay_weight": 0.7}, "no parameter delay_weight"),
        ("gap-d", {"environment": 3}, "no parameter environment"),
        ("gap-e", {"devices": 60}, "no parameter devices"),
        ("tiny", {"twins": 50}, "family tiny has no parameter twins; it has none"),
        ("tiny", {"couplings": "equal"}, "no parameter couplings"),
        ("paper", {"load_factor": 1.2}, "load_factor needs the coupling load"),
        ("paper", {"couplings": "load", "deadline_factor": 9.0}, "needs the coupling deadline"),
        ("paper", {"couplings": "load", "load_factor": -1.0}, "load_factor is -1"),
        ("paper", {"couplings": "load", "load_factor": float("nan")}, "load_factor"),
        ("paper", {"couplings": "deadline", "deadline_factor": 0.0}, "deadline_factor is 0"),
        ("papers", {}, "unknown family"),
        ("paper", {"coupling": "load"}, "did you mean 'couplings'"),
        ("paper", {"environment": "x"}, "environment"),
        ("paper", {"environment": -1}, "environment is -1"),
    ],
)
def test_a_bad_word_is_one_clear_line(
    family: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        draw("dt_assignment", family, **parameters)
    assert message in str(caught.value)


def test_tiny_holds_everything() -> None:
    """Every coupling, rule and kind of measured data is common; a few are infeasible."""
    seen: collections.Counter[str] = collections.Counter()
    for seed in range(300):
        instance = tiny(seed)
        document = instance.document
        judged = instance.evaluate_batch(decisions(instance))
        seen["infeasible"] += not judged.feasible.any()
        seen["clouds"] += bool(instance.is_cloud.any())
        seen["nulls"] += instance.has_nulls
        seen["devices"] += document.devices is not None
        names = ("pair_cost", "pair_transfer_s", "pair_compute_s", "pair_energy_j", "pair_load")
        for name in names:
            seen[name] += getattr(document, name) is not None
        if not instance.measured_cost:
            seen[instance.cpu_sharing] += 1
            weight = document.time_weight
            seen["list" if isinstance(weight, np.ndarray) else weight] += 1
        seen.update(instance.resource_names)
        seen.update(instance.couplings)
    assert 300 * 0.03 <= seen["infeasible"] <= 300 * 0.12
    expected = {"clouds", "nulls", "devices", "pair_cost", "pair_transfer_s", "pair_compute_s",
                "pair_energy_j", "pair_load", "none", "equal", "proportional", "optimal", "wspt",
                "list", "one", "mean", "max_twins", "max_devices", "max_input_bits",
                "memory_bytes", "server_capacity", "limits", "sharing", "backhaul",
                "deadlines"}  # fmt: skip
    assert {name for name in expected if seen[name] >= 15} == expected
