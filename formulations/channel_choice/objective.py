"""The one evaluator of channel_choice, batched over decisions (paper 000, Eqs. 8-19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.heads import head_times
from formulations.channel_choice.offloading import SLACK, AtHome, Offloading, at_home
from formulations.channel_choice.segmentation import cheapest_offloads
from optkit.evaluation import BatchEvaluation

if TYPE_CHECKING:
    from formulations.channel_choice.instance import ChannelChoice

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Numbers in one intermediate array, so that all of them stay in a processor's cache.
_BLOCK = 14_000
#: Above so many channels for each service, those that nobody is on are left out of sums.
_SPARSE = 4


class Outcome(NamedTuple):
    """What every service experiences under B decisions, arrays [B, N].

    Attributes
    ----------
    overhead : Gamma, of offloading where offloaded, else at home.
    local_overhead : Gamma^e, at home, wherever the service is.
    delay_s, energy_j : T and E.
    cut : candidate cut; delta : fraction of the tail that is offloaded.
    """

    overhead: Floats
    local_overhead: Floats
    delay_s: Floats
    energy_j: Floats
    cut: Ints
    delta: Floats


def judge(
    o: Offloading, channel: Ints, head_s: Floats | None = None, head_j: Floats | None = None
) -> Outcome:
    """What channels [B, N] (0 is home) mean to every service.

    Parameters
    ----------
    o : the services.
    channel : [B, N], each in 0..M.
    head_s, head_j : [B, N, C] head parts where they run in each decision; those of `o` if None.
    """
    batch, services = channel.shape
    shape = (batch, services)
    if head_s is None or head_j is None:
        home = AtHome(o.local_overhead, o.local_s, o.local_j, o.local_cut)
    else:
        home = at_home(o, head_s, head_j, choose=True)
    overhead, delay, energy = (_spread(column, shape) for column in home[:3])
    cut = np.array(np.broadcast_to(home.cut, shape), order="C")
    local, delta = overhead.copy(), np.zeros(shape)
    key, groups = _groups(o, channel)
    load = np.bincount(key, _spread(o.power_w, shape).ravel(), groups)
    flat = np.flatnonzero(channel > 0)
    row, service = np.divmod(flat, services)
    interference = np.maximum(load[key[flat]] - o.power_w[service], 0.0)
    cloud = np.full(batch, o.cloud_speed_flop_per_s)
    if o.equal_share:
        cloud /= np.maximum((channel > 0).sum(axis=1), 1)
    if head_s is None or head_j is None:
        own_s, own_j = o.head_s[service], o.head_j[service]
    else:
        own_s, own_j = (parts.reshape(batch * services, -1)[flat] for parts in (head_s, head_j))
    if len(flat):
        found = cheapest_offloads(o, service, interference, cloud[row], own_s, own_j)
        for values, new in zip((overhead, delay, energy, cut, delta), found, strict=True):
            values.reshape(-1)[flat] = new
    return Outcome(overhead, local, delay, energy, cut, delta)


def _groups(o: Offloading, channel: Ints) -> tuple[Ints, int]:
    """A number [B * N] of the channel that each service is on in each decision [B, N], and how
    many numbers there are."""
    batch, services = channel.shape
    key = (np.arange(batch)[:, None] * (o.channels + 1) + channel).ravel()
    if o.channels <= _SPARSE * services:
        return key, batch * (o.channels + 1)
    used, key = np.unique(key, return_inverse=True)
    return key, len(used)


def _spread(column: Floats, shape: tuple[int, int]) -> Floats:
    """A writable copy of numbers of each service in the shape of a batch."""
    return np.array(np.broadcast_to(column, shape), dtype=np.float64, order="C")


def qos(o: Offloading, overhead: Floats) -> Floats:
    """Quality of service of an overhead (Eq. 19)."""
    return 1.0 - np.log2(1.0 + overhead / o.threshold)


def evaluate(instance: ChannelChoice, decisions: Ints) -> BatchEvaluation:
    """Judge decisions X [B, n]; the objective is the total quality of service (Eq. 17)."""
    o = instance.static
    step = max(1, _BLOCK // (o.head_s.size + min(o.channels, instance.services)))
    blocks = [
        _evaluate(instance, decisions[first : first + step])
        for first in range(0, max(len(decisions), 1), step)
    ]
    if len(blocks) == 1:
        return blocks[0]
    joined = []
    for field in ("terms", "violations"):
        parts = [getattr(block, field) for block in blocks]
        joined.append({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    return BatchEvaluation(
        np.concatenate([block.objective for block in blocks]),
        np.concatenate([block.scale for block in blocks]),
        *joined,
    )


def _evaluate(instance: ChannelChoice, decisions: Ints) -> BatchEvaluation:
    o = instance.offloading()
    services = instance.services
    channel, omega = decisions[:, :services], decisions[:, services:]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        heads = head_times(instance, omega) if instance.balanced else (None, None)
        outcome = judge(o, channel, *heads)
        own = qos(o, outcome.overhead)
        total = own.sum(axis=1)
        local = qos(o, outcome.local_overhead).sum(axis=1)
        terms = {
            "qos_total": total,
            "qos_local": local,
            "gain_total": total - local,
            "delay_s": outcome.delay_s.sum(axis=1),
            "energy_j": outcome.energy_j.sum(axis=1),
            **_offloaded(o, channel, outcome),
            "qos": own,
        }
        # Each quality of service is 1 minus a logarithm that is not negative.
        scale = 2.0 * services - total
        return BatchEvaluation(total, scale, terms, _violations(o, channel, outcome))


def _offloaded(o: Offloading, channel: Ints, outcome: Outcome) -> dict[str, Floats]:
    """How many are offloaded, and how much of all tails."""
    away = channel > 0
    tail = np.broadcast_to(o.tail_flop, (len(channel), *o.tail_flop.shape))
    tail = np.take_along_axis(tail, outcome.cut[:, :, None], axis=2)[:, :, 0]
    every = tail.sum(axis=1)
    count = away.sum(axis=1).astype(np.float64)
    moved = (outcome.delta * tail).sum(axis=1)
    return {
        "offloaded": count,
        "offload_rate_flop": np.divide(moved, every, out=np.zeros_like(moved), where=every > 0),
        "offload_rate_count": count / channel.shape[1],
    }


def _violations(o: Offloading, channel: Ints, outcome: Outcome) -> dict[str, Floats]:
    """Amounts [B, N] by which services cost more than at home, or miss their deadline."""
    found: dict[str, Floats] = {}
    if o.require_profitable:
        dear = outcome.overhead > outcome.local_overhead * (1 + SLACK)
        dear &= channel > 0
        found["unprofitable"] = np.where(dear, outcome.overhead - outcome.local_overhead, 0.0)
    if np.isfinite(o.deadline_s).any():
        late = outcome.delay_s > o.deadline_s * (1 + SLACK)
        found["deadline"] = np.where(late, outcome.delay_s - o.deadline_s, 0.0)
    return found
