"""Twins placed one by one: what greedy, beam and learned methods build decisions on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.features import slots
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.sharing import added_delay, smith_orders
from optkit.environment import Environment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_LARGEST_FEATURE = 10.0


@dataclass
class TwinState:
    """B partial decisions after `step` twins; each array has a leading axis B."""

    step: int
    server: Ints  # [B, M] of the twins placed so far, in the order of placing
    computing_s: Floats  # [B, M] of the same twins, by what is there so far
    behind: Floats  # [B, S] devices
    load: Floats  # [B, R, S]
    outlook: Outlook | None = None


@dataclass
class Outlook:
    """What each server means for the next twin."""

    cost: Floats  # [B, S]
    allowed: NDArray[np.bool_]  # [B, S]
    own_s: Floats  # [B, S] computing time of the next twin itself
    longer_s: Floats  # [B, step] what it adds to that of each twin placed, if it joins it


class TwinEnvironment(Environment[TwinState]):
    """Places twins by decreasing weighted computing time, ties by index.

    The cost of a server is what it adds to the objective: the pair's own, what the twin and those
    already there cost each other, and what they lose to each other behind a backhaul. Loads and
    latencies only grow, so the mask removes every server on which a limit or anyone's deadline
    would be broken, and no other.

    Parameters
    ----------
    instance : whose decisions are built.
    """

    def __init__(self, instance: TwinAssignment) -> None:
        self.instance = instance
        self.order = _by_weight(instance)
        self.options = instance.servers
        self.observation_size = 3 * instance.servers + 1
        usable = np.abs(instance.tables.cost[instance.open])
        self._unit = float(usable.mean()) if usable.any() else 1.0
        self._place = np.zeros((0, 0), dtype=np.int64)  # [S or 1, M] in the order of "wspt"
        if instance.cpu_sharing == "wspt":
            self._place = np.argsort(smith_orders(instance.tables), axis=1)

    def reset(self, batch: int) -> TwinState:
        """State of B empty decisions."""
        twins = (batch, self.instance.twins)
        return TwinState(
            step=0,
            server=np.zeros(twins, dtype=np.int64),
            computing_s=np.zeros(twins),
            behind=np.zeros((batch, self.instance.servers)),
            load=np.zeros((batch, *self.instance.tables.limit.shape)),
        )

    def mask(self, state: TwinState) -> NDArray[np.bool_]:
        """[B, S]: which servers keep every limit and deadline."""
        return self._outlook(state).allowed

    def costs(self, state: TwinState) -> Floats:
        """[B, S]: what each server adds to the objective; infinite where it is forbidden."""
        return self._outlook(state).cost

    def step(self, state: TwinState, action: Ints) -> tuple[TwinState, Floats]:
        """Place the next twin on server action [B]; the next state and what that cost [B]."""
        tables, outlook, now = self.instance.tables, self._outlook(state), state.step
        twin, rows = self.order[now], np.arange(len(action))
        after = self.select(state, rows)  # a copy
        after.step, after.outlook = now + 1, None
        after.server[:, now] = action
        after.computing_s[:, now] = outlook.own_s[rows, action]
        joined = state.server[:, :now] == action[:, None]
        after.computing_s[:, :now] += np.where(joined, outlook.longer_s, 0.0)
        after.behind[rows, action] += tables.devices[twin] * tables.allowed[twin, action]
        after.load[rows, :, action] += tables.demand[:, twin, action].T
        return after, outlook.cost[rows, action]

    def observe(self, state: TwinState) -> NDArray[np.float32]:
        """[B, 3 S + 1]: of the next twin on each server, its own cost and what joining those
        there adds to it, both over the mean cost of a pair, and the room left after it as a share
        of the tightest limit; then the share of twins placed."""
        tables, batch = self.instance.tables, len(state.server)
        if state.step == len(self.order):
            done = np.zeros((batch, self.observation_size), dtype=np.float32)
            done[:, -1] = 1.0
            return done
        twin = self.order[state.step]
        own = np.where(tables.allowed[twin], tables.cost[twin] / self._unit, _LARGEST_FEATURE)
        added = (self.costs(state) - tables.cost[twin]) / self._unit
        room = np.ones((batch, self.options))
        for row, limit in enumerate(tables.limit):
            left = limit - state.load[:, row] - tables.demand[row, twin]
            share = np.divide(
                left, limit, out=np.sign(left), where=np.isfinite(limit) & (limit > 0)
            )
            room = np.minimum(room, share)
        placed = np.full((batch, 1), state.step / len(self.order))
        columns = (np.broadcast_to(own, room.shape), added, room, placed)
        features: Floats = np.clip(np.hstack(columns), -_LARGEST_FEATURE, _LARGEST_FEATURE)
        return features.astype(np.float32)

    def select(self, state: TwinState, rows: Ints) -> TwinState:
        """State made of the named rows of this one."""
        outlook = state.outlook
        if outlook is not None:
            outlook = Outlook(
                outlook.cost[rows],
                outlook.allowed[rows],
                outlook.own_s[rows],
                outlook.longer_s[rows],
            )
        return replace(
            state,
            server=state.server[rows],
            computing_s=state.computing_s[rows],
            behind=state.behind[rows],
            load=state.load[rows],
            outlook=outlook,
        )

    def decisions(self, state: TwinState) -> tuple[Ints, Mapping[str, Any]]:
        """Decisions X [B, M] of a state after the last step; there are no parts."""
        x = np.zeros_like(state.server)
        x[:, self.order] = state.server
        return x, {}

    def features(self) -> NDArray[np.float32] | None:
        """[M, 96]: the devices of each twin in 24 slots; ``None`` without devices."""
        return slots(self.instance.document)

    def _outlook(self, state: TwinState) -> Outlook:
        if state.outlook is None:
            state.outlook = self._look(state)
        return state.outlook

    def _look(self, state: TwinState) -> Outlook:
        tables, rule = self.instance.tables, self.instance.cpu_sharing
        twin, batch = self.order[state.step], len(state.server)
        placed, server = self.order[: state.step], state.server[:, : state.step]
        both = tables.allowed[twin, server] & tables.allowed[placed, server]

        def total(amounts: Floats) -> Floats:
            """Sum over the twins on each server [B, S] of amounts [B, step]."""
            place = server + self.options * np.arange(batch)[:, None]
            sums = np.bincount(place.ravel(), amounts.ravel(), batch * self.options)
            return sums.reshape(added.shape).astype(np.float64)

        added = np.zeros((batch, self.options))
        own_s = np.broadcast_to(tables.compute_s[twin], added.shape)
        longer_s = np.zeros(server.shape)
        if rule != "none":
            mine = (tables.compute_s[twin, server], tables.weight[twin])
            theirs = (tables.compute_s[placed, server], tables.weight[placed])
            later = self._served_later(twin, placed, server)
            longer_s = np.where(both, added_delay(rule, *theirs, *mine, ~later), 0.0)
            shorter = np.where(both, added_delay(rule, *mine, *theirs, later), 0.0)
            own_s = own_s + total(shorter)
            weighted = longer_s * tables.weight[placed] + shorter * tables.weight[twin]
            added += total(weighted)
        upload_s, slower_s = self._uploads(state, both)
        if "backhaul" in self.instance.couplings:
            added += tables.weight[twin] * (upload_s - tables.transfer_s[twin])
            added += total((slower_s - self._uploads_now(state)) * tables.weight[placed])
        cost = tables.cost[twin] + tables.delay_factor * added
        cost = np.where(tables.allowed[twin], cost, np.inf)
        allowed = np.isfinite(cost)
        use = state.load + tables.demand[:, twin]
        allowed &= (use <= tables.most).all(axis=1)
        if "deadlines" in self.instance.couplings:
            allowed &= upload_s + own_s <= tables.latest_s[twin]
            latency_s = slower_s + state.computing_s[:, : state.step] + longer_s
            allowed &= total((both & (latency_s > tables.latest_s[placed])).astype(float)) == 0
        return Outlook(cost, allowed, own_s, longer_s)

    def _served_later(self, twin: int, placed: Ints, server: Ints) -> NDArray[np.bool_]:
        """Whether "wspt" would serve the twin after each of those placed [B, step]."""
        if self.instance.cpu_sharing != "wspt":
            return np.zeros(server.shape, dtype=bool)
        row = server if len(self._place) > 1 else np.zeros_like(server)
        later: NDArray[np.bool_] = self._place[row, twin] > self._place[row, placed]
        return later

    def _uploads_now(self, state: TwinState) -> Floats:
        """Uploads [B, step] of the twins placed."""
        return self._slowed(state, state.behind)

    def _uploads(self, state: TwinState, both: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Upload of the next twin on each server [B, S], and of each twin placed [B, step] if
        the next one joins it."""
        tables, twin = self.instance.tables, self.order[state.step]
        behind = state.behind + tables.devices[twin] * tables.allowed[twin]
        bits = tables.largest_input_bits[twin] * tables.backhaul_s_per_bit
        return np.maximum(tables.transfer_s[twin], behind * bits), self._slowed(state, behind)

    def _slowed(self, state: TwinState, behind: Floats) -> Floats:
        tables, placed = self.instance.tables, self.order[: state.step]
        server = state.server[:, : state.step]
        devices = np.take_along_axis(behind, server, axis=1)
        bits = tables.largest_input_bits[placed] * tables.backhaul_s_per_bit[server]
        uploads: Floats = np.maximum(tables.transfer_s[placed, server], devices * bits)
        return np.where(tables.allowed[placed, server], uploads, 0.0)


def _by_weight(instance: TwinAssignment) -> Ints:
    """Twins by decreasing W p, the mean of p over the servers that could host them; where
    nothing is computed, by the largest mean share that they take of a limit."""
    tables, usable = instance.tables, instance.open
    servers = np.maximum(usable.sum(axis=1), 1)
    heavy = tables.weight * np.where(usable, tables.compute_s, 0.0).sum(axis=1) / servers
    if not heavy.any() and len(tables.limit):
        limited = np.isfinite(tables.limit) & (tables.limit > 0)
        limit = np.where(limited, tables.limit, np.inf)[:, None, :]
        share = np.where(usable, tables.demand / limit, 0.0)
        heavy = (share.sum(axis=2) / servers).max(axis=0)
    return np.argsort(-heavy, kind="stable")
