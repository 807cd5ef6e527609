"""The choice problem: kernels against plain twins, bounds, local search and proofs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from optkit.errors import UsageError
from optkit.exact import choice_branching, choice_kernels, choice_search_kernels
from optkit.exact.choice import ChoiceProblem, dual, improve, polish, prove, starting_choices
from optkit.exact.choice_layers import enumerate_within

KINDS = ["ps", "linear", "capacity"]


def random_problem(seed: int) -> ChoiceProblem:
    """Up to 6 groups of up to 5 columns: mixed kinds, base loads, ties, zero and negative costs."""
    rng = np.random.default_rng(seed)
    groups, resources = int(rng.integers(1, 7)), int(rng.integers(1, 5))
    starts = np.concatenate(([0], np.cumsum(rng.integers(1, 6, groups))))
    shape = (int(starts[-1]), resources)
    lattice = seed % 3 == 0
    load = rng.integers(0, 4, shape) * 0.25 if lattice else rng.random(shape)
    load = load * (rng.random(shape) < 0.7) / groups * rng.choice([0.5, 1.0, 3.0])
    cost = rng.integers(0, 5, shape[0]) * 1.0 if seed % 2 else rng.normal(size=shape[0])
    scale = 10.0 ** rng.integers(-3, 3)
    kind = [KINDS[i] for i in rng.integers(0, 3, resources)]
    size = np.where(
        [name == "capacity" for name in kind],
        rng.integers(1, 12, resources) * 0.125 if lattice else rng.uniform(0.05, 1.0, resources),
        scale * rng.uniform(0.1, 2.0, resources),
    )
    base = rng.random(resources) * 0.3 * (rng.random() < 0.4)
    slope = rng.uniform(0.1, 3.0, resources)
    return ChoiceProblem(starts, cost * scale, load, kind, size, slope, base)


def edge_problem(
    seed: int, groups: int, speeds: list[float], kind: str = "ps", share: float = 1.0
) -> ChoiceProblem:
    """Tasks of four blocks on edge servers, or on the device: a small copy of a paper slot.

    Columns are all paths without a return to the device; transfers between servers cost little,
    so loads can be tuned by them, and equal tasks make equal loads.
    """
    rng = np.random.default_rng(seed)
    cycles = np.array([0.096, 0.057, 0.094, 0.085])
    bits = [0.025, 0.262, 0.131, 0.262]
    servers = len(speeds)
    rate = rng.uniform(6.4, 16.0, (groups, servers))
    cost, load = [], []
    for k in range(groups):
        for path in itertools.product(range(servers + 1), repeat=4):
            if any(a > 0 and b == 0 for a, b in itertools.pairwise(path)):
                continue
            price = sum(c for c, n in zip(cycles, path, strict=True) if n == 0)
            for size, a, b in zip(bits, (0, *path), path, strict=False):
                if a != b:
                    price += size / rate[k, b - 1] if a == 0 else size / 1000.0
            work = np.zeros(servers)
            for c, n in zip(cycles, path, strict=True):
                if n:
                    work[n - 1] += c / speeds[n - 1]
            cost.append(price)
            load.append(work / share)
    starts = np.arange(groups + 1) * (len(cost) // groups)
    return ChoiceProblem(starts, np.array(cost), np.array(load), [kind] * servers, np.ones(servers))


def phi(kind: int, size: float, slope: float, load: float) -> float:
    """Twin of the load cost."""
    if kind == choice_kernels.CAPACITY:
        return 0.0 if load <= size * (1 + 1e-9) else np.inf
    if kind == choice_kernels.SHARING:
        return size * load / (1 - load) if load < 1 else np.inf
    return size * load * (1 + slope * load)


def plain_value(problem: ChoiceProblem, choice: tuple[int, ...]) -> float:
    """Twin of the objective."""
    total = problem.base + problem.load[list(choice)].sum(axis=0)
    shapes = zip(problem.kind, problem.size, problem.slope, total, strict=True)
    return float(problem.cost[list(choice)].sum() + sum(phi(*shape) for shape in shapes))


def brute_force(problem: ChoiceProblem) -> float:
    """Least value over all choices."""
    groups = [range(a, b) for a, b in itertools.pairwise(problem.starts)]
    return min(plain_value(problem, choice) for choice in itertools.product(*groups))


def plain_dual(problem: ChoiceProblem, price: np.ndarray) -> float:
    """Twin of the Lagrangian function, its inner minimum on a fine grid (so slightly above)."""
    priced = problem.cost + problem.load @ price
    bound = float(price @ problem.base)
    bound += sum(priced[a:b].min() for a, b in itertools.pairwise(problem.starts))
    for r, kind in enumerate(problem.kind):
        size, slope = problem.size[r], problem.slope[r]
        if kind == choice_kernels.CAPACITY:
            bound -= price[r] * size * (1 + 1e-9)
            continue
        grid = np.linspace(0.0, 1.0 - 1e-6 if kind == choice_kernels.SHARING else 20.0, 200_001)
        values = size * grid / (1 - grid) if kind == 1 else size * grid * (1 + slope * grid)
        bound += float((values - price[r] * grid).min())
    return bound


@pytest.mark.parametrize("seed", range(12))
def test_values_and_dual_function_equal_their_twins(seed: int) -> None:
    problem = random_problem(seed)
    rng = np.random.default_rng(seed)
    choice = np.array([rng.integers(a, b) for a, b in itertools.pairwise(problem.starts)])
    assert problem.value(choice) == pytest.approx(plain_value(problem, tuple(choice)), rel=1e-12)
    price = problem.size * rng.uniform(0.0, 3.0, problem.resources)
    bound, gradient, cheapest = problem.dual(price)
    twin = plain_dual(problem, price)
    assert twin - 1e-6 * abs(twin) <= bound + 1e-12 and bound <= twin + 1e-9 * abs(twin) + 1e-12
    assert problem.reduced_costs(price)[cheapest] == pytest.approx(0.0, abs=1e-12)
    other = price + 0.01 * problem.size * rng.random(problem.resources)
    # A supergradient: the function lies below its tangents.
    assert problem.dual(other)[0] <= bound + gradient @ (other - price) + 1e-9 * abs(bound)


@pytest.mark.parametrize("seed", range(40))
def test_dual_is_a_bound_at_any_price_and_close_to_its_fractional_choice(seed: int) -> None:
    problem = random_problem(seed)
    best = brute_force(problem)
    solution = dual(problem)
    scale = abs(best) if np.isfinite(best) else np.inf
    assert solution.bound <= best + 1e-9 * scale
    price = problem.size * np.random.default_rng(seed).uniform(0, 4, problem.resources)
    assert problem.dual(price)[0] <= best + 1e-9 * scale
    if not np.isfinite(best):
        return
    share = solution.share
    sums = np.add.reduceat(share, problem.starts[:-1])
    assert sums == pytest.approx(1.0, abs=1e-5)
    # The fractional choice certifies the maximum (its loads fit up to the tolerance).
    total = problem.base + share @ problem.load
    shapes = zip(problem.kind, problem.size, problem.slope, total * (1 - 1e-6), strict=True)
    value = share @ problem.cost + sum(phi(*shape) for shape in shapes)
    assert value - solution.bound <= 1e-4 * np.abs(problem.cost).sum() + 1e-4 * abs(value)


def test_dual_of_a_slot_meets_its_fractional_value() -> None:
    problem = edge_problem(0, 30, [11.0, 7.0, 5.0, 13.0])
    solution = dual(problem)
    total = problem.base + solution.share @ problem.load
    value = solution.share @ problem.cost + (total / (1 - total)).sum()
    assert 0 <= value - solution.bound <= 1e-8 * value
    warm = dual(problem, solution.price)
    assert warm.bound == pytest.approx(solution.bound, rel=1e-9)


@pytest.mark.parametrize("seed", range(260))
@pytest.mark.filterwarnings("error")
def test_prove_agrees_with_brute_force(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_problem(seed)
    rng = np.random.default_rng(seed)
    if seed % 2:
        # So little room that almost every node is split.
        monkeypatch.setattr(choice_branching, "WORK", 15)
    best = brute_force(problem)
    price = dual(problem).price if seed % 4 else problem.size * rng.random(problem.resources)
    incumbent = None
    if seed % 3 == 0:
        incumbent = np.array([rng.integers(a, b) for a, b in itertools.pairwise(problem.starts)])
    choice, value, bound = prove(problem, price, incumbent, 1e-7)
    if not np.isfinite(best):
        assert value == np.inf and bound == np.inf
        return
    slack = 1e-9 * abs(best) + 1e-12
    assert choice is not None and problem.value(choice) == value
    assert best - slack <= value <= best + 1e-7 * abs(best) + slack
    assert value - 1e-7 * abs(value) - slack <= bound <= best + slack


@pytest.mark.parametrize(
    ("seed", "groups", "speeds", "kind"),
    [(1, 14, [9.0, 5.0], "ps"), (2, 20, [11.0, 7.0, 8.0], "ps"), (3, 8, [3.0, 5.0], "capacity")],
)
def test_prove_closes_slots_whatever_the_allowance(
    seed: int, groups: int, speeds: list[float], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = edge_problem(seed, groups, speeds, kind, 0.35 if kind == "capacity" else 1.0)
    solution = dual(problem)
    start, upper = improve(problem, starting_choices(problem, solution)[0], solution.price)
    values = []
    for work in (150_000, 3_000):
        monkeypatch.setattr(choice_branching, "WORK", work)
        choice, value, bound = prove(problem, solution.price, start)
        assert choice is not None and value <= upper
        assert solution.bound * (1 - 1e-9) <= bound <= value <= bound * (1 + 1.1e-6)
        values.append(value)
    assert values[0] == pytest.approx(values[1], rel=1.1e-6)
    # Columns beyond the incumbent's budget play no part.
    near = problem.reduced_costs(solution.price) <= upper - solution.bound
    part = problem.restrict(np.flatnonzero(near))
    assert prove(part, solution.price, None)[1] == pytest.approx(values[0], rel=1.1e-6)


def test_prove_stops_with_a_valid_bound() -> None:
    problem = edge_problem(4, 25, [3.0, 5.0], "capacity", 0.6)
    solution = dual(problem)
    start, upper = improve(problem, starting_choices(problem, solution)[1], solution.price)
    polls = itertools.count()
    choice, value, bound = prove(problem, solution.price, start, 0.0, lambda: next(polls) > 200)
    assert choice is not None and value <= upper
    assert solution.bound * (1 - 1e-9) <= bound <= value
    assert prove(problem, solution.price, start, 0.0, lambda: True)[1] == upper


def test_local_search_leaves_overload_and_never_worsens() -> None:
    problem = edge_problem(5, 30, [2.0, 3.0, 4.0])
    solution = dual(problem)
    for start in starting_choices(problem, solution):
        before = problem.value(start)
        choice, value = improve(problem, start, solution.price)
        assert np.isfinite(value) and value <= before and problem.value(choice) == value
        rng = np.random.default_rng(0)
        assert polish(problem, choice, solution.price, rng, rounds=10)[1] <= value


@pytest.mark.parametrize("seed", range(10))
def test_local_search_ends_where_no_group_alone_improves(seed: int) -> None:
    problem = random_problem(seed)
    start = problem.starts[:-1].copy()
    choice, value = improve(problem, start)
    for k, (first, last) in enumerate(itertools.pairwise(problem.starts)):
        for column in range(first, last):
            moved = choice.copy()
            moved[k] = column
            twin = plain_value(problem, tuple(moved))
            assert twin >= value - 1e-9 * abs(value) or not np.isfinite(value)


@pytest.mark.parametrize("seed", range(10))
def test_enumeration_finds_the_best_choice_within_a_limit(seed: int) -> None:
    problem = random_problem(3 * seed)
    best = brute_force(problem)
    if not np.isfinite(best):
        return
    price = dual(problem).price
    scale = max(abs(best), 1e-3)

    def run(limit: float, work: int = 10**6) -> tuple[bool, float]:
        found = enumerate_within(problem, price, limit, scale, work=work, stopped=lambda: False)
        return found.complete, found.value

    assert run(best + 1e-7 * scale) == (True, pytest.approx(best, rel=1e-9, abs=1e-12))
    assert run(best - 1e-7 * scale) == (True, np.inf)
    if problem.groups > 1:
        assert run(np.inf, work=1)[0] is False


def test_layer_kernel_merges_equal_loads_like_its_twin() -> None:
    rng = np.random.default_rng(0)
    value, total = rng.random(40), rng.integers(0, 3, (40, 2)) * 0.1
    load = rng.integers(0, 3, (5, 2)) * 0.1
    prices, offset = rng.random((3, 2)), rng.random(3)
    cost = np.sort(rng.random(5) + load @ prices[0]) - load @ prices[0]
    limit, room = 1.9, np.array([0.35, np.inf])
    twin: dict[tuple[int, ...], float] = {}
    for s, c in itertools.product(range(40), range(5)):
        after, whole = value[s] + cost[c], total[s] + load[c]
        if (after + prices @ whole + offset).max() <= limit and (whole <= room).all():
            cell = tuple(np.rint(whole * 10).astype(int))
            twin[cell] = min(twin.get(cell, np.inf), after)
    new_value, new_total = np.empty(300), np.empty((300, 2))
    parent, column = np.empty(300, dtype=np.int64), np.empty(300, dtype=np.int64)
    key, table = np.empty((300, 2), dtype=np.int64), np.full(1024, -1, dtype=np.int32)
    last, count = choice_search_kernels.expand(
        value, total, 0, 40, cost, load, prices, offset, room, limit, np.full(2, 1e-9),
        new_value, new_total, parent, column, key, table, 0,
    )  # fmt: skip
    assert last == 40 and 0 < count == len(twin) < 200
    for i in range(count):
        assert twin[tuple(np.rint(new_total[i] * 10).astype(int))] == pytest.approx(new_value[i])
        assert new_value[i] == value[parent[i]] + cost[column[i]]


def test_completion_bounds_and_cheapest_columns_equal_their_twins() -> None:
    problem = random_problem(8)
    prices = problem.size * np.random.default_rng(1).uniform(0.5, 3, (4, problem.resources))
    rows = choice_search_kernels.completion_bounds(*problem.columns, *problem.costs[:3], 0, prices)
    for j, price in enumerate(prices):
        assert rows[0, j] + price @ problem.base == pytest.approx(problem.dual(price)[0])
        assert (np.diff(rows[:, j]) * -1).sum() == pytest.approx(
            sum((problem.cost + problem.load @ price)[a:b].min()
                for a, b in itertools.pairwise(problem.starts))
        )  # fmt: skip
    chosen, places = choice_kernels.cheapest(*problem.columns, prices[0], 3)
    reduced = problem.reduced_costs(prices[0])
    for k, (first, last) in enumerate(itertools.pairwise(problem.starts)):
        own = reduced[chosen[places[k] : places[k + 1]]]
        assert own.tolist() == sorted(reduced[first:last].tolist())[: len(own)]
        assert len(own) == min(3, last - first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": ["tree"]}, "kinds of load cost"),
        ({"starts": [0, 2, 2]}, "at least one column"),
        ({"cost": [0.0, np.inf]}, "finite"),
        ({"load": [[-1.0], [0.0]]}, ">= 0"),
        ({"kind": ["linear"], "slope": [0.0]}, "slope > 0"),
        ({"size": [0.0]}, "slot length"),
        ({"base": [0.0, 0.0]}, "different lengths"),
    ],
)
def test_wrong_problems_are_refused(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {
        "starts": [0, 1, 2], "cost": [1.0, 2.0], "load": [[0.1], [0.2]], "kind": ["ps"],
        "size": [1.0], "slope": [], "base": [],
    }  # fmt: skip
    with pytest.raises(UsageError, match=message):
        ChoiceProblem(**{**fields, **change})  # type: ignore[arg-type]
