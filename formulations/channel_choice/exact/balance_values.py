"""What each service is worth by where its head runs and with whom, its channel held."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.balance_sets import Hosted
from formulations.channel_choice.exact.balance_trees import most_heads
from formulations.channel_choice.heads import Heads
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.objective import qos
from formulations.channel_choice.offloading import SLACK, at_home, home_rows
from formulations.channel_choice.segmentation import cheapest_offloads

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: Numbers in one array of rows and cuts.
_CELLS = 2_000_000


class Worth(NamedTuple):
    """Quality of service (Eq. 19) of rows [R], finite, and what each row breaks."""

    quality: Floats
    broken: Ints


class CountTables(NamedTuple):
    """Values by place and count.

    Attributes
    ----------
    stay, send : [N, P + 1] value of each service with its head at home, or on the nearest server,
        by the number of heads there; 0 beyond what a server can host.
    stay_broken, send_broken : [N, P + 1] constraints that this service then breaks.
    """

    stay: Floats
    send: Floats
    stay_broken: Ints
    send_broken: Ints

    def penalised(self) -> tuple[Floats, Floats]:
        """`stay` and `send`, less so much for each broken constraint that fewest are broken."""
        if not (self.stay_broken.any() or self.send_broken.any()):
            return self.stay, self.send
        every = np.concatenate([self.stay, self.send], axis=1)
        cost = 1.0 + float(np.ptp(every, axis=1).sum())
        return self.stay - cost * self.stay_broken, self.send - cost * self.send_broken


class HeldChannels:
    """An instance with load balance whose channels are held.

    Interference and the shares of the cloud are then constants, and so is the quality of every
    service once the time and energy of its head are known: cuts and fractions are chosen behind.

    Parameters
    ----------
    instance : with load balance.
    channel : [N] 0 for home.

    Attributes
    ----------
    heads : data of the load balance.
    nearest : [H] server nearest to each.
    most : [H] heads that each server can come to host.
    offloaded : [N] whether a service has a channel.
    """

    def __init__(self, instance: ChannelChoice, channel: Ints) -> None:
        heads = instance.heads
        if heads is None:
            raise ValueError("the instance has no load balance")
        self.heads: Heads = heads
        self._o = o = instance.static
        self.offloaded: Bools = channel > 0
        load_w = np.bincount(channel, o.power_w, o.channels + 1)[channel]
        self._interference_w = np.maximum(load_w - o.power_w, 0.0)
        sharers = max(int(self.offloaded.sum()), 1) if o.equal_share else 1
        self._cloud = o.cloud_speed_flop_per_s / sharers
        self.nearest = np.array([server.nearest for server in instance.document.servers])
        self.most = most_heads(heads.home, self.nearest)

    def worth(self, service: Ints, place: Ints, waited_flop: Floats) -> Worth:
        """Quality of services [R] whose heads, on servers [R], end behind so much work [R, C]."""
        rows = max(1, _CELLS // waited_flop.shape[1])
        if len(service) <= rows:
            return self._worth(service, place, waited_flop)
        parts = []
        for first in range(0, len(service), rows):
            chunk = slice(first, first + rows)
            parts.append(self._worth(service[chunk], place[chunk], waited_flop[chunk]))
        return Worth(
            np.concatenate([part.quality for part in parts]),
            np.concatenate([part.broken for part in parts]),
        )

    def _worth(self, service: Ints, place: Ints, waited_flop: Floats) -> Worth:
        heads, o = self.heads, self._o
        head_s = waited_flop / heads.speed[place][:, None]
        head_j = heads.energy_j_per_flop[place][:, None] * heads.head_flop[service]
        rows = home_rows(o, service)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            home = at_home(rows, head_s[None], head_j[None], choose=True)
            overhead, delay_s = home.overhead[0], home.delay_s[0]
            away = np.flatnonzero(self.offloaded[service])
            dear = np.zeros(len(service), dtype=bool)
            if len(away):
                offloads = cheapest_offloads(
                    o, service[away], self._interference_w[service[away]],
                    np.full(len(away), self._cloud), head_s[away], head_j[away],
                )  # fmt: skip
                if o.require_profitable:
                    dear[away] = offloads.overhead > overhead[away] * (1 + SLACK)
                overhead[away], delay_s[away] = offloads.overhead, offloads.delay_s
            late = delay_s > rows.deadline_s * (1 + SLACK)
            quality = qos(o, overhead)
        endless = ~np.isfinite(quality)
        quality[endless] = 0.0
        return Worth(quality, late.astype(np.int64) + dear + endless)

    def count_tables(self) -> CountTables:
        """Values of every service by place and number of heads, for ``count`` sharing."""
        heads, most = self.heads, self.most
        width = int(most.max(initial=0)) + 1
        tables = []
        for place in (heads.home, heads.away):
            service, heads_there = np.nonzero(np.arange(width) <= most[place][:, None])
            hosting = heads_there > 0
            service, heads_there = service[hosting], heads_there[hosting]
            where = place[service]
            waited = heads_there[:, None] * heads.head_flop[service]
            worth = self.worth(service, where, heads.backlog_flop[where][:, None] + waited)
            table = np.zeros((len(place), width))
            broken = np.zeros((len(place), width), dtype=np.int64)
            table[service, heads_there], broken[service, heads_there] = worth
            tables.append((table, broken))
        (stay, stay_broken), (send, send_broken) = tables
        return CountTables(stay, send, stay_broken, send_broken)

    def set_table(self, server: int, hosted: Hosted) -> Worth:
        """Quality of all that a server hosts together, for every set [2^n] of what it can host."""
        heads, services = self.heads, hosted.services
        inside = np.arange(1 << len(services))[:, None] >> np.arange(len(services)) & 1 > 0
        states, position = np.nonzero(inside)
        service = services[position]
        place = np.full(len(service), server)
        if heads.sharing == "work":
            # The evaluator adds up in the order of the services' numbers.
            work = np.zeros(len(inside))
            for bit in np.argsort(services):
                work[inside[:, bit]] += heads.head_flop[services[bit], 0]
            waited = np.broadcast_to(work[states][:, None], (len(states), heads.head_flop.shape[1]))
        else:
            waited = inside.sum(axis=1)[states][:, None] * heads.head_flop[service]
        worth = self.worth(service, place, heads.backlog_flop[server] + waited)
        quality = np.zeros(len(inside))
        broken = np.zeros(len(inside), dtype=np.int64)
        np.add.at(quality, states, worth.quality)
        np.add.at(broken, states, worth.broken)
        return Worth(quality, broken)
