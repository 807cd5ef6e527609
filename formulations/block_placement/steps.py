"""What the environment's steps are: order, jobs with deadlines, and each block's times."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.instance import BlockPlacement

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Step(NamedTuple):
    """What the block of one step takes, for each location it may come from [A] and go to [A].

    A null time is infinite, and what it draws is 0.
    """

    task: int
    block: int
    model: int
    device: int
    moving_s: Floats  # [A, A] with the result of a last block
    late_moving_s: Floats  # [A, A] what of it counts towards the deadline
    seconds: Floats  # [A]
    drawn_j: Floats  # [A, A]
    cycles: float


class Steps:
    """The blocks of all tasks in the order in which they are placed: by slot, task, block.

    A job is what has a deadline: a block, or a task. It is open as long as a later step can
    delay it: where servers are congested until the end of its slot, else until it is done.

    Attributes
    ----------
    task, block, slot : [n] of each step.
    placed : [n] share of the slot's tasks placed before.
    job : [n] number of the step's job among those of its window.
    window : [n] first step of the window: the steps whose jobs are open at the same time.
    limit_s : [n] the deadline of the step's job.
    room : most jobs that are open at the same time; 0 without deadlines.
    late, hard : price of a second of lateness, and whether none is allowed.
    """

    def __init__(self, instance: BlockPlacement) -> None:
        self.instance = instance
        t, options = instance.tables, instance.options
        tasks = np.argsort(t.slot, kind="stable")
        lengths = instance.lengths[tasks]
        self.task = np.repeat(tasks, lengths)
        self.block = np.arange(len(self.task)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        self.slot = t.slot[self.task]
        _, first, size = np.unique(t.slot[tasks], return_index=True, return_counts=True)
        rank = np.arange(len(tasks)) - np.repeat(first, size)
        self.placed = np.repeat(rank / np.repeat(size, size), lengths)

        self.by_task = options.deadline_scope == "task"
        count = len(self.task)
        job = np.repeat(np.arange(len(tasks)), lengths) if self.by_task else np.arange(count)
        open_together = job if options.congestion == "none" else self.slot
        starts = np.flatnonzero(np.diff(open_together, prepend=-1))
        self.window = np.repeat(starts, np.diff(starts, append=count))
        self.job = job - job[self.window]
        per_block = t.deadline_s[self.task, self.block]
        self.limit_s = t.task_deadline_s[self.task] if self.by_task else per_block
        self._job_begins = np.append(np.flatnonzero(np.diff(job, prepend=-1)), count)
        self._first_job = job[self.window]
        active = instance.active_deadlines
        self.room = int(self.job.max()) + 1 if active else 0
        self.hard = active and options.deadline == "hard"
        self.late = options.penalty_weight if active and not self.hard else 0.0
        self.at = lru_cache(maxsize=2)(self._at)

    def __len__(self) -> int:
        return len(self.task)

    def open_limits_s(self, step: int) -> Floats:
        """Deadlines of the step's job and of those open before it, in order of their numbers."""
        first = int(self._first_job[step])
        begins = self._job_begins[first : first + int(self.job[step]) + 1]
        limits: Floats = self.limit_s[begins]
        return limits

    def _at(self, step: int) -> Step:
        t, options = self.instance.tables, self.instance.options
        k, m = int(self.task[step]), int(self.block[step])
        i, d, scale = int(t.model[k]), int(t.device[k]), float(t.scale[k])
        locations = self.instance.servers + 1
        unit = np.zeros((locations, locations))
        unit[0, 1:], unit[1:, 0] = t.up_s_per_bit[k], t.back_s_per_bit[k]
        unit[1:, 1:] = t.wire_s_per_bit
        seconds = t.measured_s[i, m].copy()
        seconds[0] += t.cycles_timed[i, m] / t.device_speed_hz[d]
        seconds[1:] += t.cycles_timed[i, m] / t.server_speed_hz
        moving = t.arc_s[i, m] + t.bits[i, m] * unit
        joules = t.measured_j[i, m] + t.arc_j[i, m]
        joules[:, 0] += t.cycles_powered[i, m] * t.joule_per_cycle[d]
        if t.arc_powered[i, m]:
            sent = moving.copy()
            if options.energy_transfer != "literal":  # the radio alone, from the device alone
                sent[0, 1:] = t.arc_s[i, m, 0, 1:] + t.bits[i, m] * t.radio_s_per_bit[k]
                sent[1:] = 0.0
            joules[:, 1:] += t.tx_power_w[d] * np.where(np.isfinite(sent), sent, 0.0)[:, 1:]
        result = np.zeros(locations)
        if m == t.lengths[i] - 1:
            result[1:] = options.result_bits * t.down_s_per_bit[k]
        return Step(
            k, m, i, d, scale * (moving + result),
            scale * (moving + result if self.by_task else moving),
            scale * seconds, scale * joules, scale * float(t.cycles[i, m]),
        )  # fmt: skip
