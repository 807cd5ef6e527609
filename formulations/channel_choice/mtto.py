"""MTTO: whole models offloaded by the game, then the best shares of the cloud (paper 000)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.cloud_shares import best_shares
from formulations.channel_choice.dynamics import walk
from formulations.channel_choice.game import channel_game
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.objective import qos
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.segmentation import Offloads, cheapest_offloads
from formulations.channel_choice.whole_model import applies, whole_model
from optkit.errors import MethodUnavailable
from optkit.run import Run
from optkit.search.best_response import SLOTS
from optkit.search.walks import answer_end, note_path

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def mtto(instance: ChannelChoice, run: Run) -> None:
    """The offloading game ("own" rule) with whole models, then optimal shares of the cloud.

    The channels are judged on the given instance, heads at home, and so is what the details say
    of an equilibrium. ``whole_model_objective`` is their worth with whole models and equal
    shares, ``shares_objective`` with the best shares: no method that learns to allocate the
    cloud for these channels and fractions does better. ``None`` where the cloud's speed is fixed.

    Parameters
    ----------
    instance : what is solved.
    run : where the answer goes; one iteration a stretch of slots.
    """
    whole = whole_model(instance)
    if whole is None:
        raise MethodUnavailable(f"method mtto: {applies(instance)}")
    path = walk(whole, run, "own", SLOTS * instance.services)
    note_path(run, path, trace=False)
    run.note(
        whole_model_objective=path.trajectory[-1], shares_objective=shared_objective(whole, path.z)
    )
    answer_end(instance, channel_game(instance), run, path.z)


def shared_objective(instance: ChannelChoice, channel: Ints) -> float | None:
    """Objective of channels [N] with the best shares of the cloud instead of equal ones.

    Shares are the best for the cuts and fractions that are the best at equal shares; with these
    shares, cuts and fractions are then chosen anew.
    """
    o = instance.offloading()
    if not o.equal_share:
        return None
    away = np.flatnonzero(channel)
    overhead = o.local_overhead.copy()
    if len(away):
        speed = o.cloud_speed_flop_per_s
        load_w = np.bincount(channel, o.power_w, o.channels + 1)[channel[away]]
        interference_w = np.maximum(load_w - o.power_w[away], 0.0)
        heads = (o.head_s[away], o.head_j[away])
        equal = np.full(len(away), speed / len(away))
        before = cheapest_offloads(o, away, interference_w, equal, *heads)
        work = before.delta * o.tail_flop[away, before.cut]
        alpha = o.time_weight_per_s[away]
        rest = o.threshold + before.overhead - alpha * work / equal
        most = np.full(len(away), np.inf)
        if o.parallel:  # what waits for its local part gains nothing by a faster cloud
            sent_s = _sent_s(o, away, interference_w, before)
            kept_s = (1 - before.delta) * o.tail_s[away, before.cut]
            elsewhere = alpha * (before.delay_s - o.head_s[away, before.cut] - sent_s)
            rest = o.threshold + before.overhead - elsewhere
            waits = kept_s > sent_s
            most[waits] = work[waits] / (kept_s - sent_s)[waits]
        shares = best_shares(rest, alpha * work, most, speed)
        idle = shares <= 0
        shares[idle] = equal[idle]  # those need none
        overhead[away] = cheapest_offloads(o, away, interference_w, shares, *heads).overhead
    return float(qos(o, overhead).sum())


def _sent_s(o: Offloading, service: Ints, interference_w: Floats, chosen: Offloads) -> Floats:
    """Seconds [K] of the transfer to the cloud (Eq. 8)."""
    efficiency = np.log1p(o.power_w[service] / (o.noise_w + interference_w)) / np.log(2.0)
    seconds: Floats = o.transfer_bits[service, chosen.cut] / (o.bandwidth_hz * efficiency)
    return seconds * chosen.delta if o.scaled else seconds
