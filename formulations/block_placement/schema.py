"""The file format of block_placement: its fields, their shapes and units, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np

from optkit.errors import InstanceError
from optkit.fields import NonNegative, Positive, array, convert, length, plain

LARGEST_SLOT = 999_999


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


class Devices(_Strict):
    """IoT devices, arrays of length D."""

    speed_hz: Any
    kappa: Any
    tx_power_w: Any
    energy_budget_j: Any = None
    cycles_per_slot: Any = None


class Servers(_Strict):
    """Edge servers, arrays of length N."""

    speed_hz: Any
    cycles_per_slot: Any = None
    storage_bytes: Any = None


class Block(_Strict):
    """One block of a DNN; the last four fields are measured data and replace formulas."""

    param_bytes: NonNegative
    cycles: NonNegative | None = None
    output_bits: NonNegative | None = None
    compute_s: Any = None
    compute_energy_j: Any = None
    transfer_s: Any = None
    transfer_energy_j: Any = None


class Model(_Strict):
    """A DNN as a chain of blocks."""

    blocks: list[Block]
    input_bits: NonNegative | None = None
    name: str = ""


class Tasks(_Strict):
    """Inference requests, arrays of length K."""

    model: Any
    device: Any
    slot: Any
    uplink_rate_bps: Any
    downlink_rate_bps: Any = None
    associated_es: Any = None
    deadline_s: Any = None
    scale: Any = None


class Options(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, frozen=True
):
    """Which reading of the paper is meant; the first alternative is the default."""

    return_transfer: bool = True
    energy_transfer: Literal["uplink", "literal"] = "uplink"
    deadline: Literal["hard", "penalty", "off"] = "hard"
    penalty_weight: NonNegative = 1.0
    deadline_scope: Literal["block", "task"] = "block"
    congestion: Literal["none", "ps", "linear"] = "none"
    congestion_slope: NonNegative = 1.0
    storage_scope: Literal["off", "horizon", "slot"] = "off"
    result_bits: NonNegative = 0.0


class Document(_Strict):
    """One instance file."""

    problem: Literal["block_placement"]
    version: Literal[1]
    slot_s: Positive
    devices: Devices
    servers: Servers
    wired_rate_bps: Any
    models: list[Model]
    tasks: Tasks
    name: str = ""
    options: Options = msgspec.field(default_factory=Options)


def parse(document: Mapping[str, Any]) -> Document:
    """Check a document and return it with every array as a read-only NumPy array.

    Null entries become NaN. Raises `InstanceError` with the path of the field.
    """
    parsed = convert(document, Document)
    _check_devices(parsed.devices)
    _check_servers(parsed.servers)
    servers = len(parsed.servers.speed_hz)
    parsed.wired_rate_bps = _rate_matrix(parsed.wired_rate_bps, servers)
    if not parsed.models:
        raise InstanceError("found an empty list, expected at least one model", "models")
    for index, model in enumerate(parsed.models):
        _check_model(model, f"models[{index}]", parsed, servers)
    _check_tasks(parsed, servers)
    return parsed


def _check_devices(devices: Devices) -> None:
    count = length(devices.speed_hz, "devices.speed_hz")
    devices.speed_hz = array(devices.speed_hz, "devices.speed_hz", (count,), exclusive=True)
    devices.kappa = array(devices.kappa, "devices.kappa", (count,))
    devices.tx_power_w = array(devices.tx_power_w, "devices.tx_power_w", (count,))
    _optional(devices, "devices", ("energy_budget_j", "cycles_per_slot"), count)


def _check_servers(servers: Servers) -> None:
    count = length(servers.speed_hz, "servers.speed_hz")
    servers.speed_hz = array(servers.speed_hz, "servers.speed_hz", (count,), exclusive=True)
    _optional(servers, "servers", ("cycles_per_slot", "storage_bytes"), count)


def _optional(part: Any, path: str, names: tuple[str, ...], count: int) -> None:
    """Limits that may be null as a whole or entry by entry; all null is the same as absent."""
    for name in names:
        if getattr(part, name) is not None:
            limit = array(getattr(part, name), f"{path}.{name}", (count,), null=np.nan)
            setattr(part, name, None if np.isnan(limit).all() else limit)


def _rate_matrix(value: Any, servers: int) -> Any:
    if isinstance(value, (list, tuple, np.ndarray)):
        return array(
            value, "wired_rate_bps", (servers, servers), exclusive=True, free_diagonal=True
        )
    try:
        return float(array([value], "wired_rate_bps", (1,), exclusive=True)[0])
    except InstanceError as error:
        raise InstanceError(error.message, "wired_rate_bps") from None


def _check_model(model: Model, path: str, parsed: Document, servers: int) -> None:
    if not model.blocks:
        raise InstanceError("found an empty list, expected at least one block", f"{path}.blocks")
    counted = parsed.servers.cycles_per_slot is not None
    counted = counted or parsed.devices.cycles_per_slot is not None
    if model.input_bits is None and model.blocks[0].transfer_s is None:
        raise InstanceError("missing, and block 0 has no transfer_s", f"{path}.input_bits")
    for index, block in enumerate(model.blocks):
        where = f"{path}.blocks[{index}]"
        measured = block.compute_s is not None and block.compute_energy_j is not None
        if block.cycles is None and (counted or not measured):
            why = "a cycles_per_slot counts it" if measured else "there are no measurements"
            raise InstanceError(f"missing, and {why}", f"{where}.cycles")
        last = index == len(model.blocks) - 1
        if block.output_bits is None and not last and model.blocks[index + 1].transfer_s is None:
            message = "missing, and the next block has no transfer_s"
            raise InstanceError(message, f"{where}.output_bits")
        _measured_pair(block, where, "compute_s", "compute_energy_j", (servers + 1,))
        _measured_pair(block, where, "transfer_s", "transfer_energy_j", (servers + 1, servers + 1))


def _measured_pair(block: Block, path: str, time: str, energy: str, shape: Any) -> None:
    """Times may be null where impossible; an energy only beside a null time."""
    for name in (time, energy):
        if getattr(block, name) is not None:
            value = array(getattr(block, name), f"{path}.{name}", shape, null=np.nan)
            setattr(block, name, value)
    if getattr(block, energy) is None:
        return
    holes = np.isnan(getattr(block, energy))
    if getattr(block, time) is not None:
        holes &= ~np.isnan(getattr(block, time))
    if holes.any():
        where = "".join(f"[{i}]" for i in np.argwhere(holes)[0])
        raise InstanceError(f"found null beside a {time} that is not", f"{path}.{energy}{where}")


def _check_tasks(parsed: Document, servers: int) -> None:
    tasks = parsed.tasks
    count = length(tasks.model, "tasks.model")
    ranges = {
        "model": len(parsed.models) - 1,
        "device": len(parsed.devices.speed_hz) - 1,
        "slot": LARGEST_SLOT,
        "associated_es": servers - 1,
    }
    for name, top in ranges.items():
        if getattr(tasks, name) is not None:
            value = array(
                getattr(tasks, name), f"tasks.{name}", (count,), integer=True, maximum=top
            )
            setattr(tasks, name, value)
        elif name != "associated_es":
            array(None, f"tasks.{name}", (count,))  # raises: null
    tasks.uplink_rate_bps = _rates(tasks.uplink_rate_bps, "uplink_rate_bps", count, servers)
    if tasks.downlink_rate_bps is not None:
        shape = np.shape(tasks.uplink_rate_bps)
        tasks.downlink_rate_bps = array(
            tasks.downlink_rate_bps, "tasks.downlink_rate_bps", shape, exclusive=True
        )
    if tasks.scale is not None:
        tasks.scale = array(tasks.scale, "tasks.scale", (count,), exclusive=True)
    if tasks.deadline_s is not None:
        tasks.deadline_s = _deadlines(parsed)


def _rates(value: Any, name: str, count: int, servers: int) -> Any:
    """[K][N], or [K] for the same rate to every server."""
    path = f"tasks.{name}"
    flat = isinstance(value, np.ndarray) and value.ndim == 1
    if isinstance(value, (list, tuple)) and value:
        flat = not isinstance(value[0], (list, tuple))
    return array(value, path, (count,) if flat else (count, servers), exclusive=True)


def _deadlines(parsed: Document) -> Any:
    """[K], or [K][M_k] padded with NaN to [K][M]."""
    path, value = "tasks.deadline_s", parsed.tasks.deadline_s
    by_model = np.array([len(model.blocks) for model in parsed.models])
    lengths = by_model[parsed.tasks.model]
    count = len(lengths)
    if isinstance(value, np.ndarray) and value.ndim == 2:
        value = value.tolist()
    nested = isinstance(value, (list, tuple)) and value and isinstance(value[0], (list, tuple))
    if not nested:
        return array(value, path, (count,))
    if parsed.options.deadline_scope == "task":
        raise InstanceError('deadline_scope "task" needs one number a task', path)
    if len(value) != count:
        raise InstanceError(f"found {len(value)} entries, expected {count}", path)
    padded = np.full((count, int(by_model.max())), np.nan)
    for task, row in enumerate(value):
        padded[task, : lengths[task]] = array(row, f"{path}[{task}]", (int(lengths[task]),))
    padded.setflags(write=False)
    return padded


def canonical(document: Document) -> dict[str, Any]:
    """The checked document as nested mappings, with arrays, and without defaults."""
    result = plain(document)
    deadlines = document.tasks.deadline_s
    if deadlines is not None and np.isnan(deadlines).any():  # padded: models differ in length
        result["tasks"]["deadline_s"] = [row[~np.isnan(row)].tolist() for row in deadlines]
    return result
