"""Column generation over groups of twins: agreement with enumeration, bounds and ends."""

import math
import threading
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from formulations.dt_assignment.exact import branching, cg, group_proof, listed, pricing
from formulations.dt_assignment.exact.branching import Branching
from formulations.dt_assignment.exact.columns import Columns
from formulations.dt_assignment.exact.cuts import Prices, entries, violated
from formulations.dt_assignment.exact.diving import dive
from formulations.dt_assignment.exact.goal import Goal
from formulations.dt_assignment.exact.group_master import GroupMaster
from formulations.dt_assignment.exact.group_programme import GroupProgramme
from formulations.dt_assignment.exact.listed import ListedTree
from formulations.dt_assignment.exact.pricing import Pricer
from formulations.dt_assignment.groups import Groups
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.search import Search
from optkit import Stop, generate, solve
from optkit.run import Run

#: No rounds of cuts.
NONE = (0, 0.0, 0)
RULES = ("equal", "proportional", "optimal", "wspt")


def tiny(seed: int) -> TwinAssignment:
    return generate("dt_assignment", "tiny", seed=seed)


def coupled(seed: int) -> TwinAssignment:
    """Two or three servers, up to seven twins, couplings at random."""
    rng = np.random.default_rng(seed)
    rule = rng.choice(["", *RULES])
    words = [w for w in ("load", "memory", "count", "deadline") if rng.random() < 0.5]
    servers, twins = int(rng.integers(2, 4)), int(rng.integers(3, 8))
    load, deadline = float(rng.choice([1.0, 1.05, 1.2])), float(rng.choice([1.2, 1.6, 3.0]))
    return generate(
        "dt_assignment",
        "small",
        seed=seed,
        couplings=",".join([*words, rule] if rule else words),
        servers=servers,
        twins=twins,
        load_factor=load if "load" in words else None,
        deadline_factor=deadline if "deadline" in words else None,
        delay_weight=float(rng.choice([0.0, 0.5, 1.0])),
    )


@pytest.mark.parametrize("make", [tiny, coupled])
def test_agrees_with_enumeration(make) -> None:
    ends = set()
    for seed in range(120):
        instance = make(seed)
        if "backhaul" in instance.couplings:
            continue
        truth = solve(instance, "enumerate")
        result = solve(instance, "cg", stop=Stop(time_s=60))
        assert result.status == truth.status, seed
        ends.add(truth.status)
        if truth.status == "optimal":
            tolerance = 1e-6 * abs(truth.evaluation.objective) + 1e-9 * truth.evaluation.scale
            assert result.evaluation.objective == pytest.approx(
                truth.evaluation.objective, abs=tolerance
            ), seed
            assert result.bound <= truth.evaluation.objective + tolerance
    assert ends == {"optimal", "infeasible"}


def groups_of(instance: TwinAssignment, pricer: Pricer) -> dict[tuple[int, tuple[int, ...]], float]:
    """Cost of every feasible group, counted from the cheapest servers of its twins."""
    tables, found = instance.tables, {}
    cheapest = np.where(instance.open, tables.cost, np.inf).min(axis=1)
    for s in range(instance.servers):
        for size in range(1, instance.twins + 1):
            for group in combinations(np.flatnonzero(instance.open[:, s]).tolist(), size):
                cost = group_cost(instance, s, group)
                if cost is not None:
                    found[s, group] = cost - cheapest[list(group)].sum()
    return found


def group_cost(instance: TwinAssignment, s: int, group: tuple[int, ...]) -> float | None:
    """Plain sum of pair costs, limits and latencies of one group; None if it breaks something."""
    t, rule = instance.tables, instance.cpu_sharing
    p, w = t.compute_s[:, s], t.weight
    order = sorted(group, key=lambda m: (p[m] / w[m], m))
    for demand, limit in zip(t.demand, t.limit, strict=True):
        if demand[list(group), s].sum() > limit[s] + 1e-9 * max(1.0, limit[s]):
            return None
    cost = float(t.cost[list(group), s].sum())
    for place, m in enumerate(order):
        computing = {
            "none": p[m],
            "equal": len(group) * p[m],
            "proportional": sum(p[k] for k in group),
            "optimal": np.sqrt(p[m] / w[m]) * sum(np.sqrt(w[k] * p[k]) for k in group),
            "wspt": sum(p[k] for k in order[: place + 1]),
        }[rule]
        if t.transfer_s[m, s] + computing > t.deadline_s[m] * (1 + 1e-9):
            return None
        cost += t.delay_factor * w[m] * (computing - p[m])
    return cost


@pytest.mark.parametrize("rule", ["", *RULES])
@pytest.mark.parametrize("limits", ["", "load", "memory,deadline"])
def test_prices_lists_and_forced_pairs_are_those_of_all_groups(rule: str, limits: str) -> None:
    couplings = ",".join(word for word in (rule, limits) if word)
    cuts = np.array([[0, 1, 2], [2, 5, 6], [1, 4, 7], [3, 6, 8]])  # 7 and 8 are the servers
    for seed in range(2):
        instance = generate(
            "dt_assignment", "small", seed=seed, couplings=couplings, servers=2, twins=7,
            deadline_factor=2.0 if "deadline" in couplings else None,
        )  # fmt: skip
        pricer = Pricer(Groups.of(instance), instance.cpu_sharing == "equal")
        run, groups = Run(instance), groups_of(instance, pricer)
        rng = np.random.default_rng(seed)
        for spread, price in ((1.0, 0.0), (4.0, 0.0), (4.0, 1.0)):
            pi = rng.uniform(0, spread, 7) * pricer.groups.base.max()
            prices = Prices(pi, cuts, price * pi.mean() * np.array([0.5, 0.2, 0.3, 0.0]))
            reduced = {
                (s, group): cost
                - pi[list(group)].sum()
                + prices.cut[np.isin(cuts, [*group, 7 + s]).sum(axis=1) >= 2].sum()
                for (s, group), cost in groups.items()
            }
            priced = pricer.price(prices, run)
            least = [min([0.0, *(r for key, r in reduced.items() if key[0] == s)]) for s in (0, 1)]
            assert priced.price == pytest.approx(least, rel=1e-9, abs=1e-9)
            assert priced.bound == pytest.approx(pi.sum() - prices.cut.sum() + sum(least))
            columns = [(s, g) for s, g in members(priced.columns)]
            assert priced.columns.cost == pytest.approx([groups[key] for key in columns])
            paid = priced.columns.cost + prices.paid(priced.columns, 2)
            assert paid == pytest.approx([reduced[key] for key in columns])
            threshold = priced.price + pi.mean() + 1e-7
            listed = pricer.within(prices, threshold, run, limit=10_000, nodes=10**6)
            assert set(members(listed)) == {k for k, r in reduced.items() if r <= threshold[k[0]]}
            bounds = pricer.least(pi, threshold, run)
            for (s, group), r in reduced.items():
                for m in group:
                    assert bounds[s, m] <= r + 1e-9 or (r > threshold[s] < bounds[s, m])


def members(columns: Columns) -> list[tuple[int, tuple[int, ...]]]:
    starts = zip(columns.server, columns.starts[:-1], columns.starts[1:], strict=True)
    return [(int(s), tuple(sorted(columns.twins[a:b].tolist()))) for s, a, b in starts]


def test_cuts_are_broken_by_a_fraction_and_by_no_whole_choice() -> None:
    groups = [(0, (0, 1)), (1, (1, 2)), (2, (0, 2)), (3, (3,)), (0, (3, 4)), (1, (4,))]
    sizes = [len(group) for _, group in groups]
    columns = Columns(
        np.array([s for s, _ in groups]),
        np.ones(len(groups)),
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([np.array(group) for _, group in groups]),
    )
    half = np.full(6, 0.5)
    found = violated(columns, half, 5, 4, most=20, least=0.1)
    assert [0, 1, 2] in found.tolist()
    matrix = entries(found, columns.rows(5, 4)).toarray()
    assert (matrix @ half > 1.1).all()
    rows = columns.rows(5, 4).toarray()
    for choice in np.ndindex(*[2] * 6):
        if (rows @ choice <= 1).all():
            assert (matrix @ np.array(choice) <= 1).all()


def test_paper_size_is_proved_for_every_coupling() -> None:
    for couplings in (*RULES, "load", "memory", "count", "wspt,memory,deadline"):
        instance = generate("dt_assignment", "paper", seed=1, couplings=couplings)
        result = solve(instance, "cg")
        assert result.status == "optimal" and result.reason == "proved", couplings
        if couplings == "equal":
            assert result.evaluation.objective == pytest.approx(
                solve(instance, "counts").evaluation.objective
            )


def opposed(seed: int, twins: int) -> TwinAssignment:
    """Three servers that are cheap for what loads them, full at about the mean load."""
    rng = np.random.default_rng(seed)
    load = rng.integers(5, 26, (twins, 3))
    return TwinAssignment({
        "problem": "dt_assignment", "version": 1,
        "pair_cost": (60 - load + rng.integers(-10, 11, load.shape)).tolist(),
        "pair_load": load.tolist(),
        "server_capacity": (load.mean() * twins / 3 * rng.uniform(0.9, 1.1, 3)).tolist(),
    })  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name", "calls"),
    [
        (Search, "improve", 0),
        (Pricer, "price", 20),
        (GroupProgramme, "solve", 0),
        (GroupProgramme, "solve", 4),
        (Pricer, "close", 0),
        (Branching, "_open", 2),
        (ListedTree, "_relax", 0),
        (ListedTree, "_relax", 3),
        (ListedTree, "_value", 1),
        (ListedTree, "_open", 1),
    ],
)
def test_a_run_that_is_stopped_has_a_bound_that_holds(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, calls: int
) -> None:
    """Interrupted in the local search, at first prices, in the master and in the tree."""
    for module, constant in ((group_proof, "_CHOICE"), (group_proof, "_DIVES"), (cg, "_KICKS")):
        monkeypatch.setattr(module, constant, 0)
    if owner is not ListedTree:
        monkeypatch.setattr(group_proof, "_LIST", 0)
    monkeypatch.setattr(group_proof, "_POOR", 0)
    monkeypatch.setattr(listed, "_ROOT_CUTS", NONE)
    monkeypatch.setattr(branching, "_CUTS", 0)
    instance = opposed(3, twins=10)
    best = solve(instance, "subset_dp").evaluation.objective
    interrupt, before, plain = threading.Event(), [], getattr(owner, name)

    def counted(self, *arguments, **options):
        before.append(None)
        if len(before) > calls:
            interrupt.set()
        return plain(self, *arguments, **options)

    monkeypatch.setattr(owner, name, counted)
    run = Run(instance, proves_bound=True, interrupt=interrupt)
    cg.cg(instance, run)
    assert run.reason == "interrupted"
    assert float(instance.tables.cost.min(axis=1).sum()) <= run.best_bound * (1 + 1e-9)
    assert run.best_bound <= best * (1 + 1e-9)


def test_first_prices_report_their_bound() -> None:
    instance = generate("dt_assignment", "paper", seed=0, couplings="proportional")
    run = Run(instance, proves_bound=True)
    x = run.found(np.arange(instance.twins) % instance.servers) and run.x
    pricer = Pricer(Groups.of(instance), by_count=False)
    columns, center = cg.start(pricer, x)
    goal = Goal(instance, run, pricer.offset, pricer.worst())
    master = GroupMaster(pricer, center, columns, goal)
    master.ascend(run)
    assert run.best_bound == pytest.approx(master.bound + pricer.offset)


def test_no_pair_is_closed_once_the_run_stops() -> None:
    instance = generate("dt_assignment", "small", seed=0, couplings="load,wspt")
    run = Run(instance)
    pricer = Pricer(Groups.of(instance), by_count=False)
    pi = np.full(pricer.twins, float(pricer.groups.base.max()))
    priced = pricer.price(Prices.of(pi), run)
    ended = threading.Event()
    ended.set()
    assert pricer.close(priced, priced.bound, Run(instance, interrupt=ended)) == 0
    assert pricer.close(priced, priced.bound, run) > 0


def test_what_pricing_missed_is_branched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups that a search cut short misses leave the linear programme above its optimum."""
    monkeypatch.setattr(pricing, "_NODES", 3)
    monkeypatch.setattr(group_proof, "_LIST", 0)
    monkeypatch.setattr(cg, "_KICKS", 0)
    for seed in range(6):
        instance = opposed(seed, twins=7)
        truth, result = solve(instance, "subset_dp"), solve(instance, "cg", stop=Stop(time_s=20))
        assert result.status == truth.status, seed
        assert result.reason == "proved"
        if truth.status == "optimal":
            assert result.evaluation.objective == pytest.approx(truth.evaluation.objective)


def test_one_server_and_hopeless_twins_end_at_once() -> None:
    alone = {"problem": "dt_assignment", "version": 1, "pair_cost": [[2], [3]]}
    assert solve(TwinAssignment(alone), "cg").evaluation.objective == 5
    full = {**alone, "servers": {"max_twins": [1]}}
    assert solve(TwinAssignment(full), "cg").status == "infeasible"
    nowhere = {**alone, "pair_cost": [[2, 1], [None, None]]}
    assert solve(TwinAssignment(nowhere), "cg").status == "infeasible"


def test_limits_that_only_groups_break_are_proved_infeasible() -> None:
    document = {
        "problem": "dt_assignment",
        "version": 1,
        "pair_cost": [[1, -2]] * 5,
        "pair_load": [[3, 3]] * 5,
        "server_capacity": [7, 8],
    }
    result = solve(TwinAssignment(document), "cg", stop=Stop(time_s=30))
    assert result.status == "infeasible"
    document["server_capacity"] = [7, 9]
    assert solve(TwinAssignment(document), "cg").evaluation.objective == -4


def test_whole_costs_round_the_bound_up() -> None:
    instance = generate("dt_assignment", "gap-c", seed=3, servers=4, twins=16)
    result = solve(instance, "cg")
    assert result.status == "optimal"
    assert result.evaluation.objective == pytest.approx(solve(instance, "mip").evaluation.objective)
    assert result.bound == round(result.bound)


@pytest.mark.parametrize(("cut_rounds", "longest"), [(0, 0), (2, 0), (0, 60), (0, 10**5)])
def test_branching_agrees_with_the_subset_programme(
    monkeypatch: pytest.MonkeyPatch, cut_rounds: int, longest: int
) -> None:
    """Without dives and kicks the proof is left to branching, by prices and over lists."""
    for module, name, value in (
        (group_proof, "_CHOICE", 0),
        (group_proof, "_LIST", longest),
        (group_proof, "_DIVES", 0),
        (group_proof, "_POOR", cut_rounds),
        (branching, "_CUTS", cut_rounds),
        (branching, "_DIVE_EVERY", 3),
        (cg, "_KICKS", 0),
    ):
        monkeypatch.setattr(module, name, value)
    assert nodes_of_agreement() > 0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"_FIRST": 5, "_ADDED": 2, "_ROOT_CUTS": NONE, "_NODE_CUTS": NONE, "_TRIED": 1},
        {"_REBUILT_EVERY": 2, "_RECENT": 3, "_DIVE_EVERY": 1, "_ROOT_CUTS": NONE},
    ],
)
def test_a_tree_over_all_groups_agrees_with_the_subset_programme(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """From prices of 0 and no incumbent; and bounded where only cheaper decisions are listed."""
    for name, value in settings.items():
        monkeypatch.setattr(listed, name, value)
    nodes = 0
    for seed in range(40):
        instance = crowded(seed)
        truth = solve(instance, "subset_dp")
        run, tree = listed_tree(instance, math.inf)
        tree.solve()
        nodes += run.details.get("nodes", 0)
        if truth.status == "infeasible":
            assert run.proved_infeasible, seed
            continue
        best = truth.evaluation.objective
        assert run.objective == pytest.approx(best), seed
        assert run.best_bound == pytest.approx(best)
        short, tree = listed_tree(instance, best - 0.01 * abs(best))
        tree.solve()
        assert short.best_bound <= best * (1 + 1e-9)
        assert short.best_bound >= (best - 0.01 * abs(best)) * (1 - 1e-9)
    assert nodes > 500


def listed_tree(instance: TwinAssignment, reach: float) -> tuple[Run, ListedTree]:
    """Over the groups of all decisions of cost below `reach`."""
    run = Run(instance, proves_bound=True)
    pricer = Pricer(Groups.of(instance), instance.cpu_sharing == "equal")
    goal = Goal(instance, run, pricer.offset, pricer.worst())
    priced = pricer.price(Prices.of(np.zeros(pricer.twins)), run)
    reach = min(reach - pricer.offset, goal.worst)
    threshold = reach - priced.bound + priced.price
    groups = pricer.within(priced.prices, threshold, run, limit=10**5, nodes=10**7)
    return run, ListedTree(groups, reach, priced, goal, run, lambda: None)


def crowded(seed: int) -> TwinAssignment:
    """Three or four full servers and up to ten twins, with measured or modelled costs."""
    rng = np.random.default_rng(seed)
    twins, servers = int(rng.integers(7, 11)), int(rng.integers(3, 5))
    if seed % 2:
        load = rng.integers(5, 26, (twins, servers))
        capacity = load.mean() * twins / servers * rng.uniform(0.9, 1.1, servers)
        document = {
            "problem": "dt_assignment",
            "version": 1,
            "pair_cost": (60 - load + rng.integers(-10, 11, load.shape)).tolist(),
            "pair_load": load.tolist(),
            "server_capacity": capacity.tolist(),
        }
        return TwinAssignment(document)
    return generate(
        "dt_assignment", "small", seed=seed, couplings=f"load,{RULES[seed // 2 % 4]}",
        twins=twins, servers=servers, load_factor=1.0,
    )  # fmt: skip


def nodes_of_agreement() -> int:
    """Nodes of 40 proofs by ``cg``, each of which agrees with ``subset_dp``."""
    nodes = 0
    for seed in range(40):
        instance = crowded(seed)
        truth, result = solve(instance, "subset_dp"), solve(instance, "cg")
        assert result.status == truth.status, seed
        if truth.status == "optimal":
            assert result.evaluation.objective == pytest.approx(truth.evaluation.objective)
            assert result.bound <= truth.evaluation.objective * (1 + 1e-9)
        nodes += result.details.get("nodes", 0)
    return nodes


def test_a_dive_leaves_pairs_and_prices_as_they_were() -> None:
    instance = generate("dt_assignment", "4x", seed=0, couplings="equal")
    run = Run(instance, proves_bound=True)
    pricer = Pricer(Groups.of(instance), by_count=True)
    goal = Goal(instance, run, pricer.offset, pricer.worst())
    columns, center = cg.start(pricer, solve(instance, "greedy").x)
    master = GroupMaster(pricer, center, columns, goal)
    master.generate(run)
    before, open_pairs = master.bound, pricer.is_open.copy()
    dive(master, goal, run)
    assert run.objective is not None and run.objective >= before + pricer.offset
    assert master.bound == before and (pricer.is_open == open_pairs).all()
    master.generate(run)
    assert master.converged and master.bound == pytest.approx(before, rel=1e-9)
