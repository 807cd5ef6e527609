"""All pure Nash equilibria of a small game, and what they cost the system."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from optkit.errors import MethodUnavailable
from optkit.instance import Instance
from optkit.run import Run
from optkit.search.batches import chunk_rows, judge, not_negative
from optkit.search.cycles import LIMIT as LIMIT_OF_CHANGES
from optkit.search.cycles import changes, circle
from optkit.search.enumeration import mixed_radix
from optkit.search.games import TOLERANCE, Strategies, gains, slack
from optkit.search.walks import answer_end
from optkit.space import Game

#: Payoffs (profiles times players) that are held at once.
LIMIT = 20_000_000

Floats = NDArray[np.float64]


def applies(instance: Instance) -> str | None:
    """Why the game is too large for a table of all profiles, or ``None``."""
    game = instance.game
    if game is None:
        return "the problem describes no players"
    payoffs = game.space.size * Strategies(game).players
    if payoffs <= LIMIT:
        return None
    count = f"{payoffs:.4g}" if math.isfinite(payoffs) else "more than 1e304"
    return f"the game has {count} payoffs, equilibria lists at most {LIMIT:,}"


def equilibria(
    instance: Instance, run: Run, *, cycles: bool = False, tolerance: float = TOLERANCE
) -> None:
    """Judge every profile; the answer is the best Nash equilibrium in pure strategies.

    Where there is none, the answer is the profile from which the largest gain of a player that
    changes alone is least, the best one of equals. The result's details hold ``profiles``,
    ``equilibria`` (how many there are), of the feasible ones ``best_equilibrium`` and
    ``worst_equilibrium`` (objectives), ``optimum`` (the best feasible profile, equilibrium or
    not), ``price_of_stability`` and ``price_of_anarchy`` (objective of the best and of the worst
    equilibrium over the optimum, where all have one sign), and where the problem names an
    origin ``share_of_best`` and ``share_of_worst``: the share of the optimum's improvement on
    the origin that the equilibrium keeps. ``infeasible_equilibria`` counts those that break a
    constraint of the system. A limit of the run leaves the best profile met, and says nothing of
    others.

    Parameters
    ----------
    instance : whose game is listed.
    run : where the answer goes; one iteration a batch of profiles.
    cycles : also look for circles, at most 2e7 single changes allowing: ``improvement_cycle`` and
        ``best_response_cycle`` are the lengths of one of each kind that was found, 0 where there
        is none (and so every sequence of such changes ends, and a potential exists).
    tolerance : a player gains by a change that is worth more to it than this.
    """
    not_negative(tolerance=tolerance)
    game = instance.game
    if game is None:
        raise MethodUnavailable("the problem describes no players")
    strategies = Strategies(game)
    total = math.prod(game.space.choices.tolist())
    payoffs = np.empty((total, strategies.players))
    objective, feasible = np.empty(total), np.empty(total, dtype=bool)
    rows, walked, best = chunk_rows(instance, game.space), 0, 0
    best_rank: tuple[bool, int, float] | None = None
    for first in run.steps(range(0, total, rows)):
        profiles = mixed_radix(game.space.choices, first, min(first + rows, total))
        batch = judge(instance, game.space, profiles)
        row = batch.evaluation.best(instance.sense)
        rank = batch.report(run, row).rank(instance.sense)
        if best_rank is None or rank < best_rank:
            best_rank, best = rank, first + row
        walked = first + len(profiles)
        payoffs[first:walked] = game.payoffs(profiles)
        objective[first:walked] = batch.evaluation.objective
        feasible[first:walked] = batch.evaluation.feasible
    complete = walked == total
    run.note(complete=complete, profiles=walked)
    if not complete:
        if walked:
            answer_end(instance, game, run, _profile(game, best), tolerance)
        return
    regret = _regrets(game, strategies, payoffs, tolerance)
    cost = objective if instance.sense == "minimise" else -objective
    order = np.lexsort((np.where(np.isnan(cost), np.inf, cost), ~feasible, regret))
    answer_end(instance, game, run, _profile(game, int(order[0])), tolerance)
    if cycles:
        _note_cycles(game, run, payoffs, tolerance)
    nash = regret == 0
    run.note(equilibria=int(np.count_nonzero(nash)))
    if np.any(nash & ~feasible):
        run.note(infeasible_equilibria=int(np.count_nonzero(nash & ~feasible)))
    _note_prices(instance, run, objective[nash & feasible], objective[feasible])


def _note_cycles(game: Game, run: Run, payoffs: Floats, tolerance: float) -> None:
    if changes(game) > LIMIT_OF_CHANGES:
        run.note(improvement_cycle=None, best_response_cycle=None)
        return
    for name, best_only in (("improvement_cycle", False), ("best_response_cycle", True)):
        found = circle(game, payoffs, best_only, tolerance)
        run.note(**{name: 0 if found is None else len(found)})


def _profile(game: Game, number: int) -> NDArray[np.int64]:
    profile: NDArray[np.int64] = mixed_radix(game.space.choices, number, number + 1)[0]
    return profile


def _regrets(game: Game, strategies: Strategies, payoffs: Floats, tolerance: float) -> Floats:
    """[profiles]: the largest gain of a player that changes alone, 0 at equilibria."""
    free = np.flatnonzero(game.space.choices > 1)  # arrays have no room for more axes
    regret = np.zeros(len(payoffs))
    for player in range(strategies.players):
        own = np.where(np.isnan(payoffs[:, player]), -np.inf, payoffs[:, player])
        table = own.reshape(game.space.choices[free].tolist())
        axes = tuple(np.flatnonzero(game.owner[free] == player).tolist())
        gain = gains(table.max(axis=axes, keepdims=True), table).ravel()
        regret = np.maximum(regret, np.where(gain > slack(own, tolerance), gain, 0.0))
    return regret


def _note_prices(instance: Instance, run: Run, nash: Floats, reachable: Floats) -> None:
    """Compare the objectives of feasible equilibria with those of all feasible profiles."""
    if not len(nash):
        return
    least, most = (np.min, np.max) if instance.sense == "minimise" else (np.max, np.min)
    best, worst, optimum = float(least(nash)), float(most(nash)), float(least(reachable))
    run.note(best_equilibrium=best, worst_equilibrium=worst, optimum=optimum)
    if min(best, worst, optimum) > 0 or max(best, worst, optimum) < 0:
        run.note(price_of_stability=best / optimum, price_of_anarchy=worst / optimum)
    named = type(instance).origin is not Instance.origin
    if named and not math.isclose(optimum, instance.origin, rel_tol=1e-12):
        room = optimum - instance.origin
        run.note(
            share_of_best=(best - instance.origin) / room,
            share_of_worst=(worst - instance.origin) / room,
        )
