"""The evaluator against a plain reading of the specification, by hand, and by laws."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from channel_plain import plain_evaluate

from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from optkit.errors import DecisionError
from optkit.evaluation import Evaluation


def tiny(seed: int, **parameters: Any) -> dict[str, Any]:
    return generate("tiny", seed, **parameters)


def draw(instance: ChannelChoice, seed: int, rows: int) -> Any:
    rng = np.random.default_rng([seed, 1])
    return rng.integers(0, instance.choices, (rows, len(instance.choices)))


def assert_same(found: Evaluation, expected: dict[str, Any]) -> None:
    assert found.objective == pytest.approx(expected["objective"], rel=1e-10, abs=1e-10)
    for kind in ("terms", "violations"):
        ours, theirs = getattr(found, kind), expected[kind]
        assert set(ours) == set(theirs)
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_agrees_with_the_plain_reading(first: int) -> None:
    broken: set[str] = set()
    feasible = 0
    for seed in range(first, first + 50):
        document = tiny(seed)
        instance = ChannelChoice(document)
        decisions = draw(instance, seed, 8)
        batch = instance.evaluate_batch(decisions)
        for row, x in enumerate(decisions):
            assert_same(batch[row], plain_evaluate(document, x.tolist()))
            broken |= set(batch[row].broken)
        feasible += int(batch.feasible.sum())
    assert {"unprofitable", "deadline"} <= broken
    assert feasible > 20


@pytest.mark.parametrize("seed", range(40))
def test_a_batch_is_its_rows(seed: int) -> None:
    instance = ChannelChoice(tiny(seed))
    decisions = draw(instance, seed, 30)
    batch = instance.evaluate_batch(decisions)
    for row, x in enumerate(decisions):
        alone = instance.evaluate(x)
        assert alone.objective == batch.objective[row]
        for name, amount in alone.violations.items():
            np.testing.assert_array_equal(amount, batch.violations[name][row])


def test_long_batches_are_judged_in_blocks() -> None:
    instance = ChannelChoice(generate("dense", 0, services=20, channels=4))
    decisions = draw(instance, 0, 3000)
    batch = instance.evaluate_batch(decisions)
    for row in range(0, 3000, 97):
        alone = instance.evaluate(decisions[row])
        assert alone.objective == batch.objective[row]
        np.testing.assert_array_equal(alone.terms["qos"], batch.terms["qos"][row])
    assert len(instance.evaluate_batch(decisions[:0])) == 0


#: One service alone on its server; two services would share half of everything.
BY_HAND: dict[str, Any] = {
    "problem": "channel_choice",
    "version": 1,
    "channels": 1,
    "bandwidth_hz": 1e6,
    "noise_w": 1.0,
    "qos_threshold": 1.0,
    "cloud": {"speed_flop_per_s": 8e9},
    "servers": [{"speed_flop_per_s": 2e9, "energy_j_per_flop": 1e-9}],
    "services": [
        {
            "server": 0,
            "time_weight_per_s": 0.5,
            "energy_weight_per_j": 0.5,
            "tx_power_w": 1.5,
            "channel_gain": 2.0,
            "cloud_energy_j_per_flop": 5e-10,
            "hold_energy_j": 0.1,
            "cut": 0,
            "cuts": [
                {
                    "head_flop": 1e9,
                    "tail_flop": 4e9,
                    "transfer_bits": 1e6,
                    "tail_param_bytes": 1e6,
                }
            ],
        }
    ],
}


def test_one_service_by_hand() -> None:
    instance = ChannelChoice(BY_HAND)
    # Home: 5e9 / 2e9 = 2.5 s and 5 J. Offloaded at log2(1 + 3) = 2 bit/s/Hz: 0.5 s of sending,
    # 0.5 s of head, 0.5 s of tail, and 0.75 + 1 + 2 + 0.1 J.
    home, away = instance.evaluate([0]), instance.evaluate([1])
    assert home.objective == pytest.approx(1 - np.log2(1 + 3.75))
    assert instance.origin == pytest.approx(home.objective)
    assert away.terms["delay_s"] == pytest.approx(1.5)
    assert away.terms["energy_j"] == pytest.approx(3.85)
    assert away.objective == pytest.approx(1 - np.log2(1 + 2.675))
    assert away.terms["gain_total"] == pytest.approx(np.log2(4.75 / 3.675))
    assert away.terms["offload_rate_flop"] == away.terms["offload_rate_count"] == 1.0
    assert away.feasible


def test_two_services_share_channel_server_and_cloud_by_hand() -> None:
    document = copy.deepcopy(BY_HAND)
    document["services"] *= 2
    both = ChannelChoice(document).evaluate([1, 1])
    # 3 W against 1 W of noise and 3 W of the other; half of the server and of the cloud each.
    sending = 1 / np.log2(1 + 3 / 4)
    assert both.terms["delay_s"] == pytest.approx(2 * (1.0 + 1.0 + sending))
    assert both.terms["energy_j"] == pytest.approx(2 * (1.5 * sending + 3.1))
    alone = ChannelChoice(document).evaluate([0, 1])
    assert alone.terms["delay_s"] == pytest.approx(5.0 + 1.0 + 0.5 + 0.5)


def test_interleaved_sending_and_computing_by_hand() -> None:
    document = copy.deepcopy(BY_HAND) | {"delay_model": "parallel", "transfer": "scaled"}
    document["services"][0]["time_weight_per_s"] = 1 - 1e-9
    document["services"][0]["energy_weight_per_j"] = 1e-9
    instance = ChannelChoice(document)
    # (1 - delta) 2 s at home = delta (0.5 s + 0.5 s) of sending and cloud.
    assert instance.decision([1])["delta"][0] == pytest.approx(2 / 3)
    assert instance.evaluate([1]).terms["delay_s"] == pytest.approx(0.5 + 2 / 3)


def test_a_deadline_may_ask_for_a_fraction_between() -> None:
    """The cloud is slower here but frugal: as much goes there as the deadline leaves time for."""
    document = copy.deepcopy(BY_HAND)
    document["cloud"]["speed_flop_per_s"] = 1e9
    document["services"][0] |= {"cloud_energy_j_per_flop": 0.0, "deadline_s": 4.0}
    document["services"][0] |= {"time_weight_per_s": 0.1, "energy_weight_per_j": 0.9}
    document["cloud"]["sharing"] = "fixed"
    instance = ChannelChoice(document)
    # 0.5 s head, (1 - delta) 2 s + delta 4 s tail, 0.5 s sending.
    assert instance.decision([1])["delta"][0] == pytest.approx(0.5)
    found = instance.evaluate([1])
    assert found.terms["delay_s"] == pytest.approx(4.0)
    assert found.feasible


def test_load_balance_by_hand() -> None:
    document = copy.deepcopy(BY_HAND)
    document["servers"] = [
        {"speed_flop_per_s": 2e9, "energy_j_per_flop": 1e-9, "nearest": 1, "backlog_flop": 4e9},
        {"speed_flop_per_s": 1e9, "energy_j_per_flop": 2e-9, "nearest": 0},
    ]
    small = copy.deepcopy(document["services"][0])
    small["server"] = 1
    small["cuts"][0]["head_flop"], small["cuts"][0]["tail_flop"] = 5e8, 1e9
    document["services"].append(small)
    for sharing, waiting in (("count", 2 * 1.0 + 2 * 0.5), ("work", 1.5 + 1.5)):
        instance = ChannelChoice(document | {"load_balance": {"sharing": sharing}})
        apart = instance.evaluate([0, 0, 0, 0]).terms
        assert apart["delay_s"] == pytest.approx((5 / 2 + 2) + (0.5 + 1))
        moved = instance.evaluate([0, 0, 1, 0]).terms
        assert moved["delay_s"] == pytest.approx(waiting + 4 / 2 + 1)
        assert moved["energy_j"] == pytest.approx((2 + 4) + (1 + 2))


def test_what_is_out_of_range_is_refused() -> None:
    instance = ChannelChoice(tiny(3))
    x = np.zeros((2, len(instance.choices)), dtype=np.int64)
    for wrong in (-1, 99):
        x[1, 1] = wrong
        with pytest.raises(DecisionError, match=r"row 1: x\[1\] is"):
            instance.evaluate_batch(x)


# --- laws ----------------------------------------------------------------------------------------


def assert_equal_totals(one: Evaluation, other: Evaluation) -> None:
    assert one.objective == pytest.approx(other.objective, rel=1e-9, abs=1e-9)
    for name in set(one.terms) - {"qos", "delay_s", "energy_j"}:
        assert other.terms[name] == pytest.approx(one.terms[name], rel=1e-8, abs=1e-9), name
    assert other.feasible == one.feasible


@pytest.mark.parametrize("seed", range(60))
def test_channels_have_no_names(seed: int) -> None:
    instance = ChannelChoice(tiny(seed))
    other = 1 + np.random.default_rng(seed).permutation(instance.channels)
    names = np.concatenate([[0], other])
    for x in draw(instance, seed, 5):
        moved = x.copy()
        moved[: instance.services] = names[x[: instance.services]]
        assert_equal_totals(instance.evaluate(x), instance.evaluate(moved))


@pytest.mark.parametrize("seed", range(60))
def test_relabelling_services_changes_nothing(seed: int) -> None:
    document = tiny(seed)
    instance = ChannelChoice(document)
    order = np.random.default_rng(seed).permutation(instance.services)
    other = ChannelChoice(document | {"services": [document["services"][i] for i in order]})
    for x in draw(instance, seed, 5):
        moved = x.reshape(-1, instance.services)[:, order].ravel()
        assert_equal_totals(instance.evaluate(x), other.evaluate(moved))


@pytest.mark.parametrize("seed", range(60))
def test_relabelling_servers_changes_nothing(seed: int) -> None:
    document = tiny(seed)
    new = copy.deepcopy(document)
    order = np.random.default_rng(seed).permutation(len(document["servers"])).tolist()
    new["servers"] = [copy.deepcopy(document["servers"][h]) for h in order]
    for server in new["servers"]:
        if "nearest" in server:
            server["nearest"] = order.index(server["nearest"])
    for service in new["services"]:
        service["server"] = order.index(service["server"])
    one, other = ChannelChoice(document), ChannelChoice(new)
    for x in draw(one, seed, 5):
        assert_equal_totals(one.evaluate(x), other.evaluate(x))


@pytest.mark.parametrize("seed", range(60))
def test_units_do_not_matter(seed: int) -> None:
    """FLOP counted in another unit, bits in another unit, power in another unit."""
    document = tiny(seed)
    new = copy.deepcopy(document)
    new["cloud"]["speed_flop_per_s"] *= 8
    new["bandwidth_hz"] *= 4
    new["noise_w"] *= 16
    for server in new["servers"]:
        server["speed_flop_per_s"] *= 8
        server["energy_j_per_flop"] /= 8
        server["backlog_flop"] = 8 * server.get("backlog_flop", 0.0)
    for service in new["services"]:
        service["cloud_energy_j_per_flop"] /= 8
        service["channel_gain"] *= 16
        for cut in service["cuts"]:
            cut["head_flop"] *= 8
            cut["tail_flop"] *= 8
            cut["transfer_bits"] *= 4
            cut["tail_param_bytes"] *= 32
    one, other = ChannelChoice(document), ChannelChoice(new)
    for x in draw(one, seed, 5):
        assert_equal_totals(one.evaluate(x), other.evaluate(x))


@pytest.mark.parametrize("seed", range(60))
def test_a_further_channel_never_hurts(seed: int) -> None:
    """What was possible stays possible and worth the same, and moving there alone is no worse."""
    document = tiny(seed)
    instance = ChannelChoice(document)
    more = instance.replace(channels=instance.channels + 1)
    for x in draw(instance, seed, 8):
        before = instance.evaluate(x)
        assert more.evaluate(x).objective == before.objective
        sharing = np.flatnonzero(x[: instance.services] > 0)
        if len(sharing) and before.feasible:
            moved = x.copy()
            moved[sharing[0]] = instance.channels + 1
            after = more.evaluate(moved)
            assert after.feasible
            assert after.objective >= before.objective - 1e-12


@pytest.mark.parametrize("seed", range(30))
def test_no_backlog_and_heads_at_home_is_no_load_balance(seed: int) -> None:
    """With equal shares of the server and heads at home, Eqs. 9 and 13 come out (counts)."""
    document = tiny(seed, balanced=True)
    document["edge_sharing"] = "count"
    document["load_balance"]["sharing"] = "count"
    for server in document["servers"]:
        server.pop("backlog_flop", None)
    balanced = ChannelChoice(document)
    plain = ChannelChoice({k: v for k, v in document.items() if k != "load_balance"})
    for x in draw(plain, seed, 5):
        both = np.concatenate([x, np.zeros_like(x)])
        assert_equal_totals(plain.evaluate(x), balanced.evaluate(both))
