"""The file format of channel_choice: its fields, their units and defaults, and their checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from optkit.errors import InstanceError
from optkit.fields import NonNegative, Positive, convert, show

LARGEST_CHANNELS = 100_000
#: How far from 1 the weights of a service may add up, and how far apart (relatively) the FLOP of
#: its cuts may be.
TOLERANCE = 1e-9

Index = Annotated[int, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


class Cloud(_Strict):
    """The cloud's speed F, and whether the k offloaders share it equally."""

    speed_flop_per_s: Positive
    sharing: Literal["equal", "fixed"] = "equal"


class LoadBalance(_Strict):
    """Heads may run at the nearest server: each as if all were its size, or by their sum."""

    sharing: Literal["count", "work"] = "count"


class Server(_Strict):
    """An edge server (ES); `nearest` is another one's index from 0."""

    speed_flop_per_s: Positive
    energy_j_per_flop: NonNegative
    nearest: Index | None = None
    backlog_flop: NonNegative = 0.0
    x_m: float | None = None
    y_m: float | None = None


class Cut(_Strict):
    """The network cut behind one layer: what runs before, what after, what is sent."""

    head_flop: NonNegative
    tail_flop: NonNegative
    transfer_bits: NonNegative
    tail_param_bytes: NonNegative


class Service(_Strict):
    """A service and its cuts in layer order, or the name and input scale of a known network."""

    server: Index
    time_weight_per_s: Positive
    energy_weight_per_j: Positive
    tx_power_w: Positive
    channel_gain: Positive
    cloud_energy_j_per_flop: NonNegative
    hold_energy_j: NonNegative
    cut: Index | None = None
    cuts: list[Cut] | None = None
    model: Literal["yolov1", "tiny_yolo"] | None = None
    input_scale: Positive | None = None
    deadline_s: NonNegative | None = None


class Document(_Strict):
    """One instance file."""

    problem: Literal["channel_choice"]
    version: Literal[1]
    channels: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_CHANNELS)]
    bandwidth_hz: Positive
    noise_w: Positive
    qos_threshold: Positive
    cloud: Cloud
    servers: list[Server]
    services: list[Service]
    name: str = ""
    delay_model: Literal["sum", "parallel"] = "sum"
    transfer: Literal["full", "scaled"] = "full"
    segmentation: Literal["optimal"] | Fraction = "optimal"
    cut_choice: Literal["given", "rate", "optimal", "input"] = "given"
    cut_weights: tuple[NonNegative, NonNegative] = (1.0, 0.0)
    cut_revenue: Literal["tail", "layer"] = "tail"
    edge_sharing: Literal["count", "none"] = "count"
    require_profitable: bool = True
    load_balance: LoadBalance | None = None


def parse(document: Mapping[str, Any]) -> Document:
    """Check a document.

    Raises
    ------
    InstanceError
        With the path of the field, what was found and what was expected.
    """
    try:
        parsed = convert(document, Document)
    except InstanceError as error:
        if error.field != "segmentation":
            raise
        message = (
            f"found {show(document['segmentation'])}, expected 'optimal' or a number from 0 to 1"
        )
        raise InstanceError(message, error.field) from None
    for index, weight in enumerate(parsed.cut_weights):
        if math.isnan(weight):
            path = f"cut_weights[{index}]"
            raise InstanceError("found NaN, expected a finite number", path)
    for name in ("servers", "services"):
        if not getattr(parsed, name):
            raise InstanceError("found an empty list, expected at least one entry", name)
    _check_servers(parsed)
    for index, service in enumerate(parsed.services):
        _check_service(parsed, service, f"services[{index}]")
    return parsed


def _check_servers(parsed: Document) -> None:
    count = len(parsed.servers)
    if parsed.load_balance is not None:
        if count == 1:
            raise InstanceError("found an object, expected null with one server", "load_balance")
        if parsed.load_balance.sharing == "work" and parsed.cut_choice == "optimal":
            message = "found 'work', expected 'count' where cut_choice is 'optimal'"
            raise InstanceError(message, "load_balance.sharing")
    for index, server in enumerate(parsed.servers):
        path = f"servers[{index}]"
        for name in ("x_m", "y_m"):
            place = getattr(server, name)
            if place is not None and not math.isfinite(place):
                message = f"found {show(place)}, expected a finite number"
                raise InstanceError(message, f"{path}.{name}")
        path += ".nearest"
        if server.nearest is None:
            if parsed.load_balance is not None:
                raise InstanceError("missing, and load_balance needs it", path)
        elif server.nearest >= count:
            raise _out_of_range(server.nearest, count, path)
        elif server.nearest == index and count > 1:
            raise InstanceError(f"found {index}, expected another server", path)


def _out_of_range(found: int, count: int, path: str) -> InstanceError:
    return InstanceError(f"found {found}, expected an integer from 0 to {count - 1}", path)


def _check_service(parsed: Document, service: Service, path: str) -> None:
    if service.server >= len(parsed.servers):
        raise _out_of_range(service.server, len(parsed.servers), f"{path}.server")
    weights = service.time_weight_per_s + service.energy_weight_per_j
    if abs(weights - 1.0) > TOLERANCE:
        message = f"found {weights:.12g} as the sum with time_weight_per_s, expected 1"
        raise InstanceError(message, f"{path}.energy_weight_per_j")
    received = service.tx_power_w * service.channel_gain
    if not 0 < received < math.inf:
        message = f"found {received:g} W received (tx_power_w times channel_gain), expected > 0"
        raise InstanceError(message, f"{path}.channel_gain")
    if service.model is None:
        if service.input_scale is not None:
            message = "found a number, expected none without model"
            raise InstanceError(message, f"{path}.input_scale")
        if service.cuts is None:
            raise InstanceError("missing, and there is no model", f"{path}.cuts")
    elif service.cuts is not None:
        raise InstanceError("found a list, expected none beside model", f"{path}.cuts")
    elif service.input_scale is None:
        raise InstanceError("missing, and model needs it", f"{path}.input_scale")
    if service.cuts is not None:
        _check_cuts(parsed, service.cuts, f"{path}.cuts")
    if service.cut is None:
        if parsed.cut_choice == "given":
            raise InstanceError("missing, and cut_choice is 'given'", f"{path}.cut")
    elif service.cuts is not None and service.cut >= len(service.cuts):
        raise _out_of_range(service.cut, len(service.cuts), f"{path}.cut")


def _check_cuts(parsed: Document, cuts: list[Cut], path: str) -> None:
    if not cuts:
        raise InstanceError("found an empty list, expected at least one entry", path)
    total = cuts[0].head_flop + cuts[0].tail_flop
    before, stored = 0.0, cuts[0].tail_param_bytes
    for index, cut in enumerate(cuts):
        where = f"{path}[{index}]"
        if abs(cut.head_flop + cut.tail_flop - total) > TOLERANCE * total:
            message = f"found {cut.head_flop + cut.tail_flop:.12g} with head_flop, expected the "
            raise InstanceError(f"{message}{total:.12g} of entry 0", f"{where}.tail_flop")
        if cut.head_flop < before:
            message = f"found {cut.head_flop:.12g}, expected >= {before:.12g} (layer order)"
            raise InstanceError(message, f"{where}.head_flop")
        if cut.tail_param_bytes > stored:
            message = f"found {cut.tail_param_bytes:.12g}, expected <= {stored:.12g} (layer order)"
            raise InstanceError(message, f"{where}.tail_param_bytes")
        before, stored = cut.head_flop, cut.tail_param_bytes
        if parsed.cut_choice == "rate" and cut.transfer_bits == 0:
            message = "found 0, expected a finite number > 0 where cut_choice is 'rate'"
            raise InstanceError(message, f"{where}.transfer_bits")
    if parsed.cut_choice in ("rate", "input") and cuts[0].head_flop > 0:
        message = f"found {cuts[0].head_flop:.12g}, expected 0 (the input) where cut_choice is "
        raise InstanceError(f"{message}{parsed.cut_choice!r}", f"{path}[0].head_flop")
    if parsed.cut_choice == "rate" and cuts[0].tail_flop == 0:
        raise InstanceError("found 0, expected FLOP to cut", f"{path}[0].tail_flop")


def canonical(document: Document) -> dict[str, Any]:
    """The checked document as nested mappings, without defaults."""

    def plain(value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            items = {field.name: (getattr(value, field.name), field.default)
                     for field in msgspec.structs.fields(value)}  # fmt: skip
            return {name: plain(v) for name, (v, default) in items.items() if v != default}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    result: dict[str, Any] = plain(document)
    return result
