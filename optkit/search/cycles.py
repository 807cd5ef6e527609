"""Whether players that improve one after another can go round in circles, in a small game."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.search.enumeration import mixed_radix
from optkit.search.games import TOLERANCE, Strategies, gains, slack
from optkit.space import Game

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Single changes (from a profile to another one) that are listed at most.
LIMIT = 20_000_000


def changes(game: Game) -> float:
    """How many single changes lead from a profile to another one, in all."""
    each = sum(count - 1 for count in Strategies(game).counts)
    return float(game.space.size * each)


def circle(
    game: Game, payoffs: Floats, best_only: bool, tolerance: float = TOLERANCE
) -> list[Ints] | None:
    """Profiles [L] that improving changes lead through and back to the first, if there are any.

    Without such a circle every sequence of improvements ends, and a function of the profile
    rises with all of them (Monderer and Shapley 1996, Lemma 2.5).

    Parameters
    ----------
    game : of at most `LIMIT` changes.
    payoffs : [profiles, players] in mixed-radix order, the last position fastest.
    best_only : follow best responses alone, not all improvements.
    tolerance : a change that is worth no more to its player is none.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    sources, targets = _improvements(game, payoffs, best_only, tolerance)
    total = len(payoffs)
    graph = csr_array((np.ones(len(sources), dtype=np.int8), (sources, targets)), (total, total))
    count, component = connected_components(graph, directed=True, connection="strong")
    if count == total:
        return None
    member = int(np.argmax(np.bincount(component)[component] > 1))
    inside = component == component[member]
    steps = inside[sources] & inside[targets]
    return _profiles(game, _closed_walk(sources[steps], targets[steps], member))


def _improvements(
    game: Game, payoffs: Floats, best_only: bool, tolerance: float
) -> tuple[Ints, Ints]:
    """Numbers of the profiles before and after every improving change."""
    free = np.flatnonzero(game.space.choices > 1)
    numbers = np.arange(len(payoffs)).reshape(game.space.choices[free].tolist())
    found: list[tuple[Any, Any]] = [(numbers[:0].ravel(), numbers[:0].ravel())]
    for player in range(payoffs.shape[1]):
        own = np.flatnonzero(game.owner[free] == player)
        width = int(np.prod(game.space.choices[free][own]))
        last = np.arange(numbers.ndim - len(own), numbers.ndim)
        rows = np.moveaxis(numbers, own, last).reshape(-1, width)
        values = payoffs[:, player][rows]
        values = np.where(np.isnan(values), -np.inf, values)
        best = values.max(axis=1)
        for strategy in range(width):
            gain = gains(values[:, strategy, None], values)
            better = gain > slack(values, tolerance)
            if best_only:
                better &= (values[:, strategy] == best)[:, None]
            row, before = np.nonzero(better)
            found.append((rows[row, before], rows[row, strategy]))
    sources, targets = (np.concatenate(ends) for ends in zip(*found, strict=True))
    return sources, targets


def _closed_walk(sources: Ints, targets: Ints, start: int) -> list[int]:
    """A circle of changes through strongly connected profiles, from the start on."""
    after = dict(zip(sources.tolist(), targets.tolist(), strict=True))
    met: dict[int, int] = {}
    at = start
    while at not in met:
        met[at] = len(met)
        at = after[at]
    return list(met)[met[at] :]


def _profiles(game: Game, numbers: list[int]) -> list[Ints]:
    return [mixed_radix(game.space.choices, number, number + 1)[0] for number in numbers]
