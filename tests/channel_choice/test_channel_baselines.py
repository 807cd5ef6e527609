"""ELC, ECC, BDO, ACCO and MTTO: what they decide, and on what it is judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import optkit
from formulations.channel_choice.cloud_shares import best_shares
from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.mtto import shared_objective
from formulations.channel_choice.objective import judge, qos
from formulations.channel_choice.whole_model import whole_model
from optkit.errors import MethodUnavailable


def tiny(seed: int, **parameters: Any) -> ChannelChoice:
    return ChannelChoice(generate("tiny", seed, **parameters))


def dense(seed: int, services: int, channels: int, **parameters: Any) -> ChannelChoice:
    return ChannelChoice(
        generate("dense", seed, services=services, channels=channels, **parameters)
    )


def headless(seed: int) -> dict[str, Any]:
    """A tiny document in which every network can be cut before its first layer."""
    document = generate("tiny", seed, balanced=False, deadlines=False)
    for service in document["services"]:
        first = service["cuts"][0]
        first["tail_flop"] += first["head_flop"]
        first["head_flop"] = 0.0
    return document


def test_elc_is_the_origin() -> None:
    for seed in range(30):
        instance = tiny(seed, deadlines=False)
        result = optkit.solve(instance, "elc")
        assert result.objective == pytest.approx(instance.origin, rel=1e-12)
        assert result.feasible
        assert not result.x.any()


def test_a_service_late_at_home_is_a_violation_of_elc() -> None:
    late = 0
    for seed in range(60):
        instance = tiny(seed, balanced=False, deadlines=True)
        result = optkit.solve(instance, "elc")
        assert result.feasible == (not instance.static.late_at_home.any())
        late += not result.feasible
    assert late > 3


def test_ecc_takes_the_channels_in_turn() -> None:
    result = optkit.solve(dense(0, 8, 3), "ecc")
    assert result.x.tolist() == [1, 2, 3, 1, 2, 3, 1, 2]
    assert not result.feasible
    assert result.evaluation.broken.keys() == {"unprofitable"}
    assert result.status == "unknown"
    balanced = tiny(1, balanced=True)
    x = optkit.solve(balanced, "ecc").x
    assert x[: balanced.services].all() and not x[balanced.services :].any()


def test_bdo_reports_the_mean_of_its_draws() -> None:
    instance = dense(0, 20, 3)
    result = optkit.solve(instance, "bdo", seed=1, options={"draws": 400})
    details = result.details
    assert result.feasible == (details["feasible_draws"] > 0)
    assert details["feasible_draws"] < 8
    assert details["mean_gain"] < 0
    assert details["mean_objective"] == pytest.approx(instance.origin + details["mean_gain"])
    assert details["mean_objective"] < result.objective
    few = optkit.solve(instance, "bdo", seed=1)
    assert few.details["draws"] == 50
    assert not few.feasible and few.evaluation.broken.keys() == {"unprofitable"}
    rng = np.random.default_rng(0)
    away = rng.random((4000, 20)) < 0.5
    x = np.where(away, rng.integers(1, 4, away.shape), 0)
    objectives = instance.evaluate_batch(x).objective
    error = objectives.std() / np.sqrt(400)
    assert details["mean_objective"] == pytest.approx(objectives.mean(), abs=5 * error)


def test_whole_models_are_judged_beside_the_instance() -> None:
    for seed in range(20):
        instance = ChannelChoice(headless(seed))
        whole = instance.replace(cut_choice="input")
        ecc = optkit.solve(instance, "ecc")
        assert ecc.objective == instance.evaluate(ecc.x).objective
        assert ecc.details["whole_model_objective"] == whole.evaluate(ecc.x).objective
        acco = optkit.solve(instance, "acco", options={"cut": "whole"})
        assert acco.details["whole_model_objective"] == whole.evaluate(acco.x).objective
        assert np.array_equal(acco.x, optkit.solve(whole, "acco").x)
        bdo = optkit.solve(whole, "bdo")
        assert bdo.details["whole_model_mean_objective"] == bdo.details["mean_objective"]


def test_networks_that_cannot_be_cut_before_the_first_layer() -> None:
    instance = dense(0, 8, 3)
    assert instance.static.head_s.all()
    assert whole_model(instance) is None
    assert optkit.solve(instance, "ecc").details["whole_model_objective"] is None
    assert optkit.solve(instance, "bdo").details["whole_model_mean_objective"] is None
    with pytest.raises(MethodUnavailable, match="method mtto cannot .* is not the input"):
        optkit.solve(instance, "mtto")
    with pytest.raises(MethodUnavailable, match="method acco cannot offload whole models"):
        optkit.solve(instance, "acco", options={"cut": "whole"})


def plain_acco(instance: ChannelChoice, in_order: bool) -> Any:
    """Every pair judged as a whole decision: fewer late services, then more gain."""
    x = np.zeros(len(instance.choices), dtype=np.int64)

    def best_of(services: Any) -> Any:
        rows = [x]
        for i in services:
            for c in range(1, instance.channels + 1):
                if not x[i]:
                    rows.append(x.copy())
                    rows[-1][i] = c
        judged = instance.evaluate_batch(np.stack(rows))
        late = np.count_nonzero(judged.violations.get("deadline", np.zeros((len(rows), 1))), axis=1)
        gain = judged.objective - judged.objective[0]
        pick = np.lexsort((-np.round(gain, 11), late))[0]
        better = late[pick] < late[0] or (late[pick] == late[0] and gain[pick] > 1e-10)
        return rows[pick] if better else x

    if in_order:
        for i in range(instance.services):
            x = best_of([i])
        return x
    while True:
        after = best_of(range(instance.services))
        if after is x:
            return x
        x = after


@pytest.mark.parametrize("variant", ["greedy", "index"])
def test_acco_against_whole_decisions(variant: str) -> None:
    instances = [tiny(seed) for seed in range(150)]
    instances += [dense(seed, 12, 3, sharing=s) for seed in range(6) for s in ("fixed", "equal")]
    for instance in instances:
        result = optkit.solve(instance, "acco", options={"variant": variant})
        expected = plain_acco(instance, variant == "index")
        assert result.objective == pytest.approx(
            instance.evaluate(expected).objective, rel=1e-9, abs=1e-9
        )
        assert result.details["offloaded"] == np.count_nonzero(result.x[: instance.services])
        assert np.array_equal(
            np.flatnonzero(result.x[: instance.services]),
            np.flatnonzero(expected[: instance.services]),
        )


def test_acco_holds_where_heads_run() -> None:
    instance = tiny(1, balanced=True)
    x = np.concatenate([np.zeros(instance.services, int), np.ones(instance.services, int)])
    result = optkit.solve(instance, "acco", warm_start=x)
    assert result.x[instance.services :].all()
    assert result.objective >= instance.evaluate(x).objective


def test_index_order_offloads_what_loses_later() -> None:
    """Violations of Eq. 18 are reported, never repaired in silence."""
    broken = sum(
        not optkit.solve(dense(seed, 20, 3), "acco", options={"variant": "index"}).feasible
        for seed in range(6)
    )
    assert broken > 0


@pytest.mark.parametrize("seed", range(25))
def test_shares_of_the_cloud_are_the_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, speed = int(rng.integers(1, 9)), 10.0
    rest, work = rng.uniform(0.1, 3.0, n), rng.uniform(0.01, 5.0, n)
    most = np.where(rng.random(n) < 0.3, rng.uniform(0.2, 3.0, n), np.inf)
    if seed % 5 == 0:
        work[0] = 0.0
    found = best_shares(rest, work, most, speed)
    assert found.sum() <= speed * (1 + 1e-12)
    assert np.all(found <= most) and np.all(found >= 0)
    needing = work > 0

    def cost(f: Any) -> Any:
        return np.log2(rest[needing] + work[needing] / np.minimum(f, most[needing])).sum()

    start = np.full(needing.sum(), speed / max(needing.sum(), 1))
    if needing.any():
        peer = minimize(
            cost, start, method="SLSQP", options={"ftol": 1e-14, "maxiter": 1000},
            bounds=[(1e-3, speed)] * needing.sum(),
            constraints={"type": "ineq", "fun": lambda f: speed - f.sum()},
        )  # fmt: skip
        assert cost(found[needing]) <= peer.fun + 1e-9
        assert cost(found[needing]) <= cost(start) + 1e-12
    assert not found[~needing].any()


def test_nobody_takes_more_than_helps() -> None:
    found = best_shares(np.ones(2), np.ones(2), np.array([1.0, 2.0]), 10.0)
    assert found.tolist() == [1.0, 2.0]


def test_mtto_is_judged_on_the_instance_and_valued_under_its_shares() -> None:
    gained = 0
    for seed in range(60):
        instance = ChannelChoice(headless(seed))
        whole = instance.replace(cut_choice="input")
        result = optkit.solve(instance, "mtto")
        assert result.objective == instance.evaluate(result.x).objective
        details = result.details
        assert details["whole_model_objective"] == pytest.approx(whole.evaluate(result.x).objective)
        assert np.array_equal(result.x, optkit.solve(whole, "mp_dob_channels").x)
        assert details["converged"] and details["largest_gain"] >= 0
        if not instance.static.equal_share:
            assert details["shares_objective"] is None
            continue
        assert details["shares_objective"] >= details["whole_model_objective"] - 1e-9
        gained += details["shares_objective"] > details["whole_model_objective"] + 1e-6
    assert gained > 3


def test_shares_against_an_optimiser_of_the_evaluator() -> None:
    """Random divisions of the cloud, each judged by the evaluator at that speed, are no better."""
    compared = 0
    for seed in range(80):
        document = headless(seed)
        document["cut_choice"] = "input"
        document["segmentation"] = 1.0
        document["cloud"]["sharing"] = "equal"
        instance = ChannelChoice(document)
        o, rng = instance.static, np.random.default_rng(seed)
        channel = rng.integers(0, instance.channels + 1, instance.services)
        away = np.flatnonzero(channel)
        if len(away) < 2:
            continue
        best = shared_objective(instance, channel)
        assert best is not None

        def value(shares: Any, o: Any = o, channel: Any = channel, away: Any = away) -> float:
            overhead = o.local_overhead.copy()
            for i, share in zip(away, shares, strict=True):
                alone = o._replace(
                    equal_share=False, cloud_speed_flop_per_s=share * o.cloud_speed_flop_per_s
                )
                overhead[i] = judge(alone, channel[None]).overhead[0, i]
            return float(qos(o, overhead).sum())

        equal = np.full(len(away), 1 / len(away))
        assert value(equal) == pytest.approx(instance.evaluate(channel).objective, rel=1e-12)
        assert best >= value(equal) - 1e-12
        for _ in range(10):
            assert best >= value(rng.dirichlet(np.full(len(away), 5.0))) - 1e-9
        compared += 1
    assert compared > 40
