"""The instance families are what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import optkit
from formulations.channel_choice import PROBLEM
from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.overhead_kernels import thresholds
from optkit.errors import UsageError


@pytest.mark.parametrize("family", PROBLEM.families)
def test_the_same_seed_gives_the_same_instance(family: str) -> None:
    one, again = (optkit.generate("channel_choice", family, 5) for _ in range(2))
    assert one.digest == again.digest
    assert one.digest != optkit.generate("channel_choice", family, 6).digest
    assert one.name.startswith(family)


def test_tiny_takes_every_option() -> None:
    documents = [generate("tiny", seed) for seed in range(300)]
    for name, count in {
        "delay_model": 2, "transfer": 2, "cut_choice": 4, "cut_revenue": 2, "edge_sharing": 2,
        "require_profitable": 2, "channels": 3,
    }.items():  # fmt: skip
        assert len({document[name] for document in documents}) == count, name
    assert {document["cloud"]["sharing"] for document in documents} == {"equal", "fixed"}
    balances = [document.get("load_balance") for document in documents]
    assert {b["sharing"] for b in balances if b} == {"count", "work"}
    assert {len(document["services"]) for document in documents} == {2, 3, 4, 5, 6}
    assert {len(document["servers"]) for document in documents} == {1, 2, 3}
    assert {document["segmentation"] == "optimal" for document in documents} == {True, False}
    assert any("deadline_s" in s for document in documents for s in document["services"])
    assert max(float(np.prod(ChannelChoice(d).choices, dtype=float)) for d in documents) <= 60_000


def test_tiny_can_be_asked_for_load_balance_and_deadlines() -> None:
    for seed in range(30):
        assert ChannelChoice(generate("tiny", seed, balanced=True)).balanced
        assert not ChannelChoice(generate("tiny", seed, balanced=False)).balanced
        without = generate("tiny", seed, deadlines=False)
        assert not any("deadline_s" in service for service in without["services"])


@pytest.mark.parametrize(
    ("regime", "low", "high"), [("hard", 0.3, 1.5), ("mid", 0.1, 1.0), ("soft", 0.05, 0.3)]
)
@pytest.mark.parametrize("sharing", ["fixed", "equal"])
def test_dense_pays_off_at_the_drawn_efficiency(
    regime: str, low: float, high: float, sharing: str
) -> None:
    """Half of the services offloaded, each just tolerates what leaves its bit/s/Hz."""
    instance = ChannelChoice(generate("dense", 2, regime=regime, sharing=sharing, services=40))
    o = instance.offloading()
    tolerated = thresholds(o, 20)
    within = tolerated < o.power_w.sum()  # the others tolerate everybody
    assert within.sum() > 20
    efficiency = np.log2(1 + o.power_w / (o.noise_w + tolerated - o.power_w))
    assert np.all(efficiency[within] > low * (1 - 1e-6))
    assert np.all(efficiency[within] < high * (1 + 1e-6))


def test_dense_powers_spread_as_told() -> None:
    o = ChannelChoice(generate("dense", 0, wr_db=6.0, services=100)).offloading()
    decibels = 10 * np.log10(o.power_w / o.noise_w)
    assert decibels.min() >= 40
    assert 45 < decibels.max() <= 46


def test_the_paper_in_numbers() -> None:
    document = generate("paper", 0, per_server=4)
    instance = ChannelChoice(document)
    assert (instance.servers, instance.services, instance.channels) == (9, 36, 15)
    assert {server["speed_flop_per_s"] for server in document["servers"]} == {6e12}
    assert document["cloud"] == {"speed_flop_per_s": 14e12, "sharing": "equal"}
    assert (document["bandwidth_hz"], document["noise_w"]) == (15e6, 1e-13)
    assert [(server["x_m"], server["y_m"]) for server in document["servers"]][4] == (150, 150)
    assert document["servers"][0]["nearest"] == 1
    kilobytes = [2408 * service["input_scale"] for service in document["services"]]
    assert 2000 <= min(kilobytes) < 2200 < 2800 < max(kilobytes) <= 3000
    assert np.all(instance.static.cut_index == 10)  # the cut rule of the paper on YOLOv1
    # The threshold is twice the median overhead with one service at each server.
    alone = ChannelChoice(document | {"edge_sharing": "none"}).static
    assert instance.static.threshold == pytest.approx(2 * np.median(alone.local_overhead))


def test_options_of_the_paper() -> None:
    small = generate("paper", 0, bytes_per_element=1, split_bandwidth=True, energy_unit=1e-9)
    large = generate("paper", 0, energy_unit=1e-9)
    assert small["bandwidth_hz"] == pytest.approx(1e6)
    one, other = ChannelChoice(small), ChannelChoice(large)
    np.testing.assert_allclose(4 * one.static.transfer_bits, other.static.transfer_bits)
    np.testing.assert_allclose(one.static.tail_s, other.static.tail_s)
    joule = [server["energy_j_per_flop"] for server in large["servers"]]
    assert 0.8e-9 <= min(joule) < max(joule) <= 1.2e-9


def test_balance_and_joint_have_backlogs() -> None:
    for family in ("balance", "joint"):
        document = generate(family, 1, per_server=2, heads="work")
        assert document["load_balance"] == {"sharing": "work"}
        assert any(server["backlog_flop"] > 0 for server in document["servers"])
        assert ChannelChoice(document).balanced
    uneven = generate("balance", 1, servers=30, per_server=2, uneven=True)
    counts = np.bincount([service["server"] for service in uneven["services"]], minlength=30)
    assert set(counts) == {0, 1, 2, 3, 4}


def test_the_nearest_server_is_the_nearest() -> None:
    servers = generate("balance", 3, servers=12)["servers"]
    for h, server in enumerate(servers):
        metres = [
            np.hypot(server["x_m"] - other["x_m"], server["y_m"] - other["y_m"]) if g != h else 1e9
            for g, other in enumerate(servers)
        ]
        assert server["nearest"] == int(np.argmin(metres))


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("tiny", {"services": 3}),
        ("dense", {"per_server": 2}),
        ("paper", {"servers": 4}),
        ("dense", {"services": 0}),
        ("dense", {"channels": 0}),
        ("dense", {"cloudx": 0.0}),
        ("dense", {"wr_db": -1.0}),
        ("dense", {"regime": "easy"}),
        ("balance", {"servers": 1}),
        ("paper", {"bytes_per_element": 2}),
        ("paper", {"cloud_energy_low": 1.3}),
        ("paper", {"energy_unit": float("nan")}),
    ],
)
def test_parameters_that_make_no_sense_are_refused(family: str, parameters: Any) -> None:
    with pytest.raises(UsageError):
        optkit.generate("channel_choice", family, 0, **parameters)
