"""Compiled overheads, gains and thresholds against the evaluator and the plain reading."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from channel_plain import at_home, offload_at, offloaded

from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import (
    best_offload,
    gain,
    gains,
    thresholds,
)


def tiny(seed: int, **parameters: Any) -> ChannelChoice:
    return ChannelChoice(generate("tiny", seed, **parameters))


def everything(instance: ChannelChoice) -> Any:
    """All channels [B, N]; heads at home."""
    options = range(instance.channels + 1)
    return np.array(list(itertools.product(options, repeat=instance.services)))


def with_heads(instance: ChannelChoice, channel: Any, omega: Any) -> Any:
    if not instance.balanced:
        return channel
    return np.hstack([channel, np.broadcast_to(omega, channel.shape)])


def draw_omega(instance: ChannelChoice, seed: int) -> Any:
    if not instance.balanced:
        return None
    return np.random.default_rng([seed, 7]).integers(0, 2, instance.services)


def summed(o: Offloading, channel: Any) -> float:
    """The gains of all coalitions of one decision [N]."""
    k = int((channel > 0).sum())
    return sum(
        gain(o, i, o.power_w[channel == channel[i]].sum(), k) for i in np.flatnonzero(channel)
    )


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_gains_are_differences_of_the_evaluator(first: int) -> None:
    compared = 0
    for seed in range(first, first + 50):
        instance = tiny(seed)
        omega = draw_omega(instance, seed)
        o = instance.offloading(omega)
        rng = np.random.default_rng(seed)
        channel = rng.integers(0, instance.channels + 1, (10, instance.services))
        judged = instance.evaluate_batch(with_heads(instance, channel, omega))
        late = judged.violations.get("deadline", np.zeros(channel.shape)) > 0
        for row in np.flatnonzero(~(late & (channel > 0)).any(axis=1)):
            found = summed(o, channel[row])
            expected = judged.terms["gain_total"][row]
            assert abs(found - expected) <= 1e-12 * judged.scale[row]
            compared += 1
    assert compared > 250


@pytest.mark.parametrize("seed", range(80))
def test_options_agree_with_the_plain_reading(seed: int) -> None:
    document = generate("tiny", seed)
    instance = ChannelChoice(document)
    omega = draw_omega(instance, seed)
    o, rng = instance.offloading(omega), np.random.default_rng(seed)
    held = [0] * instance.services if omega is None else omega.tolist()
    for i in range(instance.services):
        home = at_home(document, i, held)
        assert o.local_overhead[i] == pytest.approx(home["overhead"], rel=1e-12)
        for k in {1, instance.services}:
            gamma = o.power_w.sum() * rng.uniform(0, 1) * rng.integers(0, 2)
            found = best_offload(o, i, o.power_w[i] + gamma, k)
            overhead, seconds, joules, cut, delta, _ = found
            plain = offloaded(document, i, held, gamma, k)
            assert overhead == pytest.approx(plain["overhead"], rel=1e-9)
            assert seconds == pytest.approx(plain["delay"], rel=1e-9)
            assert joules == pytest.approx(plain["energy"], rel=1e-9)
            assert o.cut_index[i, cut] == plain["cut"]
            assert delta == pytest.approx(plain["delta"], abs=1e-9)


def test_a_table_of_gains() -> None:
    for seed in range(20):
        o = tiny(seed).offloading()
        loads = np.geomspace(o.power_w.min(), o.power_w.sum(), 5)
        table = gains(o, loads, 2)
        assert table.shape == (len(o.power_w), 5)
        for i, column in itertools.product(range(len(o.power_w)), range(5)):
            assert table[i, column] == gain(o, i, loads[column], 2)


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_gains_never_rise_with_load_or_offloaders(first: int) -> None:
    """F1, deadlines and every mode included."""
    met = missed = 0
    for seed in range(first, first + 100):
        instance = tiny(seed, deadlines=True if seed % 2 else None)
        o = instance.offloading(draw_omega(instance, seed))
        for k in range(1, instance.services + 1):
            for i in range(instance.services):
                loads = np.linspace(o.power_w[i], o.power_w.sum(), 12)
                row = np.array([gain(o, i, load, k) for load in loads])
                more = np.array([gain(o, i, load, k + 1) for load in loads])
                finite = np.isfinite(row)
                assert not finite[1:][~finite[:-1]].any()  # once missed, missed for good
                assert np.all(np.diff(row[finite]) <= 1e-13)
                assert np.all(more <= row + 1e-13)
                met, missed = met + finite.sum(), missed + (~finite).sum()
    assert met > 1000
    assert missed > 100


def test_interference_never_helps_whom_only_a_dear_fraction_keeps_in_time() -> None:
    """Late at home, late as a whole, and the cloud is dear: as little as the deadline allows goes
    there. With ends and kink alone a longer transfer would lower the fraction, and the overhead."""
    document = generate("tiny", 0, balanced=False) | {
        "delay_model": "parallel", "transfer": "full", "segmentation": "optimal",
        "cut_choice": "given", "edge_sharing": "none", "require_profitable": False,
        "bandwidth_hz": 1e6, "noise_w": 1.0,
        "cloud": {"speed_flop_per_s": 2e9, "sharing": "fixed"},
        "servers": [{"speed_flop_per_s": 1e9, "energy_j_per_flop": 1e-9}],
    }  # fmt: skip
    document["services"] = [
        {
            "server": 0, "time_weight_per_s": 0.1, "energy_weight_per_j": 0.9,
            "tx_power_w": 0.1, "channel_gain": 1e4, "hold_energy_j": 0.0,
            "cloud_energy_j_per_flop": 5e-9, "deadline_s": 0.5, "cut": 0,
            "cuts": [{"head_flop": 0.0, "tail_flop": 1e9, "transfer_bits": 1e6,
                      "tail_param_bytes": 0.0}],
        }
    ]  # fmt: skip
    o = ChannelChoice(document).offloading()
    assert o.late_at_home[0]
    before = -np.inf
    for interference in np.linspace(0.0, 30.0, 16):
        overhead, seconds, _, _, delta, late = best_offload(o, 0, 1e3 + interference, 1)
        assert not late
        assert seconds == pytest.approx(0.5)
        assert delta == pytest.approx(0.5)
        assert overhead > before
        before = overhead


# --- which fraction is best ----------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_no_fraction_of_a_grid_is_better(first: int) -> None:
    """The closed form against 401 fractions of every cut, deadlines included."""
    inside = cases = 0
    for seed in range(first, first + 50):
        document = generate("tiny", seed, deadlines=bool(seed % 2)) | {"segmentation": "optimal"}
        document["cut_choice"] = "given"
        instance = ChannelChoice(document)
        omega = draw_omega(instance, seed)
        o, rng = instance.offloading(omega), np.random.default_rng(seed)
        held = [0] * instance.services if omega is None else omega.tolist()
        for i in range(instance.services):
            service = document["services"][i]
            gamma, k = o.power_w.sum() * rng.uniform(0, 0.3), int(rng.integers(1, 5))
            found, _, _, _, delta, late = best_offload(o, i, o.power_w[i] + gamma, k)
            grid = [
                offload_at(document, i, held, gamma, k, service["cut"], fraction / 400)
                for fraction in range(401)
            ]
            deadline = service.get("deadline_s")
            if deadline is not None:
                grid = [option for option in grid if option["delay"] <= deadline] or grid * late
            if grid:  # else only fractions between those of the grid meet the deadline
                least = min(option["overhead"] for option in grid)
                assert found <= least * (1 + 1e-9)
            cases += 1
            inside += 0 < delta < 1
    assert cases > 150
    assert inside > 5


def test_in_the_literal_model_profit_means_all_of_the_tail() -> None:
    """Erratum 3: with delays added up, what pays off at all pays off most as a whole."""
    profitable = 0
    for seed in range(300):
        document = generate("tiny", seed, deadlines=False)
        document |= {"segmentation": "optimal", "delay_model": "sum", "transfer": "full"}
        instance = ChannelChoice(document)
        o = instance.offloading()
        for i in range(instance.services):
            _, _, _, cut, delta, _ = best_offload(o, i, o.power_w[i], 2)
            if gain(o, i, o.power_w[i], 2) > 0 and o.tail_flop[i, cut] > 0:
                assert delta == 1.0
                profitable += 1
    assert profitable > 300


# --- thresholds ----------------------------------------------------------------------------------


def plain_accepts(document: dict[str, Any], i: int, gamma: float, k: int, held: list[int]) -> bool:
    """Whether service i may offload, by the plain reading."""
    option, home = offloaded(document, i, held, gamma, k), at_home(document, i, held)
    deadline = document["services"][i].get("deadline_s")
    if deadline is not None:
        if option["delay"] > deadline * (1 + 1e-9):
            return False
        if not document["require_profitable"] and home["delay"] > deadline * (1 + 1e-9):
            return True
    return option["overhead"] <= home["overhead"] * (1 + 1e-9)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_thresholds_against_bisection_on_the_plain_reading(first: int) -> None:
    kinds = {"never": 0, "always": 0, "between": 0}
    for seed in range(first, first + 50):
        document = generate("tiny", seed)
        instance = ChannelChoice(document)
        omega = draw_omega(instance, seed)
        held = [0] * instance.services if omega is None else omega.tolist()
        o = instance.offloading(omega)
        for k in {1, instance.services}:
            found = thresholds(o, k)
            for i in range(instance.services):
                low, high = 0.0, float(o.power_w.sum() * (1 + 1e-9) - o.power_w[i])
                if not plain_accepts(document, i, low, k, held):
                    assert found[i] == -np.inf
                    kinds["never"] += 1
                elif plain_accepts(document, i, high, k, held):
                    assert found[i] == pytest.approx(o.power_w[i] + high, rel=1e-12)
                    kinds["always"] += 1
                else:
                    for _ in range(80):
                        middle = (low + high) / 2
                        if plain_accepts(document, i, middle, k, held):
                            low = middle
                        else:
                            high = middle
                    assert found[i] == pytest.approx(o.power_w[i] + low, rel=1e-6)
                    kinds["between"] += 1
    assert min(kinds.values()) > 10


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_packing_within_thresholds_is_feasibility(first: int) -> None:
    """F2 on every decision: the evaluator accepts exactly those whose channels stay within."""
    accepted = refused = 0
    for seed in range(first, first + 50):
        instance = tiny(seed, deadlines=True if seed % 3 == 0 else None)
        instance = instance.replace(require_profitable=True)
        omega = draw_omega(instance, seed)
        o = instance.offloading(omega)
        channel = everything(instance)
        judged = instance.evaluate_batch(with_heads(instance, channel, omega))
        table = np.stack([thresholds(o, k) for k in range(1, instance.services + 1)])
        k = np.maximum((channel > 0).sum(axis=1), 1)
        load = np.stack([(channel == c) @ o.power_w for c in range(instance.channels + 1)], axis=1)
        own = np.take_along_axis(load, channel, axis=1)
        fits = (own <= table[k - 1]) | (channel == 0)
        fits &= (channel > 0) | ~o.late_at_home
        np.testing.assert_array_equal(fits.all(axis=1), judged.feasible)
        accepted += int(judged.feasible.sum())
        refused += int((~judged.feasible).sum())
    assert accepted > 1000
    assert refused > 1000


def test_thresholds_are_the_evaluators_own() -> None:
    """It accepts a channel loaded to just below the threshold, and not to just beyond."""
    tried = 0
    for seed in range(200):
        document = generate("tiny", seed, balanced=False) | {"require_profitable": True}
        document |= {"channels": 1, "services": document["services"][:1] * 2}
        document["edge_sharing"] = "none"
        o = ChannelChoice(document).offloading()
        found = thresholds(o._replace(power_w=o.power_w * np.array([1.0, 1e6])), 2)[0]
        if not np.isfinite(found):
            continue
        for beyond, accepted in ((1 - 1e-11, True), (1 + 1e-11, False)):
            gamma = (found - o.power_w[0]) * beyond
            document["services"][1] = document["services"][1] | {
                "channel_gain": gamma / document["services"][1]["tx_power_w"]
            }
            if gamma <= 0 or gamma > 1e5 * o.power_w[0]:
                continue
            judged = ChannelChoice(document).evaluate([1, 1])
            broken = any(np.any(amounts[0]) for amounts in judged.broken.values())
            assert broken != accepted
            tried += 1
    assert tried > 100


@pytest.mark.parametrize("first", range(0, 240, 60))
def test_asking_for_profit_never_costs_anything(first: int) -> None:
    """F3: where nobody is late at home, the best decision is profitable anyway."""
    for seed in range(first, first + 60):
        instance = tiny(seed)
        o = instance.offloading()
        if o.late_at_home.any():
            continue
        x = with_heads(instance, everything(instance), 0)
        values = []
        for asked in (True, False):
            judged = instance.replace(require_profitable=asked).evaluate_batch(x)
            values.append(judged.objective[judged.feasible].max())
        assert values[0] == pytest.approx(values[1], abs=1e-12)


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_where_profit_is_not_asked_packing_within_thresholds_holds_an_optimum(first: int) -> None:
    late = 0
    for seed in range(first, first + 100):
        instance = tiny(seed, deadlines=True).replace(require_profitable=False)
        o = instance.offloading()
        channel = everything(instance)
        judged = instance.evaluate_batch(with_heads(instance, channel, 0))
        table = np.stack([thresholds(o, k) for k in range(1, instance.services + 1)])
        k = np.maximum((channel > 0).sum(axis=1), 1)
        load = np.stack([(channel == c) @ o.power_w for c in range(instance.channels + 1)], axis=1)
        fits = (np.take_along_axis(load, channel, axis=1) <= table[k - 1]) | (channel == 0)
        fits &= (channel > 0) | ~o.late_at_home
        packed = fits.all(axis=1)
        assert np.all(judged.feasible[packed])
        assert packed.any() == judged.feasible.any()
        if packed.any():
            best = judged.objective[judged.feasible].max()
            assert judged.objective[packed].max() == pytest.approx(best, abs=1e-12)
        late += bool(o.late_at_home.any())
    assert late > 20
