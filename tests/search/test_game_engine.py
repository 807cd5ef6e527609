"""Strategies, unilateral gains and claimed potentials, against plain loops."""

from __future__ import annotations

from dataclasses import replace

import game_toys as toys
import numpy as np
import pytest

from optkit.search.games import (
    Strategies,
    asked,
    asked_in_turn,
    check_potential,
    gains,
    unilateral,
)
from optkit.space import Game, Space


@pytest.mark.parametrize("seed", range(20))
def test_strategies_are_numbered_with_the_last_position_fastest(seed: int) -> None:
    instance = toys.random_matrix(seed)
    game, strategies = instance.game, Strategies(instance.game)
    for z in toys.profiles(instance)[::5]:
        expected = toys.plain_deviations(game, z)
        numbers = strategies.numbers(z)
        rows = asked_in_turn(game, strategies, z)
        assert [row.tolist() for row in rows] == expected
        for player in range(strategies.players):
            assert strategies.counts[player] == len(expected[player])
            assert asked(game, strategies, z, player).tolist() == expected[player]
            assert np.array_equal(strategies.change(z, player, numbers[player]), z)


@pytest.mark.parametrize("seed", range(40))
def test_the_largest_gain(seed: int, small_chunks: int) -> None:
    instance = toys.random_matrix(seed)
    for z in toys.profiles(instance)[:: max(1, seed)]:
        assert unilateral(instance.game, z).largest_gain == toys.plain_gain(instance.game, z)


def test_who_gains_most() -> None:
    game = toys.prisoners().game
    found = unilateral(game, np.array([0, 1]))
    assert (found.largest_gain, found.player, found.equilibrium) == (1.0, 0, False)
    found = unilateral(game, np.array([1, 1]))
    assert (found.largest_gain, found.equilibrium, found.checked) == (0.0, True, 2)


def test_a_check_cut_short_claims_no_equilibrium() -> None:
    game = toys.prisoners().game
    assert unilateral(game, np.array([1, 1]), stopped=lambda: True).equilibrium is None
    assert unilateral(game, np.array([0, 1]), stopped=lambda: True).equilibrium is False


def test_payoffs_of_minus_infinity() -> None:
    values = np.array([-np.inf, 2.0, -np.inf])
    assert gains(values, values[0]).tolist() == [0.0, np.inf, 0.0]
    assert gains(values, values[1]).tolist() == [-np.inf, 0.0, -np.inf]
    payoffs = [[[-np.inf, 1.0], [-np.inf, np.nan]], [[0.0, 0.0], [0.0, 0.0]]]
    instance = toys.Matrix({"owner": [0, 1], "payoffs": payoffs})
    assert unilateral(instance.game, np.array([0, 0])).largest_gain == 0.0
    assert unilateral(instance.game, np.array([1, 1])).largest_gain == np.inf


@pytest.mark.parametrize("seed", range(5))
def test_rosenthals_potential_rises(seed: int) -> None:
    instance = toys.random_congestion(seed)
    found = check_potential(instance.game, np.random.default_rng(seed), moves=300)
    assert (found.moves, found.broken) == (300, 0)


def test_a_false_potential_is_found_out() -> None:
    instance = toys.random_congestion(0)
    false = replace(instance.game, potential=lambda z: -instance.game.payoffs(z).sum(axis=1))
    found = check_potential(false, np.random.default_rng(0), moves=300)
    assert found.broken > 0
    assert found.largest_drop > 0


def test_no_potential_can_survive_a_cycle() -> None:
    game = replace(toys.pennies().game, potential=lambda z: z @ np.array([1.0, 2.0]))
    found = check_potential(game, np.random.default_rng(1), moves=100)
    assert found.moves == 100
    assert found.broken >= 25


def test_walks_end_where_nobody_gains() -> None:
    flat = Game(
        Space(np.array([2, 2])),
        np.array([0, 1]),
        lambda z: np.zeros((len(z), 2)),
        potential=lambda z: np.zeros(len(z)),
    )
    assert check_potential(flat, np.random.default_rng(0)).moves == 0
    with pytest.raises(ValueError, match="claims no potential"):
        check_potential(toys.pennies().game, np.random.default_rng(0))
