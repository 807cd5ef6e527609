"""The offloading game: walks, equilibria, potentials, and MP-DOB on top of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from channel_plain import plain_evaluate

import optkit
from formulations.channel_choice.dynamics import walk
from formulations.channel_choice.exact.balance_dp import balanced
from formulations.channel_choice.game import channel_game
from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.overhead_kernels import thresholds_within
from optkit.run import Run
from optkit.search.best_response import Dynamics
from optkit.search.games import check_potential, unilateral
from optkit.stop import Stop

RULES = ("own", "system", "system_stop", "async")


def tiny(seed: int, **parameters: Any) -> ChannelChoice:
    return ChannelChoice(generate("tiny", seed, **parameters))


def dense(seed: int, services: int, channels: int, **parameters: Any) -> ChannelChoice:
    return ChannelChoice(
        generate("dense", seed, services=services, channels=channels, **parameters)
    )


def draw_omega(instance: ChannelChoice, seed: int) -> Any:
    if not instance.balanced or seed % 2:
        return None
    return np.random.default_rng(seed).integers(0, 2, instance.services)


def plain_gain(instance: ChannelChoice, x: list[int]) -> float:
    """The most that one service gains by another channel, by the plain evaluator."""

    def payoffs(x: list[int]) -> list[float]:
        judged = plain_evaluate(instance.to_dict(), x)
        late = judged["violations"].get("deadline", [0.0] * instance.services)
        own = judged["terms"]["qos"]
        return [-np.inf if amount > 0 else q for q, amount in zip(own, late, strict=True)]

    now, most = payoffs(x), 0.0
    for i, c in itertools.product(range(instance.services), range(instance.channels + 1)):
        changed = payoffs([*x[:i], c, *x[i + 1 :]])[i]
        if changed > now[i]:
            most = max(most, changed - now[i])
    return most


@pytest.mark.parametrize("first", range(0, 120, 24))
def test_what_is_said_of_the_end_is_so(first: int) -> None:
    """Every rule, every option of the model, loads held anywhere, against the plain evaluator."""
    answers = {True: 0, False: 0}
    for seed in range(first, first + 24):
        instance = tiny(seed)
        rule = RULES[seed % 4]
        result = optkit.solve(
            instance, "mp_dob" if seed % 3 else "mp_dob_channels", seed=seed, options={"rule": rule}
        )
        gain = plain_gain(instance, result.x.tolist())
        assert result.details["largest_gain"] == pytest.approx(gain, abs=1e-9)
        assert result.details["equilibrium"] == (gain < 1e-9)
        assert result.details["converged"]
        answers[result.details["equilibrium"]] += 1
        held_at_home = not instance.balanced or not result.x[instance.services :].any()
        if rule != "system_stop" and held_at_home:
            assert result.details["equilibrium"]
    assert min(answers.values()) > 0


@pytest.mark.parametrize("first", range(0, 120, 30))
def test_compiled_walks_are_those_of_the_engine(first: int) -> None:
    """The same updates as the generic dynamics on payoffs alone; chance ends in equilibria too."""
    for seed in range(first, first + 30):
        instance = tiny(seed)
        omega = draw_omega(instance, seed)
        game = channel_game(instance, omega)
        plain = replace(game, deviations=None)
        start, cap = np.zeros(instance.services, dtype=np.int64), 50 * instance.services
        for rule in RULES[:3]:
            path = walk(instance, Run(instance), rule, cap, omega)
            expected = Dynamics(instance, plain, Run(instance), rule, 1e-10).walk(start, cap)
            assert np.array_equal(path.z, expected.z)
            assert path.trajectory == pytest.approx(expected.trajectory, rel=1e-12)
            assert (path.slots, path.drops, path.converged, path.potential_broken) == (
                expected.slots,
                expected.drops,
                expected.converged,
                expected.potential_broken,
            )
        path = walk(instance, Run(instance, seed=seed), "async", cap, omega)
        assert path.converged
        assert unilateral(game, path.z).equilibrium


@pytest.mark.parametrize("sharing", ["fixed", "equal"])
def test_many_slots_in_short_stretches(sharing: str) -> None:
    """A limit on iterations plays slot by slot; the path is the same."""
    instance = dense(0, 40, 6, sharing=sharing)
    whole = walk(instance, Run(instance), "own", 2000)
    assert whole.slots > 10
    stretches = walk(instance, Run(instance, Stop(time_s=None, iterations=10_000)), "own", 2000)
    assert stretches.trajectory == whole.trajectory
    capped = walk(instance, Run(instance), "own", whole.slots)
    assert capped.converged and capped.slots == whole.slots
    capped = walk(instance, Run(instance), "own", whole.slots - 1)
    assert not capped.converged and capped.trajectory == whole.trajectory[:-1]
    limited = walk(instance, Run(instance, Stop(time_s=None, iterations=5)), "own", 2000)
    assert limited.slots == 5 and not limited.converged


@pytest.mark.parametrize("first", range(0, 240, 60))
def test_deviations_say_what_payoffs_say(first: int) -> None:
    for seed in range(first, first + 60):
        instance = tiny(seed)
        game = channel_game(instance, draw_omega(instance, seed))
        z = np.random.default_rng(seed).integers(0, game.space.choices)
        table = game.deviations(z)
        assert table.shape == (instance.services, instance.channels + 1)
        for i in range(instance.services):
            profiles = np.repeat(z[None], instance.channels + 1, axis=0)
            profiles[:, i] = np.arange(instance.channels + 1)
            assert table[i] == pytest.approx(game.payoffs(profiles)[:, i], rel=1e-10, abs=1e-10)


def test_the_best_channel_is_the_one_of_least_interference() -> None:
    """What the compiled responses rest on, over whole rows of deviations."""
    for seed in range(200):
        instance = tiny(seed, deadlines=False)
        game = instance.game
        z = np.random.default_rng(seed).integers(0, game.space.choices)
        load = np.bincount(z, instance.static.power_w, instance.channels + 1)
        table = game.deviations(z)
        for i, w in enumerate(instance.static.power_w):
            others = load[1:] - w * (np.arange(1, instance.channels + 1) == z[i])
            assert table[i, 1 + np.argmin(others)] == pytest.approx(table[i, 1:].max(), rel=1e-12)


def with_fixed_share(first: int, count: int) -> list[ChannelChoice]:
    found = []
    for seed in itertools.count(first):
        instance = tiny(seed, deadlines=False)
        if not instance.static.equal_share:
            found.append(instance)
        if len(found) == count:
            return found
    raise AssertionError


def test_the_potential_with_each_pair_once() -> None:
    """Erratum 7: it rises with every improvement; as printed, it does not."""
    moves = printed = 0
    for number, instance in enumerate(
        [*with_fixed_share(0, 60), *(dense(s, 20, 3) for s in range(8))]
    ):
        game = instance.game
        o, rng = instance.static, np.random.default_rng(number)
        found = check_potential(game, rng, moves=200, starts=30)
        assert found.broken == 0
        moves += found.moves
        bound_w = np.maximum(thresholds_within(o, 1, 0.0) - o.power_w, -o.noise_w)

        def twice(z: Any, o: Any = o, bound_w: Any = bound_w) -> Any:
            same = (z[:, :, None] == z[:, None, :]) & (z > 0)[:, :, None]
            pairs = np.einsum("bij,i,j->b", same, o.power_w, o.power_w) - (z > 0) @ o.power_w**2
            return -pairs - (z == 0) @ (o.power_w * bound_w)

        printed += check_potential(replace(game, potential=twice), rng, moves=200, starts=30).broken
    assert moves > 3000
    assert printed > 50


@pytest.mark.parametrize("method", ["mp_dob_channels", "best_response"])
@pytest.mark.parametrize("sharing", ["fixed", "equal"])
def test_channels_that_nobody_is_on_cost_no_time(method: str, sharing: str) -> None:
    """What is said of the end is said of as many channels as a file may have."""
    few = dense(1, 3, 4, sharing=sharing)
    many = few.replace(channels=100_000)
    truth, result = (optkit.solve(each, method) for each in (few, many))
    assert result.details["equilibrium"]
    assert result.objective == pytest.approx(truth.objective, rel=1e-12)
    x = np.array([[100_000, 0, 100_000], [7, 99_999, 0], [0, 0, 0]])
    y = np.array([[4, 0, 4], [1, 2, 0], [0, 0, 0]])
    near, far = (each.evaluate_batch(z) for each, z in ((few, y), (many, x)))
    np.testing.assert_array_equal(near.terms["qos"], far.terms["qos"])
    if sharing == "fixed":
        np.testing.assert_array_equal(few.game.potential(y), many.game.potential(x))


def test_the_check_of_an_equilibrium_ends_within_a_player() -> None:
    """A player with many strategies takes long; of one who was asked in part nothing is said."""
    instance = dense(1, 3, 100_000)
    asked = 0

    def payoffs(channel: Any) -> Any:
        nonlocal asked
        asked += len(channel)
        return instance.game.payoffs(channel)

    found = unilateral(
        replace(instance.game, payoffs=payoffs), np.zeros(3, int), stopped=lambda: True
    )
    assert (found.equilibrium, found.checked) == (None, 0)
    assert asked < 100_000


def test_no_potential_is_claimed_where_there_is_none() -> None:
    for seed in range(40):
        instance = tiny(seed)
        o = instance.static
        claimed = instance.game.potential is not None
        assert claimed == (not o.equal_share and not np.isfinite(o.deadline_s).any())


#: Server, alpha, transmit power, gain, cloud energy, holding energy, head, tail, bits.
_ROUND = [
    (2, 0.3348, 0.3269, 2.436e-10, 1.967e-10, 0.1145, 0.0, 5.897e9, 1.573e6),
    (2, 0.2442, 0.27, 3.04e-11, 1.762e-10, 0.02014, 6.215e8, 5.598e8, 1.052e4),
    (1, 0.2927, 0.09811, 8.647e-10, 3.77e-10, 0.1957, 1.916e9, 3.988e9, 1.821e5),
    (1, 0.332, 0.3622, 4.328e-11, 3.849e-10, 0.04988, 0.0, 3.0e9, 4.476e5),
]


def going_round(sharing: str) -> ChannelChoice:
    """Four services and two channels; shares of the cloud depend on how many offload."""
    names = ("server", "time_weight_per_s", "tx_power_w", "channel_gain",
             "cloud_energy_j_per_flop", "hold_energy_j")  # fmt: skip
    services = [
        dict(zip(names, row, strict=False))
        | {
            "energy_weight_per_j": 1 - row[1],
            "cut": 0,
            "cuts": [
                {"head_flop": head, "tail_flop": tail, "transfer_bits": b, "tail_param_bytes": 0}
            ],
        }
        for row in _ROUND
        for head, tail, b in [row[6:]]
    ]
    speeds = ((1.165e9, 1.61e-10), (3.481e9, 3.875e-10), (1.362e9, 2.349e-10))
    document = {
        "problem": "channel_choice",
        "version": 1,
        "channels": 2,
        "bandwidth_hz": 1e6,
        "noise_w": 1e-13,
        "qos_threshold": 0.651,
        "cloud": {"sharing": sharing, "speed_flop_per_s": 6.132e9},
        "servers": [{"speed_flop_per_s": f, "energy_j_per_flop": e} for f, e in speeds],
        "services": services,
    }
    return ChannelChoice(document)


def test_better_responses_can_go_round_with_equal_shares() -> None:
    """Erratum 9: so there is no potential; best responses still ended everywhere."""
    found = optkit.solve(going_round("equal"), "equilibria", options={"cycles": True}).details
    assert found["improvement_cycle"] == 6
    assert found["best_response_cycle"] == 0
    assert found["equilibria"] > 0
    found = optkit.solve(going_round("fixed"), "equilibria", options={"cycles": True}).details
    assert found["improvement_cycle"] == 0
    for seed in range(40):
        instance = tiny(seed, balanced=False, deadlines=False)
        found = optkit.solve(instance, "equilibria", options={"cycles": True}).details
        assert found["best_response_cycle"] == 0
        if not instance.static.equal_share:
            assert found["improvement_cycle"] == 0


def test_pure_equilibria_exist_and_cost() -> None:
    """Erratum 9 and section 6.5: every game so far had one; the optimum is rarely one."""
    shares = []
    for seed in range(60):
        instance = tiny(seed, balanced=False, deadlines=False)
        result = optkit.solve(instance, "equilibria")
        details = result.details
        assert details["equilibria"] > 0 and details["equilibrium"]
        proved = optkit.solve(instance, "enumerate")
        if instance.document.require_profitable:  # at an equilibrium every offload is
            assert details.get("infeasible_equilibria", 0) == 0
        assert details["optimum"] == pytest.approx(proved.objective, rel=1e-12)
        ends = [optkit.solve(instance, "best_response", seed=seed, options={"rule": rule}).objective
                for rule in ("own", "system", "async")]  # fmt: skip
        for end in ends:
            assert details["worst_equilibrium"] - 1e-9 <= end
            assert end <= details["best_equilibrium"] + 1e-9
        if details["optimum"] - instance.origin > 1e-6:
            shares.append(details["share_of_worst"])
            assert details["share_of_best"] <= 1 + 1e-9
    assert len(shares) > 30
    assert min(shares) < 0.9


def test_selfish_services_lose_what_the_system_could_gain() -> None:
    """Section 6.4, on instances that are proved: the game has a wide gap, cooperation does not."""
    lost: dict[str, list[float]] = {"own": [], "system_stop": [], "acco": []}
    for seed in range(8):
        instance = dense(seed, 14, 3, regime="mid", sharing=("fixed", "equal")[seed % 2])
        best = optkit.solve(instance, "dp")
        assert best.status == "optimal"
        room = best.objective - instance.origin
        assert room > 0
        for name, values in lost.items():
            if name == "acco":
                result = optkit.solve(instance, "acco")
            else:
                result = optkit.solve(instance, "mp_dob", options={"rule": name})
            assert result.feasible
            values.append((best.objective - result.objective) / room)
            assert values[-1] >= -1e-9
    mean = {name: np.mean(values) for name, values in lost.items()}
    assert mean["own"] > 0.15
    assert mean["acco"] < 0.1
    assert mean["acco"] < mean["system_stop"] < mean["own"]


@pytest.mark.parametrize("seed", range(12))
def test_the_load_balance_is_the_one_of_the_start(seed: int) -> None:
    instance = tiny(seed, balanced=True)
    home = np.zeros(instance.services, dtype=np.int64)
    alone = optkit.solve(instance, "mp_dob_channels")
    both = optkit.solve(instance, "mp_dob", options={"trace": True})
    assert not alone.x[instance.services :].any()
    assert np.array_equal(both.x[: instance.services], alone.x[: instance.services])
    moved = both.x[instance.services :]
    assert np.array_equal(moved, balanced(instance, home).omega)
    assert both.details["heads_moved"] == moved.sum()
    assert both.details["trajectory"][0] == pytest.approx(instance.origin)
    assert both.details["trajectory"][-1] == pytest.approx(alone.objective)
    game = channel_game(instance, moved)
    assert (
        both.details["largest_gain"] == unilateral(game, both.x[: instance.services]).largest_gain
    )


def test_the_answer_is_the_end_and_not_the_best_on_the_way() -> None:
    """Also when a better decision is given as a warm start."""
    instance = dense(0, 14, 3)
    best = optkit.solve(instance, "dp")
    result = optkit.solve(instance, "mp_dob", warm_start=best.x, options={"trace": True})
    assert result.objective < best.objective
    trajectory = result.details["trajectory"]
    assert len(trajectory) == result.details["slots"] + 1
    assert trajectory[0] == pytest.approx(instance.origin)
    assert trajectory[-1] == pytest.approx(result.objective)
    assert sum(np.diff(trajectory) < -1e-12) == result.details["drops"] > 0


def test_several_plays_keep_the_best_end() -> None:
    instance = dense(1, 20, 3)
    options = {"rule": "async", "plays": 10}
    result = optkit.solve(instance, "mp_dob_channels", seed=4, options=options)
    ends = result.details["end_objectives"]
    assert len(ends) == 10 and len(set(ends)) > 1
    assert result.objective == pytest.approx(max(ends))
    again = optkit.solve(instance, "mp_dob_channels", seed=4, options=options)
    assert again.details["end_objectives"] == ends


def test_a_warm_start_of_the_generic_game(tmp_path: Any) -> None:
    """Its channels are where the walk begins; heads go home."""
    instance = tiny(3, balanced=True)
    x = np.concatenate([np.ones(instance.services, int), np.ones(instance.services, int)])
    result = optkit.solve(instance, "best_response", warm_start=x, options={"trace": True})
    home = np.zeros(instance.services, int)
    begin = instance.evaluate(np.concatenate([np.ones(instance.services, int), home])).objective
    assert result.details["trajectory"][0] == begin
    assert not result.x[instance.services :].any()


def test_every_report_of_a_game_says_what_it_ended_in(tmp_path: Any, capsys: Any) -> None:
    from optkit.__main__ import main

    file = tmp_path / "dense.json"
    dense(0, 14, 3).save(file)
    methods = "mp_dob,mp_dob_channels,best_response,acco"
    assert main(["solve", str(file), "--method", methods]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.split()[:2] == ["game", "equilibrium"]]
    assert len(told) == 3
    assert all("(largest gain " in line for line in told)
    rows = lines[-4:]
    assert ["equilibrium (largest gain" in row for row in rows] == [True, True, True, False]
