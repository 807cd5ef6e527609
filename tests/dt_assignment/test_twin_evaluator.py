"""The evaluator against plain loops, against what its rules mean, and by its laws."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import twin_plain as plain
from twin_tools import RULES, decisions, random_decisions, tiny

from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.sharing import pair_costs, pair_delays, smith_order
from optkit.errors import DecisionError


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_agrees_with_plain_loops(first: int) -> None:
    broken = 0
    for seed in range(first, first + 50):
        instance = tiny(seed)
        document = instance.to_dict()
        x = random_decisions(instance, 12, seed)
        judged = instance.evaluate_batch(x)
        for row, decision in enumerate(x.tolist()):
            expected, found = plain.evaluate(document, decision), judged[row]
            for name in ("delay_s", "energy_j", "latency_s", "compute_s"):
                if name in expected:
                    np.testing.assert_allclose(found.terms[name], expected[name], rtol=1e-12)
            np.testing.assert_allclose(found.objective, expected["objective"], 1e-12, 1e-12)
            np.testing.assert_allclose(found.scale, expected["scale"], rtol=1e-12)
            for name in instance.resource_names:
                load = found.terms[f"load_{name}"]
                np.testing.assert_allclose(load, expected["loads"][name], rtol=1e-12)
            assert found.violations == pytest.approx(expected["violations"], rel=1e-9, abs=1e-12)
            assert set(found.broken) == {k for k, v in expected["violations"].items() if v}
            broken += bool(found.broken)
    assert broken > 50


def test_terms_add_up() -> None:
    for seed in range(60):
        instance = tiny(seed)
        judged = instance.evaluate_batch(random_decisions(instance, 20, seed))
        terms = judged.terms
        if instance.measured_cost:
            np.testing.assert_array_equal(terms["pair_cost"], judged.objective)
            continue
        np.testing.assert_allclose(terms["delay_cost"] + terms["energy_cost"], judged.objective)
        np.testing.assert_allclose(terms["transfer_s"] + terms["compute_s"], terms["delay_s"])
        weighted = terms["latency_s"] @ instance.tables.weight
        np.testing.assert_allclose(weighted, terms["delay_s"])


def test_batch_is_loop() -> None:
    for seed in range(40):
        instance = tiny(seed)
        x = random_decisions(instance, 9, seed)
        together = instance.evaluate_batch(x)
        turned = instance.evaluate_batch(np.asfortranarray(x))
        np.testing.assert_array_equal(turned.objective, together.objective)
        for row in range(len(x)):
            alone = instance.evaluate(x[row])
            assert alone.objective == together.objective[row]
            assert alone.violations == together[row].violations


def test_cloud_share_and_load_of_a_known_decision() -> None:
    instance = TwinAssignment(
        {
            "problem": "dt_assignment",
            "version": 1,
            "pair_cost": [[1, 2], [-3, 4], [5.5, None]],
            "servers": {"kind": ["edge", "cloud"], "max_twins": [1, None]},
        }
    )
    judged = instance.evaluate([0, 0, 1])
    assert judged.objective == -2.0
    assert judged.scale == 4.0
    assert judged.terms["cloud_share"] == pytest.approx(1 / 3)
    assert judged.terms["load_max_twins"].tolist() == [2.0, 0.0]
    assert judged.violations == {"forbidden": 1.0, "max_twins": 1.0}
    assert not judged.feasible


def test_tolerances_of_limits_and_deadlines() -> None:
    base: dict[str, Any] = {"problem": "dt_assignment", "version": 1, "delay_weight": 1.0,
                            "time_weight": "one", "pair_transfer_s": [[1.0]],
                            "pair_compute_s": [[2.0]], "pair_energy_j": [[0.0]],
                            "pair_load": [[1e6]]}  # fmt: skip
    for deadline, late in ((3.0, 0.0), (3.0 / (1 + 0.9e-9), 0.0), (2.0, 1.0)):
        instance = TwinAssignment(
            base | {"twins": {"deadline_s": [deadline]}, "server_capacity": [None]}
        )
        assert instance.evaluate([0]).violations == {"deadline_s": late}
        assert instance.open[0, 0] == (late == 0)
    for capacity, over in ((1e6, 0.0), (1e6 - 0.9e-3, 0.0), (1e6 - 2.0, 2.0)):
        instance = TwinAssignment(base | {"server_capacity": [capacity]})
        assert instance.evaluate([0]).violations == {"server_capacity": over}
        assert instance.open[0, 0] == (over == 0)


def test_an_overflowing_cost_is_no_answer() -> None:
    instance = TwinAssignment(
        {
            "problem": "dt_assignment",
            "version": 1,
            "delay_weight": 1.0,
            "time_weight": [1e300],
            "pair_transfer_s": [[1e300, 1.0]],
            "pair_compute_s": [[1.0, 1.0]],
            "pair_energy_j": [[1.0, 1.0]],
        }
    )
    assert instance.open.tolist() == [[False, True]]
    assert not instance.evaluate([0]).feasible
    assert instance.evaluate([1]).feasible


# --- what the rules of sharing mean ---------------------------------------------------------


def with_rule(seed: int, rule: str) -> TwinAssignment:
    """A tiny instance by formula with this rule, whatever was drawn for it."""
    while "pair_cost" in (document := tiny(seed).to_dict()):
        seed += 1000
    return TwinAssignment(document | {"cpu_sharing": rule})


def test_wspt_is_the_best_order_of_all() -> None:
    for seed in range(60):
        instance = with_rule(seed, "wspt")
        tables = instance.tables
        for x in random_decisions(instance, 3, seed):
            if not tables.allowed[np.arange(len(x)), x].all():
                continue
            weighted = 0.0
            for server in range(instance.servers):
                members = np.flatnonzero(x == server)
                weighted += min(
                    sum(
                        tables.weight[m] * tables.compute_s[list(order[: i + 1]), server].sum()
                        for i, m in enumerate(order)
                    )
                    for order in itertools.permutations(members)
                )
            assert instance.evaluate(x).terms["compute_s"] == pytest.approx(weighted, rel=1e-12)


def test_optimal_shares_are_the_best_shares() -> None:
    """Shares phi minimise sum W p / phi over the simplex: none of many random ones is better, and
    the shares p / (computing time) add up to one on every server."""
    for seed in range(60):
        instance = with_rule(seed, "optimal")
        tables, rng = instance.tables, np.random.default_rng(seed)
        for x in random_decisions(instance, 3, seed):
            rows = np.arange(len(x))
            if not tables.allowed[rows, x].all():
                continue
            judged = instance.evaluate(x)
            weighted = 0.0
            for server in range(instance.servers):
                members = np.flatnonzero(x == server)
                if not len(members):
                    continue
                parts = tables.weight[members] * tables.compute_s[members, server]
                best = np.sqrt(parts) / np.sqrt(parts).sum()
                cost = (parts / best).sum()
                for spread in (0.01, 0.3, 1.0):
                    random = best * np.exp(rng.normal(0, spread, (50, len(members))))
                    random /= random.sum(axis=1, keepdims=True)
                    assert ((parts / random).sum(axis=1) >= cost * (1 - 1e-12)).all()
                weighted += cost
            assert judged.terms["compute_s"] == pytest.approx(weighted, rel=1e-12)


def test_order_of_the_rules() -> None:
    """none <= wspt <= optimal <= equal and proportional, for every decision."""
    for seed in range(50):
        cost = {}
        for rule in RULES:
            instance = with_rule(seed, rule)
            judged = instance.evaluate_batch(random_decisions(instance, 20, seed))
            cost[rule] = judged.terms["compute_s"]
        slack = 1 + 1e-12
        assert (cost["none"] <= cost["wspt"] * slack).all()
        assert (cost["wspt"] <= cost["optimal"] * slack).all()
        assert (cost["optimal"] <= np.minimum(cost["equal"], cost["proportional"]) * slack).all()


def test_pairs_add_up_to_the_rule() -> None:
    """q of each twin and kappa of each two that share a server are the whole objective, and the
    delays of pairs are the computing times."""
    for seed, rule in itertools.product(range(40), RULES):
        instance = with_rule(seed, rule)
        instance = instance.replace(servers={"backhaul_bps": None})
        tables = instance.tables
        for x in random_decisions(instance, 3, seed):
            judged = instance.evaluate(x)
            total = tables.cost[np.arange(len(x)), x].sum()
            latency = np.zeros(len(x))
            for server in range(instance.servers):
                members = np.flatnonzero(x == server)
                kappa = pair_costs(instance, server, members)
                assert (kappa >= 0).all()
                np.testing.assert_array_equal(kappa, kappa.T)
                total += kappa.sum() / 2
                alone = tables.transfer_s[members, server] + tables.compute_s[members, server]
                latency[members] = alone + pair_delays(instance, server, members).sum(axis=1)
            np.testing.assert_allclose(total, judged.objective, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(latency, judged.terms["latency_s"], rtol=1e-12)


def test_equal_ratios_are_served_by_index() -> None:
    instance = TwinAssignment(
        {
            "problem": "dt_assignment",
            "version": 1,
            "delay_weight": 1.0,
            "time_weight": [2.0, 1.0, 3.0],
            "cpu_sharing": "wspt",
            "pair_transfer_s": [[0.0]] * 3,
            "pair_compute_s": [[2.0], [1.0], [1.5]],
            "pair_energy_j": [[0.0]] * 3,
        }
    )
    assert smith_order(instance.tables, 0).tolist() == [2, 0, 1]
    assert instance.evaluate([0, 0, 0]).terms["latency_s"].tolist() == [3.5, 4.5, 1.5]


# --- laws -------------------------------------------------------------------------------------


def optimum(instance: TwinAssignment) -> float:
    judged = instance.evaluate_batch(decisions(instance))
    return float(judged.objective[judged.feasible].min(initial=np.inf))


def test_more_room_never_hurts() -> None:
    """A further server, a wider limit, a later deadline: the optimum does not rise."""
    tried = 0
    for seed in range(150):
        instance = tiny(seed)
        before = optimum(instance)
        document = instance.to_dict()
        for change in (_later, _wider, _further):
            changed = change(document)
            if changed is not None:
                tried += 1
                after = optimum(TwinAssignment(changed))
                assert after == before or after <= before + 1e-12 * abs(before)
    assert tried > 200


def _later(document: dict[str, Any]) -> dict[str, Any] | None:
    deadlines = document.get("twins", {}).get("deadline_s")
    if deadlines is None:
        return None
    later = [None if d is None else 1.3 * d for d in deadlines]
    return document | {"twins": document["twins"] | {"deadline_s": later}}


def _wider(document: dict[str, Any]) -> dict[str, Any] | None:
    names = ("max_twins", "max_devices", "max_input_bits", "memory_bytes", "backhaul_bps")
    servers = document.get("servers", {})
    wider = {
        name: [None if most is None else 1.4 * most for most in servers[name]]
        for name in names
        if name in servers
    }
    return document | {"servers": servers | wider} if wider else None


def _further(document: dict[str, Any]) -> dict[str, Any]:
    """The last server twice; a twin may still choose as before."""
    document = dict(document)
    for name in ("pair_cost", "pair_transfer_s", "pair_compute_s", "pair_energy_j", "pair_load"):
        if name in document:
            document[name] = [[*row, row[-1]] for row in document[name]]
    if "server_capacity" in document:
        document["server_capacity"] = [*document["server_capacity"], None]
    servers = document.get("servers", {})
    document["servers"] = {name: [*values, values[-1]] for name, values in servers.items()}
    return document


def test_relabelling_changes_nothing() -> None:
    for seed in range(80):
        instance = tiny(seed)
        rng = np.random.default_rng(seed)
        twins, servers = rng.permutation(instance.twins), rng.permutation(instance.servers)
        relabelled = TwinAssignment(_relabelled(instance.to_dict(), twins, servers, rng))
        x = random_decisions(instance, 20, seed)
        moved = np.argsort(servers)[x[:, twins]]
        one, other = instance.evaluate_batch(x), relabelled.evaluate_batch(moved)
        if instance.cpu_sharing == "wspt" and _ties(instance):
            continue  # ties go by index, so other twins wait
        np.testing.assert_allclose(one.objective, other.objective, rtol=1e-11, atol=1e-11)
        np.testing.assert_array_equal(one.feasible, other.feasible)
        np.testing.assert_array_equal(instance.open[twins][:, servers], relabelled.open)


def _ties(instance: TwinAssignment) -> bool:
    ratio = np.sort(instance.tables.compute_s / instance.tables.weight[:, None], axis=0)
    return bool((np.diff(ratio, axis=0) <= 1e-12 * ratio[1:]).any())


def _relabelled(document: dict[str, Any], twins: Any, servers: Any, rng: Any) -> dict[str, Any]:
    document = dict(document)
    for name, value in document.items():
        if name.startswith("pair_"):
            document[name] = [[value[m][s] for s in servers] for m in twins]
    if isinstance(document.get("time_weight"), list):
        document["time_weight"] = [document["time_weight"][m] for m in twins]
    if "server_capacity" in document:
        document["server_capacity"] = [document["server_capacity"][s] for s in servers]
    document["servers"] = {
        name: [values[s] for s in servers] for name, values in document.get("servers", {}).items()
    }
    document["twins"] = {
        name: value if name == "count" else [value[m] for m in twins]
        for name, value in document.get("twins", {}).items()
    }
    if "devices" in document:
        order = rng.permutation(len(document["devices"]["twin"]))
        new = np.argsort(twins)
        document["devices"] = {
            name: [int(new[values[n]]) if name == "twin" else values[n] for n in order]
            for name, values in document["devices"].items()
        }
    return document


def test_scaling_both_references_scales_the_objective() -> None:
    for seed in range(60):
        instance = tiny(seed)
        if instance.measured_cost:
            continue
        x = random_decisions(instance, 10, seed)
        document = instance.document
        scaled = instance.replace(
            time_ref_s=document.time_ref_s / 8, energy_ref_j=document.energy_ref_j / 8
        )
        one, other = instance.evaluate_batch(x), scaled.evaluate_batch(x)
        np.testing.assert_allclose(8 * one.objective, other.objective, rtol=1e-13)
        np.testing.assert_array_equal(one.feasible, other.feasible)


def test_term_matrices_made_from_the_formula_change_nothing() -> None:
    for seed in range(80):
        instance = tiny(seed)
        if instance.measured_cost or instance.has_nulls:
            continue
        tables = instance.tables
        measured = instance.replace(
            pair_transfer_s=tables.transfer_s,
            pair_compute_s=tables.compute_s,
            pair_energy_j=tables.energy_j,
        )
        x = random_decisions(instance, 10, seed)
        one, other = instance.evaluate_batch(x), measured.evaluate_batch(x)
        np.testing.assert_array_equal(one.objective, other.objective)
        np.testing.assert_array_equal(one.feasible, other.feasible)


def test_a_server_has_an_open_pair_exactly_if_its_twin_may_be_there_alone() -> None:
    for seed in range(60):
        instance = tiny(seed)
        for twin in range(instance.twins):
            alone = _only(instance, twin)
            feasible = alone.evaluate_batch(np.arange(alone.servers)[:, None]).feasible
            np.testing.assert_array_equal(feasible, instance.open[twin])


def _only(instance: TwinAssignment, twin: int) -> TwinAssignment:
    """The instance with one twin alone in the world."""
    document = instance.to_dict()
    weight = document.get("time_weight")
    if isinstance(weight, list) or not instance.measured_cost:
        document["time_weight"] = [float(instance.tables.weight[twin])]
    for name, value in document.items():
        if name.startswith("pair_"):
            document[name] = [value[twin]]
    document["twins"] = {
        name: 1 if name == "count" else [value[twin]]
        for name, value in document.get("twins", {}).items()
    }
    if "devices" in document:
        own = [n for n, owner in enumerate(document["devices"]["twin"]) if owner == twin]
        document["devices"] = {
            name: [0 if name == "twin" else values[n] for n in own]
            for name, values in document["devices"].items()
        }
    return TwinAssignment(document)


def test_decisions_of_the_wrong_kind() -> None:
    instance = tiny(0)
    with pytest.raises(DecisionError, match="expected"):
        instance.evaluate([0])
    with pytest.raises(DecisionError, match="no part 'price'"):
        instance.evaluate([0] * instance.twins, price=1.0)
    with pytest.raises(DecisionError, match="server"):
        instance.from_decision({"location": [0] * instance.twins})
