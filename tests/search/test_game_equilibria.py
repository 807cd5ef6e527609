"""All equilibria of small games: counted, priced, and the answer where there is none."""

from __future__ import annotations

import game_toys as toys
import numpy as np
import pytest

from optkit.search.equilibria import applies, equilibria
from optkit.space import Space


def test_prisoners_pay_for_anarchy(start) -> None:
    run = start(toys.prisoners())
    equilibria(run.instance, run)
    assert run.x.tolist() == [1, 1]
    assert run.details == {
        "complete": True,
        "profiles": 4,
        "equilibrium": True,
        "largest_gain": 0.0,
        "equilibria": 1,
        "best_equilibrium": 2.0,
        "worst_equilibrium": 2.0,
        "optimum": 6.0,
        "price_of_stability": pytest.approx(1 / 3),
        "price_of_anarchy": pytest.approx(1 / 3),
    }


def test_the_price_of_anarchy_of_linear_congestion(start) -> None:
    """The example that is tight for 5/2 (Christodoulou and Koutsoupias, STOC 2005)."""
    run = start(toys.anarchy())
    equilibria(run.instance, run)
    assert run.objective == run.details["optimum"] == run.details["best_equilibrium"] == 6.0
    assert run.details["worst_equilibrium"] == 15.0
    assert run.details["price_of_stability"] == 1.0
    assert run.details["price_of_anarchy"] == 2.5


def test_without_an_equilibrium_the_least_gain_answers(start) -> None:
    run = start(toys.pennies())
    equilibria(run.instance, run)
    assert run.details["equilibria"] == 0
    assert not run.details["equilibrium"]
    assert "price_of_anarchy" not in run.details
    tilted = np.array(toys.pennies().table)
    tilted[1, 0, 0] = 0.5  # player 1 gains only 0.5 by leaving (0, 0)
    run = start(toys.Matrix({"owner": [0, 1], "payoffs": tilted.tolist()}))
    equilibria(run.instance, run)
    assert run.x.tolist() == [0, 0]
    assert run.details["largest_gain"] == 0.5


@pytest.mark.parametrize("seed", range(60))
def test_agrees_with_plain_loops(start, seed: int, small_chunks: int) -> None:
    """Players with several positions, some of a single option."""
    instance = toys.random_matrix(seed)
    nash = [z for z in toys.profiles(instance) if toys.plain_gain(instance.game, z) == 0]
    values = [instance.evaluate(z).objective for z in nash]
    run = start(instance)
    equilibria(instance, run)
    assert run.details["equilibria"] == len(nash)
    if nash:
        assert run.objective == run.details["best_equilibrium"] == max(values)
        assert run.details["worst_equilibrium"] == min(values)
    else:
        least = min(toys.plain_gain(instance.game, z) for z in toys.profiles(instance))
        assert run.details["largest_gain"] == least


def test_prices_need_one_sign(start) -> None:
    payoffs = [[[1, 0], [0, -3]]] * 2
    run = start(toys.Matrix({"owner": [0, 1], "payoffs": payoffs}))
    equilibria(run.instance, run)
    assert run.details["optimum"] == 2.0
    payoffs = [[[1, 0], [0, 0]]] * 2
    run = start(toys.Matrix({"owner": [0, 1], "payoffs": payoffs}))
    equilibria(run.instance, run)
    assert run.details["worst_equilibrium"] == 0.0
    assert "price_of_anarchy" not in run.details


def test_shares_of_what_the_optimum_improves(start, monkeypatch) -> None:
    monkeypatch.setattr(toys.Matrix, "origin", property(lambda self: 1.0))
    run = start(toys.prisoners())
    equilibria(run.instance, run)
    assert run.details["share_of_best"] == run.details["share_of_worst"] == pytest.approx(0.2)


def test_equilibria_that_the_system_forbids(start, monkeypatch) -> None:
    def judge(self, x, **parts):
        batch = toys.GameToy.evaluate_batch(self, x)
        batch.violations["peace"] = (x.sum(axis=1) == 2).astype(float)
        return batch

    monkeypatch.setattr(toys.Matrix, "evaluate_batch", judge)
    run = start(toys.prisoners())
    equilibria(run.instance, run)
    assert run.details["equilibria"] == run.details["infeasible_equilibria"] == 1
    assert not run.evaluation.feasible
    assert "worst_equilibrium" not in run.details


def test_a_limit_leaves_the_best_profile_and_no_prices(start, small_chunks: int) -> None:
    instance = toys.random_matrix(1)
    assert len(toys.profiles(instance)) > 2 * small_chunks
    run = start(instance, iterations=2)
    equilibria(instance, run)
    met = toys.profiles(instance)[: 2 * small_chunks]
    assert run.objective == max(instance.evaluate(z).objective for z in met)
    gain = toys.plain_gain(instance.game, run.x)
    assert run.details == {
        "complete": False,
        "profiles": 2 * small_chunks,
        "equilibrium": gain == 0,
        "largest_gain": gain,
    }


def test_many_positions_without_a_choice(start, monkeypatch) -> None:
    """More positions than an array has axes."""
    instance = toys.prisoners()
    payoffs = instance.worth
    monkeypatch.setattr(toys.Matrix, "worth", lambda self, x: payoffs(x[:, :2]))
    instance.choices = np.array([2, 2] + [1] * 80)
    instance.owner = np.array([0, 1] + [1] * 80)
    run = start(instance)
    equilibria(instance, run)
    assert run.details["equilibria"] == 1


def test_games_that_are_too_large(toys_fixture) -> None:
    assert applies(toys_fixture) == "the problem describes no players"
    wide = toys.pennies()
    wide.choices = np.full(30, 2)
    assert Space(wide.choices).size > 1e9
    assert applies(wide) == "the game has 2.147e+09 payoffs, equilibria lists at most 20,000,000"


@pytest.fixture
def toys_fixture(request):
    return request.getfixturevalue("toys").random_knapsack(0)
