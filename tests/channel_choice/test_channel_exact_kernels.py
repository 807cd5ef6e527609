"""Pricing, cuts and subsets against short plain twins."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from channel_cases import dense, varied
from scipy import sparse

from formulations.channel_choice.coalition_models import incidence
from formulations.channel_choice.exact import pricing
from formulations.channel_choice.exact.coalition_master import CoalitionMaster, Cut, reduced_gains
from formulations.channel_choice.exact.cut_kernels import climb_cut, fill_triples
from formulations.channel_choice.exact.dp_kernels import fill_values
from formulations.channel_choice.exact.pricing import (
    Coalitions,
    Cuts,
    Pricer,
    Prices,
    load_levels,
)
from formulations.channel_choice.exact.relaxation import Relaxation
from formulations.channel_choice.exact.subset_rows import _KINDS
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import gain, thresholds


def every_coalition(o: Offloading, k: int) -> dict[tuple[int, ...], float]:
    """Each set of services that may share a channel, and what it gains."""
    limits = thresholds(o, k)
    found = {}
    for size in range(1, len(o.power_w) + 1):
        for members in combinations(range(len(o.power_w)), size):
            load = float(o.power_w[list(members)].sum())
            if all(load <= limits[i] for i in members):
                found[members] = sum(gain(o, i, load, k) for i in members)
    return found


def random_prices(o: Offloading, k: int, seed: int) -> tuple[Prices, list[Cut]]:
    """Prices of the size of gains, and cuts of two kinds."""
    rng = np.random.default_rng(seed)
    services = len(o.power_w)
    scale = max(max(every_coalition(o, k).values(), default=0.0), 0.01)
    cuts = [
        Cut(tuple(sorted(rng.choice(services, 3, replace=False).tolist())), (1, 1, 1), 2)
        for _ in range(4)
    ] + [Cut(tuple(sorted(rng.choice(services, 4, replace=False).tolist())), (2, 1, 1, 1), 3)]
    weights = np.zeros((services, len(cuts)), dtype=np.int64)
    for number, cut in enumerate(cuts):
        weights[list(cut.services), number] = cut.weights
    service, number = np.nonzero(weights)
    start = np.concatenate([[0], np.cumsum(np.bincount(service, minlength=services))])
    kernel = Cuts(
        start,
        number,
        weights[service, number],
        np.array([cut.unit for cut in cuts]),
        rng.uniform(0, 0.2 * scale, len(cuts)),
    )
    service_price = rng.uniform(-0.1, 0.4, services) * scale
    return Prices(service_price, 0.01 * scale, 0.2 * scale, kernel), cuts


def reduced_gain(members: tuple[int, ...], value: float, prices: Prices, cuts: list[Cut]) -> float:
    total = value - prices.channel
    total -= sum(prices.service[i] + prices.offloader for i in members)
    for cut, price in zip(cuts, prices.cuts.price, strict=True):
        weight = dict(zip(cut.services, cut.weights, strict=True))
        total -= price * (sum(weight.get(i, 0) for i in members) // cut.unit)
    return float(total)


@pytest.mark.parametrize("seed", range(30))
def test_pricing_against_all_subsets(seed: int) -> None:
    instance = varied(seed, 6, 9)
    o, k = instance.offloading(), 3
    prices, cuts = random_prices(o, k, seed)
    everything = every_coalition(o, k)
    reduced = {s: reduced_gain(s, v, prices, cuts) for s, v in everything.items()}
    most = max(reduced.values(), default=-np.inf)
    pricer = Pricer(o, k)
    best = pricer.best(prices, 10**6)
    assert best.upper >= most - 1e-9
    if best.complete:
        assert best.upper == pytest.approx(max(most, 0.0), abs=3e-9)
    for number in range(len(best.coalitions)):
        members = tuple(sorted(best.coalitions[number].tolist()))
        assert best.coalitions.value[number] == pytest.approx(everything[members])
        assert best.reduced[number] == pytest.approx(reduced[members])

    floor = most - 0.5 * abs(most) - 1e-6
    near = pricer.above(prices, floor, 10**6, 5000)
    assert near.complete
    found = {tuple(sorted(near.coalitions[j].tolist())) for j in range(len(near.coalitions))}
    assert len(found) == len(near.coalitions)
    for members, value in everything.items():
        worse = any(
            not o.late_at_home[i]
            and everything.get(tuple(j for j in members if j != i), 0.0) >= value
            for i in members
        )
        if reduced[members] > floor + 1e-9 and not worse:
            assert members in found
    for members in found:
        assert reduced[members] > floor - 1e-9


def test_a_cut_off_search_still_bounds() -> None:
    """With a budget of a few partial coalitions the bound is weak but holds."""
    for seed in range(20):
        o = varied(seed, 6, 9).offloading()
        prices, cuts = random_prices(o, 3, seed)
        values = every_coalition(o, 3)
        most = max((reduced_gain(s, v, prices, cuts) for s, v in values.items()), default=0.0)
        for nodes in (0, 1, 5, 20):
            assert Pricer(o, 3).best(prices, nodes).upper >= most - 1e-9


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_searching_in_pieces_changes_nothing(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the best or all good ones are sought, thoroughly or not, and cut off or not."""
    for seed in range(12):
        o = varied(seed, 8, 11).offloading()
        prices, _ = random_prices(o, 3, seed)
        found = []
        for size in (10**9, piece):
            monkeypatch.setattr(pricing, "_PIECE", size)
            for nodes in (3, 40, 10**6):
                pricer = Pricer(o, 3)
                found += [pricer.above(prices, -0.5, nodes, 5000), pricer.best(prices, nodes)]
                found.append(pricer._search(prices, 1e-9, False, nodes, 50, thorough=True))
        for whole, cut in zip(found[: len(found) // 2], found[len(found) // 2 :], strict=True):
            assert whole.coalitions.member.tolist() == cut.coalitions.member.tolist()
            assert whole.reduced.tolist() == cut.reduced.tolist()
            assert (whole.upper, whole.complete) == (cut.upper, cut.complete)


def test_a_search_ends_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a level too, and then claims nothing of what it has not seen."""
    monkeypatch.setattr(pricing, "_PIECE", 50)
    instance = dense(3, services=24, channels=4, regime="soft", wr_db=1)
    o = instance.offloading()
    none = np.zeros(0, dtype=np.int64)
    no_cuts = Cuts(np.zeros(25, dtype=np.int64), none, none, none, np.zeros(0))
    prices = Prices(np.zeros(24), 0.0, 0.0, no_cuts)
    looks = iter(range(10))

    class Ending:
        def stopped(self) -> bool:
            return next(looks) == 4

    found = Pricer(o, 24).above(prices, 0.0, 10**7, 5000, Ending())  # type: ignore[arg-type]
    assert next(looks) == 5
    assert len(found.coalitions) <= 200
    assert not found.complete
    assert found.upper == np.inf


def test_levels_hold_every_load() -> None:
    for seed in range(20):
        o = varied(seed, 6, 9).offloading()
        limits = thresholds(o, 2)
        usable = o.power_w <= limits
        low, high = load_levels(o.power_w[usable], limits[usable])
        assert (low < high).all()
        assert (low[1:] >= high[:-1]).all()
        for members in every_coalition(o, 2):
            load = o.power_w[list(members)].sum()
            assert ((low < load) & (load <= high)).sum() == 1


def test_values_of_subsets() -> None:
    for seed in range(10):
        o = varied(seed, 6, 8).offloading()
        values = np.empty(1 << len(o.power_w))
        fill_values(o, 2, thresholds(o, 2), values)
        everything = every_coalition(o, 2)
        for mask in range(1, len(values)):
            members = tuple(i for i in range(len(o.power_w)) if mask >> i & 1)
            assert values[mask] == pytest.approx(everything.get(members, -np.inf))


def test_violated_triples() -> None:
    rng = np.random.default_rng(0)
    inside = rng.random((9, 7)) < 0.4
    weight = rng.uniform(0.1, 0.9, 7)
    triples, excess = np.empty((100, 3), dtype=np.int64), np.empty(100)
    found = fill_triples(inside, weight, 0.05, triples, excess)
    plain = {
        triple: weight[inside[list(triple)].sum(axis=0) >= 2].sum() - 1
        for triple in combinations(range(9), 3)
    }
    plain = {triple: over for triple, over in plain.items() if over > 0.05}
    assert len(plain) > 3
    assert {tuple(triple) for triple in triples[:found].tolist()} == set(plain)
    for triple, over in zip(triples[:found].tolist(), excess[:found], strict=True):
        assert over == pytest.approx(plain[tuple(triple)])


@pytest.mark.parametrize(
    ("multipliers", "unit"), [((1, 1, 1, 1, 1), 2), ((2, 1, 1, 1), 3), ((3, 2, 2, 1, 1), 5)]
)
def test_larger_cuts_are_valued_as_they_are(multipliers: tuple[int, ...], unit: int) -> None:
    """The left side is that of the services chosen, and no single change raises it."""
    rng = np.random.default_rng(1)
    inside = rng.random((12, 10)) < 0.4
    weight = rng.uniform(0.1, 0.9, 10)

    def left(chosen: np.ndarray) -> float:
        return float(weight @ ((np.array(multipliers) @ inside[chosen]) // unit))

    for first in range(12):
        chosen = np.full(len(multipliers), -1, dtype=np.int64)
        chosen[0] = first
        value = climb_cut(inside, weight, chosen, np.array(multipliers), unit)
        assert len(set(chosen.tolist())) == len(chosen)
        assert (chosen >= 0).all()
        assert value == pytest.approx(left(chosen))
        for place in range(len(chosen)):
            for i in set(range(12)) - set(chosen.tolist()):
                other = chosen.copy()
                other[place] = i
                assert left(other) <= value + 0.1  # what rounding takes away counts a little


def test_cuts_of_every_kind_hold_for_every_partition() -> None:
    """Left sides of random partitions never exceed the right side."""
    rng = np.random.default_rng(2)
    for multipliers, unit in (((1, 1, 1), 2), *_KINDS):
        cut = Cut(tuple(range(len(multipliers))), multipliers, unit)
        for _ in range(200):
            group = rng.integers(0, 3, len(multipliers))
            left = sum(
                sum(m for m, g in zip(multipliers, group, strict=True) if g == c) // unit
                for c in range(3)
            )
            assert left <= cut.side


def test_reduced_gains_and_cuts_of_the_master() -> None:
    """Columns price out at zero or less, basic ones at zero; cuts only lower the bound."""
    instance = dense(4, services=20, channels=3, regime="soft")
    o = instance.offloading()
    relaxation = Relaxation(o, 20, 20)

    class Endless:
        def stopped(self) -> bool:
            return False

    relaxation.solve(Endless(), -np.inf)  # type: ignore[arg-type]
    master: CoalitionMaster = relaxation.master

    def inside() -> sparse.csc_matrix:
        return incidence(Coalitions.of(master.columns, master.value), 20)

    plain_bound, prices = master.solve()
    reduced = reduced_gains(master.value, inside(), prices)
    assert reduced.max() <= 1e-7
    assert np.abs(reduced[master.weight > 1e-6]).max() <= 1e-7
    assert plain_bound == pytest.approx(float(master.value @ master.weight))
    master.add_cuts([Cut((a, a + 1, a + 2), (1, 1, 1), 2) for a in range(18)])
    cut_bound, prices = master.solve()
    assert cut_bound <= plain_bound + 1e-9
    assert reduced_gains(master.value, inside(), prices).max() <= 1e-7


def test_coalitions_are_taken_and_joined() -> None:
    members = [np.array([3, 4]), np.array([1]), np.array([0, 2, 5])]
    coalitions = Coalitions.of(members, np.array([1.0, 2.0, 3.0]))
    some = coalitions.take(np.array([2, 0]))
    assert [some[j].tolist() for j in range(2)] == [[0, 2, 5], [3, 4]]
    both = some.joined(coalitions)
    assert both.value.tolist() == [3.0, 1.0, 1.0, 2.0, 3.0]
    assert both[3].tolist() == [1]
    assert len(Coalitions.of([], np.zeros(0))) == 0
