"""Every number of a dt_assignment instance as flat arrays (paper 004, Eqs. 1-7, 13-16)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.schema import MATRICES, SERVER_LIMITS, Devices, Document, is_cloud

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: A limit holds up to this much more than it, as a fraction of it and at least absolutely.
SLACK = 1e-9


class Tables(NamedTuple):
    """M twins, S servers, R resources with a limit somewhere; all arrays read-only.

    Attributes
    ----------
    weight : [M] W_m, by which the latency of a twin counts (Eq. 16).
    delay_factor, energy_factor : alpha / time_ref and (1 - alpha) / energy_ref (Eq. 17).
    transfer_s : [M, S] t_ms, upload alone on the server; 0 where forbidden.
    compute_s : [M, S] p_ms, all computing of the twin alone on the server; 0 where forbidden.
    energy_j : [M, S] e_ms; 0 where forbidden.
    cost : [M, S] q_ms, the whole cost of the pair without couplings, or the measured
        ``pair_cost``; 0 where forbidden.
    allowed : [M, S] whether the server can host the twin at all (no null in measured data).
    demand : [R, M, S] what the twin takes of each resource (0 where forbidden).
    limit : [R, S] infinite where there is none.
    deadline_s : [M] infinite where there is none.
    devices : [M] number of devices; 0 in a document without devices.
    input_bits, largest_input_bits : [M] sum and largest input over the devices of a twin.
    backhaul_s_per_bit : [S] 1 / (gamma B_s), 0 where there is no backhaul limit.
    most : [R, S] the largest use that still keeps a limit: limit + 1e-9 max(1, limit).
    latest_s : [M] the largest latency that still keeps a deadline: d (1 + 1e-9).
    """

    weight: Floats
    delay_factor: float
    energy_factor: float
    transfer_s: Floats
    compute_s: Floats
    energy_j: Floats
    cost: Floats
    allowed: NDArray[np.bool_]
    demand: Floats
    limit: Floats
    deadline_s: Floats
    devices: Ints
    input_bits: Floats
    largest_input_bits: Floats
    backhaul_s_per_bit: Floats
    most: Floats
    latest_s: Floats


class _Groups(NamedTuple):
    """Devices sorted by twin."""

    start: Ints  # [M] where the devices of each twin begin
    devices: Ints  # [M] how many
    input_bits: Floats  # [N]
    x_m: Floats | None  # [N]
    y_m: Floats | None
    uplink_rate_bps: Floats | None


# A cost beyond all numbers makes its pair useless, see `TwinAssignment.open`.
@np.errstate(over="ignore", invalid="ignore")
def compile_tables(document: Document) -> Tables:
    """Tables of a parsed document; no loop over twins or devices, one over servers."""
    twins, servers = document.shape
    groups = None if document.devices is None else _group(document.devices, twins)
    devices = np.zeros(twins, dtype=np.int64) if groups is None else groups.devices
    total, largest = np.zeros(twins), np.zeros(twins)
    if groups is not None:
        total = np.add.reduceat(groups.input_bits, groups.start)
        largest = np.maximum.reduceat(groups.input_bits, groups.start)
    allowed = _allowed(document)
    transfer, compute, energy = _pair_terms(document, groups, total, allowed)
    weight = _weights(document, devices)
    delay_factor = energy_factor = 0.0
    if document.delay_weight is not None:
        delay_factor = document.delay_weight / document.time_ref_s
        energy_factor = (1.0 - document.delay_weight) / document.energy_ref_j
    if document.pair_cost is not None:
        cost = np.where(allowed, document.pair_cost, 0.0)
    else:
        cost = np.zeros((twins, servers))
        if delay_factor > 0:
            np.add(transfer, compute, out=cost)
            cost *= (delay_factor * weight)[:, None]
        if energy_factor > 0:
            cost += energy_factor * energy
    demand, limit = _resources(document, devices, total, allowed)
    deadline = _or_unlimited(document.twins.deadline_s, twins)
    tables = Tables(
        weight=weight,
        delay_factor=delay_factor,
        energy_factor=energy_factor,
        transfer_s=transfer,
        compute_s=compute,
        energy_j=energy,
        cost=cost,
        allowed=allowed,
        demand=demand,
        limit=limit,
        deadline_s=deadline,
        devices=devices,
        input_bits=total,
        largest_input_bits=largest,
        backhaul_s_per_bit=_backhaul(document, servers),
        most=limit + SLACK * np.maximum(1.0, limit),
        latest_s=deadline * (1.0 + SLACK),
    )
    arrays: dict[str, Any] = {
        name: np.ascontiguousarray(table)  # whatever the layout of measured data in memory
        for name, table in tables._asdict().items()
        if isinstance(table, np.ndarray)
    }
    for array in arrays.values():
        array.setflags(write=False)
    return tables._replace(**arrays)


def _group(devices: Devices, twins: int) -> _Groups:
    """Devices sorted by twin, in the order of the file within a twin."""
    owner: Ints = devices.twin
    count = np.bincount(owner, minlength=twins)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    order: Any = slice(None)
    if (owner[1:] < owner[:-1]).any():
        # Sorting the numbers themselves is several times faster than a stable argsort.
        keys = owner * len(owner) + np.arange(len(owner))
        keys.sort()
        order = keys % len(owner)

    def sort(column: Floats | None) -> Floats | None:
        return None if column is None else column[order]

    return _Groups(
        start,
        count,
        devices.input_bits[order],
        sort(devices.x_m),
        sort(devices.y_m),
        sort(devices.uplink_rate_bps),
    )


def _allowed(document: Document) -> NDArray[np.bool_]:
    """Which pairs no measured matrix forbids [M, S]."""
    allowed = np.ones(document.shape, dtype=bool)
    for name in MATRICES:
        matrix = getattr(document, name)
        if matrix is not None:
            allowed &= ~np.isnan(matrix)
    return allowed


def _pair_terms(
    document: Document, groups: _Groups | None, total: Floats, allowed: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Upload, computing and energy of every pair [M, S]."""
    if document.pair_cost is not None:
        none = np.zeros(document.shape)
        return none, none, none
    servers, cycles = document.servers, document.cycles_per_bit or 0.0
    transfer, compute, energy = (
        document.pair_transfer_s,
        document.pair_compute_s,
        document.pair_energy_j,
    )
    if transfer is None:
        assert groups is not None
        transfer = _uploads(document, groups)
    if compute is None:
        compute = np.divide.outer(cycles * total, servers.speed_hz)
    if energy is None:
        joules_per_bit = servers.tx_energy_j_per_bit + cycles * servers.energy_j_per_cycle
        energy = np.multiply.outer(total, joules_per_bit)
    if allowed.all():
        return transfer, compute, energy
    transfer, compute, energy = (
        np.where(allowed, term, 0.0) for term in (transfer, compute, energy)
    )
    return transfer, compute, energy


def _uploads(document: Document, groups: _Groups) -> Floats:
    """T^t_m [M, S]: the slowest upload of the devices of each twin (Eqs. 1, 4, 5, 15)."""
    servers, cloud = document.servers, is_cloud(document)
    uploads = np.empty(document.shape)
    if cloud.any():
        assert groups.uplink_rate_bps is not None
        bits_per_s = document.uplink_discount * groups.uplink_rate_bps
        slowest = np.maximum.reduceat(groups.input_bits / bits_per_s, groups.start)
        uploads[:, cloud] = slowest[:, None]
    if cloud.all():
        return uploads
    assert groups.x_m is not None and groups.y_m is not None
    assert document.rate_distance_bps_m is not None
    s_per_m = groups.input_bits / document.rate_distance_bps_m
    across, along = np.empty_like(s_per_m), np.empty_like(s_per_m)
    for server in np.flatnonzero(~cloud):  # in place: a column costs no new memory
        np.subtract(groups.x_m, servers.x_m[server], out=across)
        np.subtract(groups.y_m, servers.y_m[server], out=along)
        np.multiply(across, across, out=across)
        np.multiply(along, along, out=along)
        np.add(across, along, out=across)
        np.sqrt(across, out=across)
        np.maximum(across, document.min_distance_m, out=across)
        np.multiply(across, s_per_m, out=across)
        uploads[:, server] = np.maximum.reduceat(across, groups.start)
    return uploads


def _weights(document: Document, devices: Ints) -> Floats:
    """W_m [M]."""
    given = document.time_weight
    if isinstance(given, np.ndarray):
        return given
    if document.pair_cost is not None or given == "one":
        return np.ones(len(devices))
    counts = devices.astype(np.float64)
    return counts if given == "devices" else counts / devices.sum()


def resource_names(document: Document) -> tuple[str, ...]:
    """The resources with a limit somewhere, in the order of the rows of `Tables.demand`."""
    found = [name for name in SERVER_LIMITS if getattr(document.servers, name) is not None]
    if document.server_capacity is not None and not np.isnan(document.server_capacity).all():
        found.append("server_capacity")
    return tuple(found)


def _resources(
    document: Document, devices: Ints, total: Floats, allowed: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Demand [R, M, S] and limit [R, S]."""
    twins, servers = document.shape
    amounts = {
        "max_twins": np.ones(twins),
        "max_devices": devices,
        "max_input_bits": total,
        "memory_bytes": document.twins.memory_bytes,
    }
    names = resource_names(document)
    demand, limit = np.empty((len(names), twins, servers)), np.empty((len(names), servers))
    for row, name in enumerate(names):
        if name == "server_capacity":
            given, demand[row] = document.server_capacity, document.pair_load
        else:
            given, demand[row] = getattr(document.servers, name), amounts[name][:, None]
        limit[row] = _or_unlimited(given, servers)
    demand[:, ~allowed] = 0.0
    return demand, limit


def _or_unlimited(given: Floats | None, count: int) -> Floats:
    if given is None:
        return np.full(count, np.inf)
    return np.where(np.isnan(given), np.inf, given)


def _backhaul(document: Document, servers: int) -> Floats:
    """Seconds a bit of one device alone behind each backhaul [S]; 0 where none is limited."""
    bits_per_s = document.servers.backhaul_bps
    if bits_per_s is None:
        return np.zeros(servers)
    return np.where(np.isnan(bits_per_s), 0.0, 1.0 / (document.uplink_discount * bits_per_s))
