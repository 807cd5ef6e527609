"""Best-response dynamics: where walks end, in what order, and what is said of the end."""

from __future__ import annotations

import game_toys as toys
import numpy as np
import pytest

from optkit.errors import UsageError
from optkit.search.best_response import applies, best_response

RULES = ("own", "system", "system_stop", "async")


def test_prisoners_defect(start) -> None:
    run = start(toys.prisoners())
    best_response(run.instance, run, trace=True)
    assert run.x.tolist() == [1, 1]
    assert run.objective == 2.0
    assert run.details == {
        "equilibrium": True,
        "largest_gain": 0.0,
        "slots": 2,
        "drops": 2,
        "converged": True,
        "cycle": 0,
        "trajectory": [6.0, 5.0, 2.0],
    }


def test_the_system_may_stop_short_of_an_equilibrium(start) -> None:
    run = start(toys.prisoners())
    best_response(run.instance, run, rule="system_stop")
    assert run.x.tolist() == [0, 0]
    assert run.details["converged"] and not run.details["equilibrium"]
    assert run.details["largest_gain"] == 2.0


@pytest.mark.parametrize("rule", ["own", "system"])
def test_matching_pennies_go_round(start, rule: str) -> None:
    run = start(toys.pennies())
    best_response(run.instance, run, rule=rule)
    assert run.details["cycle"] == run.details["slots"] == 4
    assert not run.details["converged"]
    assert not run.details["equilibrium"]
    assert run.details["largest_gain"] == 2.0


def test_chance_goes_on_to_the_last_slot(start) -> None:
    run = start(toys.pennies())
    best_response(run.instance, run, rule="async", slots=9)
    assert run.details["slots"] == run.iterations == 9
    assert run.details["cycle"] == 4
    run = start(toys.pennies())
    best_response(run.instance, run, rule="async")
    assert run.details["slots"] == 50 * 2


def test_the_rule_says_who_changes(start) -> None:
    """Player 0 gains 5, player 1 gains 3; the system loses with 0 and gains with 1."""
    payoffs = [[[0, 0], [5, 5]], [[0, 3], [-9, -6]]]
    instance = toys.Matrix({"owner": [0, 1], "payoffs": payoffs})
    for rule, first in (("own", -4.0), ("system", 3.0)):
        run = start(instance)
        best_response(instance, run, rule=rule, trace=True)
        assert run.details["trajectory"][1] == first
        assert run.x.tolist() == [1, 1]
        assert run.details["drops"] == 1
    run = start(instance)
    best_response(instance, run, rule="system_stop")
    assert run.x.tolist() == [0, 1]
    seconds = set()
    for seed in range(10):
        run = start(instance, seed=seed)
        best_response(instance, run, rule="async", trace=True)
        seconds.add(run.details["trajectory"][1])
    assert seconds == {-4.0, 3.0}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(12))
def test_congestion_games_converge_and_costs_are_made_small(start, rule: str, seed: int) -> None:
    instance = toys.random_congestion(seed, players=5)
    run = start(instance, seed=seed)
    best_response(instance, run, rule=rule, start="random")
    assert run.details["converged"]
    assert run.details["potential_broken"] == 0
    gain = toys.plain_gain(instance.game, run.x)
    assert run.details["largest_gain"] == gain
    assert run.details["equilibrium"] == (gain == 0)
    if rule != "system_stop":
        assert gain == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(12))
def test_the_fast_form_of_payoffs_changes_nothing(start, rule: str, seed: int, monkeypatch) -> None:
    instance = toys.random_matrix(seed)
    runs = [start(instance, seed=seed) for _ in range(2)]
    best_response(instance, runs[0], rule=rule, slots=30, trace=True)
    monkeypatch.setattr(toys.GameToy, "has_deviations", True)
    best_response(instance, runs[1], rule=rule, slots=30, trace=True)
    for run in runs:
        assert run.details["largest_gain"] == toys.plain_gain(instance.game, run.x)
    if rule != "async":  # chance is drawn differently
        assert runs[0].details == runs[1].details
        assert np.array_equal(runs[0].x, runs[1].x)


def test_the_best_of_several_ends(start) -> None:
    """Two equilibria of a coordination game, worth 2 and 20."""
    payoffs = [[[1, 0], [0, 10]]] * 2
    instance = toys.Matrix({"owner": [0, 1], "payoffs": payoffs})
    run = start(instance)
    best_response(instance, run)
    assert run.objective == 2.0
    run = start(instance)
    best_response(instance, run, starts=20)
    ends = run.details["end_objectives"]
    assert len(ends) == 20
    assert ends[0] == 2.0 and set(ends) == {2.0, 20.0}
    assert run.objective == 20.0


def test_a_warm_start_is_where_it_begins_and_not_what_it_ends_with(start) -> None:
    instance = toys.prisoners()
    run = start(instance, warm_start=(np.array([0, 1]), {}))
    run.found(np.array([0, 0]))
    best_response(instance, run, trace=True)
    assert run.details["trajectory"] == [5.0, 2.0]
    assert run.objective == 2.0
    run = start(instance, warm_start=(np.array([1, 1]), {}))
    best_response(instance, run, start="zero", trace=True)
    assert run.details["trajectory"][0] == 6.0


def test_limits_leave_the_place_where_it_was(start) -> None:
    run = start(toys.prisoners(), iterations=1)
    best_response(run.instance, run)
    assert run.details["slots"] == 1
    assert not run.details["converged"]
    assert run.objective == 5.0
    assert run.details["equilibrium"] is False


def test_a_false_potential_is_counted(start, monkeypatch) -> None:
    monkeypatch.setattr(toys.Matrix, "has_potential", True)
    monkeypatch.setattr(toys.Matrix, "potential", lambda self, x: -x[:, 0].astype(float))
    run = start(toys.prisoners())
    best_response(run.instance, run)
    assert run.details["potential_broken"] == 2


def test_what_cannot_be_played(toys_without_players, start) -> None:
    assert applies(toys_without_players) == "the problem describes no players"
    wide = toys.Matrix({"owner": [0] * 20, "payoffs": [0.0]})
    wide.choices = np.full(20, 2)
    assert applies(wide) == "a player has 1,048,576 strategies, at most 1,000,000 are walked"
    assert applies(toys.pennies()) is None
    with pytest.raises(UsageError, match="option starts is 0"):
        best_response(toys.pennies(), start(toys.pennies()), starts=0)


@pytest.fixture
def toys_without_players(request):
    return request.getfixturevalue("toys").random_knapsack(0)
