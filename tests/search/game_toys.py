"""Classic small games as instances, and a plain check of equilibria."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance
from optkit.space import Game


class GameToy(Instance):
    """The objective is the sum of what the players get, or of what they pay."""

    problem = "game_toy"
    choices: NDArray[np.int64]
    owner: NDArray[np.int64]
    has_deviations = False
    has_potential = False

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document, self.name = dict(document), ""
        self.owner = np.asarray(document["owner"])
        self.prepare()

    def prepare(self) -> None:
        raise NotImplementedError

    def worth(self, x: NDArray[np.int64]) -> NDArray[np.float64]:
        """[B, players]: what the players get (or pay, with a minus)."""
        raise NotImplementedError

    def potential(self, x: NDArray[np.int64]) -> NDArray[np.float64]:
        raise NotImplementedError

    def deviations(self, z: NDArray[np.int64]) -> NDArray[np.float64]:
        table = plain_deviations(self.game, z)
        width = max(map(len, table))
        return np.array([row + [-np.inf] * (width - len(row)) for row in table])

    @property
    def game(self) -> Game:
        return Game(
            self.space,
            self.owner,
            self.worth,
            self.deviations if self.has_deviations else None,
            self.potential if self.has_potential else None,
        )

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        total = self.worth(decisions).sum(axis=1)
        objective = total if self.sense == "maximise" else -total
        return BatchEvaluation(objective, np.abs(objective))

    def canonical(self) -> dict[str, Any]:
        return dict(self.document)

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        return {"x": np.asarray(x)}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        return np.asarray(decision["x"]), {}


class Matrix(GameToy):
    """Payoffs by table: ``payoffs`` [players, options of position 0, of position 1 ...]."""

    sense = "maximise"

    def prepare(self) -> None:
        self.table = np.asarray(self.document["payoffs"], dtype=float)
        self.choices = np.array(self.table.shape[1:])

    def worth(self, x: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.stack([player[tuple(x.T)] for player in self.table], axis=1)


class Congestion(GameToy):
    """Each position picks a set of resources and pays the load of each; Rosenthal's potential.

    ``sets`` names, for each position and option, the resources it uses.
    """

    has_potential = True

    def prepare(self) -> None:
        self.sets = self.document["sets"]
        self.choices = np.array([len(options) for options in self.sets])
        resources = 1 + max(r for options in self.sets for one in options for r in one)
        self.uses = np.zeros((len(self.sets), int(self.choices.max()), resources))
        for position, options in enumerate(self.sets):
            for option, chosen in enumerate(options):
                self.uses[position, option, list(chosen)] = 1

    def used(self, x: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.uses[np.arange(x.shape[1]), x]

    def worth(self, x: NDArray[np.int64]) -> NDArray[np.float64]:
        used = self.used(x)
        paid = (used * used.sum(axis=1, keepdims=True)).sum(axis=2)
        total = np.zeros((len(x), int(self.owner.max()) + 1))
        for position, owner in enumerate(self.owner):
            total[:, owner] -= paid[:, position]
        return total

    def potential(self, x: NDArray[np.int64]) -> NDArray[np.float64]:
        load = self.used(x).sum(axis=1)
        return -(load * (load + 1) / 2).sum(axis=1)


def plain_deviations(game: Game, z: NDArray[np.int64]) -> list[list[float]]:
    """Payoff of every player from each of its strategies, one profile at a time."""
    table = []
    for player in range(int(game.owner.max()) + 1):
        own = [p for p in range(len(z)) if game.owner[p] == player]
        row = []
        for options in itertools.product(*(range(game.space.choices[p]) for p in own)):
            changed = z.copy()
            changed[own] = options
            row.append(float(game.payoffs(changed[None])[0, player]))
        table.append(row)
    return table


def plain_gain(game: Game, z: NDArray[np.int64]) -> float:
    """The largest gain of a player that changes alone."""
    now = game.payoffs(z[None])[0]
    rows = plain_deviations(game, z)
    return max(max(row) - own for row, own in zip(rows, now, strict=True))


def profiles(instance: Instance) -> list[NDArray[np.int64]]:
    return [np.array(z) for z in itertools.product(*map(range, instance.choices.tolist()))]


def prisoners() -> Matrix:
    """0 is to cooperate, 1 to defect."""
    first = [[3, 0], [5, 1]]
    return Matrix({"owner": [0, 1], "payoffs": [first, np.array(first).T.tolist()]})


def pennies() -> Matrix:
    first = np.array([[1, -1], [-1, 1]])
    return Matrix({"owner": [0, 1], "payoffs": [first.tolist(), (-first).tolist()]})


def anarchy() -> Congestion:
    """Three players, six resources: the worst equilibrium of identity delays, 15 against 6."""
    sets = [[[i, 3 + i], [3 + (i + 1) % 3, (i - 1) % 3, (i + 1) % 3]] for i in range(3)]
    return Congestion({"owner": [0, 1, 2], "sets": sets})


def random_congestion(seed: int, players: int = 4, resources: int = 4) -> Congestion:
    """One position a player, options of one or two resources."""
    rng = np.random.default_rng(seed)
    sets = [
        [rng.choice(resources, rng.integers(1, 3), replace=False).tolist() for _ in range(3)]
        for _ in range(players)
    ]
    return Congestion({"owner": list(range(players)), "sets": sets})


def random_matrix(seed: int, owner: tuple[int, ...] = (0, 1, 0, 2, 1)) -> Matrix:
    """Random payoffs of players who own several positions, not in order."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 4, len(owner)).tolist())
    payoffs = rng.integers(0, 20, (max(owner) + 1, *shape))
    return Matrix({"owner": list(owner), "payoffs": payoffs.tolist()})
