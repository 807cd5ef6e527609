"""The file format of dt_assignment: its fields, their shapes and units, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from optkit.errors import InstanceError, suggestion
from optkit.fields import NonNegative, Positive, array, convert, length, plain, show
from optkit.wording import LARGEST

Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Discount = Annotated[float, msgspec.Meta(gt=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Sharing = Literal["none", "equal", "proportional", "optimal", "wspt"]

TIME_WEIGHTS = ("devices", "one", "mean")
#: What one server can hold; null is unlimited.
SERVER_LIMITS = ("max_twins", "max_devices", "max_input_bits", "memory_bytes")
MATRICES = ("pair_cost", "pair_transfer_s", "pair_compute_s", "pair_energy_j", "pair_load")


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


class Servers(_Strict):
    """Edge servers and clouds, arrays of length S."""

    kind: list[Literal["edge", "cloud"]] | None = None
    x_m: Any = None
    y_m: Any = None
    speed_hz: Any = None
    energy_j_per_cycle: Any = None
    tx_energy_j_per_bit: Any = None
    backhaul_bps: Any = None
    max_twins: Any = None
    max_devices: Any = None
    max_input_bits: Any = None
    memory_bytes: Any = None


class Twins(_Strict):
    """Digital twins, arrays of length M."""

    count: Count | None = None
    memory_bytes: Any = None
    deadline_s: Any = None


class Devices(_Strict):
    """Devices whose data feed the twins, arrays of length N."""

    twin: Any
    input_bits: Any
    x_m: Any = None
    y_m: Any = None
    uplink_rate_bps: Any = None


class Document(_Strict):
    """One instance file. After `parse` the three parts are there and every array is checked."""

    problem: Literal["dt_assignment"]
    version: Literal[1]
    name: str = ""
    delay_weight: Fraction | None = None
    time_ref_s: Positive = 1.0
    energy_ref_j: Positive = 1.0
    time_weight: Any = "devices"
    cycles_per_bit: NonNegative | None = None
    rate_distance_bps_m: Positive | None = None
    uplink_discount: Discount = 1.0
    min_distance_m: Positive = 1.0
    cpu_sharing: Sharing = "none"
    servers: Servers = msgspec.field(default_factory=Servers)
    twins: Twins = msgspec.field(default_factory=Twins)
    devices: Devices | None = None
    pair_transfer_s: Any = None
    pair_compute_s: Any = None
    pair_energy_j: Any = None
    pair_cost: Any = None
    pair_load: Any = None
    server_capacity: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """Twins M and servers S of a parsed document."""
        assert self.twins.count is not None and self.servers.kind is not None
        return self.twins.count, len(self.servers.kind)


def parse(document: Mapping[str, Any]) -> Document:
    """Check a document and return it with every array as a read-only NumPy array.

    Null entries become NaN; a limit that is null for all is the same as an absent one. Raises
    `InstanceError` with the path of the field.
    """
    parsed = convert(document, Document)
    if parsed.pair_cost is not None:
        _refuse_formula(parsed, document)
    _settle_shape(parsed)
    _check_servers(parsed)
    _check_twins(parsed)
    if parsed.devices is not None:
        _check_devices(parsed, parsed.devices)
    _check_matrices(parsed)
    if parsed.pair_cost is None:
        _check_weights(parsed)
        _require_formula(parsed)
    return parsed


def _refuse_formula(parsed: Document, document: Mapping[str, Any]) -> None:
    """Nothing that a measured whole cost replaces may stand beside it."""
    top = ("delay_weight", "time_ref_s", "energy_ref_j", "time_weight", "cycles_per_bit",
           "rate_distance_bps_m", "uplink_discount", "min_distance_m", "cpu_sharing",
           "pair_transfer_s", "pair_compute_s", "pair_energy_j")  # fmt: skip
    inner = {
        "servers": ("x_m", "y_m", "speed_hz", "energy_j_per_cycle", "tx_energy_j_per_bit",
                    "backhaul_bps"),
        "twins": ("deadline_s",),
        "devices": ("x_m", "y_m", "uplink_rate_bps"),
    }  # fmt: skip
    given = [name for name in top if document.get(name) is not None]
    for part, names in inner.items():
        given += [f"{part}.{name}" for name in names
                  if getattr(getattr(parsed, part), name, None) is not None]  # fmt: skip
    if given:
        raise InstanceError("stands beside pair_cost, which replaces it", given[0])


def _settle_shape(parsed: Document) -> None:
    """Fill twins.count and servers.kind, from the first matrix where they are not given."""
    for name in MATRICES:
        rows = getattr(parsed, name)
        if rows is not None:
            twins = length(rows, name)
            servers = length(rows[0], f"{name}[0]")
            break
    else:
        if parsed.twins.count is None:
            raise InstanceError("missing, and no pair matrix tells it", "twins.count")
        twins, servers = parsed.twins.count, 0
    if parsed.twins.count is None:
        parsed.twins.count = twins
    if parsed.servers.kind is None:
        if parsed.pair_cost is None and parsed.pair_transfer_s is None:
            message = "missing, and no measured pair_transfer_s replaces the uploads"
            raise InstanceError(message, "servers.kind")
        parsed.servers.kind = ["edge"] * servers
    length(parsed.servers.kind, "servers.kind")


def _fill(part: Any, path: str, name: str, shape: tuple[int, ...], **limits: Any) -> None:
    """Check an array in place where it is given."""
    if (value := getattr(part, name)) is not None:
        full = f"{path}.{name}" if path else name
        setattr(part, name, array(value, full, shape, **limits))


def _fill_limit(part: Any, path: str, name: str, count: int, exclusive: bool = False) -> None:
    """A limit that may be null entry by entry; all null is the same as absent."""
    _fill(part, path, name, (count,), null=np.nan, exclusive=exclusive)
    value = getattr(part, name)
    if value is not None and np.isnan(value).all():
        setattr(part, name, None)


def _check_servers(parsed: Document) -> None:
    servers, count = parsed.servers, parsed.shape[1]
    for name in ("x_m", "y_m"):
        _fill(servers, "servers", name, (count,), null=np.nan, minimum=-LARGEST)
        if getattr(servers, name) is not None:
            missing = np.isnan(getattr(servers, name)) & ~is_cloud(parsed)
            if missing.any():
                where = f"servers.{name}[{int(np.argmax(missing))}]"
                raise InstanceError("found null at an edge server, expected a number", where)
    _fill(servers, "servers", "speed_hz", (count,), exclusive=True)
    _fill(servers, "servers", "energy_j_per_cycle", (count,))
    _fill(servers, "servers", "tx_energy_j_per_bit", (count,))
    _fill_limit(servers, "servers", "backhaul_bps", count, exclusive=True)
    if servers.backhaul_bps is not None:
        with np.errstate(over="ignore"):
            endless = np.isinf(1.0 / (parsed.uplink_discount * servers.backhaul_bps))
        if endless.any():
            index = int(np.argmax(endless))
            message = f"found {servers.backhaul_bps[index]:g}, with which one bit takes for ever"
            raise InstanceError(message, f"servers.backhaul_bps[{index}]")
    for name in SERVER_LIMITS:
        _fill_limit(servers, "servers", name, count)


def is_cloud(parsed: Document) -> NDArray[np.bool_]:
    """Shape [S]: which servers of a parsed document are clouds."""
    return np.array([kind == "cloud" for kind in parsed.servers.kind or ()], dtype=bool)


def _check_twins(parsed: Document) -> None:
    twins, count = parsed.twins, parsed.shape[0]
    _fill(twins, "twins", "memory_bytes", (count,))
    _fill_limit(twins, "twins", "deadline_s", count, exclusive=True)
    if parsed.servers.memory_bytes is not None and twins.memory_bytes is None:
        message = "missing, and servers.memory_bytes limits it"
        raise InstanceError(message, "twins.memory_bytes")
    if parsed.devices is None:
        for name in ("max_devices", "max_input_bits", "backhaul_bps"):
            if getattr(parsed.servers, name) is not None:
                raise InstanceError(f"missing, and servers.{name} counts them", "devices")


def _check_devices(parsed: Document, devices: Devices) -> None:
    twins, count = parsed.shape[0], length(devices.twin, "devices.twin")
    owner = array(devices.twin, "devices.twin", (count,), integer=True, maximum=twins - 1)
    owned = np.zeros(0, dtype=np.int64) if twins > count else np.bincount(owner, minlength=twins)
    if twins > count or not owned.all():
        lonely = int(np.argmin(owned)) if len(owned) else _first_absent(owner)
        raise InstanceError(f"twin {lonely} owns no device, expected at least one", "devices.twin")
    devices.twin = owner
    devices.input_bits = array(devices.input_bits, "devices.input_bits", (count,))
    _fill(devices, "devices", "x_m", (count,), minimum=-LARGEST)
    _fill(devices, "devices", "y_m", (count,), minimum=-LARGEST)
    _fill(devices, "devices", "uplink_rate_bps", (count,), exclusive=True)


def _first_absent(owner: NDArray[np.int64]) -> int:
    known = np.unique(owner)
    gaps = np.flatnonzero(known != np.arange(len(known)))
    return int(gaps[0]) if len(gaps) else len(known)


def _check_matrices(parsed: Document) -> None:
    for name in MATRICES[1:4]:
        _fill(parsed, "", name, parsed.shape, null=np.nan)
    _fill(parsed, "", "pair_cost", parsed.shape, null=np.nan, minimum=-LARGEST)
    _fill(parsed, "", "pair_load", parsed.shape)
    _fill(parsed, "", "server_capacity", parsed.shape[1:], null=np.nan)
    for name, other in (("pair_load", "server_capacity"), ("server_capacity", "pair_load")):
        if getattr(parsed, name) is None and getattr(parsed, other) is not None:
            raise InstanceError(f"missing, and {other} is given", name)


def _check_weights(parsed: Document) -> None:
    value = parsed.time_weight
    if isinstance(value, (list, tuple, np.ndarray)):
        parsed.time_weight = array(value, "time_weight", parsed.shape[:1], exclusive=True)
        return
    if not isinstance(value, str) or value not in TIME_WEIGHTS:
        hint = suggestion(value, TIME_WEIGHTS) if isinstance(value, str) else ""
        names = ", ".join(map(repr, TIME_WEIGHTS))
        message = f"found {show(value)}, expected one of {names} or a list of numbers > 0{hint}"
        raise InstanceError(message, "time_weight")
    if parsed.devices is None and value != "one":
        raise InstanceError(f"missing, and time_weight {value!r} counts them", "devices")


def _require_formula(parsed: Document) -> None:
    """Every field that a formula in force reads is there."""
    cloud, devices = is_cloud(parsed), parsed.devices
    needed = [("delay_weight", parsed.delay_weight, "there is no pair_cost")]

    def need(why: str, **values: Any) -> None:
        needed.extend((name.replace("__", "."), value, why) for name, value in values.items())

    for name in MATRICES[1:4]:
        if getattr(parsed, name) is None and devices is None:
            need(f"there is no {name} to replace its formula", devices=None)
    if parsed.pair_transfer_s is None and devices is not None:
        if not cloud.all():
            need(
                "uploads to edge servers need it",
                rate_distance_bps_m=parsed.rate_distance_bps_m,
                servers__x_m=parsed.servers.x_m,
                servers__y_m=parsed.servers.y_m,
                devices__x_m=devices.x_m,
                devices__y_m=devices.y_m,
            )
        if cloud.any():
            need("uploads to clouds need it", devices__uplink_rate_bps=devices.uplink_rate_bps)
    cycles = parsed.cycles_per_bit
    if parsed.pair_compute_s is None:
        need("computing times need it", cycles_per_bit=cycles,
             servers__speed_hz=parsed.servers.speed_hz)  # fmt: skip
    if parsed.pair_energy_j is None:
        need("energies need it", cycles_per_bit=cycles,
             servers__energy_j_per_cycle=parsed.servers.energy_j_per_cycle,
             servers__tx_energy_j_per_bit=parsed.servers.tx_energy_j_per_bit)  # fmt: skip
    for name, value, why in needed:
        if value is None:
            raise InstanceError(f"missing, and {why}", name)


def canonical(document: Document) -> dict[str, Any]:
    """The checked document as nested mappings, with arrays, and without defaults."""
    result = plain(document)
    matrix = any(getattr(document, name) is not None for name in MATRICES)
    optional = document.pair_cost is not None or document.pair_transfer_s is not None
    if matrix:
        _drop(result, "twins", "count")
    if optional and "cloud" not in (document.servers.kind or ()):
        _drop(result, "servers", "kind")
    return result


def _drop(document: dict[str, Any], part: str, name: str) -> None:
    document[part].pop(name)
    if not document[part]:
        del document[part]
