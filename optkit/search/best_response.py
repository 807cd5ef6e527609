"""Best-response dynamics: one player a slot changes, until none wants to."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from optkit.errors import MethodUnavailable
from optkit.instance import Instance
from optkit.run import Run
from optkit.search.batches import at_least, not_negative, uniform
from optkit.search.chains import warm_position
from optkit.search.games import LIMIT, TOLERANCE, Strategies, asked, deviation_table, gains, slack
from optkit.search.walks import Path, Record, answer_end, best_path, higher, note_path
from optkit.space import Game

Rule = Literal["own", "system", "system_stop", "async"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Slots that one walk takes at most, for each player.
SLOTS = 50


def applies(instance: Instance) -> str | None:
    """Why the game cannot be played, or ``None``."""
    game = instance.game
    if game is None:
        return "the problem describes no players"
    most = max(Strategies(game).counts, default=1)
    if most > LIMIT:
        return f"a player has {most:,} strategies, at most {LIMIT:,} are walked"
    return None


def best_response(
    instance: Instance,
    run: Run,
    *,
    rule: Rule = "own",
    start: Literal["warm", "zero", "random"] = "warm",
    starts: int = 1,
    slots: int | None = None,
    tolerance: float = TOLERANCE,
    trace: bool = False,
) -> None:
    """Play the instance's game; the answer is the end point, whatever its objective.

    In every slot one player that gains by it changes to its best response (the first of equal
    ones). The result's details say whether the end is a Nash equilibrium (``equilibrium``) and
    what a player could still gain alone (``largest_gain``), both computed anew from the payoffs;
    and of the walk its ``slots``, ``drops``, ``converged``, ``cycle`` (see `Path`) and, where
    the game claims a potential, ``potential_broken``. Of several starts the best end counts, one
    that converged before one that did not; ``end_objectives`` lists all.

    Parameters
    ----------
    instance : what is played.
    run : where the end point goes; one iteration a slot.
    rule : who changes: the player that gains most itself ("own"), the one whose change helps the
        objective most ("system"), the same but none if it would not help ("system_stop"), or a
        random one of those that gain ("async").
    start : of the first walk: the warm start (all options 0 without one), all options 0, or
        random options.
    starts : walks; all but the first begin at random.
    slots : updates of one walk at most; ``None`` means 50 for each player.
    tolerance : a player asks for a change that gains it more than this.
    trace : also report the ``trajectory`` of the objective.

    References
    ----------
    Paper 000, Algorithm 2.
    """
    at_least(1, starts=starts, slots=slots)
    not_negative(tolerance=tolerance)
    game = instance.game
    if game is None:
        raise MethodUnavailable("the problem describes no players")
    dynamics = Dynamics(instance, game, run, rule, tolerance)
    cap = SLOTS * dynamics.players if slots is None else slots
    paths: list[Path] = []
    for number in range(starts):
        if number and run.stopped():
            break
        z = first_profile(game, run, start if number == 0 else "random")
        paths.append(dynamics.walk(z, cap))
    path = best_path(instance, game, run, paths)
    answer_end(instance, game, run, path.z, tolerance)
    note_path(run, path, trace)


def first_profile(game: Game, run: Run, start: Literal["warm", "zero", "random"]) -> Ints:
    """Profile [L] that a walk begins with."""
    if start == "random":
        drawn: Ints = uniform(game.space, run.rng, 1)[0]
        return drawn
    warm = warm_position(game.space, run) if start == "warm" else None
    return np.zeros(len(game.space.choices), dtype=np.int64) if warm is None else warm


class Dynamics:
    """Walks of one rule.

    Parameters
    ----------
    instance : whose objective is the system's.
    game : who moves, and what for.
    run : asked when to stop; random numbers of the "async" rule.
    rule, tolerance : see `best_response`.
    """

    def __init__(
        self, instance: Instance, game: Game, run: Run, rule: Rule, tolerance: float
    ) -> None:
        self._instance, self._game, self._run = instance, game, run
        self._rule, self._tolerance = rule, tolerance
        self._strategies = Strategies(game)

    @property
    def players(self) -> int:
        """How many players there are."""
        return self._strategies.players

    def walk(self, start: Ints, cap: int) -> Path:
        """Walk from a profile [L] for at most `cap` updates.

        A rule without chance that comes back to a profile would walk in this circle for ever and
        ends there; the "async" rule goes on.
        """
        record = Record(self._instance, self._game, start)
        path = record.path
        for _ in self._run.steps(range(cap + 1)):
            requests = self._requests(path.z)
            move = None if requests is None else self._chosen(record, *requests)
            if move is None:
                path.converged = requests is not None
                break
            if path.slots == cap:
                break
            changed = self._strategies.change(path.z, *move)
            if record.add(changed[None], endless=self._rule != "async"):
                break
        return path

    def _chosen(
        self, record: Record, players: Ints, responses: Ints, improvements: Floats
    ) -> tuple[int, int] | None:
        """The player that changes and its new strategy; ``None`` where the rule lets nobody."""
        if not len(players):
            return None
        if self._rule == "own":
            chosen = int(np.argmax(improvements))
        elif self._rule == "async":
            chosen = int(self._run.rng.integers(len(players)))
        else:
            pairs = zip(players.tolist(), responses.tolist(), strict=True)
            changes = [self._strategies.change(record.path.z, *pair) for pair in pairs]
            values = record.values(np.stack(changes))
            chosen = int(np.argmax(values))
            if self._rule == "system_stop" and not higher(float(values[chosen]), record.value):
                return None
        return int(players[chosen]), int(responses[chosen])

    def _requests(self, z: Ints) -> tuple[Ints, Ints, Floats] | None:
        """Players that gain by a change, their best responses and gains; ``None`` at a stop."""
        game, players = self._game, np.arange(self._strategies.players)
        present = self._strategies.numbers(z)
        table = deviation_table(game, z)
        if table is not None:
            responses = np.argmax(table, axis=1)
            now, best = table[players, present], table[players, responses]
        else:
            responses = np.zeros(len(players), dtype=np.int64)
            now, best = np.zeros(len(players)), np.zeros(len(players))
            at_random = self._rule == "async"
            order = self._run.rng.permutation(players) if at_random else players
            for player in order.tolist():
                if self._run.stopped():
                    return None
                payoffs = asked(game, self._strategies, z, player)
                responses[player] = np.argmax(payoffs)
                now[player], best[player] = payoffs[present[player]], payoffs.max()
                if at_random and gains(best, now)[player] > slack(now, self._tolerance)[player]:
                    break  # the others need not be asked
        improvements = gains(best, now)
        who = np.flatnonzero(improvements > slack(now, self._tolerance))
        return who, responses[who], improvements[who]
