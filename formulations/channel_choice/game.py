"""The offloading game: every service chooses its channel for its own quality of service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.game_kernels import deviation_overheads
from formulations.channel_choice.objective import qos
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import thresholds_within
from optkit.space import Decoded, Game, Space

if TYPE_CHECKING:
    from formulations.channel_choice.instance import ChannelChoice

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def channel_game(instance: ChannelChoice, omega: Ints | None = None) -> Game:
    """The game of paper 000, section on distributed offloading: players are the services.

    A player's payoff is its Q_i (Eq. 19), the number of offloaders included, or minus infinity
    where it misses its deadline. It has a potential where the cloud's speed is fixed and there
    are no deadlines.

    Parameters
    ----------
    instance : whose services play.
    omega : [N] where heads run, held; at home where it is None.
    """
    o = instance.offloading(omega)
    services = instance.services
    held = np.zeros(services, dtype=np.int64) if omega is None else np.asarray(omega)

    def decode(channel: Ints) -> Decoded:
        if not instance.balanced:
            return channel, {}
        return np.concatenate([channel, np.broadcast_to(held, channel.shape)], axis=1), {}

    def encode(x: Ints) -> Ints:
        return x[:services].copy()

    def payoffs(channel: Ints) -> Floats:
        judged = instance.evaluate_batch(decode(channel)[0])
        own: Floats = judged.terms["qos"]
        if "deadline" in judged.violations:
            own = np.where(judged.violations["deadline"] > 0, -np.inf, own)
        return own

    def deviations(channel: Ints) -> Floats:
        return qos(o, deviation_overheads(o, np.ascontiguousarray(channel, dtype=np.int64)))

    has_potential = not o.equal_share and not np.isfinite(o.deadline_s).any()
    return Game(
        Space(instance.choices[:services], decode, not instance.balanced, encode),
        np.arange(services, dtype=np.int64),
        payoffs,
        deviations,
        Potential(o) if has_potential else None,
    )


class Potential:
    """What rises with every improvement of a player, if shares of the cloud are fixed.

    Paper 000, Eq. 32 with each pair of services counted once. It needs no more than that a
    player's payoff falls with the interference it meets, so it holds in every delay model.

    Parameters
    ----------
    o : with fixed shares of the cloud and without deadlines.
    """

    def __init__(self, o: Offloading) -> None:
        self.power_w = o.power_w
        self.channels = o.channels
        # What each tolerates: offloading gains nothing beyond. Any negative number says "never".
        free = o._replace(require_profitable=True)
        tolerated = thresholds_within(free, 1, 0.0) - o.power_w
        self.tolerated_w = np.where(tolerated < 0, -o.noise_w, tolerated)

    def __call__(self, channel: Ints) -> Floats:
        """The potential of channels [B, N]: [B]."""
        row = np.arange(len(channel))[:, None] * (self.channels + 1)
        group, member = np.unique(row + channel, return_inverse=True)
        away_w = np.where(channel > 0, self.power_w, 0.0).ravel()
        load, squares = (np.bincount(member.ravel(), own) for own in (away_w, away_w**2))
        pairs = np.bincount(group // (self.channels + 1), load**2 - squares, len(channel))
        home = np.where(channel == 0, self.power_w * self.tolerated_w, 0.0).sum(axis=1)
        rising: Floats = -home - 0.5 * pairs
        return rising
