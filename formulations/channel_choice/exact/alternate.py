"""Channels and load balance in turn, each exactly for the other (paper 000, modules B and C)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.balance_dp import applies as applies
from formulations.channel_choice.exact.balance_dp import balanced
from formulations.channel_choice.exact.channels_alone import choose_channels
from formulations.channel_choice.instance import ChannelChoice
from optkit.run import Run

Ints = NDArray[np.int64]
_ROUNDS = 50


def alternate(instance: ChannelChoice, run: Run) -> None:
    """Best channels for the places of heads, best places for the channels, until no change.

    Begins with all heads at home, with the best places while nothing is offloaded, and with the
    warm start's; each round is judged, and the best one counts.
    """
    nobody = np.zeros(instance.services, dtype=np.int64)
    run.found(np.concatenate([nobody, nobody]))
    starts = [nobody, balanced(instance, nobody, run=run).omega]
    if run.warm_start is not None:
        starts.append(run.warm_start[0][instance.services :])
    rounds = [turns(instance, run, omega) for omega in starts if not run.stopped()]
    run.note(rounds=rounds)


def turns(instance: ChannelChoice, run: Run, omega: Ints, channel: Ints | None = None) -> int:
    """Alternate from places omega [N] on; returns how many rounds it took.

    Parameters
    ----------
    channel : [N] channels to begin the first choice of channels with.
    """
    best: tuple[bool, int, float] | None = None
    for done in range(_ROUNDS):
        if run.stopped():
            return done
        channels = choose_channels(instance.offloading(omega), run, channel).x
        if channels is None:  # nothing meets the deadlines with heads where they are
            channels = np.zeros(instance.services, dtype=np.int64) if channel is None else channel
        channel = channels
        run.found(np.concatenate([channel, omega]))
        omega = balanced(instance, channel, run=run, start=omega).omega
        rank = run.found(np.concatenate([channel, omega])).rank(instance.sense)
        if best is not None and rank >= best:
            return done + 1
        best = rank
    return _ROUNDS
