"""Services decided one by one: what greedy, beam and learned methods build decisions on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.environment_kernels import look_ahead
from formulations.channel_choice.features import Features, squeezed
from formulations.channel_choice.instance import ChannelChoice
from optkit.environment import Environment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: What a policy sees of each option: load, room, services there, what it changes.
_SEEN_OF_OPTION = 4


@dataclass(frozen=True)
class Outlook:
    """What the options of the next step mean to B decisions: arrays [B, options].

    Attributes
    ----------
    cost : what each adds to the negative objective.
    allowed : the mask.
    load_w : received power of each channel before the step (not with load balance's steps).
    """

    cost: Floats
    allowed: Bools
    load_w: Floats


@dataclass(frozen=True)
class ChannelState:
    """B decisions that are being built: x [B, n], where what is not decided yet is 0."""

    step: int
    x: Ints
    outlook: Outlook


class ChannelEnvironment(Environment[ChannelState]):
    """Chooses the channel of each service, those that gain most on their own first, and then,
    with load balance, where each head runs.

    Who is not decided yet is at home, and heads that are not decided are too. The cost of an
    option is what it takes from the total quality of service of the decisions so far, including
    what it costs the others on the channel and, where the cloud is shared equally, everywhere; the
    first step carries the negative quality with all at home.

    The mask removes channels on which the service or anybody else would not gain or be late, all
    empty channels but the first, and home for a service that would be late there. Running a head
    elsewhere is removed where it would make somebody lose or late who was not before.

    Parameters
    ----------
    instance : whose decisions are built.
    """

    def __init__(self, instance: ChannelChoice) -> None:
        self.instance = instance
        self._offloading = instance.offloading()
        self._features = Features(instance)
        first = np.argsort(-self._features.solo_gain, kind="stable").astype(np.int64)
        self.order = np.concatenate([first, first + instance.services])[: len(instance.choices)]
        self.options = instance.channels + 1
        own = self._features.table.shape[1]
        self.observation_size = own + 2 + _SEEN_OF_OPTION * self.options

    def reset(self, batch: int) -> ChannelState:
        """State of B decisions with everything at home."""
        return self._look(0, np.zeros((batch, len(self.order)), dtype=np.int64))

    def mask(self, state: ChannelState) -> Bools:
        """[B, options]: which options leave everybody on the channel better off than at home."""
        return state.outlook.allowed

    def costs(self, state: ChannelState) -> Floats:
        """[B, options]: what each option takes from the total quality of service."""
        return state.outlook.cost

    def step(self, state: ChannelState, action: Ints) -> tuple[ChannelState, Floats]:
        """Decide the next position by action [B]; the next state and what that cost [B]."""
        x = state.x.copy()
        x[:, self.order[state.step]] = action
        return self._look(state.step + 1, x), state.outlook.cost[np.arange(len(x)), action]

    def observe(self, state: ChannelState) -> NDArray[np.float32]:
        """[B, observation_size]: features of the service (see `Features`), shares of all steps
        done and of services offloaded; then of each option: received power over noise, room left
        by who is there over the service's own power, share of services there, change of quality
        (relative to the largest that any service gains alone)."""
        position = self.order[min(state.step, len(self.order) - 1)]
        services = self.instance.services
        service, batch = position % services, len(state.x)
        o, outlook, channel = self._offloading, state.outlook, state.x[:, :services]
        count = (channel[:, :, None] == np.arange(self.options)).sum(axis=1)
        away = channel > 0
        offered = away.sum(axis=1) + (channel[:, service] == 0)
        tolerated = np.where(away, self._features.tolerated(offered), np.inf)
        least = np.full((batch, self.options), o.power_w.sum())
        rows = np.broadcast_to(np.arange(batch)[:, None], channel.shape)
        np.minimum.at(least, (rows, channel), tolerated)
        room = np.maximum(least - outlook.load_w, -o.power_w[service])
        room[:, 0] = 0.0
        change = np.where(np.isfinite(outlook.cost), -outlook.cost, 0.0)
        if state.step == 0:
            change -= self.instance.origin
        seen = (
            np.broadcast_to(self._features.table[position], (batch, self._features.table.shape[1])),
            np.full((batch, 1), state.step / len(self.order)),
            away.mean(axis=1, keepdims=True),
            squeezed(outlook.load_w / o.noise_w),
            squeezed(room / o.power_w[service]),
            count / services,
            np.clip(change / self._features.most_gain, -10.0, 10.0),
        )
        return np.hstack(seen).astype(np.float32)

    def select(self, state: ChannelState, rows: Ints) -> ChannelState:
        """State made of the named rows of this one."""
        now = state.outlook
        outlook = Outlook(now.cost[rows], now.allowed[rows], now.load_w[rows])
        return replace(state, x=state.x[rows], outlook=outlook)

    def decisions(self, state: ChannelState) -> tuple[Ints, Mapping[str, Any]]:
        """Decisions X [B, n]; there are no parts."""
        return state.x.copy(), {}

    def features(self) -> NDArray[np.float32]:
        """[n, features]: see `Features`."""
        return self._features.table.astype(np.float32)

    def _look(self, step: int, x: Ints) -> ChannelState:
        if step >= self.instance.services:
            return ChannelState(step, x, self._look_at_heads(step, x))
        channel = np.ascontiguousarray(x[:, : self.instance.services])
        service = int(self.order[step])
        change, allowed, load = look_ahead(self._offloading, channel, service)
        cost = -change - (self.instance.origin if step == 0 else 0.0)
        empty = load == 0.0
        empty[:, 0] = False
        allowed &= ~empty | (np.cumsum(empty, axis=1) == 1)
        if not self.instance.balanced:
            allowed[:, 0] = not self._offloading.late_at_home[service]
        return ChannelState(step, x, Outlook(cost, allowed, load))

    def _look_at_heads(self, step: int, x: Ints) -> Outlook:
        """Only the first two options of a step of load balance exist."""
        shape = (len(x), self.options)
        cost, allowed = np.full(shape, np.inf), np.zeros(shape, dtype=bool)
        if step < len(self.order):
            moved = x.copy()
            moved[:, self.order[step]] = 1
            before, after = (self.instance.evaluate_batch(decisions) for decisions in (x, moved))
            cost[:, 0], allowed[:, 0] = 0.0, True
            cost[:, 1] = before.objective - after.objective
            allowed[:, 1] = True
            for name, amount in after.violations.items():
                new = (amount > 0) & (before.violations[name] == 0)
                allowed[:, 1] &= ~new.reshape(len(x), -1).any(axis=1)
        return Outlook(cost, allowed, np.zeros(shape))
