"""How methods that choose channels alone report: the full decision, and bounds where they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.objective import qos
from formulations.channel_choice.offloading import Offloading
from optkit.evaluation import Evaluation
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Held:
    """The channel choice of an instance, with where heads run held at the warm start's choice.

    Parameters
    ----------
    instance, run : what is solved and where decisions go.

    Attributes
    ----------
    offloading : the problem that is left.
    start : [N] channels of the warm start, numbered so that none is above N, or ``None``.
    gain : of the best decision reported so far over all at home; -inf before.
    target : a gain that a bound may have for that decision to be optimal.
    channels : [N] of that decision, or ``None``.
    """

    def __init__(self, instance: ChannelChoice, run: Run) -> None:
        self._run = run
        self._origin = instance.origin
        self._omega: Ints | None = None
        self.start: Ints | None = None
        if run.warm_start is not None:
            self.start = run.warm_start[0][: instance.services]
            if self.start.max() > instance.services:
                self.start = channels_of(coalitions_of(self.start), instance.services)
        if instance.balanced:
            self._omega = np.zeros(instance.services, dtype=np.int64)
            if run.warm_start is not None:
                self._omega = run.warm_start[0][instance.services :]
            run.note(held="where heads run")
        self.offloading: Offloading = instance.offloading(self._omega)
        if self._omega is not None:
            self._origin = float(qos(self.offloading, self.offloading.local_overhead).sum())
        self.gain = self.target = -np.inf
        self.channels: Ints | None = None

    def found(self, channels: ArrayLike) -> Evaluation:
        """Report channels [N]."""
        x = np.array(channels, dtype=np.int64)
        evaluation = self._run.found(self.decision(x))
        gain = evaluation.objective - self._origin
        if evaluation.feasible and gain > self.gain:
            self.gain, self.target = gain, gain + 0.5 * evaluation.tolerance
            self.channels = x
        return evaluation

    def decision(self, channels: ArrayLike) -> Ints:
        """The decision vector [n] of channels [N] with heads where they are held."""
        x = np.asarray(channels, dtype=np.int64)
        return x if self._omega is None else np.concatenate([x, self._omega])

    def bound(self, gain: float) -> None:
        """Report that no decision gains more than `gain` over all at home."""
        if self._omega is None and gain < np.inf:
            self._run.bound(self._origin + gain)

    def infeasible(self) -> None:
        """Report that no decision meets the deadlines."""
        if self._omega is None:
            self._run.infeasible()


def coalitions_of(channels: Ints) -> list[Ints]:
    """Who shares each channel that is used (inverse of `channels_of`)."""
    return [np.flatnonzero(channels == number) for number in np.unique(channels[channels > 0])]


def channels_of(coalitions: list[Ints], services: int) -> Ints:
    """The channels [N] of disjoint coalitions, the one of the first service first.

    Numbering does not matter to the objective; in this order equal partitions are equal vectors.
    """
    channels = np.zeros(services, dtype=np.int64)
    for number, members in enumerate(sorted(coalitions, key=min), start=1):
        channels[members] = number
    return channels
