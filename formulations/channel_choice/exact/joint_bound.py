"""A bound on channels and load balance together, from channels that are known to be good.

With heads at omega and channels x, service i has Q_i = 1 - log2(1 + Gamma_i / varpi), where
Gamma_i depends on omega only through its *state* s_i: where its head runs, and behind how much
work. For any reference channels y

    Q_i(s, x) = Q_i(s, y) + log2((varpi + Gamma_i(s, y)) / (varpi + Gamma_i(s, x))),

so that ``max_omega sum_i Q_i(s_i(omega), y) + max_x sum_i max_s log2(...)`` bounds them all, s
over the states that service i can still be in. The first maximum is the load balance at held
channels. The second is a choice of channels once each state is written as further candidate
cuts: overheads are scaled by rho_s = (varpi + reference) / (varpi + Gamma_i(s, y)), which all
times and energies of a cut can be. At x = y it is 0: the bound is as good as the reference, but
for what some *other* channels could gain if every service were in the state that suits them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.balance_sets import (
    balance_by_set,
    hosted_services,
)
from formulations.channel_choice.exact.balance_trees import balance_by_count, forest
from formulations.channel_choice.exact.balance_values import CountTables, HeldChannels
from formulations.channel_choice.exact.useful_cuts import with_useful_cuts
from formulations.channel_choice.heads import Heads
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.offloading import SLACK, Offloading, at_home, home_rows
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: Sets of heads, over all servers, that a balance by work looks at.
_MOST_SETS = 1 << 17
#: Reference channels whose values are kept.
_KEPT = 4


class States(NamedTuple):
    """Rows [R]: a service, the server that runs its head, the work [R, C] that ends with it."""

    service: Ints
    place: Ints
    waited_flop: Floats


class Relaxed(NamedTuple):
    """A bound with its two halves.

    Attributes
    ----------
    constant : the bound is this plus the largest gain in `offloading`.
    optimism : [N] the part of it that each service would gain at home.
    omega : [N] the best places for the reference channels, a completion of what is decided.
    offloading : the choice of channels that is left.
    """

    constant: float
    optimism: Floats
    omega: Ints
    offloading: Offloading


class _Tables(NamedTuple):
    """Values at reference channels.

    Attributes
    ----------
    held : the reference channels.
    counts : values by place and count, for ``count`` sharing.
    sets : of each server the values of the sets that it can host, for ``work`` sharing; empty
        where there are too many.
    forbids : what makes any place worse than every other.
    """

    held: HeldChannels
    counts: CountTables | None
    sets: dict[int, Floats]
    forbids: float


class JointBound:
    """Bounds for an instance with load balance and places that are partly decided.

    Parameters
    ----------
    instance : with load balance.
    run : makes do with a weaker load balance once it is to stop.
    """

    def __init__(self, instance: ChannelChoice, run: Run | None = None) -> None:
        heads = instance.heads
        if heads is None:
            raise ValueError("the instance has no load balance")
        self._instance, self._run = instance, run
        self._heads: Heads = heads
        self._o = instance.static
        self._several_cuts = heads.head_flop.shape[1] > 1
        self._timed: Bools = np.isfinite(self._o.deadline_s)
        self._by_work = heads.sharing == "work"
        nearest = np.array([server.nearest for server in instance.document.servers])
        self._graph = forest(nearest)
        self._hosted = hosted_services(heads.home, nearest, self._graph)
        self._known: dict[bytes, _Tables] = {}

    def relaxed(self, fixed: Ints, reference: Ints) -> Relaxed:
        """The bound for places `fixed` [N] (-1: undecided) from reference channels [N].

        Parameters
        ----------
        fixed : 0 or 1 where omega is decided.
        reference : any channels; what they break does not matter.
        """
        tables = self._at(reference)
        omega, total = self._balanced(tables, fixed)
        states = self._states(tables.held, fixed)
        offloading, optimism = self._scaled(tables.held, states)
        optimum = total + float(optimism.sum())
        return Relaxed(optimum, optimism, omega, with_useful_cuts(offloading))

    # --- the load balance at reference channels ---------------------------------------------------

    def _at(self, reference: Ints) -> _Tables:
        """Values at reference channels; those of the last ones are kept, for the next nodes."""
        key = reference.tobytes()
        if key not in self._known:
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self._tables(reference)
        return self._known[key]

    def _tables(self, reference: Ints) -> _Tables:
        held = HeldChannels(self._instance, reference)
        if not self._by_work:
            counts = held.count_tables()
            every = np.concatenate([counts.stay, counts.send], axis=1)
            return _Tables(held, counts, {}, 1.0 + float(np.ptp(every, axis=1).sum()))
        # Its states are too many to look at all, as a deadline would need: see `_states`.
        held.offloaded = held.offloaded & ~self._timed
        sets = {}
        if sum(1 << len(server.services) for server in self._hosted) <= _MOST_SETS:
            sets = {h: held.set_table(h, what).quality for h, what in enumerate(self._hosted)}
        return _Tables(held, None, sets, 1.0 + sum(float(np.ptp(v)) for v in sets.values()))

    def _balanced(self, tables: _Tables, fixed: Ints) -> tuple[Ints, float]:
        """The best completion of places, and a bound on its quality at the reference channels."""
        heads, held = self._heads, tables.held
        if tables.counts is not None:
            stay, send = tables.counts.stay, tables.counts.send
            omega = balance_by_count(
                heads.home,
                held.nearest,
                stay - tables.forbids * (fixed == 1)[:, None],
                send - tables.forbids * (fixed == 0)[:, None],
                self._run,
            )
            if omega is None:
                return self._unbalanced(held, fixed)
            place = np.where(omega > 0, heads.away, heads.home)
            there = np.bincount(place)[place]
            rows = np.arange(len(omega))
            return omega, float(np.where(omega > 0, send[rows, there], stay[rows, there]).sum())
        if not tables.sets:
            return self._unbalanced(held, fixed)
        worth = {}
        for h, server in enumerate(self._hosted):
            own = np.arange(len(server.services)) < server.sizes[0]
            decided = fixed[server.services]
            elsewhere = np.flatnonzero(np.where(own, decided == 1, decided == 0))
            broken = np.arange(len(tables.sets[h])) & int((1 << elsewhere).sum()) > 0
            worth[h] = tables.sets[h] - tables.forbids * broken
        omega = np.zeros(len(fixed), dtype=np.int64)
        balance_by_set(held.nearest, self._graph, self._hosted, worth, omega)
        place = np.where(omega > 0, heads.away, heads.home)
        total = 0.0
        for h, server in enumerate(self._hosted):
            there = np.flatnonzero(place[server.services] == h)
            total += float(tables.sets[h][int((1 << there).sum())])
        return omega, total

    def _unbalanced(self, held: HeldChannels, fixed: Ints) -> tuple[Ints, float]:
        """Each service where it is best off for itself: too good, where the best takes too long."""
        states = self._states(held, fixed, least=True)
        quality = held.worth(*states).quality
        best = np.full(len(fixed), -np.inf)
        np.maximum.at(best, states.service, quality)
        away = (states.place != self._heads.home[states.service]) & (
            quality == best[states.service]
        )
        omega = np.zeros(len(fixed), dtype=np.int64)
        omega[states.service[away]] = 1
        return np.where(fixed < 0, omega, fixed), float(best.sum())

    # --- the channels at the best states ----------------------------------------------------------

    def _states(self, held: HeldChannels, fixed: Ints, least: bool = False) -> States:
        """The states that services can still be in, or those of them that decide the maximum.

        With one cut and no deadline, rest R of an overhead h + R does not depend on the head's
        cost h, and (varpi + h + S) / (varpi + h + R) is largest at the largest h where R > S, at
        the least where R < S. At home for reference S >= R: then the least h, with a deadline
        too, since R only grows as the head takes longer.
        """
        heads = self._heads
        size = heads.head_flop[:, 0] if self._by_work else np.ones(len(fixed))
        servers = len(heads.speed)
        open_ = fixed < 0
        place = np.where(fixed == 1, heads.away, heads.home)
        certain, possible = np.zeros(servers), np.zeros(servers)
        np.add.at(certain, place[~open_], size[~open_])
        np.add.at(possible, heads.home[open_], size[open_])
        np.add.at(possible, heads.away[open_], size[open_])
        simple = np.full(len(fixed), not self._several_cuts)
        only_low = simple & ~held.offloaded
        all_between = ~only_low & ~(simple & ~self._timed)
        services: list[Ints] = []
        hosts: list[Ints] = []
        amounts: list[Floats] = []
        for omega, where in enumerate((heads.home, heads.away)):
            service = np.flatnonzero(open_ | (fixed == omega))
            server = where[service]
            low = certain[server] + np.where(open_[service], size[service], 0.0)
            high = certain[server] + possible[server]
            wide = np.flatnonzero(~only_low[service] & (high > low))
            between = wide[all_between[service[wide]]]
            steps = np.maximum(high - low - 1, 0).astype(np.int64)[between]
            step = np.arange(steps.sum()) - np.repeat(np.cumsum(steps) - steps, steps)
            inner = np.repeat(between, steps)
            if least:
                wide = inner = wide[:0]
                step = step[:0]
            for rows, amount in (
                (np.arange(len(service)), low),
                (wide, high[wide]),
                (inner, low[inner] + 1.0 + step),
            ):
                services.append(service[rows])
                hosts.append(server[rows])
                amounts.append(amount)
        service, server, work = (
            np.concatenate(services), np.concatenate(hosts), np.concatenate(amounts),
        )  # fmt: skip
        backlog = heads.backlog_flop[server][:, None]
        each = np.ones((len(service), 1)) if self._by_work else heads.head_flop[service]
        states = States(service, server, backlog + work[:, None] * each)
        if least:
            return states
        return self._extreme(states, simple & ~self._timed, held.offloaded)

    def _extreme(self, states: States, simple: Bools, offloaded: Bools) -> States:
        """Of the states of simple services only that of least cost, and of most if offloaded."""
        head_s, head_j = self._head_parts(states)
        o = self._o
        cost = o.time_weight_per_s[states.service] * head_s[:, 0]
        cost += o.energy_weight_per_j[states.service] * head_j[:, 0]
        order = np.lexsort((cost, states.service))
        service = states.service[order]
        first = np.concatenate([[True], service[1:] != service[:-1]])
        last = np.concatenate([first[1:], [True]])
        kept = order[~simple[service] | first | (last & offloaded[service])]
        return States(*(column[kept] for column in states))

    def _head_parts(self, states: States) -> tuple[Floats, Floats]:
        heads = self._heads
        head_s = states.waited_flop / heads.speed[states.place][:, None]
        joule = heads.energy_j_per_flop[states.place][:, None]
        return head_s, joule * heads.head_flop[states.service]

    def _scaled(self, held: HeldChannels, states: States) -> tuple[Offloading, Floats]:
        """The choice of channels with every state as further cuts, and what home gains [N] in it.

        `states` come service by service.
        """
        o, service = self._o, states.service
        services, width = o.head_s.shape
        head_s, head_j = self._head_parts(states)
        rows = home_rows(o, service)
        home = at_home(rows, head_s[None], head_j[None], choose=True)
        late = home.delay_s[0] > rows.deadline_s * (1 + SLACK)
        # varpi + Gamma, over varpi
        reference = np.exp2(1.0 - held.worth(*states).quality)
        least = np.full(services, np.inf)
        np.minimum.at(least, service, reference)
        scale = least[service] / reference  # at most 1
        local = np.full(services, np.inf)
        at_home_too = scale * (o.threshold + home.overhead[0])
        np.minimum.at(local, service[~late], at_home_too[~late])
        never = np.isinf(local)
        np.minimum.at(local, service, np.where(never[service], at_home_too, np.inf))
        # A deadline stays where it is: T is met in time exactly if rho T + (1 - rho) D is.
        moved_s = np.where(self._timed[service], o.deadline_s[service], 0.0) * (1.0 - scale)
        moved = o.threshold * scale - o.time_weight_per_s[service] * moved_s
        moved_j = moved / o.energy_weight_per_j[service] + (scale - 1.0) * o.hold_energy_j[service]
        count = np.bincount(service, minlength=services)
        begin = np.cumsum(count) - count
        row = begin[:, None] + np.minimum(np.arange(count.max()), count[:, None] - 1)

        def wide(values: Floats, add: Floats | None = None) -> Floats:
            """Values [R, C] of states, scaled, as candidate cuts of services [N, K C]."""
            scaled = scale[:, None] * values
            if add is not None:
                scaled = scaled + add[:, None]
            return np.ascontiguousarray(scaled[row].reshape(services, -1))

        changed = o._replace(
            threshold=0.0,  # in the overheads now, which are positive
            cuts=count * width,
            cut_index=np.zeros((services, row.shape[1] * width), dtype=np.int64),
            head_s=wide(head_s, moved_s),
            head_j=wide(head_j, moved_j),
            tail_s=wide(rows.tail_s),
            tail_j=wide(rows.tail_j),
            tail_flop=wide(o.tail_flop[service]),
            cloud_j=wide(o.cloud_j[service]),
            transfer_bits=wide(o.transfer_bits[service]),
            local_overhead=local,
            late_at_home=never,
            require_profitable=False,
        )
        for value in changed:
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        return changed, np.log2(o.threshold * least / local)
