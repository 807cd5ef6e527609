"""RO, CO, AD and the rules that know no coupling."""

from __future__ import annotations

import numpy as np
import pytest

import optkit
from optkit import Instance, MethodUnavailable


@pytest.fixture(scope="module")
def paper() -> Instance:
    return optkit.generate("dt_assignment", "paper", 3, delay_weight=1.0)


def test_random_offloading_has_the_mean_of_all_decisions(paper: Instance) -> None:
    result = optkit.solve(paper, "ro")
    drawn = np.random.default_rng(1).integers(0, 4, (20_000, 15))
    mean = paper.evaluate_batch(drawn).objective.mean()
    assert result.details["mean_objective"] == pytest.approx(mean, rel=0.01)
    assert result.objective == paper.evaluate(result.x).objective


def test_random_offloading_samples_where_twins_are_coupled() -> None:
    coupled = optkit.generate("dt_assignment", "paper", 3, couplings="equal,load")
    details = optkit.solve(coupled, "ro", options={"draws": 50}).details
    assert details["draws"] == 50
    assert 0 <= details["feasible_draws"] <= 50
    assert details["mean_objective"] > optkit.solve(coupled, "subset_dp").objective


def test_cloud_only_is_the_optimum_without_delay() -> None:
    energy = optkit.generate("dt_assignment", "paper", 0, delay_weight=0.0)
    assert set(optkit.solve(energy, "co").x) == {3}
    best = optkit.solve(energy, "argmin").objective
    assert optkit.solve(energy, "co").objective == pytest.approx(best)


def test_even_workloads_by_hand() -> None:
    bits = [2e6, 6e6, 8e6, 4e6]
    document = optkit.generate("dt_assignment", "paper", 0, twins=4, devices=4).to_dict()
    document["devices"] |= {"twin": [0, 1, 2, 3], "input_bits": bits}
    document["servers"] = {
        name: values[2:] for name, values in document["servers"].items() if values is not None
    }
    two = optkit.load(document)
    answers = {
        reading: optkit.solve(two, "ad", options={"reading": reading}).x.tolist()
        for reading in ("lpt", "cut", "index")
    }
    assert answers == {"lpt": [0, 1, 0, 1], "cut": [1, 1, 0, 1], "index": [0, 0, 1, 1]}


def test_rules_without_couplings(paper: Instance) -> None:
    best = optkit.solve(paper, "argmin")
    assert optkit.solve(paper, "separable").objective == best.objective
    edge = optkit.solve(paper, "best_edge")
    assert 3 not in edge.x
    assert edge.objective >= best.objective


def test_baselines_say_what_they_need() -> None:
    measured = optkit.load({"problem": "dt_assignment", "version": 1, "pair_cost": [[1.0, 2.0]]})
    with pytest.raises(MethodUnavailable, match="no cloud"):
        optkit.solve(measured, "co")
    with pytest.raises(MethodUnavailable, match="no devices"):
        optkit.solve(measured, "ad")
    assert optkit.solve(measured, "best_edge").x.tolist() == [0]
