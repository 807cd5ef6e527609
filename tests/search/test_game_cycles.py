"""Circles of improving changes, against walks and by hand."""

from __future__ import annotations

import game_toys as toys
import numpy as np
import pytest

from optkit.search.cycles import circle
from optkit.search.equilibria import equilibria


def table(instance: toys.GameToy) -> np.ndarray:
    return instance.game.payoffs(np.stack(toys.profiles(instance)))


def is_circle(instance: toys.GameToy, profiles: list[np.ndarray], best_only: bool) -> bool:
    game = instance.game
    for before, after in zip(profiles, profiles[1:] + profiles[:1], strict=True):
        players = set(game.owner[before != after].tolist())
        if len(players) != 1:
            return False
        (player,) = players
        gained = game.payoffs(after[None])[0, player]
        if not gained > game.payoffs(before[None])[0, player]:
            return False
        if best_only and gained < max(toys.plain_deviations(game, before)[player]):
            return False
    return len(profiles) > 2


def test_matching_pennies_go_round(start) -> None:
    instance = toys.pennies()
    found = circle(instance.game, table(instance), best_only=True)
    assert len(found) == 4 and is_circle(instance, found, True)
    run = start(instance)
    equilibria(instance, run, cycles=True)
    assert run.details["improvement_cycle"] == run.details["best_response_cycle"] == 4


@pytest.mark.parametrize("seed", range(8))
def test_a_potential_leaves_no_circle(start, seed: int) -> None:
    run = start(toys.random_congestion(seed))
    equilibria(run.instance, run, cycles=True)
    assert run.details["improvement_cycle"] == run.details["best_response_cycle"] == 0


def test_improvements_may_go_round_where_best_responses_do_not() -> None:
    """Pennies with a third option that is better for the first player than the other two."""
    first = [[1, -1], [-1, 1], [2, 2]]
    second = [[-1, 1], [1, -1], [0, 0]]
    instance = toys.Matrix({"owner": [0, 1], "payoffs": [first, second]})
    found = circle(instance.game, table(instance), best_only=False)
    assert found is not None and is_circle(instance, found, False)
    assert circle(instance.game, table(instance), best_only=True) is None


@pytest.mark.parametrize("seed", range(60))
def test_what_is_found_is_a_circle(seed: int) -> None:
    instance = toys.random_matrix(seed)
    payoffs = table(instance)
    for best_only in (False, True):
        found = circle(instance.game, payoffs, best_only)
        if found is not None:
            assert is_circle(instance, found, best_only)
        else:  # the longest walk is finite: remove profiles without a way on until none is left
            assert all_end(instance, best_only)


def all_end(instance: toys.GameToy, best_only: bool) -> bool:
    game = instance.game
    left = {tuple(z.tolist()) for z in toys.profiles(instance)}
    on = {z: steps(game, np.array(z), best_only) for z in left}
    while True:
        ended = {z for z in left if not on[z] & left}
        if not ended:
            return not left
        left -= ended


def steps(game, z: np.ndarray, best_only: bool) -> set[tuple[int, ...]]:
    found = set()
    for player in range(int(game.owner.max()) + 1):
        others = [np.array(p) for p in np.ndindex(*game.space.choices)]
        others = [
            p for p in others if np.array_equal(p[game.owner != player], z[game.owner != player])
        ]
        worth = {tuple(p.tolist()): game.payoffs(p[None])[0, player] for p in others}
        now, most = worth[tuple(z.tolist())], max(worth.values())
        found |= {
            p for p, value in worth.items() if value > now and (not best_only or value == most)
        }
    return found
