"""Spaces that generic search walks, and games whose positions have owners."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Decoded = tuple[NDArray[np.int64], Mapping[str, Any]]


def identity(positions: NDArray[np.int64]) -> Decoded:
    """Positions that are decisions already, without parts."""
    return positions, {}


@dataclass(frozen=True)
class Space:
    """What a generic method searches instead of the decision vectors themselves.

    Parameters
    ----------
    choices : [L] number of options of each position of z.
    decode : Z [B, L] to decisions X [B, n] and a mapping of their parts, each with axis B.
    exact : whether some optimum is the image of a z; without it enumeration proves nothing.
    encode : decision x [n] to the z [L] that stands for it best, for warm starts; not needed
        where positions are decisions.
    """

    choices: NDArray[np.int64]
    decode: Callable[[NDArray[np.int64]], Decoded] = identity
    exact: bool = True
    encode: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None = None

    @property
    def size(self) -> float:
        """Number of positions vectors, as a float (may be infinite)."""
        logarithm = float(np.sum(np.log(np.maximum(self.choices, 1).astype(float))))
        return math.exp(logarithm) if logarithm < 700 else math.inf


@dataclass(frozen=True)
class Game:
    """A space whose positions are owned by players, each with a payoff that it maximises.

    A strategy of a player is one assignment of options to all positions that it owns, numbered
    with the last of them counting fastest.

    Parameters
    ----------
    space : the joint strategy space.
    owner : [L] the player who chooses each position, 0 to players - 1, everyone owning some.
    payoffs : Z [B, L] to the payoffs [B, players].
    deviations : one profile z [L] to [players, strategies]: the payoff of each player if it
        alone changes to each of its strategies (its present one included), minus infinity where
        it has fewer. A fast form of what `payoffs` says; absent, `payoffs` is asked.
    potential : Z [B, L] to [B]: what is claimed to rise with every improvement of a player.
    """

    space: Space
    owner: NDArray[np.int64]
    payoffs: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    deviations: Callable[[NDArray[np.int64]], NDArray[np.float64]] | None = None
    potential: Callable[[NDArray[np.int64]], NDArray[np.float64]] | None = None
