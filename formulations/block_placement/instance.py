"""The instance of block_placement (paper 001, MT-A3C)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from formulations.block_placement.objective import evaluate
from formulations.block_placement.schema import canonical, parse
from formulations.block_placement.tables import Tables, compile_tables
from optkit.environment import Environment
from optkit.errors import DecisionError
from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance

Floats = NDArray[np.float64]


class BlockPlacement(Instance):
    """Each block of each task's DNN to the task's own device (0) or an edge server (1..N).

    x is task-major: all blocks of task 0, then of task 1, and so on.

    Attributes
    ----------
    document : the checked file, see ``schema``.
    tables : every number as flat arrays, see ``tables``.
    tasks, servers, devices, slots, blocks : K, N, D, T and the longest model's M.
    lengths, starts : [K] blocks of each task and where they begin in x.
    energy_budget_j [D], device_cycles [D], server_cycles [N], storage_bytes [N] : limits in
        force, NaN for none, or None where no entry has one.
    """

    problem = "block_placement"
    unit = "s"

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = parse(document)
        self.name = self.document.name
        self.options = self.document.options
        self.tables: Tables = compile_tables(self.document)
        t = self.tables
        self.tasks = len(t.model)
        self.servers = len(t.server_speed_hz)
        self.devices = len(t.device_speed_hz)
        self.slots = int(t.slot.max()) + 1
        self.blocks = t.cycles.shape[1]
        self.lengths = t.lengths[t.model]
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        self.choices = np.full(int(self.lengths.sum()), self.servers + 1, dtype=np.int64)
        self.energy_budget_j = self.document.devices.energy_budget_j
        self.device_cycles = self.document.devices.cycles_per_slot
        self.server_cycles = self.document.servers.cycles_per_slot
        scope = self.options.storage_scope
        self.storage_bytes = None if scope == "off" else self.document.servers.storage_bytes
        for array in (*t, self.lengths, self.starts, self.choices):
            array.setflags(write=False)

    def canonical(self) -> dict[str, Any]:
        """The document with typed numbers and arrays, defaults left out."""
        return canonical(self.document)

    @cached_property
    def has_deadlines(self) -> bool:
        """Whether any deadline is given (reported even where the mode is off)."""
        return self.document.tasks.deadline_s is not None

    @cached_property
    def has_nulls(self) -> bool:
        """Whether some measured time is null."""
        return bool(np.isinf(self.tables.measured_s).any() or np.isinf(self.tables.arc_s).any())

    @cached_property
    def couplings(self) -> frozenset[str]:
        """What couples tasks: "energy", "server_cycles", "device_cycles", "storage", "load"."""
        limits = {
            "energy": self.energy_budget_j,
            "server_cycles": self.server_cycles,
            "device_cycles": self.device_cycles,
            "storage": self.storage_bytes,
        }
        found = {name for name, limit in limits.items() if limit is not None}
        linear = self.options.congestion == "linear" and self.options.congestion_slope > 0
        if self.options.congestion == "ps" or linear:
            found.add("load")
        return frozenset(found)

    @cached_property
    def active_deadlines(self) -> bool:
        """Whether deadlines constrain or cost anything."""
        return self.has_deadlines and self.options.deadline != "off"

    def slowdown(self, rho: Floats) -> Floats:
        """The factor g(rho) on compute times at servers (1.4); infinite from 1 on for "ps"."""
        if self.options.congestion == "ps":
            inverse: Floats = np.where(rho < 1.0, 1.0 / np.where(rho < 1.0, 1.0 - rho, 1.0), np.inf)
            return inverse
        slope = self.options.congestion_slope if self.options.congestion == "linear" else 0.0
        return 1.0 + slope * rho

    def padded(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """Locations [K, M] of a decision vector, a padded block where the last real one is."""
        block = np.minimum(np.arange(self.blocks)[None, :], self.lengths[:, None] - 1)
        locations: NDArray[np.int64] = x[self.starts[:, None] + block]
        return locations

    def flat(self, locations: NDArray[np.int64]) -> NDArray[np.int64]:
        """The decision vector of padded locations [K, M]."""
        real = np.arange(self.blocks)[None, :] < self.lengths[:, None]
        flat: NDArray[np.int64] = locations[real].astype(np.int64)
        return flat

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        """Judge decisions X [B, n]: the objective is total delay in seconds (Eq. 10a), plus the
        weighted lateness in penalty mode (Eq. 14)."""
        if parts:
            raise DecisionError(f"block_placement has no part {next(iter(parts))!r}")
        return evaluate(self, self.check_decisions(decisions))

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        """``location``: 0 is the device, n the server of index n - 1."""
        return {"location": self.check_decision(x)}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """The vector x of a ``location``."""
        if set(decision) != {"location"}:
            raise DecisionError("expected a decision with the one array 'location'")
        return self.check_decision(decision["location"]), {}

    def environment(self) -> Environment[Any]:
        """Blocks placed one by one, task after task."""
        from formulations.block_placement.environment import PlacementEnvironment

        return PlacementEnvironment(self)
