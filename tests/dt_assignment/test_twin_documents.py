"""Documents: what is read, written back and refused, each with the path of the field."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from twin_tools import random_decisions, tiny

from formulations.dt_assignment.generate import generate
from formulations.dt_assignment.instance import TwinAssignment
from optkit.errors import InstanceError

Document = dict[str, Any]


def paper() -> Document:
    """2 edges and a cloud, 3 twins, 5 devices, every field of the formulas."""
    return {
        "problem": "dt_assignment",
        "version": 1,
        "delay_weight": 0.5,
        "cycles_per_bit": 1,
        "rate_distance_bps_m": 4e11,
        "servers": {
            "kind": ["edge", "cloud", "edge"],
            "x_m": [0, None, 100],
            "y_m": [0, None, 50],
            "speed_hz": [2e9, 3.5e9, 2.5e9],
            "energy_j_per_cycle": [1.25e-7, 1e-7, 1.25e-7],
            "tx_energy_j_per_bit": [1.5e-8, 1.8e-8, 1.5e-8],
        },
        "twins": {"count": 3},
        "devices": {
            "twin": [2, 0, 1, 2, 0],
            "input_bits": [1e8, 2e8, 3e8, 1e8, 2e8],
            "x_m": [0, 10, 20, -30, 40],
            "y_m": [5, 6, 7, 8, 9],
            "uplink_rate_bps": [1e9, 1e9, 1e9, 5e8, 1e9],
        },
    }


def measured() -> Document:
    """Three term matrices and no formula field at all."""
    return {
        "problem": "dt_assignment",
        "version": 1,
        "delay_weight": 1,
        "time_weight": "one",
        "pair_transfer_s": [[1, 2], [3, None]],
        "pair_compute_s": [[1, 2], [3, 4]],
        "pair_energy_j": [[0, 0], [0, 0]],
    }


def costs() -> Document:
    return {"problem": "dt_assignment", "version": 1, "pair_cost": [[1, -2], [3, None]]}


# --- what is read ---------------------------------------------------------------------------


def test_tables_of_a_known_document() -> None:
    t = TwinAssignment(paper()).tables
    assert t.weight.tolist() == [2, 1, 2]
    assert t.devices.tolist() == [2, 1, 2]
    assert t.input_bits.tolist() == [4e8, 3e8, 2e8]
    assert t.largest_input_bits.tolist() == [2e8, 3e8, 1e8]
    assert t.transfer_s[:, 1].tolist() == [0.2, 0.3, 0.2]
    assert t.transfer_s[1, 0] == pytest.approx(3e8 * np.hypot(20, 7) / 4e11)
    assert t.compute_s[0].tolist() == [4e8 / 2e9, 4e8 / 3.5e9, 4e8 / 2.5e9]
    assert t.energy_j[1, 1] == pytest.approx(3e8 * 1.18e-7)
    assert t.cost[1, 1] == pytest.approx(0.5 * (0.3 + 3e8 / 3.5e9) + 0.5 * 3e8 * 1.18e-7)
    assert t.allowed.all()
    assert t.demand.shape == (0, 3, 3)
    with pytest.raises(ValueError, match="read-only"):
        t.cost[0, 0] = 0.0


def test_the_nearest_distance_counts() -> None:
    document = paper()
    document["devices"]["x_m"] = [0] * 5
    document["devices"]["y_m"] = [0] * 5
    document["min_distance_m"] = 10.0
    assert TwinAssignment(document).tables.transfer_s[1, 0] == pytest.approx(3e8 * 10 / 4e11)


def test_smallest_documents() -> None:
    instance = TwinAssignment(costs())
    assert (instance.twins, instance.servers, instance.name, instance.origin) == (2, 2, "", 0.0)
    assert instance.measured_cost
    assert instance.integer_cost
    assert instance.cpu_sharing == "none"
    assert not instance.is_cloud.any()
    assert instance.tables.allowed.tolist() == [[True, True], [True, False]]
    assert instance.couplings == set()
    instance = TwinAssignment(measured())
    assert instance.tables.allowed.tolist() == [[True, True], [True, False]]
    assert instance.tables.compute_s[1, 1] == 0.0
    assert not instance.integer_cost


def test_couplings_are_those_in_force() -> None:
    document = paper()
    document["servers"] |= {"max_twins": [None] * 3, "backhaul_bps": [None] * 3}
    document["twins"]["deadline_s"] = [None] * 3
    assert TwinAssignment(document).couplings == set()
    assert TwinAssignment(document) == TwinAssignment(paper())
    document["servers"] |= {"max_twins": [None, 2, None], "backhaul_bps": [None, 1e9, None]}
    document["twins"]["deadline_s"] = [None, 3, None]
    document["cpu_sharing"] = "wspt"
    instance = TwinAssignment(document)
    assert instance.couplings == {"limits", "backhaul", "deadlines", "sharing"}
    assert instance.resource_names == ("max_twins",)
    assert instance.tables.limit.tolist() == [[np.inf, 2, np.inf]]


def test_weights() -> None:
    for given, expected in (
        ("devices", [2, 1, 2]),
        ("one", [1, 1, 1]),
        ("mean", [0.4, 0.2, 0.4]),
        ([3, 0.5, 1], [3, 0.5, 1]),
    ):
        weight = TwinAssignment(paper() | {"time_weight": given}).tables.weight
        assert weight.tolist() == expected


def test_fields_that_nothing_reads_may_be_absent() -> None:
    document = paper()
    document["servers"]["kind"] = ["edge"] * 3
    document["servers"] |= {"x_m": [0, 1, 2], "y_m": [0, 1, 2]}
    del document["devices"]["uplink_rate_bps"]
    TwinAssignment(document)
    document["servers"]["kind"] = ["cloud"] * 3
    document["devices"]["uplink_rate_bps"] = [1e9] * 5
    for name in ("x_m", "y_m"):
        del document["servers"][name], document["devices"][name]
    del document["rate_distance_bps_m"]
    TwinAssignment(document)
    document["pair_transfer_s"] = [[1, 2, 3]] * 3
    del document["devices"]["uplink_rate_bps"], document["servers"]["kind"]
    TwinAssignment(document)


# --- round trips ------------------------------------------------------------------------------


def test_documents_come_back() -> None:
    for seed in range(150):
        instance = tiny(seed)
        again = TwinAssignment(json.loads(json.dumps(instance.to_dict(), allow_nan=False)))
        assert again.digest == instance.digest
        assert again.to_dict() == instance.to_dict()
        x = random_decisions(instance, 5, seed)
        np.testing.assert_array_equal(
            instance.evaluate_batch(x).objective, again.evaluate_batch(x).objective
        )


def test_written_defaults_and_number_types_do_not_matter() -> None:
    document = paper()
    same = copy.deepcopy(document) | {
        "name": "", "time_ref_s": 1, "energy_ref_j": 1.0, "time_weight": "devices",
        "uplink_discount": 1, "min_distance_m": 1, "cpu_sharing": "none", "pair_cost": None,
        "cycles_per_bit": 1.0,
    }  # fmt: skip
    same["devices"]["twin"] = np.array(document["devices"]["twin"], dtype=np.int32)
    same["servers"]["x_m"] = np.array([0.0, np.nan, 100.0])
    assert TwinAssignment(same).digest == TwinAssignment(document).digest
    full = costs() | {"twins": {"count": 2}, "servers": {"kind": ["edge", "edge"]}}
    assert TwinAssignment(full).digest == TwinAssignment(costs()).digest
    clouds = costs() | {"servers": {"kind": ["edge", "cloud"]}}
    assert TwinAssignment(clouds).digest != TwinAssignment(costs()).digest


def test_a_matrix_that_tells_the_size_can_be_taken_away_again() -> None:
    plain = TwinAssignment(generate("paper", 0))
    matrices = {"pair_load": np.ones((15, 4)), "server_capacity": [5.0] * 4}
    limited = plain.replace(**matrices)
    assert limited.replace(pair_load=None, server_capacity=None) == plain
    later = limited.replace(pair_load=None, server_capacity=None, twins={"deadline_s": [9.0] * 15})
    assert later.couplings == {"deadlines"} and later.twins == 15
    edges = TwinAssignment(generate("paper", 0, servers=4)).to_dict()
    edges["servers"] = {k: v[:3] for k, v in edges["servers"].items()}
    without_cloud = TwinAssignment(edges)
    measured = without_cloud.replace(pair_transfer_s=without_cloud.tables.transfer_s)
    assert "kind" not in measured.canonical()["servers"]
    assert measured.replace(pair_transfer_s=None) == without_cloud
    costs = TwinAssignment({"problem": "dt_assignment", "version": 1, "pair_cost": [[1, 2]]})
    assert costs.replace(pair_cost=[[1], [2], [3]]).twins == 3


def test_an_endless_wait_is_refused_or_closes_the_pair() -> None:
    document = generate("paper", 0)
    document["servers"]["backhaul_bps"] = [None, 1e-320, None, None]
    with pytest.raises(InstanceError, match=r"servers.backhaul_bps\[1\]"):
        TwinAssignment(document)
    document["servers"]["backhaul_bps"] = [None, 1e-305, None, None]
    instance = TwinAssignment(document)
    assert not instance.open[:, 1].any() and instance.open[:, [0, 2, 3]].all()


def test_different_documents_differ() -> None:
    digests = {tiny(seed).digest for seed in range(100)}
    assert len(digests) == 100


def test_decisions_come_back() -> None:
    instance = tiny(3)
    for x in random_decisions(instance, 5, 0):
        decision = instance.decision(x)
        assert list(decision) == ["server"]
        again, parts = instance.from_decision({"server": decision["server"].tolist()})
        np.testing.assert_array_equal(again, x)
        assert not parts


def test_the_callers_arrays_stay_theirs() -> None:
    document = generate("paper", 0)
    instance = TwinAssignment(document)
    digest = instance.digest
    document["devices"]["input_bits"][:] = 1.0
    again = instance.replace()
    assert again.digest == digest
    assert document["devices"]["x_m"].flags.writeable


# --- what is refused --------------------------------------------------------------------------


def put(path: str, value: Any) -> Callable[[Document], None]:
    """Set the field at a dotted path, or one entry of its list."""

    def change(document: Document) -> None:
        *parents, last = path.split(".")
        place: Any = document
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value

    return change


def drop(path: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        *parents, last = path.split(".")
        place = document
        for name in parents:
            place = place[name]
        del place[last]

    return change


BAD: list[tuple[Callable[[], Document], Callable[[Document], None], str]] = [
    (paper, put("version", 2), "version: found 2"),
    (paper, put("alpha", 1), "alpha: unknown field"),
    (paper, put("servers.speed", [1]), "servers.speed: unknown field (did you mean 'speed_hz'"),
    (paper, put("deadline_s", [1]), "deadline_s: unknown field (did you mean 'twins.deadline_s'"),
    (paper, drop("delay_weight"), "delay_weight: missing"),
    (paper, put("delay_weight", 1.5), "delay_weight: found 1.5"),
    (paper, put("delay_weight", -0.1), "delay_weight: found -0.1"),
    (paper, put("delay_weight", True), "delay_weight: found true"),
    (paper, put("delay_weight", float("nan")), "delay_weight: found NaN"),
    (paper, put("time_ref_s", 0), "time_ref_s: found 0"),
    (paper, put("energy_ref_j", -1), "energy_ref_j: found -1"),
    (paper, put("uplink_discount", 0), "uplink_discount: found 0"),
    (paper, put("uplink_discount", 1.1), "uplink_discount: found 1.1"),
    (paper, put("min_distance_m", 0), "min_distance_m: found 0"),
    (paper, put("rate_distance_bps_m", 0), "rate_distance_bps_m: found 0"),
    (paper, put("cycles_per_bit", -1), "cycles_per_bit: found -1"),
    (paper, put("cpu_sharing", "fifo"), "cpu_sharing: found 'fifo', expected one of"),
    (paper, put("cpu_sharing", "equel"), "did you mean 'equal'"),
    (paper, put("time_weight", "ones"), "time_weight: found 'ones'"),
    (paper, put("time_weight", 1.0), "time_weight: found 1.0"),
    (paper, put("time_weight", None), "time_weight: found null"),
    (paper, put("time_weight", [1, 0, 1]), "time_weight[1]: found 0"),
    (paper, put("time_weight", [1, 1]), "time_weight: found 2 entries, expected 3"),
    (paper, put("servers", []), "servers: found a list of 0"),
    (paper, put("servers.kind", []), "servers.kind: found an empty list"),
    (paper, put("servers.kind", ["edge", "fog", "edge"]), "servers.kind[1]: found 'fog'"),
    (paper, put("servers.kind", ["edge"]), "servers.x_m: found 3 entries, expected 1"),
    (paper, drop("servers.kind"), "servers.kind: missing"),
    (paper, put("servers.x_m", [0, None, None]), "servers.x_m[2]: found null at an edge"),
    (paper, put("servers.y_m", [None, None, 0]), "servers.y_m[0]: found null at an edge"),
    (paper, put("servers.y_m", [0, 0, "1"]), "servers.y_m[2]: found '1'"),
    (paper, drop("servers.x_m"), "servers.x_m: missing, and uploads to edge servers need it"),
    (paper, put("servers.speed_hz", [1, 0, 1]), "servers.speed_hz[1]: found 0"),
    (paper, put("servers.speed_hz", [1, None, 1]), "servers.speed_hz[1]: found null"),
    (paper, drop("servers.speed_hz"), "servers.speed_hz: missing"),
    (paper, drop("servers.energy_j_per_cycle"), "servers.energy_j_per_cycle: missing"),
    (paper, drop("servers.tx_energy_j_per_bit"), "servers.tx_energy_j_per_bit: missing"),
    (paper, put("servers.backhaul_bps", [0, 1, 1]), "servers.backhaul_bps[0]: found 0"),
    (paper, put("servers.max_twins", [1, 1]), "servers.max_twins: found 2 entries, expected 3"),
    (paper, put("servers.max_twins", [1, -1, 1]), "servers.max_twins[1]: found -1"),
    (paper, put("servers.max_devices", 3), "servers.max_devices: found 3, expected a list of 3"),
    (paper, put("servers.memory_bytes", [1, 2, 3]), "twins.memory_bytes: missing"),
    (paper, put("twins.memory_bytes", [1, 2]), "twins.memory_bytes: found 2 entries"),
    (paper, put("twins.count", 0), "twins.count: found 0"),
    (paper, put("twins.count", 2.5), "twins.count: found 2.5"),
    (paper, put("twins.count", 4), "devices.twin: twin 3 owns no device"),
    (paper, put("twins.count", 10**15), "devices.twin: twin 3 owns no device"),
    (paper, put("twins.count", 2), "devices.twin[0]: found 2, expected an integer from 0 to 1"),
    (paper, drop("twins.count"), "twins.count: missing"),
    (paper, drop("twins"), "twins.count: missing"),
    (paper, put("twins.deadline_s", [1, 0, None]), "twins.deadline_s[1]: found 0"),
    (paper, drop("devices"), "devices: missing"),
    (paper, put("devices", {}), "devices.twin: missing"),
    (paper, put("devices.twin", []), "devices.twin: found an empty list"),
    (paper, put("devices.twin", [0, 0, 1, 1, 0]), "devices.twin: twin 2 owns no device"),
    (paper, put("devices.twin", [0, 0, 1, 2.0, 0]), "devices.twin[3]: found 2.0"),
    (paper, put("devices.twin", [0, 0, 1, 2, -1]), "devices.twin[4]: found -1"),
    (paper, put("devices.input_bits", [1, 2, 3]), "devices.input_bits: found 3 entries"),
    (paper, put("devices.input_bits.2", -1), "devices.input_bits[2]: found -1"),
    (paper, put("devices.x_m.1", None), "devices.x_m[1]: found null"),
    (paper, put("devices.x_m.1", 10**400), "devices.x_m[1]: found an integer of more than 60"),
    (paper, put("devices.uplink_rate_bps.0", 0), "devices.uplink_rate_bps[0]: found 0"),
    (paper, drop("devices.uplink_rate_bps"), "devices.uplink_rate_bps: missing, and uploads to"),
    (paper, drop("cycles_per_bit"), "cycles_per_bit: missing"),
    (paper, drop("rate_distance_bps_m"), "rate_distance_bps_m: missing"),
    (paper, put("pair_load", [[1, 1, 1]] * 3), "server_capacity: missing, and pair_load"),
    (paper, put("server_capacity", [1, 1, 1]), "pair_load: missing, and server_capacity"),
    (paper, put("pair_compute_s", [[1, 2, 3]] * 2), "pair_compute_s: found 2 entries, expected 3"),
    (paper, put("pair_compute_s", [[1, 2]] * 3), "pair_compute_s[0]: found 2 entries"),
    (paper, put("pair_energy_j", [[1, 2, -3]] * 3), "pair_energy_j[0][2]: found -3"),
    (paper, put("pair_energy_j", [[1, 2, 3], 4, 5]), "pair_energy_j[1]: found 4"),
    (paper, put("pair_transfer_s", []), "pair_transfer_s: found an empty list"),
    (paper, put("pair_transfer_s", [[]] * 3), "pair_transfer_s[0]: found an empty list"),
    (paper, put("pair_transfer_s", "none"), "pair_transfer_s: found 'none'"),
    (measured, put("time_weight", "devices"), "devices: missing, and time_weight 'devices'"),
    (measured, put("time_weight", "mean"), "devices: missing, and time_weight 'mean'"),
    (measured, drop("pair_energy_j"), "devices: missing, and there is no pair_energy_j"),
    (measured, drop("delay_weight"), "delay_weight: missing"),
    (measured, put("servers.max_devices", [1, 2]), "devices: missing, and servers.max_devices"),
    (measured, put("servers.max_input_bits", [1, None]), "devices: missing, and servers.max_in"),
    (measured, put("servers.backhaul_bps", [1, 2]), "devices: missing, and servers.backhaul_bps"),
    (measured, put("twins.count", 3), "pair_transfer_s: found 2 entries, expected 3"),
    (costs, put("delay_weight", 0.5), "delay_weight: stands beside pair_cost"),
    (costs, put("cpu_sharing", "equal"), "cpu_sharing: stands beside pair_cost"),
    (costs, put("cpu_sharing", "none"), "cpu_sharing: stands beside pair_cost"),
    (costs, put("time_weight", "one"), "time_weight: stands beside pair_cost"),
    (costs, put("cycles_per_bit", 1), "cycles_per_bit: stands beside pair_cost"),
    (costs, put("pair_compute_s", [[1, 2], [3, 4]]), "pair_compute_s: stands beside pair_cost"),
    (costs, put("servers.speed_hz", [1, 2]), "servers.speed_hz: stands beside pair_cost"),
    (costs, put("servers.backhaul_bps", [1, 2]), "servers.backhaul_bps: stands beside pair_cost"),
    (costs, put("twins.deadline_s", [1, 2]), "twins.deadline_s: stands beside pair_cost"),
    (costs, put("servers.max_devices", [1, 2]), "devices: missing, and servers.max_devices"),
    (costs, put("servers.kind", ["edge"]), "pair_cost[0]: found 2 entries, expected 1"),
    (costs, put("pair_cost", [[1, 2], [3]]), "pair_cost[1]: found 1 entries, expected 2"),
    (costs, put("pair_cost", [[1, float("inf")], [3, 4]]), "pair_cost[0][1]: found an infinite"),
    (costs, put("pair_cost", [[1, "2"], [3, 4]]), "pair_cost[0][1]: found '2', expected a finite"),
    (costs, put("pair_cost", [[1, True], [3, 4]]), "pair_cost[0][1]: found true"),
    (costs, put("pair_cost", [1, 2]), "pair_cost[0]: found 1, expected a list"),
    (costs, put("pair_load", [[1, 2], [3, 4]]), "server_capacity: missing"),
]


@pytest.mark.parametrize(("start", "change", "message"), BAD, ids=[m for _, _, m in BAD])
def test_a_bad_document_is_one_clear_line(
    start: Callable[[], Document], change: Callable[[Document], None], message: str
) -> None:
    document = start()
    TwinAssignment(copy.deepcopy(document))  # which is sound before the change
    change(document)
    with pytest.raises(InstanceError) as caught:
        TwinAssignment(document)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whatever_is_cut_from_a_document_is_refused_or_read() -> None:
    """No field can be dropped or replaced in a way that ends in another error."""
    strange: list[Any] = [None, [], {}, "x", -1, 0, 1e308, True, [None], [[1]], float("nan")]
    refused = 0
    for seed in range(12):
        document = tiny(seed).to_dict()
        for path in _paths(document):
            for value in strange:
                changed = copy.deepcopy(document)
                put(path, value)(changed)
                try:
                    instance = TwinAssignment(changed)
                except InstanceError as error:
                    assert str(error).count("\n") == 0
                    refused += 1
                else:
                    instance.evaluate(np.zeros(instance.twins, dtype=np.int64))
                    assert TwinAssignment(instance.to_dict()) == instance
    assert refused > 1000


def _paths(document: Document) -> list[str]:
    inner = [
        f"{name}.{field}"
        for name, value in document.items()
        if isinstance(value, dict)
        for field in value
    ]
    return [*document, *inner]
