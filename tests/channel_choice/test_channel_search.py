"""Local search: what it returns is a local optimum by the evaluator, from every start."""

from __future__ import annotations

import numpy as np
import pytest
from channel_cases import dense, varied

import optkit
from formulations.channel_choice import search
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.search import Searcher
from optkit.errors import UsageError
from optkit.run import Run
from optkit.stop import Stop

BETTER = 1e-9


def neighbours(x: np.ndarray, channels: int) -> np.ndarray:
    """Every decision in which one service moves or two services swap."""
    found = []
    for i in range(len(x)):
        for c in range(channels + 1):
            moved = x.copy()
            moved[i] = c
            found.append(moved)
        for j in range(i):
            swapped = x.copy()
            swapped[i], swapped[j] = x[j], x[i]
            found.append(swapped)
    return np.array(found)


def is_local_optimum(instance: ChannelChoice, x: np.ndarray) -> bool:
    here = instance.evaluate(x)
    near = instance.evaluate_batch(neighbours(x, instance.channels))
    best = near.objective[near.feasible].max(initial=-np.inf)
    return here.feasible and best <= here.objective + BETTER


@pytest.mark.parametrize("seed", range(40))
def test_a_climb_ends_in_a_local_optimum(seed: int) -> None:
    instance = varied(seed)
    if instance.offloading().late_at_home.any():
        pytest.skip("may end where a deadline is missed")
    searcher = Searcher(instance.offloading(), Run(instance, seed=seed))
    begin = np.random.default_rng(seed).integers(0, instance.channels + 1, instance.services)
    (failed, gain), x = searcher.climbed(begin)
    assert failed == 0
    assert gain == pytest.approx(instance.evaluate(x).objective - instance.origin, abs=1e-9)
    assert is_local_optimum(instance, x)
    _, y = searcher.climbed(searcher.kicked(x, 3), x)  # only what the kick touched is looked at
    assert is_local_optimum(instance, y)


@pytest.mark.parametrize("sharing", ["fixed", "equal"])
def test_a_climb_in_pieces_ends_the_same(sharing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = optkit.generate(
        "channel_choice", "dense", 0, services=30, channels=5, sharing=sharing
    )
    home = np.zeros(instance.services, dtype=np.int64)
    whole = Searcher(instance.offloading(), Run(instance)).climbed(home)
    for valued in (1, 500):
        monkeypatch.setattr(search, "_VALUED", valued)
        worth, x = Searcher(instance.offloading(), Run(instance)).climbed(home)
        assert np.array_equal(x, whole[1])
        assert worth == (whole[0][0], pytest.approx(whole[0][1], rel=1e-12))
    stopped = Run(instance, Stop(time_s=0.0))
    (_, gain), x = Searcher(instance.offloading(), stopped).climbed(home)
    assert 0 < gain < whole[0][1], "a piece of the climb"


@pytest.mark.parametrize("seed", range(12))
def test_growing_takes_the_best_pair_each_time(seed: int) -> None:
    instance = varied(seed, 5, 7)
    if instance.offloading().late_at_home.any():
        pytest.skip("takes the late ones first")
    searcher = Searcher(instance.offloading(), Run(instance))
    x = np.zeros(instance.services, dtype=np.int64)
    while True:
        steps = [
            np.where(np.arange(len(x)) == i, c, x)
            for i in np.flatnonzero(x == 0)
            for c in range(1, instance.channels + 1)
        ]
        if not steps:
            break
        batch = instance.evaluate_batch(np.array(steps))
        late = batch.violations.get("deadline", np.zeros((len(steps), 1)))
        in_time = ~(late > 0).any(axis=1)
        values = np.where(in_time, batch.objective, -np.inf)
        if values.max() <= instance.evaluate(x).objective + 1e-10:
            break
        x = steps[int(np.argmax(values))]
    grown = instance.evaluate(searcher.grown()).objective
    assert grown == pytest.approx(instance.evaluate(x).objective, abs=1e-9)


@pytest.mark.parametrize("dear", [1, 20])
def test_services_that_are_late_at_home_are_offloaded(dear: int) -> None:
    """Whatever they lose by it: the cloud's energy may be so dear that all the others together
    cannot make up for it."""
    met = 0
    for seed in range(60):
        instance = varied(seed)
        if not instance.offloading().late_at_home.any():
            continue
        if dear > 1:
            services = instance.to_dict()["services"]
            for each in services:
                each["cloud_energy_j_per_flop"] *= dear
            instance = instance.replace(services=services, require_profitable=False)
        truth = optkit.solve(instance, "dp", stop=optkit.Stop(time_s=None))
        if truth.status != "optimal":
            continue
        result = optkit.solve(instance, "local_search", stop=optkit.Stop(time_s=None))
        met += 1
        assert result.feasible
        assert result.objective <= truth.objective + truth.evaluation.tolerance
    assert met >= 3


def test_the_greedy_choice_is_reported_at_once() -> None:
    """However long the climb from it takes."""
    instance = dense(0, services=40, channels=6, regime="soft")
    first = optkit.solve(instance, "acco")
    trace = optkit.solve(instance, "local_search", options={"starts": 1}).trace
    assert first.objective in [point.objective for point in trace]


def test_more_channels_than_services_make_no_difference() -> None:
    """Nor does a warm start that names the last of them."""
    few = dense(3, services=6, channels=6, regime="soft")
    many = few.replace(channels=100_000)
    start = np.array([100_000, 0, 99_999, 0, 100_000, 7])
    for name in ("local_search", "cg"):
        truth = optkit.solve(few, name)
        result = optkit.solve(many, name, warm_start=start)
        assert result.objective == pytest.approx(truth.objective, rel=1e-12)


def test_more_starts_are_no_worse_and_a_warm_start_is_kept() -> None:
    instance = dense(3, services=40, channels=6, regime="soft")
    values = [
        optkit.solve(instance, "local_search", options={"starts": starts}).objective
        for starts in (1, 5, 20)
    ]
    assert values == sorted(values)
    best = optkit.solve(instance, "cg")
    warm = optkit.solve(instance, "local_search", options={"starts": 3}, warm_start=best)
    assert warm.objective == pytest.approx(best.objective, rel=1e-12)


def test_it_comes_close_to_the_optimum() -> None:
    """Within 1 % of the optimal gain on instances where one climb leaves more."""
    for seed in range(4):
        instance = dense(seed, services=40, channels=6, regime="mid")
        best = optkit.solve(instance, "cg").objective - instance.origin
        found = optkit.solve(instance, "local_search").objective - instance.origin
        assert found >= 0.99 * best


def test_starts_are_at_least_one() -> None:
    with pytest.raises(UsageError, match="starts"):
        optkit.solve(dense(0, services=5, channels=2), "local_search", options={"starts": 0})


def test_nothing_is_offloaded_where_nothing_gains() -> None:
    instance = dense(0, services=10, channels=3, regime="hard")
    services = instance.to_dict()["services"]
    for service in services:
        service["cuts"][0]["transfer_bits"] *= 1e6
    result = optkit.solve(instance.replace(services=services), "local_search")
    assert not result.x.any()
    assert result.objective == pytest.approx(instance.origin)
