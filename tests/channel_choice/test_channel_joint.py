"""Channels and load balance together: bounds, branch and bound, and taking turns."""

from __future__ import annotations

import itertools
import threading
from functools import cache

import numpy as np
import pytest
from channel_clock import tick
from channel_heads_cases import GRAPHS, Ints, crowded

import optkit
from formulations.channel_choice.exact import channels_alone as channels_alone_module
from formulations.channel_choice.exact import joint_bound as joint_bound_module
from formulations.channel_choice.exact.channels_alone import ChannelsAlone, choose_channels
from formulations.channel_choice.exact.joint import joint
from formulations.channel_choice.exact.joint_bound import JointBound
from formulations.channel_choice.exact.useful_cuts import with_useful_cuts
from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.overhead_kernels import gains
from optkit.errors import MethodUnavailable
from optkit.evaluation import BatchEvaluation
from optkit.result import Result, StopReason
from optkit.run import Run
from optkit.solve.core import solve_instance
from optkit.stop import Stop

_MOST = 12_000


def small(seed: int, sharing: str | None = None, deadlines: bool | None = None) -> ChannelChoice:
    """An instance that can be enumerated, of any graph of nearest servers."""
    homes = ("random", "turn", "one")[seed % 3]
    for attempt in itertools.count():
        instance = crowded(
            1000 * attempt + seed, GRAPHS[seed % 4], 2 + seed % 5, homes=homes, deadlines=deadlines
        )
        if sharing is not None:
            document = instance.to_dict() | {"load_balance": {"sharing": sharing}}
            if sharing == "work" and document.get("cut_choice") == "optimal":
                continue
            instance = ChannelChoice(document)
        if np.prod(instance.choices.astype(float)) <= _MOST:
            return instance
    raise AssertionError


@cache
def enumerated(instance: ChannelChoice) -> tuple[Ints, BatchEvaluation]:
    every = np.array(list(itertools.product(*map(range, instance.choices.tolist()))))
    return every, instance.evaluate_batch(every)


def agree(instance: ChannelChoice) -> Result:
    _, batch = enumerated(instance)
    best = batch[batch.best("maximise")]
    result = solve_instance(instance, "joint")
    if not best.feasible:
        assert result.status == "infeasible"
        return result
    assert result.status == "optimal"
    assert result.evaluation is not None
    assert result.bound is not None
    assert result.evaluation.objective == pytest.approx(best.objective, rel=1e-6, abs=1e-9)
    assert result.bound >= best.objective - best.tolerance
    return result


@pytest.mark.parametrize("sharing", ["count", "work"])
@pytest.mark.parametrize("seed", range(24))
def test_it_agrees_with_enumeration(seed: int, sharing: str) -> None:
    agree(small(seed, sharing))


@pytest.mark.parametrize("seed", range(100, 120))
def test_it_agrees_where_there_are_deadlines(seed: int) -> None:
    agree(small(seed, deadlines=True))


def test_services_that_nobody_can_serve_in_time_are_proved_infeasible() -> None:
    statuses = [agree(small(seed, deadlines=True)).status for seed in range(200, 230)]
    assert statuses.count("infeasible") >= 3
    assert statuses.count("optimal") >= 10


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(0, 2000, 100))
def test_it_agrees_with_enumeration_deeply(first: int) -> None:
    for seed in range(5000 + first, 5100 + first):
        agree(small(seed))


def test_column_generation_and_subsets_prove_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(300, 316):
        instance = small(seed)
        monkeypatch.setattr(channels_alone_module, "_SUBSETS", -1)
        agree(instance)


def partly_decided(instance: ChannelChoice, rng: np.random.Generator) -> Ints:
    """Places of which none, some or all are decided (-1: not)."""
    decided = rng.random(instance.services) < rng.choice([0.0, 0.5, 1.0])
    return np.where(decided, rng.integers(0, 2, instance.services), -1)


@pytest.mark.parametrize("most_sets", [1 << 17, 0])
def test_bounds_hold_for_any_reference_and_any_places(
    most_sets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joint_bound_module, "_MOST_SETS", most_sets)
    exact = 0
    for seed in range(400, 440):
        instance = small(seed)
        services = instance.services
        every, batch = enumerated(instance)
        rng = np.random.default_rng(seed)
        bounds, run = JointBound(instance), Run(instance, proves_bound=True)
        for _ in range(3):
            fixed = partly_decided(instance, rng)
            allowed = ((fixed < 0) | (every[:, services:] == fixed)).all(axis=1) & batch.feasible
            best = float(batch.objective[allowed].max(initial=-np.inf))
            relaxed = bounds.relaxed(fixed, rng.integers(0, instance.channels + 1, services))
            assert ((fixed < 0) | (relaxed.omega == fixed)).all()
            part = choose_channels(relaxed.offloading, run)
            if part.proved_infeasible:
                assert best == -np.inf
                continue
            assert part.best_bound is not None
            upper = relaxed.constant + part.best_bound
            assert upper >= best - 1e-9
            exact += upper <= best + 1e-9
    assert exact > 10


def test_it_is_exact_at_the_optimum_where_all_is_decided() -> None:
    """At the best channels for decided places, no other channels are thought to gain more."""
    for seed in range(500, 530):
        instance = small(seed, "count", deadlines=False)
        services = instance.services
        every, batch = enumerated(instance)
        fixed = np.random.default_rng(seed).integers(0, 2, services)
        rows = np.flatnonzero((every[:, services:] == fixed).all(axis=1) & batch.feasible)
        best = rows[np.argmax(batch.objective[rows])]
        relaxed = JointBound(instance).relaxed(fixed, every[best, :services])
        part = choose_channels(relaxed.offloading, Run(instance, proves_bound=True))
        assert part.best_bound is not None
        upper = relaxed.constant + part.best_bound
        assert upper == pytest.approx(float(batch.objective[best]), abs=1e-6)


def test_channels_alone_are_judged_as_in_the_instance() -> None:
    for seed in range(30):
        instance = ChannelChoice(generate("tiny", seed, balanced=False))
        alone = ChannelsAlone(instance.offloading())
        every, batch = enumerated(instance)
        judged = alone.evaluate_batch(every)
        assert judged.feasible.tolist() == batch.feasible.tolist()
        gain = np.asarray(batch.terms["gain_total"])
        np.testing.assert_allclose(judged.objective, gain, atol=1e-9)


def test_cuts_that_never_cost_least_do_not_matter() -> None:
    dropped = 0
    for seed in range(200):
        instance = ChannelChoice(generate("tiny", seed, balanced=False))
        o = instance.offloading()
        useful = with_useful_cuts(o)
        dropped += int(o.cuts.sum() - useful.cuts.sum())
        rng = np.random.default_rng(seed)
        loads = np.concatenate([o.power_w, rng.uniform(0, o.power_w.sum(), 5)])
        possible = loads >= o.power_w[:, None]
        for k in range(1, instance.services + 1):
            before, after = gains(o, loads, k), gains(useful, loads, k)
            pays = possible & (before > 0)
            np.testing.assert_allclose(after[pays], before[pays], atol=1e-12)
            assert (after <= before + 1e-12).all()
    assert dropped > 50


@pytest.mark.parametrize("cut_choice", ["rate", "optimal"])
@pytest.mark.parametrize("channels", [15, 3])
def test_the_papers_size_is_proved(cut_choice: str, channels: int) -> None:
    for seed in range(3):
        document = generate("joint", seed, channels=channels, cut_choice=cut_choice)
        instance = ChannelChoice(document)
        assert instance.services == 9
        result = solve_instance(instance, "joint")
        assert result.status == "optimal"
        assert result.details["nodes"] < 100
        turns = solve_instance(instance, "alternate")
        assert turns.bound is None
        assert turns.evaluation is not None
        assert result.evaluation is not None
        assert turns.evaluation.objective <= result.evaluation.objective + 1e-9


def test_many_services_are_proved() -> None:
    instance = ChannelChoice(generate("joint", 1, per_server=4))
    result = solve_instance(instance, "joint")
    assert result.status == "optimal"
    assert instance.services == 36


def test_turns_end_where_neither_half_improves() -> None:
    same = 0
    for seed in range(40):
        instance = small(seed)
        every, batch = enumerated(instance)
        result = solve_instance(instance, "alternate")
        best = batch[batch.best("maximise")]
        if not best.feasible:
            continue
        assert result.evaluation is not None
        assert result.x is not None
        assert result.details["rounds"]
        same += abs(result.evaluation.objective - best.objective) < 1e-9
        if result.evaluation.feasible:
            half = instance.services
            for kept in (slice(half), slice(half, None)):
                other = (every[:, kept] == result.x[kept]).all(axis=1) & batch.feasible
                assert batch.objective[other].max() <= result.evaluation.objective + 1e-6
    assert same > 25


def test_it_stops_when_asked_and_keeps_what_it_has() -> None:
    instance = ChannelChoice(generate("joint", 0, per_server=4, cut_choice="optimal"))
    for reason, stop in (
        (StopReason.ITERATIONS, Stop(iterations=3)),
        (StopReason.GAP, Stop(rel_gap=0.01)),
    ):
        result = solve_instance(instance, "joint", stop=stop)
        assert result.reason == reason
        assert result.evaluation is not None
        assert result.bound is not None
        assert result.evaluation.feasible
        assert result.bound >= result.evaluation.objective
    interrupt = threading.Event()
    interrupt.set()
    run = Run(instance, proves_bound=True, interrupt=interrupt)
    joint(instance, run)
    assert run.reason == StopReason.INTERRUPTED
    assert run.objective is not None


def test_a_limit_may_fall_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a node too, where the parts of a node still ask how much time they have."""
    instance = ChannelChoice(generate("joint", 0, per_server=2, cut_choice="optimal"))
    best = solve_instance(instance, "joint").objective
    tick(monkeypatch)
    for limit in range(4, 120, 8):
        for method in ("joint", "alternate"):
            result = solve_instance(instance, method, stop=Stop(time_s=float(limit), rel_gap=0.0))
            assert result.status in ("feasible", "optimal")
            if result.bound is not None:
                assert result.bound >= best - 1e-6


def test_without_load_balance_there_is_nothing_to_join() -> None:
    plain = ChannelChoice(generate("tiny", 0, balanced=False))
    for method in ("joint", "alternate"):
        with pytest.raises(MethodUnavailable, match="no load balance"):
            optkit.solve(plain, method)
