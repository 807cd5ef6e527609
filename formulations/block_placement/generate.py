"""Instance families of block_placement; the numbers and their reasons are in docs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from optkit.dnn import blocks as grouped
from optkit.dnn import network as lookup
from optkit.errors import UsageError

#: Servers drawn for every paper instance, so that fewer servers are a prefix of more.
_NESTED_SERVERS = 9


def generate(
    family: str,
    seed: int,
    network: str | None = None,
    servers: int | None = None,
    blocks: int | None = None,
    rate: int | None = None,
    slots: int | None = None,
    deadline_s: float | None = None,
    congestion: Literal["none", "ps", "linear"] | None = None,
    storage_mb: float | None = None,
    budget_fraction: float | None = None,
    measured: bool | None = None,
) -> dict[str, Any]:
    """A document of a family.

    Parameters
    ----------
    family : one of the problem's families.
    network : name in ``optkit.dnn``; servers, blocks, rate (tasks a slot), slots: the size.
    deadline_s : the same deadline for every block; none by default.
    congestion : "none", "ps" or "linear".
    storage_mb : storage of server 0; each further one has half.
    budget_fraction : where the energy budgets lie, see the family.
    measured : whether a tiny instance has measured data (drawn by default).
    """
    rng = np.random.default_rng(seed)
    if family == "tiny":
        return tiny(rng, f"tiny-{seed}", measured)
    defaults: dict[str, Any] = {
        "network": "vgg16", "servers": 4, "blocks": 6, "rate": 60, "slots": 600,
        "congestion": "none",
    } | _DEFAULTS[family]  # fmt: skip
    given = {
        "network": network, "servers": servers, "blocks": blocks, "rate": rate, "slots": slots,
        "congestion": congestion, "storage_mb": storage_mb, "budget_fraction": budget_fraction,
    }  # fmt: skip
    size = defaults | {name: value for name, value in given.items() if value is not None}
    for name in ("servers", "blocks", "rate", "slots"):
        if size[name] < 1:
            raise UsageError(f"{name} is {size[name]}, expected at least 1")
    if family == "small" and rate is None:
        size["rate"] = int(rng.integers(5, 21))
    document = _paper(rng, family, seed, size)
    if deadline_s is not None:
        document["tasks"]["deadline_s"] = np.full(len(document["tasks"]["model"]), deadline_s)
    if family in ("paper-energy", "energy"):
        _budgets(document, family, size["budget_fraction"])
    return document


_DEFAULTS: dict[str, dict[str, Any]] = {
    "small": {"congestion": "ps", "slots": 1},
    "paper": {},
    "paper-ps": {"congestion": "ps"},
    "paper-batch": {},
    "paper-storage": {"storage_mb": 64.0},
    "paper-energy": {"congestion": "ps", "servers": 2, "slots": 60, "budget_fraction": 0.7},
    "energy": {"network": "alexnet_224", "budget_fraction": 0.5},
    "large": {"congestion": "ps", "servers": 16, "rate": 1000, "slots": 1},
}


def network_model(name: str, count: int, cycles_per_mac: float = 1.0) -> dict[str, Any]:
    """A real network as an entry of ``models``, grouped into `count` blocks."""
    try:
        net = lookup(name)
        groups = grouped(net, count, cycles_per_mac=cycles_per_mac)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return {
        "name": net.name,
        "input_bits": net.input_bits(),
        "blocks": [
            {
                "cycles": float(g.cycles),
                "output_bits": float(g.output_bits),
                "param_bytes": float(g.param_bytes),
            }
            for g in groups
        ],
    }


def _paper(rng: Generator, family: str, seed: int, size: dict[str, Any]) -> dict[str, Any]:
    servers, rate, slots = size["servers"], size["rate"], size["slots"]
    drawn = max(servers, _NESTED_SERVERS)
    speed = rng.uniform(5e9, 15e9, drawn)[:servers]
    batch = family == "paper-batch"
    count = slots if batch else rate * slots
    device = rng.integers(0, 20, count)
    uplink = rng.uniform(6.4e6, 16e6, (count, drawn))[:, :servers]  # 0.8 to 2 MB/s
    fast = family == "energy"
    name = f"{family}-{size['network']}-n{servers}-m{size['blocks']}-r{rate}-t{slots}-s{seed}"
    document: dict[str, Any] = {
        "problem": "block_placement",
        "version": 1,
        "name": name,
        "slot_s": rate / 60 if family == "small" else 1.0,
        "devices": {
            "speed_hz": np.full(20, 2e9 if fast else 1e9),
            "kappa": np.full(20, 1e-26),
            "tx_power_w": np.full(20, 0.5 if fast else 0.1),
        },
        "servers": {"speed_hz": speed},
        "wired_rate_bps": 1e9,
        "models": [network_model(size["network"], size["blocks"], 0.25 if fast else 1.0)],
        "tasks": {
            "model": np.zeros(count, dtype=np.int64),
            "device": device,
            "slot": np.repeat(np.arange(slots), 1 if batch else rate),
            "uplink_rate_bps": uplink,
        },
        "options": {"congestion": size["congestion"]},
    }
    if batch:
        document["tasks"]["scale"] = np.full(count, float(rate))
    if size.get("storage_mb") is not None:
        document["servers"]["storage_bytes"] = size["storage_mb"] * 1e6 / 2.0 ** np.arange(servers)
        document["options"]["storage_scope"] = "horizon"
    return document


def _budgets(document: dict[str, Any], family: str, fraction: float) -> None:
    """Energy budgets from what decisions without budgets use, so that they bind."""
    from formulations.block_placement.instance import BlockPlacement
    from formulations.block_placement.pricing import Prices, cheapest
    from formulations.block_placement.rules import marginal_greedy_locations

    free = BlockPlacement(document)
    if family == "paper-energy":
        used = free.evaluate(free.flat(marginal_greedy_locations(free))).terms["energy_j"]
        document["devices"]["energy_budget_j"] = fraction * used
        return
    fastest = cheapest(free, Prices.of(free)).locations
    frugal = cheapest(free, Prices.of(free, second=0.0, joule=1.0)).locations
    most = free.evaluate(free.flat(fastest)).terms["energy_j"]
    least = free.evaluate(free.flat(frugal)).terms["energy_j"]
    document["devices"]["energy_budget_j"] = least + fraction * (most - least)


# --- tiny ----------------------------------------------------------------------------------------


def _log_uniform(rng: Generator, low: float, high: float, shape: Any = None) -> Any:
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))


def tiny(rng: Generator, name: str, measured: bool | None = None) -> dict[str, Any]:
    """A random instance of at most 60,000 decisions with every option drawn at random."""
    while True:
        tasks, servers = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        lengths = rng.integers(1, 5, int(rng.integers(1, 3)))
        model = rng.integers(0, len(lengths), tasks)
        if (servers + 1) ** int(lengths[model].sum()) <= 60_000:
            break
    devices, slots = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    often = 0.55

    def limits(low: float, high: float, count: int) -> list[float | None]:
        return [None if rng.random() < 0.3 else float(_log_uniform(rng, low, high))
                for _ in range(count)]  # fmt: skip

    def maybe(values: Any) -> Any:
        return values if rng.random() < often else None

    wired: Any = float(_log_uniform(rng, 5e7, 1e9))
    if rng.random() < 0.4:
        wired = _log_uniform(rng, 5e7, 1e9, (servers, servers)).tolist()
    flat_rates = rng.random() < 0.2
    shape = (tasks,) if flat_rates else (tasks, servers)
    scoped = "task" if rng.random() < 0.4 else "block"
    deadline: Any = _log_uniform(rng, 0.1, 5.0, tasks).tolist()
    if scoped == "block" and rng.random() < 0.5:
        deadline = [_log_uniform(rng, 0.05, 4.0, lengths[i]).tolist() for i in model]
    use_measured = rng.random() < 0.25 if measured is None else measured
    return {
        "problem": "block_placement",
        "version": 1,
        "name": name,
        "slot_s": float(_log_uniform(rng, 0.3, 3.0)),
        "devices": {
            "speed_hz": _log_uniform(rng, 5e8, 2e9, devices).tolist(),
            "kappa": _log_uniform(rng, 1e-27, 1e-26, devices).tolist(),
            "tx_power_w": rng.uniform(0.1, 1.0, devices).tolist(),
            "energy_budget_j": maybe(limits(0.1, 10.0, devices)),
            "cycles_per_slot": maybe(limits(3e7, 2e9, devices)),
        },
        "servers": {
            "speed_hz": _log_uniform(rng, 4e8, 1e10, servers).tolist(),
            "cycles_per_slot": maybe(limits(3e7, 2e9, servers)),
            "storage_bytes": maybe(limits(1e5, 1e8, servers)),
        },
        "wired_rate_bps": wired,
        "models": [_tiny_model(rng, int(n), servers, use_measured) for n in lengths],
        "tasks": {
            "model": model.tolist(),
            "device": rng.integers(0, devices, tasks).tolist(),
            "slot": rng.integers(0, slots, tasks).tolist(),
            "uplink_rate_bps": _log_uniform(rng, 6.4e6, 1e8, shape).tolist(),
            "downlink_rate_bps": maybe(_log_uniform(rng, 6.4e6, 1e8, shape).tolist()),
            "associated_es": maybe(rng.integers(0, servers, tasks).tolist()),
            "deadline_s": deadline if rng.random() < 0.5 else None,
            "scale": maybe(rng.uniform(0.5, 3.0, tasks).tolist()),
        },
        "options": {
            "return_transfer": bool(rng.random() < 0.6),
            "energy_transfer": str(rng.choice(["uplink", "literal"])),
            "deadline": str(rng.choice(["hard", "penalty", "off"])),
            "penalty_weight": float(_log_uniform(rng, 0.2, 5.0)),
            "deadline_scope": scoped,
            "congestion": str(rng.choice(["none", "ps", "linear"], p=[0.5, 0.3, 0.2])),
            "congestion_slope": float(_log_uniform(rng, 0.2, 4.0)),
            "storage_scope": str(rng.choice(["off", "horizon", "slot"])),
            "result_bits": float(_log_uniform(rng, 1e4, 1e7)) if rng.random() < 0.4 else 0.0,
        },
    }


def _tiny_model(rng: Generator, length: int, servers: int, measured: bool) -> dict[str, Any]:
    def table(low: float, high: float, shape: Any, holes: float) -> NDArray[Any]:
        values: NDArray[Any] = _log_uniform(rng, low, high, shape).astype(object)
        values[rng.random(shape) < holes] = None
        return values

    blocks = []
    for _ in range(length):
        block: dict[str, Any] = {
            "cycles": float(_log_uniform(rng, 1e7, 2e9)),
            "output_bits": float(_log_uniform(rng, 1e5, 2e7)),
            "param_bytes": float(_log_uniform(rng, 1e5, 1e8)),
        }
        if measured and rng.random() < 0.5:
            block["compute_s"] = table(1e-2, 1.0, servers + 1, 0.15).tolist()
        if measured and rng.random() < 0.3:
            block["compute_energy_j"] = table(1e-2, 10.0, servers + 1, 0.0).tolist()
        if measured and rng.random() < 0.5:
            square = table(1e-3, 1.0, (servers + 1, servers + 1), 0.15)
            if rng.random() < 0.7:
                square[np.eye(servers + 1, dtype=bool)] = 0.0
            block["transfer_s"] = square.tolist()
        if measured and rng.random() < 0.3:
            shape = (servers + 1, servers + 1)
            block["transfer_energy_j"] = table(1e-2, 1.0, shape, 0.0).tolist()
        blocks.append(block)
    return {"input_bits": float(_log_uniform(rng, 1e5, 2e7)), "blocks": blocks}
