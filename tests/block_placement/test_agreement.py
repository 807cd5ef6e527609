"""Every exact method against enumeration, and every heuristic against the optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optkit

EXACT = ("dp", "lagrangian", "cg", "storage", "mip", "cp")
HEURISTIC = (
    "rpdi", "apdi", "greedy", "greedy_delay", "all_local", "single_es", "marginal_greedy",
    "local_search", "beam",
)  # fmt: skip
LIMIT = optkit.Stop(time_s=120)


def applicable(instance, names):
    known = optkit.methods("block_placement")
    return [name for name in names if known[name].why_not_for(instance) is None]


def compare(seed, names=EXACT):
    """Solve one tiny instance by enumeration and by every exact method that applies."""
    instance = optkit.generate("block_placement", "tiny", seed)
    truth = optkit.solve(instance, "enumerate", stop=LIMIT)
    assert truth.status in ("optimal", "infeasible")
    for name in applicable(instance, names):
        result = optkit.solve(instance, name, stop=LIMIT)
        where = f"{name} on tiny seed {seed}"
        assert result.status == truth.status, where
        if truth.status == "optimal":
            tolerance = 1e-6 * truth.objective + 1e-12
            assert abs(result.objective - truth.objective) <= tolerance, where
            assert result.bound <= truth.objective + tolerance, where
    return instance, truth


@pytest.mark.long
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**31 - 1))
def test_exact_methods_agree_with_enumeration(seed):
    compare(seed)


@pytest.mark.nightly
@settings(max_examples=5000, deadline=None, derandomize=True, database=None)
@given(st.integers(2**31, 2**40))
def test_exact_methods_agree_with_enumeration_on_5000(seed):
    compare(seed)


@pytest.mark.parametrize("name", EXACT[:4])
def test_specialised_methods_agree_where_they_apply(name):
    """Sixty instances each: drawn at random, few tiny instances have a single coupling."""
    met, seed = 0, 0
    while met < 60:
        instance = optkit.generate("block_placement", "tiny", seed)
        if applicable(instance, [name]):
            compare(seed, [name])
            met += 1
        seed += 1


def test_couplings_and_deadlines_are_all_met_and_combined():
    """The seeds drawn above are spread over what the options allow."""
    couplings, deadlines, combined = set(), set(), 0
    for seed in range(300):
        instance = optkit.generate("block_placement", "tiny", seed)
        couplings |= set(instance.couplings)
        if instance.has_deadlines:
            deadlines.add((instance.options.deadline, instance.options.deadline_scope))
        combined += len(instance.couplings) >= 2
    assert couplings == {"energy", "server_cycles", "device_cycles", "storage", "load"}
    assert deadlines == {(a, b) for a in ("hard", "penalty", "off") for b in ("block", "task")}
    assert combined >= 60


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**31 - 1))
def test_no_heuristic_beats_the_optimum(seed):
    instance = optkit.generate("block_placement", "tiny", seed)
    truth = optkit.solve(instance, "enumerate", stop=LIMIT)
    for name in applicable(instance, HEURISTIC):
        result = optkit.solve(instance, name, stop=LIMIT)
        if result.feasible:
            assert truth.status == "optimal", name
            assert result.objective >= truth.objective * (1 - 1e-9), name


def in_other_units(instance, factor):
    """The same instance with every second worth `factor` seconds; joules stay."""
    document = instance.to_dict()

    def times(value, by):
        if isinstance(value, list):
            return [times(item, by) for item in value]
        return None if value is None else value * by

    def change(holder, name, by):
        if holder.get(name) is not None:
            holder[name] = times(holder[name], by)

    change(document, "slot_s", factor)
    change(document, "wired_rate_bps", 1 / factor)
    for place in ("devices", "servers"):
        change(document[place], "speed_hz", 1 / factor)
    change(document["devices"], "kappa", factor**2)
    change(document["devices"], "tx_power_w", 1 / factor)
    for name in ("uplink_rate_bps", "downlink_rate_bps"):
        change(document["tasks"], name, 1 / factor)
    change(document["tasks"], "deadline_s", factor)
    for model in document["models"]:
        for block in model["blocks"]:
            for name in ("compute_s", "transfer_s"):
                change(block, name, factor)
    return optkit.load(document)


@pytest.mark.parametrize("factor", [1e-7, 1e-3, 1e7])
@pytest.mark.parametrize("name", EXACT)
def test_the_scale_of_the_objective_changes_nothing_else(name, factor):
    met, seed = 0, 1000
    while met < 8:
        instance = optkit.generate("block_placement", "tiny", seed)
        seed += 1
        if not applicable(instance, [name]):
            continue
        met += 1
        scaled = in_other_units(instance, factor)
        here = optkit.solve(instance, name, stop=LIMIT)
        there = optkit.solve(scaled, name, stop=LIMIT)
        assert there.status == here.status, seed
        if here.feasible:
            assert there.objective == pytest.approx(factor * here.objective, rel=2e-6), seed
            assert there.bound <= there.objective * (1 + 1e-6)


def test_return_transfers_matter_to_some_optima():
    """Otherwise agreement would say nothing about them."""
    differ = 0
    for seed in range(200):
        instance = optkit.generate("block_placement", "tiny", seed)
        if not instance.couplings:
            continue
        with_them = optkit.solve(instance.replace(options={"return_transfer": True}), "enumerate")
        without = optkit.solve(instance.replace(options={"return_transfer": False}), "enumerate")
        if with_them.feasible and without.feasible:
            differ += not np.isclose(with_them.objective, without.objective)
    assert differ >= 5
