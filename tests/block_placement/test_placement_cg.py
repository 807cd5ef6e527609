"""Column generation over many components, where prices are shared before each has its own."""

import numpy as np
import pytest

import optkit

LIMIT = optkit.Stop(time_s=120)


@pytest.mark.parametrize("seed", range(4))
def test_many_slots_with_mixed_limits_agree_with_the_mip(seed):
    """Fourteen slots of two tasks; odd seeds have limits only, even ones loads too."""
    rng = np.random.default_rng(seed)
    instance = optkit.generate(
        "block_placement", "paper", seed, slots=14, rate=2, servers=2, blocks=3
    ).replace(
        slot_s=0.08,
        options={"congestion": "none" if seed % 2 else "ps"},
        servers={"cycles_per_slot": [6e8 * rng.uniform(0.8, 2), None]},
        devices={"cycles_per_slot": rng.uniform(1e8, 9e8, 20)},
    )
    ours = optkit.solve(instance, "cg", stop=LIMIT)
    theirs = optkit.solve(instance, "mip", stop=LIMIT)
    assert ours.status == "optimal"
    assert theirs.objective >= ours.bound
    assert ours.objective >= theirs.bound * (1 - 1e-9)
    assert ours.objective <= theirs.objective * (1 + 1e-6)


def test_a_stop_during_the_first_pass_has_a_bound_for_every_slot():
    """Slots that were not reached are bounded by the prices of those that were."""
    instance = optkit.generate("block_placement", "paper-ps", 1, slots=40)
    early = optkit.solve(instance, "cg", stop=optkit.Stop(time_s=60, iterations=11))
    assert early.reason == "iterations"
    assert early.gap < 0.02
    late = optkit.solve(instance, "cg", stop=optkit.Stop(time_s=60, rel_gap=1e-4))
    assert early.bound <= late.objective
    assert late.gap <= 1e-4
    assert late.objective <= early.objective


def test_energy_ties_slots_together():
    """One component over all slots and devices; the budgets bind and hold."""
    free = optkit.generate("block_placement", "paper-ps", 1, slots=2, servers=2)
    unbound = optkit.solve(free, "cg", stop=LIMIT)
    budget = 0.6 * unbound.evaluation.terms["energy_j"].max()
    instance = free.replace(devices={"energy_budget_j": [budget] * 20})
    result = optkit.solve(instance, "cg", stop=optkit.Stop(time_s=60, rel_gap=1e-2))
    assert result.feasible
    assert result.gap <= 1e-2
    assert (result.evaluation.terms["energy_j"] <= budget * (1 + 1e-9)).all()
    assert unbound.bound < result.objective
