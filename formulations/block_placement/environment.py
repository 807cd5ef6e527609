"""Blocks placed one by one: what greedy, beam and learned methods build decisions on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.outlook import Outlook, PlacementState, Trail, look
from formulations.block_placement.steps import Steps
from optkit.environment import Environment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_LARGEST_FEATURE = 10.0


class PlacementEnvironment(Environment[PlacementState]):
    """Places the blocks of each task in order, tasks by slot and then by number.

    The cost of an option is what it adds to the objective: transfers and local compute times as
    they are, work at a server by h(W + w) - h(W), and in penalty mode the lateness that it causes,
    its own and that of open jobs which it slows down. Loads only grow, so the mask removes every
    option that breaks a limit or a hard deadline, and no other.

    Parameters
    ----------
    instance : whose decisions are built.
    """

    def __init__(self, instance: BlockPlacement) -> None:
        self.instance = instance
        self.steps = Steps(instance)
        self.order = instance.starts[self.steps.task] + self.steps.block
        self.options = instance.servers + 1
        models, blocks = instance.tables.cycles.shape
        self.observation_size = 3 * instance.servers + 5 + models + blocks

    def reset(self, batch: int) -> PlacementState:
        """State of B empty decisions."""
        instance = self.instance
        servers, devices = (batch, instance.servers), (batch, instance.devices)
        blocks = (0, 0) if instance.storage_bytes is None else instance.tables.cycles.shape
        return PlacementState(
            step=0,
            location=np.zeros(batch, dtype=np.int64),
            busy_s=np.zeros(servers),
            cycles=np.zeros(servers),
            device_cycles=np.zeros(devices),
            energy_j=np.zeros(devices),
            held=np.zeros((batch, *blocks, instance.servers), dtype=bool),
            fixed_s=np.zeros((batch, self.steps.room)),
            work_s=np.zeros((batch, self.steps.room, instance.servers)),
            late_s=np.zeros(batch),
        )

    def mask(self, state: PlacementState) -> NDArray[np.bool_]:
        """[B, N + 1]: which locations keep every limit."""
        return self._outlook(state).allowed

    def costs(self, state: PlacementState) -> Floats:
        """[B, N + 1]: seconds that each location adds to the objective; infinite where a time is
        null or a server would be unstable."""
        return self._outlook(state).cost

    def step(self, state: PlacementState, action: Ints) -> tuple[PlacementState, Floats]:
        """Place the next block at action [B]; the next state and what that cost [B]."""
        outlook, now = self._outlook(state), self.steps.at(state.step)
        rows, server, away = np.arange(len(action)), np.maximum(action - 1, 0), action > 0
        seconds = np.nan_to_num(now.seconds[action], posinf=0.0)
        at_server = np.where(away, seconds, 0.0)
        after = self.select(state, rows)  # a copy
        after.step, after.location, after.outlook = state.step + 1, action.copy(), None
        after.trail, after.rows = Trail(state.trail, state.rows, action.copy()), None
        after.busy_s[rows, server] += at_server
        after.cycles[rows, server] += np.where(away, now.cycles, 0.0)
        after.device_cycles[:, now.device] += np.where(away, 0.0, now.cycles)
        after.energy_j[:, now.device] += now.drawn_j[state.location, action]
        if state.held.size:
            after.held[rows, now.model, now.block, server] |= away
        if self.steps.room:
            job = self.steps.job[state.step]
            moving = np.nan_to_num(now.late_moving_s[state.location, action], posinf=0.0)
            after.fixed_s[:, job] += moving + seconds - at_server
            after.work_s[rows, job, server] += at_server
            after.late_s = outlook.late_s[rows, action]
        self._close(after)
        return after, outlook.cost[rows, action]

    def _close(self, state: PlacementState) -> None:
        """Forget, in place, what the next step does not depend on."""
        steps, step = self.steps, state.step
        if step == len(steps):
            return
        if steps.block[step] == 0:
            state.location[:] = 0
        if steps.window[step] == step:
            for array in (state.fixed_s, state.work_s, state.late_s):
                array[:] = 0.0
        if steps.slot[step] != steps.slot[step - 1]:
            for load in (state.busy_s, state.cycles, state.device_cycles):
                load[:] = 0.0
            if self.instance.options.storage_scope == "slot":
                state.held[:] = False

    def observe(self, state: PlacementState) -> NDArray[np.float32]:
        """[B, observation_size]: upload times over their mean [N], share of the slot's tasks
        placed, share of the device's energy left, bits and cycles of the block over the most of
        its model, rho [N]; one-hot: model [I], block [M], location of the block before [A]."""
        instance, t, step = (
            self.instance,
            self.instance.tables,
            min(state.step, len(self.order) - 1),
        )
        now, batch = self.steps.at(step), len(state.location)
        upload = t.bits[now.model, 0] * t.up_s_per_bit[now.task] + t.arc_s[now.model, 0, 0, 1:]
        possible = upload[np.isfinite(upload)]
        mean = float(np.mean(possible)) if len(possible) else 0.0
        left = np.ones(batch)
        budget = instance.energy_budget_j
        if budget is not None and budget[now.device] > 0:  # not where it is NaN
            left = np.maximum(0.0, 1.0 - state.energy_j[:, now.device] / budget[now.device])
        known = np.concatenate(
            [
                upload / mean if mean > 0 else np.zeros(instance.servers),
                [self.steps.placed[step]],
                [
                    row[now.block] / max(row.max(), 1e-300)
                    for row in (t.bits[now.model], t.cycles[now.model])
                ],
                np.arange(len(t.lengths)) == now.model,
                np.arange(instance.blocks) == now.block,
            ]
        )
        before = state.location[:, None] == np.arange(self.options)
        rho = state.busy_s / instance.document.slot_s
        columns = (np.broadcast_to(known, (batch, len(known))), left[:, None], rho, before)
        features: Floats = np.minimum(np.hstack(columns), _LARGEST_FEATURE)
        return features.astype(np.float32)

    def select(self, state: PlacementState, rows: Ints) -> PlacementState:
        """State made of the named rows of this one."""
        outlook = state.outlook
        return replace(
            state,
            location=state.location[rows],
            busy_s=state.busy_s[rows],
            cycles=state.cycles[rows],
            device_cycles=state.device_cycles[rows],
            energy_j=state.energy_j[rows],
            held=state.held[rows],
            fixed_s=state.fixed_s[rows],
            work_s=state.work_s[rows],
            late_s=state.late_s[rows],
            rows=rows if state.rows is None else state.rows[rows],
            outlook=None if outlook is None else outlook.select(rows),
        )

    def decisions(self, state: PlacementState) -> tuple[Ints, Mapping[str, Any]]:
        """Decisions X [B, n] of a state after the last step; there are no parts."""
        x = np.zeros((len(state.location), len(self.order)), dtype=np.int64)
        row, rows, trail = np.arange(len(x)), state.rows, state.trail
        for position in self.order[: state.step][::-1]:
            assert trail is not None
            row = row if rows is None else rows[row]
            x[:, position] = trail.action[row]
            rows, trail = trail.rows, trail.before
        return x, {}

    def _outlook(self, state: PlacementState) -> Outlook:
        if state.outlook is None:
            state.outlook = look(self.steps, state)
        return state.outlook
