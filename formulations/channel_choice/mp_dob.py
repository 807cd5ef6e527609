"""MP-DOB: partition, offloading game and load balance (paper 000, Algorithms 1 and 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.dynamics import walk
from formulations.channel_choice.game import channel_game
from formulations.channel_choice.instance import ChannelChoice
from optkit.run import Run
from optkit.search.batches import at_least
from optkit.search.best_response import SLOTS, Rule
from optkit.search.walks import Path, answer_end, best_path, note_path


def mp_dob(
    instance: ChannelChoice,
    run: Run,
    *,
    rule: Rule = "own",
    plays: int = 1,
    slots: int | None = None,
    trace: bool = False,
) -> None:
    """The offloading game from all at home and, beside it, the load balance of all at home.

    As printed, the two do not see each other: the game is played with all heads at home, and
    where there is load balance, the heads are then placed as is best (exactly, not by a trained
    network) while everything is at home. What the details say of an equilibrium they say of the
    answer: of a service that changes its channel alone while the heads stay where they are. See
    ``optkit.search.best_response`` for the other details.

    Parameters
    ----------
    instance : what is solved; its ``cut_choice`` is the partition.
    run : where the answer goes; one iteration a stretch of slots.
    rule : which request is granted.
    plays : how often the game is played; the best end counts. Only "async" plays differ.
    slots : updates of one play at most; ``None`` means 50 for each service.
    trace : also report the ``trajectory`` of the objective, with heads at home.
    """
    path = _played(instance, run, rule, plays, slots, trace)
    omega = None
    if instance.balanced:
        from formulations.channel_choice.exact.balance_dp import balanced

        home = np.zeros(instance.services, dtype=np.int64)
        balance = balanced(instance, home, run=run)
        omega = balance.omega
        run.note(
            heads_moved=int(omega.sum()), balance="local search" if balance.searched else "exact"
        )
    _answer(instance, run, path, omega)


def mp_dob_channels(
    instance: ChannelChoice,
    run: Run,
    *,
    rule: Rule = "own",
    plays: int = 1,
    slots: int | None = None,
    trace: bool = False,
) -> None:
    """The offloading game alone, all heads at home; everything else as in `mp_dob`.

    Parameters
    ----------
    instance : what is solved; its ``cut_choice`` is the partition.
    run : where the answer goes; one iteration a stretch of slots.
    rule : which request is granted.
    plays : how often the game is played; the best end counts. Only "async" plays differ.
    slots : updates of one play at most; ``None`` means 50 for each service.
    trace : also report the ``trajectory`` of the objective.
    """
    _answer(instance, run, _played(instance, run, rule, plays, slots, trace), None)


def _played(
    instance: ChannelChoice, run: Run, rule: Rule, plays: int, slots: int | None, trace: bool
) -> Path:
    at_least(1, plays=plays, slots=slots)
    cap = SLOTS * instance.services if slots is None else slots
    paths: list[Path] = []
    for _ in range(plays):
        if paths and run.stopped():
            break
        paths.append(walk(instance, run, rule, cap))
    path = best_path(instance, instance.game, run, paths)
    note_path(run, path, trace)
    return path


def _answer(instance: ChannelChoice, run: Run, path: Path, omega: NDArray[np.int64] | None) -> None:
    """Answer with the end of the walk, heads at omega [N]."""
    answer_end(instance, channel_game(instance, omega), run, path.z)
