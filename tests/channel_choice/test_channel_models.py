"""The models over coalitions and over levels of power against enumeration."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from channel_heads_cases import crowded

from formulations.channel_choice import mip as mip_module
from formulations.channel_choice.exact import coalitions as coalitions_module
from formulations.channel_choice.exact.coalitions import coalitions
from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.level import level_model
from formulations.channel_choice.levels import levels_of, pack
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import gain, gains, thresholds
from optkit.errors import MethodUnavailable, UsageError
from optkit.evaluation import Evaluation
from optkit.result import Result, StopReason
from optkit.run import Run
from optkit.solve.core import solve_instance
from optkit.stop import Stop

EXACT: list[tuple[str, dict[str, Any]]] = [
    ("mip", {}),
    ("mip", {"arrays": True}),
    ("cp", {}),
]
BOUNDS: list[tuple[str, dict[str, Any]]] = [
    ("level", {}),
    ("level", {"ratio": 1.3, "apart": True}),
    ("cp", {"compact": True}),
]


def tiny(seed: int, **parameters: Any) -> ChannelChoice:
    return ChannelChoice(generate("tiny", seed, balanced=False, **parameters))


@cache
def best_of(instance: ChannelChoice) -> Evaluation:
    every = np.array(list(itertools.product(*map(range, instance.choices.tolist()))))
    batch = instance.evaluate_batch(every)
    return batch[batch.best("maximise")]


def solved(instance: ChannelChoice, method: str, **options: Any) -> Result:
    return solve_instance(instance, method, stop=Stop(time_s=120), options=options)


def agree(instance: ChannelChoice, method: str, **options: Any) -> Result:
    best = best_of(instance)
    result = solved(instance, method, **options)
    if not best.feasible:
        assert result.status == "infeasible"
        return result
    assert result.status == "optimal"
    assert result.evaluation is not None
    assert result.evaluation.objective == pytest.approx(best.objective, rel=1e-6, abs=1e-9)
    return result


@pytest.mark.parametrize(("method", "options"), EXACT)
@pytest.mark.parametrize("first", range(0, 60, 10))
def test_models_over_coalitions_agree_with_enumeration(
    method: str, options: dict[str, Any], first: int
) -> None:
    for seed in range(first, first + 10):
        agree(tiny(seed), method, **options)


@pytest.mark.parametrize(("method", "options"), EXACT)
def test_services_that_are_late_at_home_must_be_offloaded(
    method: str, options: dict[str, Any]
) -> None:
    statuses = [agree(tiny(seed, deadlines=True), method, **options).status for seed in range(30)]
    assert statuses.count("infeasible") >= 2
    assert statuses.count("optimal") >= 15


@pytest.mark.parametrize(("method", "options"), BOUNDS)
def test_bounds_over_levels_hold(method: str, options: dict[str, Any]) -> None:
    close = found = 0
    for seed in range(25):
        instance = tiny(seed)
        best = best_of(instance)
        result = solved(instance, method, **options)
        if not best.feasible:
            continue
        assert result.bound is not None
        assert result.bound >= best.objective - best.tolerance
        close += result.bound <= best.objective + 0.05 * float(best.terms["gain_total"]) + 1e-6
        assert result.evaluation is not None
        found += result.evaluation.feasible
    assert found >= 15
    assert close >= 15


def test_a_finer_grid_bounds_better() -> None:
    slack = {}
    for ratio in (2.0, 1.05):
        bounds = [solved(tiny(seed), "level", ratio=ratio).bound for seed in range(12)]
        slack[ratio] = sum(bound for bound in bounds if bound is not None)
    assert slack[1.05] < slack[2.0]


@pytest.mark.parametrize(("method", "options"), [*EXACT, ("cp", {"compact": True})])
def test_with_load_balance_heads_are_held_and_nothing_is_proved(
    method: str, options: dict[str, Any]
) -> None:
    found = 0
    for seed in range(10):
        instance = crowded(seed, servers=3, deadlines=False)
        half = instance.services
        if (instance.channels + 1.0) ** half > 5_000:
            continue
        omega = np.random.default_rng(seed).integers(0, 2, half)
        result = solve_instance(
            instance, method, options=options, warm_start=np.concatenate([0 * omega, omega])
        )
        assert result.bound is None
        assert result.status == "feasible"
        assert result.x is not None
        assert result.x[half:].tolist() == omega.tolist()
        every = np.array(list(itertools.product(range(instance.channels + 1), repeat=half)))
        heads = np.broadcast_to(omega, every.shape)
        batch = instance.evaluate_batch(np.concatenate([every, heads], axis=1))
        best = batch[batch.best("maximise")]
        assert result.evaluation is not None
        if "compact" not in options:
            assert result.evaluation.objective == pytest.approx(best.objective, rel=1e-6)
        found += 1
    assert found >= 4
    with pytest.raises(MethodUnavailable, match="heads"):
        solve_instance(crowded(0), "level")


def test_many_services_on_an_equally_shared_cloud() -> None:
    """Ranges of numbers of offloaders by their relaxations, and every number by itself."""
    document = generate("dense", 3, services=20, channels=3, sharing="equal", regime="mid")
    instance = ChannelChoice(document)
    results = [solved(instance, method, **options) for method, options in EXACT]
    values = [result.evaluation.objective for result in results if result.evaluation is not None]
    assert all(result.status == "optimal" for result in results)
    np.testing.assert_allclose(values, values[0], rtol=1e-6)
    assert results[0].details["models"] < 20, "most numbers are excluded by relaxations"
    assert values[0] > instance.origin


def plain_coalitions(o: Offloading, k: int) -> dict[tuple[int, ...], float]:
    """Every undominated coalition, by definition."""
    limits = thresholds(o, k)
    services = len(limits)

    def value(members: tuple[int, ...]) -> float:
        load = float(sum(o.power_w[i] for i in members))
        return sum(float(gain(o, i, load, k)) for i in members)

    found = {}
    for size in range(1, services + 1):
        for members in itertools.combinations(range(services), size):
            chosen = list(members)
            if o.power_w[chosen].sum() > limits[chosen].min():
                continue
            own = value(members)
            fewer = [
                value(tuple(j for j in members if j != i)) for i in chosen if not o.late_at_home[i]
            ]
            if all(rest < own for rest in fewer):
                found[members] = own
    return found


def test_every_coalition_that_matters_is_enumerated() -> None:
    total = 0
    for seed in range(60):
        instance = tiny(seed)
        o = instance.offloading()
        run = Run(instance)
        for k in range(1, instance.services + 1):
            sets = coalitions(o, k, instance.services, run)
            assert sets is not None
            expected = plain_coalitions(o, k)
            found = {tuple(sorted(sets[j].tolist())): sets.value[j] for j in range(len(sets))}
            assert found == pytest.approx(expected)
            total += len(found)
            pairs = coalitions(o, k, 2, run)
            assert pairs is not None
            assert len(pairs) == sum(len(members) <= 2 for members in expected)
    assert total > 1000
    assert coalitions(o, 1, instance.services, run, limit=1) is None or len(found) <= 1


def test_too_many_coalitions_are_said_to_be() -> None:
    instance = ChannelChoice(generate("dense", 0, services=20, channels=3, regime="soft"))
    for method in ("mip", "cp"):
        result = solved(instance, method, limit=5)
        assert "more than 5" in result.details["skipped"]
        assert result.status == "feasible"
        assert result.bound is not None
        assert result.evaluation is not None
        assert result.bound > result.evaluation.objective


@pytest.mark.parametrize("limit", [5, 25])
def test_numbers_of_offloaders_are_bounded_where_one_model_is_too_large(limit: int) -> None:
    """Few services, for which all numbers would be one model: of more than 25 coalitions, though
    none of single numbers has so many."""
    document = generate("dense", 0, services=8, channels=3, sharing="equal")
    instance = ChannelChoice(document)
    assert solved(instance, "mip").details["coalitions"] > 25
    truth = best_of(instance)
    result = solved(instance, "mip", limit=limit)
    assert result.bound is not None
    assert result.bound >= truth.objective - truth.tolerance
    assert result.evaluation is not None
    assert (result.status == "optimal") == (limit == 25)
    if limit == 5:
        assert "more than 5" in result.details["skipped"]
    assert result.details["coalitions"] <= limit


@pytest.mark.parametrize("method", ["mip", "level"])
@pytest.mark.parametrize("sharing", ["equal", "fixed"])
def test_a_model_is_exported_although_none_has_to_be_solved(
    method: str, sharing: str, tmp_path: Path
) -> None:
    """Offloading costs so much that home is proved optimal before any model is built."""
    document = generate("dense", 0, services=14, channels=2, sharing=sharing)
    for service in document["services"]:
        service["hold_energy_j"] = 1e6
    path = tmp_path / "model.lp"
    result = solved(ChannelChoice(document), method, export=str(path))
    assert result.status == "optimal"
    assert result.details["models"] == 0
    assert path.exists()


def test_an_export_of_a_model_that_is_too_large_is_refused(tmp_path: Path) -> None:
    instance = ChannelChoice(generate("dense", 0, services=14, channels=3))
    with pytest.raises(UsageError, match="nothing was exported"):
        solved(instance, "mip", export=str(tmp_path / "model.lp"), limit=3)


def test_received_powers_may_differ_by_more_than_64_bits_hold() -> None:
    """The compact model counts powers in units of the weakest one, as far as that goes."""
    document = tiny(1, deadlines=False).to_dict() | {"channels": 1}
    document["cloud"]["sharing"] = "fixed"
    document["services"][-1]["channel_gain"] = 1e9
    instance = ChannelChoice(document)
    truth = best_of(instance)
    result = solved(instance, "cp", compact=True)
    assert result.bound is not None
    assert result.bound >= truth.objective - truth.tolerance
    assert result.details["levels"] > 100


@pytest.mark.parametrize("method", ["balance_mip", "balance_cp", "level", "mip"])
def test_building_a_model_ends_with_the_run(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the limit comes: no model is built to its end, let alone solved."""
    if method.startswith("balance"):
        document = generate("balance", 0, servers=2, per_server=12)
    else:
        document = generate("dense", 0, services=30, channels=6, regime="soft")
    instance = ChannelChoice(document)
    solve_instance(instance, method, stop=Stop(time_s=0.0))  # whatever is imported first
    looks = 0

    def stopped(run: Run) -> bool:
        nonlocal looks
        looks += 1
        if looks > 5:
            run.reason = StopReason.TIME
        return looks > 5

    monkeypatch.setattr(coalitions_module, "_STRETCH", 10)
    monkeypatch.setattr(Run, "stopped", stopped)
    result = solve_instance(instance, method)
    assert result.reason == "time"
    assert result.build_s is None or method in ("level", "mip")
    assert looks < 15, "who asked on, built on"
    assert result.details.get("models", 0) == 0


def test_levels_hold_every_load_and_gains_are_optimistic() -> None:
    rng = np.random.default_rng(0)
    for seed in range(60):
        o = tiny(seed).offloading()
        services = len(o.power_w)
        k = int(rng.integers(1, services + 1))
        levels = levels_of(o, k, 1.2)
        limits = thresholds(o, k)
        for _ in range(20):
            members = np.flatnonzero(rng.random(services) < 0.5)
            load = float(o.power_w[members].sum())
            if not len(members) or load > limits[members].min():
                continue
            level = int(np.searchsorted(levels.high_w, load))
            real = gains(o, np.array([load]), k)[members, 0]
            assert (levels.gain[members, level] >= real - 1e-12).all()


def test_packed_channels_are_within_thresholds() -> None:
    rng = np.random.default_rng(1)
    for seed in range(60):
        instance = tiny(seed, deadlines=False)
        o = instance.offloading()
        k = instance.services
        wished = [rng.integers(1, o.channels + 1, rng.integers(0, 2)).tolist() for _ in range(k)]
        channels = pack(o, k, wished)
        assert instance.evaluate(channels).feasible
        assert all(wish or not channel for wish, channel in zip(wished, channels, strict=True))


def test_names_say_the_equation(tmp_path: Path) -> None:
    instance = tiny(3)
    o = instance.offloading()
    run = Run(instance)
    sets = {k: coalitions(o, k, k, run) for k in (1, 2)}
    model = mip_module.coalition_model(o, {k: s for k, s in sets.items() if s is not None}, 0.0)
    names = {part.name for part in model.component_data_objects(active=True)}
    assert {"z[0,1]", "b[2]", "one_channel[0]", "channels[1]", "offloaders[2]", "one_share",
            "eq17_quality"} <= names  # fmt: skip
    compact = level_model(o, levels_of(o, 2, 1.5), 2, 0.0, apart=True, relaxed=False)
    names = {part.name for part in compact.component_data_objects(active=True)}
    assert {"y[0,0]", "offloaders", "one_level[0,0]", "eq17_quality"} <= names
    for method in ("mip", "level"):
        path = tmp_path / f"{method}.lp"
        solved(instance, method, export=str(path))
        assert "one_channel" in path.read_text()


def test_options_are_checked() -> None:
    instance = tiny(0)
    for method, options, text in (
        ("mip", {"limit": 0}, "limit"),
        ("mip", {"arrays": True, "solver": "scip"}, "Pyomo"),
        ("mip", {"solver": "nobody"}, "unknown solver"),
        ("cp", {"limit": 0}, "limit"),
        ("cp", {"compact": True, "ratio": 1.0}, "ratio"),
        ("level", {"ratio": 0.9}, "ratio"),
        ("level", {"ratio": 1.0000001}, "levels"),
    ):
        with pytest.raises(UsageError, match=text):
            solved(instance, method, **options)


def scaled(instance: ChannelChoice, factor: float) -> ChannelChoice:
    """The same instance with another threshold, so that all gains become small or large."""
    return instance.replace(qos_threshold=instance.document.qos_threshold * factor)


@pytest.mark.parametrize("factor", [1e-4, 1e6])
def test_gains_of_any_size(factor: float) -> None:
    for seed in range(8):
        instance = scaled(tiny(seed), factor)
        for method, options in EXACT:
            agree(instance, method, **options)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(0, 1000, 100))
def test_models_agree_with_enumeration_deeply(first: int) -> None:
    for seed in range(1000 + first, 1100 + first):
        for method, options in EXACT:
            agree(tiny(seed), method, **options)
