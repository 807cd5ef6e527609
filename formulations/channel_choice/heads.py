"""Where the head parts run (load balance, paper 000, module C), and how long they take there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from formulations.channel_choice.instance import ChannelChoice

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Heads(NamedTuple):
    """N services whose heads run on one of H servers; all arrays read-only.

    Attributes
    ----------
    sharing : "count" (a server serves its n heads as if each were n times as large) or "work"
        (each waits for the sum of the heads there).
    home, away : [N] the server of omega 0, and the nearest one to it, of omega 1.
    head_flop : [N, C] psi1 of every candidate cut; columns beyond a service's cuts are padding.
    speed : [H] raw speed in FLOP/s.
    backlog_flop : [H] work that is there before.
    energy_j_per_flop : [H].
    """

    sharing: str
    home: Ints
    away: Ints
    head_flop: Floats
    speed: Floats
    backlog_flop: Floats
    energy_j_per_flop: Floats


def head_times(instance: ChannelChoice, omega: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Time and energy of every head part at every candidate cut.

    Parameters
    ----------
    instance : with load balance.
    omega : [B, N], 1 where the head runs on the nearest server.

    Returns
    -------
    head_s, head_j : [B, N, C] each.
    """
    heads = instance.heads
    if heads is None:
        raise ValueError("the instance has no load balance")
    batch, servers = len(omega), len(heads.speed)
    place = np.where(omega > 0, heads.away, heads.home)
    key = (np.arange(batch)[:, None] * servers + place).ravel()

    def added(amount: Floats | None) -> Floats:
        """Amounts [B, N] (1 each if None) added up over each server, at each service [B, N]."""
        weights = None if amount is None else amount.ravel()
        total: Floats = np.bincount(key, weights, batch * servers).astype(np.float64)
        return total[key].reshape(place.shape)

    backlog = heads.backlog_flop[place]
    if heads.sharing == "work":
        work = added(np.broadcast_to(heads.head_flop[:, 0], place.shape))
        waited = (backlog + work)[:, :, None]
    else:
        waited = backlog[:, :, None] + added(None)[:, :, None] * heads.head_flop
    head_s: Floats = waited / heads.speed[place][:, :, None]
    head_j: Floats = heads.energy_j_per_flop[place][:, :, None] * heads.head_flop
    return head_s, head_j
