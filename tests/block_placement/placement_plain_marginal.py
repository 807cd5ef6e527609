"""A slow twin of ``marginal_greedy`` that works on the JSON document, path by path."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from placement_plain import Plain

SLACK = 5e-10
FULL = 0.9999
NULL = 1e6


class PlainMarginal(Plain):
    """Places tasks in order and remembers their paths; loads are added up anew each time."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(document)
        self.paths: dict[int, list[int]] = {}
        self.caps: dict[tuple[int, int], float] = defaultdict(lambda: math.inf)
        self.allowed = True  # whether no placement so far broke anything
        self.locations = range(len(self.servers["speed_hz"]) + 1)

    @property
    def capped(self) -> bool:
        """Whether the deadlines of placed blocks limit loads."""
        options = self.options
        hard = options["deadline"] == "hard" and options["deadline_scope"] == "block"
        given = self.tasks.get("deadline_s") is not None
        return given and hard and options["congestion"] != "none"

    def g(self, rho: float) -> float:
        kind = self.options["congestion"]
        if kind == "linear":
            return 1.0 + self.options["congestion_slope"] * rho
        if kind == "none":
            return 1.0
        inside = 1.0 / (1.0 - min(rho, FULL))
        return inside + max(0.0, rho - FULL) / (1.0 - FULL) ** 2

    def h(self, busy: float) -> float:
        rho = busy / self.slot_s
        if self.options["congestion"] != "ps" or rho <= FULL:
            return busy * self.g(rho)
        return self.slot_s * (FULL / (1 - FULL) + (rho - FULL) / (1 - FULL) ** 2)

    def deadline(self, k: int, m: int) -> float:
        limits = self.tasks.get("deadline_s")
        if limits is None or self.options["deadline_scope"] == "task":
            return math.inf
        return limits[k][m] if isinstance(limits[k], list) else limits[k]

    def uses(self, k: int, path: list[int]) -> dict[Any, float]:
        """What a path uses of each shared row, keyed by kind and index."""
        used: dict[Any, float] = defaultdict(float)
        at, slot, device = 0, self.tasks["slot"][k], self.device(k)
        for m, j in enumerate(path):
            cycles = self.scale(k) * self.blocks(k)[m]["cycles"]
            if self.transfer(k, m, at, j) is not None and self.compute(k, m, j) is not None:
                used["energy", device] += self.energy(k, m, at, j)
            if j == 0:
                used["device_cycles", device, slot] += cycles
            else:
                used["busy", slot, j - 1] += self.compute(k, m, j) or 0.0
                used["server_cycles", slot, j - 1] += cycles
                scope = slot if self.options["storage_scope"] == "slot" else 0
                if self.options["storage_scope"] != "off":
                    used["block", scope, j - 1, self.tasks["model"][k], m] = 1.0
            at = j
        return used

    def loads(self) -> dict[Any, float]:
        total: dict[Any, float] = defaultdict(float)
        for k, path in sorted(self.paths.items()):
            for row, amount in self.uses(k, path).items():
                total[row] += amount
        return total

    def limit(self, row: Any) -> float:
        kind, values = row[0], None
        if kind == "energy":
            values, index = self.devices.get("energy_budget_j"), row[1]
        elif kind == "device_cycles":
            values, index = self.devices.get("cycles_per_slot"), row[1]
        elif kind == "server_cycles":
            values, index = self.servers.get("cycles_per_slot"), row[2]
        elif kind == "storage":
            values, index = self.servers.get("storage_bytes"), row[2]
        elif kind == "busy":
            full = self.slot_s if self.options["congestion"] == "ps" else math.inf
            return min(self.caps[row[1:]] * self.slot_s, full)
        return math.inf if values is None or values[index] is None else values[index]

    def judge(self, k: int, path: list[int], loads: Mapping[Any, float]) -> tuple[float, float]:
        """Excess and cost of a path, given what the other tasks use."""
        own = dict(self.uses(k, path))
        slot = self.tasks["slot"][k]
        for row in [row for row in own if row[0] == "block"]:
            if not loads.get(row):
                model, m = row[3:]
                place = ("storage", row[1], row[2])
                size = self.models[model]["blocks"][m]["param_bytes"]
                own[place] = own.get(place, 0.0) + size
            del own[row]
        loads = dict(loads)
        for row in [row for row in loads if row[0] == "block"]:
            place = ("storage", row[1], row[2])
            size = self.models[row[3]]["blocks"][row[4]]["param_bytes"]
            loads[place] = loads.get(place, 0.0) + size
        over = sum(excess(loads.get(row, 0.0), more, self.limit(row)) for row, more in own.items())
        cost = 0.0
        for row, more in own.items():
            if row[0] == "busy":
                before = loads.get(row, 0.0)
                cost += self.h(before + more) - self.h(before)
        at, whole, late = 0, 0.0, []
        for m, j in enumerate(path):
            moving, computing = self.transfer(k, m, at, j), self.compute(k, m, j)
            over += NULL * ((moving is None) + (computing is None))
            moving, computing = moving or 0.0, computing or 0.0
            cost += moving + (computing if j == 0 else 0.0)
            if j > 0:
                row = ("busy", slot, j - 1)
                computing *= self.g((loads.get(row, 0.0) + own[row]) / self.slot_s)
            whole += moving + computing
            late.append((moving + computing, self.deadline(k, m)))
            at = j
        cost += self.result(k, at)
        whole += self.result(k, at)
        if self.tasks.get("deadline_s") is not None and self.options["deadline_scope"] == "task":
            late.append((whole, self.tasks["deadline_s"][k]))
        if self.options["deadline"] == "penalty":
            beta = self.options["penalty_weight"]
            cost += beta * sum(max(0.0, delay - limit) for delay, limit in late)
        if self.options["deadline"] == "hard":
            over += sum(excess(0.0, delay, limit) for delay, limit in late)
        return over, cost

    def candidates(self, length: int) -> list[list[int]]:
        whole = [[j] * length for j in self.locations]
        return whole + [
            [a] * c + [b] * (length - c)
            for c in range(1, length)
            for a in self.locations
            for b in self.locations
            if a != b
        ]

    def place(self, k: int) -> None:
        self.paths.pop(k, None)
        loads = self.loads()
        best: tuple[float, float] = (math.inf, math.inf)
        for path in self.candidates(len(self.blocks(k))):
            value = self.judge(k, path, loads)
            if value < best:
                best, self.paths[k] = value, path
        self.allowed &= best[0] == 0.0
        self.lower_caps(k)

    def lower_caps(self, k: int) -> None:
        if not self.capped:
            return
        at, slot = 0, self.tasks["slot"][k]
        for m, j in enumerate(self.paths[k]):
            moving, computing = self.transfer(k, m, at, j), self.compute(k, m, j)
            at = j
            if j == 0 or moving is None or not computing:
                continue
            factor = (self.deadline(k, m) * (1 + SLACK) - moving) / computing
            if self.options["congestion"] == "ps":
                cap = 1 - 1 / factor if factor >= 1 else -math.inf
            else:
                cap = (factor - 1) / self.options["congestion_slope"]
                cap = cap if factor >= 1 else -math.inf
            self.caps[slot, j - 1] = min(self.caps[slot, j - 1], cap)

    def run(self, sweeps: int) -> list[int]:
        """The decision vector."""
        for sweep in range(sweeps + 1):
            before = dict(self.paths)
            if sweep:
                self.caps.clear()
                for k in self.paths:
                    self.lower_caps(k)
            for k in range(self.count):
                self.place(k)
            if before == self.paths:
                break
        return [j for k in range(self.count) for j in self.paths[k]]


def excess(used: float, more: float, limit: float) -> float:
    after = used + more
    if more <= 0.0 or after <= limit * (1 + SLACK):
        return 0.0
    return (after - max(limit, used)) / after
