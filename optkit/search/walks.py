"""Walks of players through the profiles of a game: what is recorded, and how one is answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.instance import Instance
from optkit.run import Run
from optkit.search.batches import judge
from optkit.search.games import TOLERANCE, unilateral
from optkit.space import Game

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_FALL = 1e-12  # relative; a smaller fall of the objective is rounding
_CHECK_S = 1.0  # what checking the end may take once the run is to stop


@dataclass
class Path:
    """A walk of the dynamics.

    Attributes
    ----------
    z : [L] where it is.
    slots : updates made.
    drops : updates with which the objective of the system got worse.
    converged : whether its rule had nothing left to do.
    cycle : updates between two visits of one profile, 0 if none came twice.
    potential_broken : updates with which the claimed potential did not rise, ``None`` where the
        game claims none.
    trajectory : the objective at the start and after each update.
    """

    z: Ints
    slots: int = 0
    drops: int = 0
    converged: bool = False
    cycle: int = 0
    potential_broken: int | None = None
    trajectory: list[float] = field(default_factory=list)


class Record:
    """Keeps the books of a walk: objectives, claimed potential, profiles met.

    Parameters
    ----------
    instance : whose objective is the system's.
    game : who walks.
    start : [L] where it begins.

    Attributes
    ----------
    path : the walk so far.
    """

    def __init__(self, instance: Instance, game: Game, start: Ints) -> None:
        self._instance, self._game = instance, game
        self._sign = 1.0 if instance.sense == "maximise" else -1.0
        z = np.array(start, dtype=np.int64)
        self.path = Path(z, potential_broken=None if game.potential is None else 0)
        self.value = float(self.values(z[None])[0])
        self._potential = 0.0 if game.potential is None else float(game.potential(z[None])[0])
        self._met = {_digest(z): 0}
        self.path.trajectory.append(self._sign * self.value)

    def values(self, profiles: Ints) -> Floats:
        """[B]: objectives of profiles [B, L], with a sign that makes larger better."""
        batch = judge(self._instance, self._game.space, profiles)
        values: Floats = self._sign * batch.evaluation.objective
        values[np.isnan(values)] = -np.inf
        return values

    def add(self, profiles: Ints, endless: bool) -> bool:
        """Walk on through profiles [S, L], one update each.

        Returns whether the walk came back to a profile and would go on so for ever: it then
        ends there. Unless it is `endless` after a return, it goes on.
        """
        path = self.path
        if not len(profiles):
            return False
        values, potentials = self.values(profiles), None
        if self._game.potential is not None:
            potentials = self._game.potential(profiles)
        for slot, z in enumerate(profiles):
            path.z = z.copy()
            path.slots += 1
            before, self.value = self.value, float(values[slot])
            path.trajectory.append(self._sign * self.value)
            path.drops += higher(before, self.value)
            if potentials is not None:
                earlier, self._potential = self._potential, float(potentials[slot])
                path.potential_broken = (path.potential_broken or 0) + (
                    not self._potential > earlier
                )
            first = self._met.setdefault(_digest(z), path.slots)
            if first < path.slots:
                path.cycle = path.cycle or path.slots - first
                if endless:
                    return True
        return False


def higher(new: float, old: float) -> bool:
    """Whether a value is higher by more than rounding."""
    return new > old and not math.isclose(new, old, rel_tol=_FALL)


def _digest(z: Ints) -> bytes:
    return blake2b(z.tobytes(), digest_size=16).digest()


def best_path(instance: Instance, game: Game, run: Run, paths: Sequence[Path]) -> Path:
    """The walk with the best end, one that converged before one that did not.

    Of several, ``end_objectives`` are noted.
    """
    ends = judge(instance, game.space, np.stack([path.z for path in paths])).evaluation

    def key(number: int) -> tuple[Any, ...]:
        return (not paths[number].converged, *ends[number].rank(instance.sense))

    if len(paths) > 1:
        run.note(end_objectives=ends.objective.tolist())
    return paths[min(range(len(paths)), key=key)]


def note_path(run: Run, path: Path, trace: bool) -> None:
    """Note what happened on the way; with `trace` also every objective."""
    run.note(slots=path.slots, drops=path.drops, converged=path.converged, cycle=path.cycle)
    if path.potential_broken is not None:
        run.note(potential_broken=path.potential_broken)
    if trace:
        run.note(trajectory=path.trajectory)


def answer_end(
    instance: Instance, game: Game, run: Run, z: Ints, tolerance: float = TOLERANCE
) -> None:
    """Answer with the decision of profile z and note what players could still gain alone.

    ``equilibrium`` is ``None`` where a limit of the run left it open.
    """
    x, parts = game.space.decode(z[None])
    run.answer(x[0], **{name: part[0] for name, part in parts.items()})
    begin_s = run.elapsed_s
    found = unilateral(
        game, z, tolerance, lambda: run.stopped() and run.elapsed_s - begin_s > _CHECK_S
    )
    run.note(equilibrium=found.equilibrium, largest_gain=found.largest_gain)
    if found.equilibrium is None:
        run.note(players_checked=found.checked)
