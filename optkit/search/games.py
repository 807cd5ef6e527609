"""Games: strategies of players, what they gain by changing alone, checks of claims."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optkit.search import batches
from optkit.search.batches import uniform
from optkit.search.enumeration import mixed_radix
from optkit.space import Game

#: A player asks for a change that gains it more than this, and a rounding of its payoff.
TOLERANCE = 1e-10
_ROUNDING = 1e-12  # of a payoff, relative
_TOGETHER = 256  # profiles that are asked about with one call, where a player has fewer
#: Strategies of one player that are walked at most.
LIMIT = 1_000_000

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Strategies:
    """The strategies of every player: the product of the options of its own positions.

    They are numbered from 0, the last position of a player counting fastest.

    Parameters
    ----------
    game : whose players they are.

    Attributes
    ----------
    players : how many; each owns at least one position.
    counts : strategies of each player, as Python integers of any size.
    """

    def __init__(self, game: Game) -> None:
        owner, self._choices = game.owner, game.space.choices
        self._owner = owner
        self.players = int(owner.max()) + 1 if len(owner) else 0
        self._positions = [np.flatnonzero(owner == player) for player in range(self.players)]
        self.counts = [math.prod(self._choices[own].tolist()) for own in self._positions]
        self._weight = np.ones(len(owner))
        for own in self._positions:
            self._weight[own[:-1]] = np.cumprod(self._choices[own[:0:-1]], dtype=float)[::-1]

    def numbers(self, z: Ints) -> Ints:
        """[players]: the strategy of each player in profile z [L], exact below 2**53."""
        numbers = np.bincount(self._owner, z * self._weight, self.players)
        return numbers.astype(np.int64)

    def changed(self, z: Ints, player: int, first: int, stop: int) -> Ints:
        """Profiles [stop - first, L]: z with the player's strategies first to stop - 1."""
        profiles = np.repeat(z[None], stop - first, axis=0)
        own = self._positions[player]
        profiles[:, own] = mixed_radix(self._choices[own], first, stop)
        return profiles

    def change(self, z: Ints, player: int, strategy: int) -> Ints:
        """Profile [L] in which the player alone changes to the strategy."""
        changed: Ints = self.changed(z, player, strategy, strategy + 1)[0]
        return changed


def asked(
    game: Game,
    strategies: Strategies,
    z: Ints,
    player: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Floats:
    """[counts[player]]: its payoff from each of its strategies, the others as in z; of the first
    ones alone where `stopped`, asked between batches, ends it.

    Asks ``game.payoffs`` alone; a payoff that is not a number counts as minus infinity.
    """
    count, rows = strategies.counts[player], _rows(z)
    payoffs = np.empty(count)
    for first in range(0, count, rows):
        if first and stopped():
            payoffs = payoffs[:first]
            break
        stop = min(first + rows, count)
        profiles = strategies.changed(z, player, first, stop)
        payoffs[first:stop] = game.payoffs(profiles)[:, player]
    payoffs[np.isnan(payoffs)] = -np.inf
    return payoffs


def asked_in_turn(
    game: Game, strategies: Strategies, z: Ints, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Floats]:
    """`asked` of every player in turn, of several with one call where they have few strategies."""
    most, counts = min(_TOGETHER, _rows(z)), strategies.counts
    first = 0
    while first < strategies.players:
        stop, rows = first + 1, counts[first]
        while stop < strategies.players and rows + counts[stop] <= most:
            rows += counts[stop]
            stop += 1
        if stop == first + 1:
            yield asked(game, strategies, z, first, stopped)
        else:
            group = range(first, stop)
            profiles = [strategies.changed(z, player, 0, counts[player]) for player in group]
            payoffs = game.payoffs(np.concatenate(profiles))
            who = np.repeat(np.arange(first, stop), counts[first:stop])
            own = payoffs[np.arange(rows), who]
            own = np.where(np.isnan(own), -np.inf, own)
            yield from np.split(own, np.cumsum(counts[first : stop - 1]))
        first = stop


def _rows(z: Ints) -> int:
    return max(1, min(batches.ROWS, batches.CELLS // max(1, len(z))))


def deviation_table(game: Game, z: Ints) -> Floats | None:
    """``game.deviations`` of a profile, where the game has them; as `asked` otherwise."""
    if game.deviations is None:
        return None
    table = game.deviations(z)
    return np.where(np.isnan(table), -np.inf, table)


def gains(new: Floats, now: Floats | float) -> Floats:
    """What the new payoffs gain over the present ones: infinite over minus infinity."""
    new, now = np.broadcast_arrays(new, now)
    change = np.zeros(new.shape)
    other = new != now  # infinite payoffs have no difference to themselves
    change[other] = new[other] - now[other]
    return change


def slack(payoffs: Floats, tolerance: float = TOLERANCE) -> Floats:
    """The gains up to which players with these payoffs do not ask for a change."""
    return tolerance + _ROUNDING * np.where(np.isfinite(payoffs), np.abs(payoffs), 0.0)


@dataclass(frozen=True)
class Unilateral:
    """What players could still gain by changing alone.

    Attributes
    ----------
    largest_gain : over the players checked.
    player : who would gain it.
    equilibrium : whether nobody gains; ``None`` where that is not known.
    checked : how many players were.
    """

    largest_gain: float
    player: int
    equilibrium: bool | None
    checked: int


def unilateral(
    game: Game,
    z: Ints,
    tolerance: float = TOLERANCE,
    stopped: Callable[[], bool] = lambda: False,
) -> Unilateral:
    """Check a profile z [L] through ``game.payoffs`` alone, player by player.

    Parameters
    ----------
    game, z : what is checked.
    tolerance : gains up to twice this count as none: the fast form of the payoffs that led to z
        may differ from them by rounding.
    stopped : asked after each player and between the batches of one with many strategies; the
        rest are then not checked.
    """
    strategies = Strategies(game)
    present = strategies.numbers(z)
    largest, who, equal, checked = 0.0, 0, True, 0
    for player, payoffs in enumerate(asked_in_turn(game, strategies, z, stopped)):
        if len(payoffs) < strategies.counts[player]:
            break
        now = payoffs[present[player]]
        gain = float(np.max(gains(payoffs, now)))
        equal = equal and gain <= 2 * float(slack(now, tolerance))
        if gain > largest:
            largest, who = gain, player
        checked += 1
        if stopped():
            break
    known = checked == strategies.players or not equal
    return Unilateral(largest, who, equal if known else None, checked)


@dataclass(frozen=True)
class PotentialCheck:
    """Improving moves tried, and those with which the claimed potential did not rise.

    Attributes
    ----------
    moves, broken : how many.
    largest_drop : the most that the potential fell with one of them.
    """

    moves: int
    broken: int
    largest_drop: float


def check_potential(
    game: Game, rng: np.random.Generator, moves: int = 1000, starts: int = 1000
) -> PotentialCheck:
    """Walk by random improving moves and watch the claimed potential.

    Each walk begins at a random profile and ends where nobody gains; every move is a random
    improving change (not only a best response) of a random player.

    Parameters
    ----------
    game : with a potential.
    rng : of the walks.
    moves : how many are made in all, at most.
    starts : how many walks begin, at most.
    """
    if game.potential is None:
        raise ValueError("the game claims no potential")
    strategies = Strategies(game)
    made, broken, drop = 0, 0, 0.0
    for _ in range(starts):
        z = uniform(game.space, rng, 1)[0]
        before = float(game.potential(z[None])[0])
        while made < moves:
            move = _random_improvement(game, strategies, z, rng)
            if move is None:
                break
            z = strategies.change(z, *move)
            after = float(game.potential(z[None])[0])
            made += 1
            if not after > before:
                broken += 1
                drop = max(drop, before - after)
            before = after
        if made == moves:
            break
    return PotentialCheck(made, broken, drop)


def _random_improvement(
    game: Game, strategies: Strategies, z: Ints, rng: np.random.Generator
) -> tuple[int, int] | None:
    present = strategies.numbers(z)
    table = deviation_table(game, z)
    for player in rng.permutation(strategies.players).tolist():
        payoffs = asked(game, strategies, z, player) if table is None else table[player]
        now = payoffs[present[player]]
        better = np.flatnonzero(gains(payoffs, now) > slack(now))
        if len(better):
            return player, int(rng.choice(better))
    return None
