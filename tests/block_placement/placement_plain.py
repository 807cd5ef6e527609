"""A slow evaluator of block_placement that follows the specification line by line.

It reads the JSON document (nested lists and numbers) and shares no code with the package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

BROKEN = 1e-9
OPTIONS = {
    "return_transfer": True,
    "energy_transfer": "uplink",
    "deadline": "hard",
    "penalty_weight": 1.0,
    "deadline_scope": "block",
    "congestion": "none",
    "congestion_slope": 1.0,
    "storage_scope": "off",
    "result_bits": 0.0,
}


class Plain:
    """One document with the few look-ups that every formula needs."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.options = OPTIONS | document.get("options", {})
        self.devices, self.servers = document["devices"], document["servers"]
        self.models, self.tasks = document["models"], document["tasks"]
        self.wired, self.slot_s = document["wired_rate_bps"], document["slot_s"]
        self.count = len(self.tasks["model"])
        self.slots = 1 + max(self.tasks["slot"])

    def blocks(self, k: int) -> Sequence[Mapping[str, Any]]:
        return self.models[self.tasks["model"][k]]["blocks"]

    def input_bits(self, k: int, m: int) -> float:
        """I_m: the model's input, or what the block before puts out."""
        if m == 0:
            return self.models[self.tasks["model"][k]].get("input_bits") or 0.0
        return self.blocks(k)[m - 1].get("output_bits") or 0.0

    def scale(self, k: int) -> float:
        scale = self.tasks.get("scale")
        return 1.0 if scale is None else scale[k]

    def device(self, k: int) -> int:
        return self.tasks["device"][k]

    # --- Eq. 5: seconds that some bits take ------------------------------------------------

    def radio(self, field: str, k: int, n: int) -> float:
        """Rate between the device of task k and server n (from 0)."""
        rates = self.tasks.get(field)
        if rates is None:
            rates = self.tasks["uplink_rate_bps"]
        row = rates[k]
        return row[n] if isinstance(row, (list, tuple)) else row

    def wire(self, bits: float, i: int, j: int) -> float:
        if i == j:
            return 0.0
        rate = self.wired[i][j] if isinstance(self.wired, (list, tuple)) else self.wired
        return bits / rate

    def upload(self, bits: float, k: int, n: int) -> tuple[float, float]:
        """Radio part and wire part."""
        near = self.tasks.get("associated_es")
        if near is None:
            return bits / self.radio("uplink_rate_bps", k, n), 0.0
        return bits / self.radio("uplink_rate_bps", k, near[k]), self.wire(bits, near[k], n)

    def download(self, bits: float, k: int, n: int) -> float:
        near = self.tasks.get("associated_es")
        if near is None:
            return bits / self.radio("downlink_rate_bps", k, n)
        radio = bits / self.radio("downlink_rate_bps", k, near[k])
        return radio + self.wire(bits, n, near[k])

    def transfer(self, k: int, m: int, i: int, j: int) -> float | None:
        """T of block m; ``None`` where a measured one is null."""
        measured = self.blocks(k)[m].get("transfer_s")
        if measured is not None:
            return None if measured[i][j] is None else self.scale(k) * measured[i][j]
        bits = self.scale(k) * self.input_bits(k, m)
        if i == j:
            return 0.0
        if i == 0:
            return sum(self.upload(bits, k, j - 1))
        if j == 0:
            return self.download(bits, k, i - 1) if self.options["return_transfer"] else 0.0
        return self.wire(bits, i - 1, j - 1)

    def compute(self, k: int, m: int, j: int) -> float | None:
        """Seconds without load; ``None`` where a measured one is null."""
        block = self.blocks(k)[m]
        if block.get("compute_s") is not None:
            value = block["compute_s"][j]
            return None if value is None else self.scale(k) * value
        speeds = self.devices["speed_hz"], self.servers["speed_hz"]
        speed = speeds[0][self.device(k)] if j == 0 else speeds[1][j - 1]
        return self.scale(k) * block["cycles"] / speed

    def result(self, k: int, j: int) -> float:
        """Seconds in which the result returns from where the last block ran."""
        bits = self.scale(k) * self.options["result_bits"]
        return self.download(bits, k, j - 1) if j > 0 else 0.0

    # --- Eqs. 4, 7, 11 -------------------------------------------------------------------------

    def energy(self, k: int, m: int, i: int, j: int) -> float:
        block, scale, d = self.blocks(k)[m], self.scale(k), self.device(k)
        joules = 0.0
        if block.get("compute_energy_j") is not None:
            joules += scale * (block["compute_energy_j"][j] or 0.0)
        elif j == 0:
            joules += (
                self.devices["kappa"][d]
                * self.devices["speed_hz"][d] ** 2
                * (scale * block["cycles"])
            )
        if block.get("transfer_energy_j") is not None:
            return joules + scale * (block["transfer_energy_j"][i][j] or 0.0)
        power = self.devices["tx_power_w"][d]
        if j > 0 and self.options["energy_transfer"] == "literal":
            joules += power * (self.transfer(k, m, i, j) or 0.0)
        elif j > 0 and i == 0:
            if block.get("transfer_s") is not None:
                joules += power * (self.transfer(k, m, i, j) or 0.0)
            else:
                joules += power * self.upload(scale * self.input_bits(k, m), k, j - 1)[0]
        return joules


def load_factor(options: Mapping[str, Any], rho: float) -> float:
    """g(rho)."""
    if options["congestion"] == "ps":
        return 1.0 / (1.0 - rho) if rho < 1.0 else math.inf
    if options["congestion"] == "linear":
        return 1.0 + options["congestion_slope"] * rho
    return 1.0


def plain_evaluate(document: Mapping[str, Any], x: Sequence[int]) -> dict[str, Any]:
    """Objective, terms and violations of a decision vector."""
    plain, options = Plain(document), OPTIONS | document.get("options", {})
    servers = range(len(plain.servers["speed_hz"]))
    visits = []  # task, block, from, to
    position = 0
    for k in range(plain.count):
        at = 0
        for m in range(len(plain.blocks(k))):
            visits.append((k, m, at, x[position]))
            at = x[position]
            position += 1

    rho = [[0.0 for _ in servers] for _ in range(plain.slots)]
    for k, m, _, j in visits:
        if j > 0:
            busy = plain.compute(k, m, j) or 0.0
            rho[plain.tasks["slot"][k]][j - 1] += busy / plain.slot_s

    terms = dict.fromkeys(("local_compute_s", "edge_compute_s", "up_s", "down_s", "wired_s"), 0.0)
    energy = [0.0 for _ in plain.devices["speed_hz"]]
    impossible = 0
    delays: dict[tuple[int, int], float] = {}
    for k, m, i, j in visits:
        moving, computing = plain.transfer(k, m, i, j), plain.compute(k, m, j)
        impossible += (moving is None) + (computing is None)
        moving, computing = moving or 0.0, computing or 0.0
        if j > 0 and computing > 0.0:
            computing *= load_factor(options, rho[plain.tasks["slot"][k]][j - 1])
        terms["local_compute_s" if j == 0 else "edge_compute_s"] += computing
        terms["down_s" if j == 0 else "up_s" if i == 0 else "wired_s"] += moving
        energy[plain.device(k)] += plain.energy(k, m, i, j)
        delays[k, m] = moving + computing
    results = {k: plain.result(k, j) for k, _, _, j in visits}  # the last block of each task stays
    terms["down_s"] += sum(results.values())
    total = sum(terms.values())
    psi, late = lateness(plain, delays, results)

    terms["total_delay_s"], terms["psi_s"] = total, psi
    terms["edge_inference_delay_s"] = terms["edge_compute_s"] + terms["up_s"] + terms["wired_s"]
    terms["local_inference_delay_s"] = terms["local_compute_s"] + terms["down_s"]
    objective = total
    if options["deadline"] == "penalty":
        objective += options["penalty_weight"] * psi
    violations = limits(plain, visits, energy)
    if options["deadline"] == "hard":
        violations["deadline"] = late
    if options["congestion"] == "ps":
        violations["unstable"] = sum(value >= 1.0 for row in rho for value in row)
    violations["impossible"] = impossible
    return {
        "objective": objective,
        "terms": terms | {"energy_j": energy, "rho": rho},
        "violations": violations,
    }


def lateness(
    plain: Plain, delays: Mapping[tuple[int, int], float], results: Mapping[int, float]
) -> tuple[float, float]:
    """Psi, and the part of it that is in broken rows."""
    deadlines = plain.tasks.get("deadline_s")
    if deadlines is None:
        return 0.0, 0.0
    rows = []
    for k in range(plain.count):
        own = [delays[k, m] for m in range(len(plain.blocks(k)))]
        if plain.options["deadline_scope"] == "task":
            rows.append((sum(own) + results[k], deadlines[k]))
        elif isinstance(deadlines[k], (list, tuple)):
            rows += list(zip(own, deadlines[k], strict=True))
        else:
            rows += [(delay, deadlines[k]) for delay in own]
    psi = sum(max(delay - limit, 0.0) for delay, limit in rows)
    return psi, sum(excess(delay, limit) for delay, limit in rows)


def excess(amount: float, limit: float | None) -> float:
    """By how much a row is broken."""
    if limit is None or not amount > limit * (1 + BROKEN):
        return 0.0
    return amount - limit


def limits(
    plain: Plain, visits: Sequence[tuple[int, int, int, int]], energy: Sequence[float]
) -> dict[str, float]:
    """The violations of energy, cycles and storage."""

    def limit(values: Any, index: int) -> float | None:
        return None if values is None else values[index]

    devices, servers, tasks = plain.devices, plain.servers, plain.tasks
    edge: dict[tuple[int, int], float] = {}
    local: dict[tuple[int, int], float] = {}
    stored: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for k, m, _, j in visits:
        slot, block = tasks["slot"][k], plain.blocks(k)[m]
        cycles = plain.scale(k) * (block.get("cycles") or 0.0)
        if j == 0:
            key = slot, plain.device(k)
            local[key] = local.get(key, 0.0) + cycles
        else:
            edge[slot, j - 1] = edge.get((slot, j - 1), 0.0) + cycles
            scope = slot if plain.options["storage_scope"] == "slot" else 0
            stored.setdefault((scope, j - 1), set()).add((tasks["model"][k], m))
    found = {
        "energy": sum(
            excess(used, limit(devices.get("energy_budget_j"), d)) for d, used in enumerate(energy)
        ),
        "server_cycles": sum(
            excess(used, limit(servers.get("cycles_per_slot"), n)) for (_, n), used in edge.items()
        ),
        "device_cycles": sum(
            excess(used, limit(devices.get("cycles_per_slot"), d)) for (_, d), used in local.items()
        ),
        "storage": 0.0,
    }
    if plain.options["storage_scope"] != "off":
        for (_, n), pairs in stored.items():
            used = sum(plain.models[i]["blocks"][m]["param_bytes"] for i, m in pairs)
            found["storage"] += excess(used, limit(servers.get("storage_bytes"), n))
    return found
