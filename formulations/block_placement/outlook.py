"""States of the environment, and what each option of a next step would lead to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.steps import Steps

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SLACK = 5e-10  # half of the evaluator's, which adds up in another order


class Trail(NamedTuple):
    """The actions of a state, latest first; shared, so that a step does not copy all of them."""

    before: Trail | None
    rows: Ints | None  # row of `before` that each row continues; its own where None
    action: Ints


class Outlook(NamedTuple):
    """What each option of the next step would lead to."""

    cost: Floats  # [B, A]
    allowed: NDArray[np.bool_]  # [B, A]
    late_s: Floats  # [B, A]

    def select(self, rows: Ints) -> Outlook:
        """That of the named rows."""
        return Outlook(self.cost[rows], self.allowed[rows], self.late_s[rows])


@dataclass
class PlacementState:
    """B partial decisions after the same number of steps; loads are those of the current slot."""

    step: int
    location: Ints  # [B] of the block before, 0 at the start of a task
    busy_s: Floats  # [B, N]
    cycles: Floats  # [B, N]
    device_cycles: Floats  # [B, D]
    energy_j: Floats  # [B, D] since the first slot
    held: NDArray[np.bool_]  # [B, I, M, N] stored blocks, of the slot or since the first
    fixed_s: Floats  # [B, Q] delay of each open job that no load changes
    work_s: Floats  # [B, Q, N] its work at the servers
    late_s: Floats  # [B] lateness of all open jobs
    trail: Trail | None = None
    rows: Ints | None = None  # row of `trail` that each row continues
    outlook: Outlook | None = field(default=None, repr=False)


def look(steps: Steps, state: PlacementState) -> Outlook:
    """What each option of the next step costs, whether it is allowed, and the lateness after.

    Parameters
    ----------
    steps : those of the environment.
    state : before the step.
    """
    instance, now = steps.instance, steps.at(state.step)
    possible = np.isfinite(now.seconds) & np.isfinite(now.moving_s[state.location])
    moving = np.where(possible, now.moving_s[state.location], 0.0)
    seconds = np.where(np.isfinite(now.seconds), now.seconds, 0.0)
    busy_after = state.busy_s + seconds[1:]
    before = instance.slowdown(state.busy_s / instance.document.slot_s)
    after = instance.slowdown(busy_after / instance.document.slot_s)
    stable = np.isfinite(after)
    after = np.where(stable, after, 1.0)  # masked below, where it has no meaning
    before = np.where(np.isfinite(before), before, 1.0)
    cost = moving + seconds
    cost[:, 1:] = moving[:, 1:] + busy_after * after - state.busy_s * before
    allowed = possible & _within_limits(steps, state)
    late = np.zeros_like(cost)
    if steps.room:
        late, in_time = _lateness(steps, state, seconds, before, after)
        cost += steps.late * (late - state.late_s[:, None])
        allowed &= in_time | (not steps.hard)
    possible[:, 1:] &= stable
    return Outlook(np.where(possible, cost, np.inf), allowed & possible, late)


def _lateness(
    steps: Steps, state: PlacementState, seconds: Floats, before: Floats, after: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Lateness [B, A] of all open jobs after each option, and whether none is late."""
    now = steps.at(state.step)
    limits = steps.open_limits_s(state.step)
    work = state.work_s[:, : len(limits)]
    delay = state.fixed_s[:, : len(limits)] + np.einsum("bqn,bn->bq", work, before)
    delays = np.repeat(delay[:, :, None], len(now.seconds), axis=2)
    delays[:, :, 1:] += work * (after - before)[:, None, :]
    moving = now.late_moving_s[state.location]
    delays[:, -1] += np.where(np.isfinite(moving), moving, 0.0)
    delays[:, -1, 0] += seconds[0]
    delays[:, -1, 1:] += seconds[1:] * after
    over = np.maximum(delays - limits[:, None], 0.0)
    in_time = np.asarray(np.all(delays <= limits[:, None] * (1 + _SLACK), axis=1))
    late: Floats = np.where(np.isfinite(over), over, 0.0).sum(axis=1)
    return late, in_time


def _within_limits(steps: Steps, state: PlacementState) -> NDArray[np.bool_]:
    """[B, A]: which options keep cycles, energy and storage within their limits."""
    instance, now = steps.instance, steps.at(state.step)
    allowed = np.ones((len(state.location), len(now.seconds)), dtype=bool)
    if instance.server_cycles is not None:
        allowed[:, 1:] &= ~_beyond(state.cycles + now.cycles, instance.server_cycles)
    if instance.device_cycles is not None:
        used = state.device_cycles[:, now.device] + now.cycles
        allowed[:, 0] &= ~_beyond(used, instance.device_cycles[now.device])
    if instance.energy_budget_j is not None:
        used = state.energy_j[:, now.device, None] + now.drawn_j[state.location]
        allowed &= ~_beyond(used, instance.energy_budget_j[now.device])
    if instance.storage_bytes is not None:
        sizes = instance.tables.param_bytes
        stored = np.einsum("bimn,im->bn", state.held, sizes)
        new = np.where(state.held[:, now.model, now.block], 0.0, sizes[now.model, now.block])
        allowed[:, 1:] &= ~_beyond(stored + new, instance.storage_bytes)
    return allowed


def _beyond(used: Floats, limit: Floats) -> NDArray[np.bool_]:
    """Whether a limit is exceeded; never where it is NaN."""
    beyond: NDArray[np.bool_] = used > limit * (1 + _SLACK)
    return beyond
