"""Walks of the offloading game by compiled best responses (paper 000, Algorithm 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.dynamics_kernels import ASYNC, OWN, SYSTEM, SYSTEM_STOP, play
from formulations.channel_choice.game import channel_game
from formulations.channel_choice.instance import ChannelChoice
from optkit.run import Run
from optkit.search.best_response import Rule
from optkit.search.games import TOLERANCE
from optkit.search.walks import Path, Record

Ints = NDArray[np.int64]

_RULES = {"own": OWN, "system": SYSTEM, "system_stop": SYSTEM_STOP, "async": ASYNC}
_WORK = 20_000  # services times slots between two looks at the limits


def walk(
    instance: ChannelChoice, run: Run, rule: Rule, cap: int, omega: Ints | None = None
) -> Path:
    """Play from all at home until nobody gains alone, or the rule lets nobody change.

    Parameters
    ----------
    instance : whose services play; the objective is its evaluator's.
    run : asked when to stop, one iteration a stretch of slots; random numbers of "async".
    rule : who changes, see ``optkit.search.best_response``.
    cap : updates at most.
    omega : [N] where heads run meanwhile; at home where it is None.
    """
    o, services = instance.offloading(omega), instance.services
    record = Record(instance, channel_game(instance, omega), np.zeros(services, dtype=np.int64))
    path = record.path
    stretch = max(1, _WORK // services) if run.stop.iterations is None else 1
    for _ in run.steps():
        moves = np.zeros((min(stretch, cap + 1 - path.slots), 2), dtype=np.int64)
        x = path.z.copy()
        made, ended = play(o, x, _RULES[rule], TOLERANCE, run.rng.random(len(moves)), moves)
        profiles = np.repeat(path.z[None], made, axis=0)
        for slot, (service, channel) in enumerate(moves[:made].tolist()):
            profiles[slot:, service] = channel
        circle = record.add(profiles[: cap - path.slots], endless=rule != "async")
        path.converged = ended and not circle
        if ended or circle or path.slots == cap:
            break
    return path
