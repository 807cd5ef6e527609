"""Files in and out: what is refused and how, round trips, decisions, known networks, cut rules."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from channel_plain import rate_cut as plain_rate_cut

from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.partition import network_cuts, profit_rates, rate_cut
from optkit.errors import DecisionError, InstanceError

GOOD: dict[str, Any] = {
    "problem": "channel_choice",
    "version": 1,
    "name": "good",
    "channels": 2,
    "bandwidth_hz": 1e6,
    "noise_w": 1e-13,
    "qos_threshold": 1.0,
    "cloud": {"speed_flop_per_s": 1e12},
    "servers": [
        {"speed_flop_per_s": 1e12, "energy_j_per_flop": 1e-11, "nearest": 1},
        {"speed_flop_per_s": 2e12, "energy_j_per_flop": 1e-11, "nearest": 0, "x_m": 1.0},
    ],
    "services": [
        {
            "server": 0,
            "time_weight_per_s": 0.5,
            "energy_weight_per_j": 0.5,
            "tx_power_w": 0.1,
            "channel_gain": 1e-9,
            "cloud_energy_j_per_flop": 1e-11,
            "hold_energy_j": 0.0,
            "cut": 1,
            "cuts": [
                {"head_flop": 0.0, "tail_flop": 3e9, "transfer_bits": 8e6, "tail_param_bytes": 9e6},
                {"head_flop": 1e9, "tail_flop": 2e9, "transfer_bits": 1e6, "tail_param_bytes": 6e6},
                {"head_flop": 3e9, "tail_flop": 0.0, "transfer_bits": 1e3, "tail_param_bytes": 0.0},
            ],
        },
        {
            "server": 1,
            "time_weight_per_s": 0.2,
            "energy_weight_per_j": 0.8,
            "tx_power_w": 0.1,
            "channel_gain": 2e-9,
            "cloud_energy_j_per_flop": 1e-11,
            "hold_energy_j": 0.01,
            "cut": 3,
            "model": "tiny_yolo",
            "input_scale": 1.1,
            "deadline_s": 2.0,
        },
    ],
}


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """What sets the field of that path, or removes it if the value is ``...``."""

    def change(document: dict[str, Any]) -> None:
        target: Any = document
        words = path.replace("[", ".").replace("]", "").split(".")
        steps = [int(word) if word.isdigit() else word for word in words]
        for step in steps[:-1]:
            target = target[step]
        if value is ...:
            del target[steps[-1]]
        else:
            target[steps[-1]] = value

    return change


def bad(path: str, value: Any, where: str | None = None, **more: Any) -> Any:
    return pytest.param(path, value, where or path, more, id=f"{path}={value!r}"[:60])


SERVICE = "services[0]"
BAD = [
    *(bad(name, ...) for name in ("channels", "bandwidth_hz", "noise_w", "qos_threshold", "cloud")),
    *(bad(name, ...) for name in ("servers", "services")),
    *(bad(name, value) for name in ("bandwidth_hz", "noise_w", "qos_threshold")
      for value in (0, -1.0, "1", None, True, float("nan"), float("inf"), [1.0])),
    *(bad("channels", value) for value in (0, -1, 1.5, "2", True, None, 10**9)),
    bad("problem", "channel"), bad("version", 2), bad("name", 3), bad("surprise", 1),
    bad("delay_model", "serial"), bad("transfer", "half"), bad("cut_choice", "best"),
    bad("cut_revenue", "head"), bad("edge_sharing", "equal"), bad("require_profitable", 1),
    *(bad("segmentation", value) for value in ("best", -0.1, 1.1, True, float("nan"), None)),
    bad("cut_weights", [1.0]), bad("cut_weights", [1.0, 0.0, 0.0]), bad("cut_weights", 1.0),
    bad("cut_weights", [1.0, -1.0], "cut_weights[1]"),
    bad("cut_weights", [1.0, float("nan")], "cut_weights[1]"),
    bad("cloud", 1e12), bad("cloud", {}, "cloud.speed_flop_per_s"),
    bad("cloud.speed_flop_per_s", 0), bad("cloud.sharing", "k"),
    bad("load_balance", True), bad("load_balance", {"sharing": "sum"}, "load_balance.sharing"),
    bad("load_balance", {"sharing": "work"}, "load_balance.sharing", cut_choice="optimal"),
    bad("servers", []), bad("services", []), bad("services", {}),
    bad("servers[1].speed_flop_per_s", 0), bad("servers[1].speed_flop_per_s", ...),
    bad("servers[1].energy_j_per_flop", -1e-11), bad("servers[1].energy_j_per_flop", ...),
    bad("servers[0].nearest", 0), bad("servers[0].nearest", 2), bad("servers[0].nearest", -1),
    bad("servers[0].nearest", ..., load_balance={}), bad("servers[1].backlog_flop", -1.0),
    bad("servers[1].backlog_flop", None), bad("servers[1].x_m", float("inf")),
    bad("servers[1].y_m", float("nan")), bad("servers[1].z_m", 1.0),
    *(bad(f"{SERVICE}.{name}", value)
      for name in ("time_weight_per_s", "energy_weight_per_j", "tx_power_w", "channel_gain")
      for value in (0.0, -0.5, "x", None, float("nan"), ...)),
    *(bad(f"{SERVICE}.{name}", value) for name in ("cloud_energy_j_per_flop", "hold_energy_j")
      for value in (-1e-3, True, None, ...)),
    bad(f"{SERVICE}.time_weight_per_s", 0.6, f"{SERVICE}.energy_weight_per_j"),
    bad(f"{SERVICE}.channel_gain", 1e-300, tx=1e-300),
    bad(f"{SERVICE}.server", 2), bad(f"{SERVICE}.server", -1), bad(f"{SERVICE}.server", ...),
    bad(f"{SERVICE}.cut", 3), bad(f"{SERVICE}.cut", -1), bad(f"{SERVICE}.cut", ...),
    bad(f"{SERVICE}.cut", 1.5), bad(f"{SERVICE}.deadline_s", -1.0), bad(f"{SERVICE}.cuts", ...),
    bad(f"{SERVICE}.cuts", []), bad(f"{SERVICE}.cuts", None), bad(f"{SERVICE}.cuts[1]", None),
    bad(f"{SERVICE}.model", "tiny_yolo", f"{SERVICE}.cuts"), bad(f"{SERVICE}.input_scale", 1.0),
    bad(f"{SERVICE}.cuts[1].head_flop", 2e9, f"{SERVICE}.cuts[1].tail_flop"),
    bad(f"{SERVICE}.cuts[1].tail_flop", -2e9), bad(f"{SERVICE}.cuts[1].tail_flop", ...),
    bad(f"{SERVICE}.cuts[1].transfer_bits", -1), bad(f"{SERVICE}.cuts[2].tail_param_bytes", ...),
    bad(f"{SERVICE}.cuts[1].layer", "conv"), bad(f"{SERVICE}.cuts[1].tail_param_bytes", 9.1e6),
    bad(f"{SERVICE}.cuts[2].transfer_bits", 0.0, cut_choice="rate"),
    bad("services[1].model", "yolo"), bad("services[1].input_scale", ...),
    bad("services[1].input_scale", 0.0), bad("services[1].cut", 16),
    bad("services[1].deadline_s", float("nan")),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "where", "more"), BAD)
def test_bad_files_name_the_field(path: str, value: Any, where: str, more: dict[str, Any]) -> None:
    document = copy.deepcopy(GOOD)
    if more.pop("tx", None):
        document["services"][0]["tx_power_w"] = 1e-300
    put(path, value)(document)
    with pytest.raises(InstanceError) as caught:
        ChannelChoice(document | more)
    assert caught.value.field == where
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("cut_choice", "where"),
    [("rate", "services[0].cuts[0].head_flop"), ("input", "services[0].cuts[0].head_flop")],
)
def test_the_first_entry_is_the_input_where_it_matters(cut_choice: str, where: str) -> None:
    document = copy.deepcopy(GOOD) | {"cut_choice": cut_choice}
    document["services"][0]["cuts"] = document["services"][0]["cuts"][1:]
    with pytest.raises(InstanceError) as caught:
        ChannelChoice(document)
    assert caught.value.field == where
    assert ChannelChoice(document | {"cut_choice": "optimal"}).services == 2


def test_cuts_out_of_order_and_nothing_to_cut_are_refused() -> None:
    document = copy.deepcopy(GOOD)
    cuts = document["services"][0]["cuts"]
    cuts[1], cuts[2] = cuts[2], cuts[1]
    with pytest.raises(InstanceError) as caught:
        ChannelChoice(document)
    assert caught.value.field == "services[0].cuts[2].head_flop"
    empty = copy.deepcopy(GOOD) | {"cut_choice": "rate"}
    for cut in empty["services"][0]["cuts"]:
        cut["head_flop"] = cut["tail_flop"] = 0.0
    with pytest.raises(InstanceError) as caught:
        ChannelChoice(empty)
    assert caught.value.field == "services[0].cuts[0].tail_flop"


def test_one_server_has_no_load_balance() -> None:
    document = copy.deepcopy(GOOD) | {"load_balance": {}}
    document["services"][1]["server"] = 0
    document["servers"] = [{"speed_flop_per_s": 1e12, "energy_j_per_flop": 1e-11}]
    with pytest.raises(InstanceError) as caught:
        ChannelChoice(document)
    assert caught.value.field == "load_balance"
    assert ChannelChoice(document | {"load_balance": None}).servers == 1


def test_what_is_left_out_has_its_default() -> None:
    full = copy.deepcopy(GOOD) | {
        "delay_model": "sum",
        "transfer": "full",
        "segmentation": "optimal",
        "cut_choice": "given",
        "cut_weights": [1, 0],
        "cut_revenue": "tail",
        "edge_sharing": "count",
        "require_profitable": True,
        "load_balance": None,
    }
    full["cloud"]["sharing"] = "equal"
    full["servers"][0]["backlog_flop"] = 0
    full["services"][0]["deadline_s"] = None
    assert ChannelChoice(full).digest == ChannelChoice(GOOD).digest
    assert ChannelChoice(full).to_dict() == ChannelChoice(GOOD).to_dict()


def test_an_empty_load_balance_is_one() -> None:
    instance = ChannelChoice(GOOD | {"load_balance": {}})
    assert instance.balanced
    again = ChannelChoice(instance.to_dict())
    assert again.balanced
    assert again.digest == instance.digest != ChannelChoice(GOOD).digest
    assert ChannelChoice(GOOD | {"load_balance": {"sharing": "count"}}) == instance


@pytest.mark.parametrize("seed", range(60))
def test_a_document_survives_its_file_form(seed: int) -> None:
    instance = ChannelChoice(generate("tiny", seed))
    again = ChannelChoice(json.loads(json.dumps(instance.to_dict())))
    assert again.digest == instance.digest
    assert again.to_dict() == instance.to_dict()


@pytest.mark.parametrize("seed", range(60))
def test_decisions_round_trip(seed: int) -> None:
    instance = ChannelChoice(generate("tiny", seed))
    x = np.random.default_rng(seed).integers(0, instance.choices)
    decision = instance.decision(x)
    assert set(decision) - {"head_on_nearest"} == {"channel", "cut", "delta"}
    assert np.all(decision["delta"][decision["channel"] == 0] == 0)
    plain = {name: values.tolist() for name, values in decision.items()}
    np.testing.assert_array_equal(instance.from_decision(plain)[0], x)
    shortest = {name: plain[name] for name in ("channel", "head_on_nearest") if name in plain}
    np.testing.assert_array_equal(instance.from_decision(shortest)[0], x)


@pytest.mark.parametrize(
    "decision",
    [
        {},
        {"channel": [0]},
        {"channel": [0, 3]},
        {"channel": [0, -1]},
        {"channel": [0.0, 1.5]},
        {"channel": ["0", "1"]},
        {"channel": [[0], [1, 2]]},
        {"channel": None},
        {"channel": [0, 1], "head_on_nearest": [0, 0]},
        {"channel": [0, 1], "power": [1, 1]},
        {"cut": [0, 0]},
    ],
)
def test_bad_decisions_are_refused(decision: dict[str, Any]) -> None:
    with pytest.raises(DecisionError):
        ChannelChoice(GOOD).from_decision(decision)


@pytest.mark.parametrize(
    ("name", "entry", "text"),
    [
        ("cut", 0, "cut[0] is 0, but 1 follows"),
        ("delta", 0.5, "delta[0] is 0.5, but 1 follows"),
        ("delta", float("nan"), "delta[0] is nan"),
        ("delta", "1", "delta is not a list of 2 numbers"),
        ("delta", [1.0], "delta is not a list of 2 numbers"),
        ("cut", None, "cut is not a list of 2 numbers"),
    ],
)
def test_cuts_and_fractions_that_do_not_follow_are_refused(
    name: str, entry: Any, text: str
) -> None:
    instance = ChannelChoice(GOOD | {"segmentation": 1.0})
    decision = {key: values.tolist() for key, values in instance.decision([1, 0]).items()}
    decision[name][0] = entry
    with pytest.raises(DecisionError, match=re.escape(text)):
        instance.from_decision(decision)


@pytest.mark.parametrize("value", ["half", 1.5, None, True, [0.5]])
def test_what_a_fraction_may_be_is_said_in_one_piece(value: Any) -> None:
    with pytest.raises(InstanceError, match="expected 'optimal' or a number from 0 to 1$"):
        ChannelChoice(GOOD | {"segmentation": value})


def test_a_weight_of_nothing_decides_no_cut() -> None:
    cuts = np.array([[0, 4, 8, 0], [1, 3, 2, 0], [3.9, 0.1, 7, 5e9]])
    assert rate_cut(cuts, (1.0, 0.0), "tail") == 1


def test_load_balance_needs_where_heads_run() -> None:
    instance = ChannelChoice(GOOD | {"load_balance": {}})
    with pytest.raises(DecisionError):
        instance.from_decision({"channel": [0, 1]})
    with pytest.raises(DecisionError):
        instance.from_decision({"channel": [0, 1], "head_on_nearest": [0, 2]})
    x, _ = instance.from_decision({"channel": [0, 1], "head_on_nearest": [1, 0]})
    assert x.tolist() == [0, 1, 1, 0]


def test_there_are_no_parts() -> None:
    with pytest.raises(DecisionError):
        ChannelChoice(GOOD).evaluate_batch(np.zeros((1, 2), dtype=np.int64), start_s=1.0)


def test_extreme_sizes_are_judged_without_a_warning() -> None:
    document = copy.deepcopy(GOOD) | {"delay_model": "parallel", "transfer": "scaled"}
    document["services"][0]["cuts"][1]["transfer_bits"] = 1e300
    document["bandwidth_hz"] = 1e-20
    judged = ChannelChoice(document).evaluate([1, 0])
    assert not np.isnan(judged.objective)
    assert ChannelChoice(document | {"segmentation": 1.0}).evaluate([1, 0]).objective < -100


# --- known networks and the cut rule -------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "tail_gflop", "kilobytes"),
    [(0, 40.57, 2408), (10, 26.8, 803), (21, 10.8, 401), (26, 2.27, 201)],
)
def test_cuts_of_yolo(cut: int, tail_gflop: float, kilobytes: float) -> None:
    head, tail, bits, _ = network_cuts("yolov1")[cut]
    assert tail / 1e9 == pytest.approx(tail_gflop, rel=3e-3)
    assert head + tail == pytest.approx(40.57030656e9, rel=1e-12)
    assert bits / 8e3 == pytest.approx(kilobytes, rel=2e-3)


def test_rows_of_the_networks() -> None:
    assert network_cuts("yolov1").shape == (31, 4)
    assert network_cuts("tiny_yolo").shape == (16, 4)
    assert network_cuts("yolov1")[0, 3] == 4 * 271_684_800
    for name in ("yolov1", "tiny_yolo"):
        cuts = network_cuts(name)
        assert cuts[0, 0] == cuts[-1, 1] == cuts[-1, 3] == 0.0
        assert np.all(np.diff(cuts[:, 0]) >= 0)
        assert np.all(np.diff(cuts[:, 3]) <= 0)


@pytest.mark.parametrize(
    ("weights", "revenue", "cut"),
    [
        ((1.0, 0.0), "tail", 10),
        ((0.5, 0.5), "tail", 26),
        ((0.0, 1.0), "tail", 26),
        ((1.0, 0.0), "layer", 29),  # fc 4096: nearly nothing is left behind it
    ],
)
def test_the_cut_rule_on_yolo(weights: tuple[float, float], revenue: str, cut: int) -> None:
    assert rate_cut(network_cuts("yolov1"), weights, revenue) == cut


def test_the_cut_rule_against_the_plain_reading() -> None:
    chosen = []
    for seed in range(200):
        document = generate("tiny", seed)
        if document["cut_choice"] != "rate":
            continue
        expected = [plain_rate_cut(document, service["cuts"]) for service in document["services"]]
        found = ChannelChoice(document).static.cut_index[:, 0]
        np.testing.assert_array_equal(found, expected)
        chosen += expected
    assert set(chosen) == {0, 1, 2, 3, 4}


def test_equal_rates_go_to_the_first_cut() -> None:
    cuts = np.array([[0.0, 4.0, 8.0, 4.0], [2.0, 2.0, 4.0, 2.0], [4.0, 0.0, 1.0, 0.0]])
    np.testing.assert_allclose(profit_rates(cuts, (1.0, 0.0), "tail"), [1.0, 1.0, 0.0])
    assert rate_cut(cuts, (1.0, 0.0), "tail") == 0
    np.testing.assert_allclose(profit_rates(cuts, (0.5, 0.5), "layer"), [0.0, 1.0, 4.0])
    assert rate_cut(cuts, (0.5, 0.5), "layer") == 1  # nothing is left behind the last


def test_the_input_scale_multiplies_work_and_bits_alone() -> None:
    one = ChannelChoice(GOOD)
    document = copy.deepcopy(GOOD)
    document["services"][1]["input_scale"] = 2.2
    two = ChannelChoice(document)
    for name in ("head_s", "head_j", "tail_s", "tail_j", "tail_flop", "cloud_j", "transfer_bits"):
        np.testing.assert_allclose(getattr(two.static, name)[1], 2 * getattr(one.static, name)[1])


def test_a_named_network_is_its_cuts_written_out() -> None:
    written = copy.deepcopy(GOOD)
    service = written["services"][1]
    del service["model"], service["input_scale"]
    names = ("head_flop", "tail_flop", "transfer_bits", "tail_param_bytes")
    rows = network_cuts("tiny_yolo") * np.array([1.1, 1.1, 1.1, 1.0])
    service["cuts"] = [dict(zip(names, row.tolist(), strict=True)) for row in rows]
    for cut_choice in ("given", "rate", "optimal", "input"):
        one = ChannelChoice(GOOD | {"cut_choice": cut_choice})
        other = ChannelChoice(written | {"cut_choice": cut_choice})
        for x in ([0, 0], [1, 2], [1, 1]):
            assert one.evaluate(x).objective == other.evaluate(x).objective
