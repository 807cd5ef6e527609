"""The policy that is shipped with dt_assignment: good where it was trained, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from optkit import Result, UsageError, generate, solve
from optkit.learning.policy import find_policy


def scenario(seed: int, environment: int = 7) -> tuple[float, Result]:
    """Gap to the optimum of a scenario, and the result."""
    instance = generate("dt_assignment", "paper", seed, environment=environment, delay_weight=1.0)
    best = solve(instance, "argmin")
    found = solve(instance, "ddl")
    assert best.status.value == "optimal" and found.status.value == "feasible"
    return found.objective / best.objective - 1, found


def test_it_is_near_the_optimum_of_scenarios_it_never_saw() -> None:
    gaps, results = zip(*map(scenario, range(500_000, 500_040)), strict=True)
    assert min(gaps) > -1e-9
    assert np.mean(gaps) < 0.003
    assert all(result.details["changed_since_training"] == [] for result in results)


def test_servers_that_it_never_saw_are_named() -> None:
    gaps, results = zip(*(scenario(seed, environment=8) for seed in range(10)), strict=True)
    assert np.mean(gaps) > 0.02
    changed = ["servers.speed_hz", "servers.x_m", "servers.y_m"]
    assert all(result.details["changed_since_training"] == changed for result in results)


def test_rates_that_it_never_saw_are_named() -> None:
    instance = generate("dt_assignment", "paper", 3, environment=7, delay_weight=1.0)
    devices = instance.canonical()["devices"]
    slower = [0.2 * rate for rate in devices["uplink_rate_bps"]]
    other = instance.replace(devices={**devices, "uplink_rate_bps": slower})
    found = solve(other, "ddl").details["changed_since_training"]
    assert found == ["devices.uplink_rate_bps"]


def test_it_says_how_it_was_trained() -> None:
    policy = find_policy("dt_assignment", "ddl", None)
    assert policy.training["parameters"] == {"delay_weight": 1, "environment": 7}
    assert policy.training["options"]["label"] != "exact", "no optimum was shown to it"
    assert policy.history[-1]["compared"] == 1024
    assert policy.history[-1]["gap"] < 0.002


def test_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match="ddl.npz: trained for 15 positions of 4 options, this "
                       "instance has 10 of 4"):  # fmt: skip
        solve(generate("dt_assignment", "small", 0), "ddl")
