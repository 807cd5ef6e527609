"""The numbers of an instance as flat arrays: what the evaluator and every method compute with."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.schema import Document, Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Tables(NamedTuple):
    """Arrays over I models, M blocks (padded), A = N + 1 locations, K tasks, D devices.

    Location 0 is the task's own device, n >= 1 is edge server n - 1. A null measured time is
    infinite. All times are for `scale` 1 and are to be multiplied with the task's.

    compute_s of block m of model i at location a is ``cycles_timed[i, m] / speed[a] +
    measured_s[i, m, a]`` (speed of the device at a = 0); the transfer into it from a to b takes
    ``bits[i, m] * unit(a, b) + arc_s[i, m, a, b]`` with unit(0, b) = up_s_per_bit[k, b - 1],
    unit(a, 0) = back_s_per_bit[k, a - 1], unit(a, b) = wire_s_per_bit[a - 1, b - 1].
    """

    lengths: Ints  # [I] blocks of each model
    cycles: Floats  # [I, M] counted against cycles_per_slot
    cycles_timed: Floats  # [I, M] those that take time by formula (0 if measured)
    cycles_powered: Floats  # [I, M] those that draw energy by formula (0 if measured)
    measured_s: Floats  # [I, M, A]
    measured_j: Floats  # [I, M, A]
    bits: Floats  # [I, M] moved into block m by formula (0 if measured)
    arc_s: Floats  # [I, M, A, A]
    arc_j: Floats  # [I, M, A, A] measured transmit energy
    arc_powered: NDArray[np.bool_]  # [I, M] transmit power times time applies (not measured)
    arc_measured: NDArray[np.bool_]  # [I, M] the transfer time is measured
    param_bytes: Floats  # [I, M]
    model: Ints  # [K]
    device: Ints  # [K]
    slot: Ints  # [K]
    scale: Floats  # [K]
    radio_s_per_bit: Floats  # [K, N] the radio part of an upload
    up_s_per_bit: Floats  # [K, N]
    down_s_per_bit: Floats  # [K, N]
    back_s_per_bit: Floats  # [K, N] what a return transfer is charged (0 if not charged)
    wire_s_per_bit: Floats  # [N, N]
    device_speed_hz: Floats  # [D]
    joule_per_cycle: Floats  # [D]
    tx_power_w: Floats  # [D]
    server_speed_hz: Floats  # [N]
    deadline_s: Floats  # [K, M] per block; infinite without
    task_deadline_s: Floats  # [K]; infinite without


def compile_tables(document: Document) -> Tables:
    """Fold the relay, literal and measured readings of a checked document into arrays."""
    models, tasks = document.models, document.tasks
    servers, devices = document.servers, document.devices
    locations = len(servers.speed_hz) + 1
    longest = max(len(model.blocks) for model in models)
    shape = (len(models), longest)
    per_model = _model_arrays(models, shape, locations)
    count = len(tasks.model)
    up, radio, down, wire = _rates(document, count, locations - 1)
    scale = np.ones(count) if tasks.scale is None else tasks.scale
    block_deadline = np.full((count, longest), np.inf)
    task_deadline = np.full(count, np.inf)
    if tasks.deadline_s is not None and document.options.deadline_scope == "task":
        task_deadline = tasks.deadline_s
    elif tasks.deadline_s is not None:
        given = tasks.deadline_s if tasks.deadline_s.ndim == 2 else tasks.deadline_s[:, None]
        block_deadline = np.broadcast_to(given, (count, longest)).copy()
        block_deadline[np.isnan(block_deadline)] = np.inf
    return Tables(
        **per_model,
        model=tasks.model,
        device=tasks.device,
        slot=tasks.slot,
        scale=scale,
        radio_s_per_bit=radio,
        up_s_per_bit=up,
        down_s_per_bit=down,
        back_s_per_bit=down if document.options.return_transfer else np.zeros_like(down),
        wire_s_per_bit=wire,
        device_speed_hz=devices.speed_hz,
        joule_per_cycle=devices.kappa * devices.speed_hz**2,
        tx_power_w=devices.tx_power_w,
        server_speed_hz=servers.speed_hz,
        deadline_s=block_deadline,
        task_deadline_s=task_deadline,
    )


def _model_arrays(models: list[Model], shape: tuple[int, int], locations: int) -> dict[str, Any]:
    lengths = np.array([len(model.blocks) for model in models], dtype=np.int64)
    cycles, timed, powered, bits, size = (np.zeros(shape) for _ in range(5))
    node_s, node_j = np.zeros((*shape, locations)), np.zeros((*shape, locations))
    arc_s, arc_j = (np.zeros((*shape, locations, locations)) for _ in range(2))
    arc_powered = np.ones(shape, dtype=bool)
    arc_measured = np.zeros(shape, dtype=bool)
    for i, model in enumerate(models):
        incoming = model.input_bits
        for m, block in enumerate(model.blocks):
            cycles[i, m] = block.cycles or 0.0
            timed[i, m] = powered[i, m] = cycles[i, m]
            size[i, m] = block.param_bytes
            bits[i, m] = incoming or 0.0
            incoming = block.output_bits
            if block.compute_s is not None:
                timed[i, m] = 0.0
                node_s[i, m] = np.where(np.isnan(block.compute_s), np.inf, block.compute_s)
            if block.compute_energy_j is not None:
                powered[i, m] = 0.0
                node_j[i, m] = np.nan_to_num(block.compute_energy_j)
            if block.transfer_s is not None:
                bits[i, m] = 0.0
                arc_measured[i, m] = True
                arc_s[i, m] = np.where(np.isnan(block.transfer_s), np.inf, block.transfer_s)
            if block.transfer_energy_j is not None:
                arc_powered[i, m] = False
                arc_j[i, m] = np.nan_to_num(block.transfer_energy_j)
    return {
        "lengths": lengths,
        "cycles": cycles,
        "cycles_timed": timed,
        "cycles_powered": powered,
        "measured_s": node_s,
        "measured_j": node_j,
        "bits": bits,
        "arc_s": arc_s,
        "arc_j": arc_j,
        "arc_powered": arc_powered,
        "arc_measured": arc_measured,
        "param_bytes": size,
    }


def _rates(document: Document, count: int, servers: int) -> tuple[Floats, ...]:
    """Seconds per bit: upload [K, N], its radio part [K, N], download [K, N], wire [N, N]."""
    rate = document.wired_rate_bps
    wire = np.zeros((servers, servers))
    off = ~np.eye(servers, dtype=bool)
    wire[off] = 1.0 / (rate[off] if isinstance(rate, np.ndarray) else rate)
    tasks = document.tasks

    def per_server(values: Any) -> Floats:
        full = values if values.ndim == 2 else values[:, None]
        return np.broadcast_to(1.0 / full, (count, servers))

    radio = per_server(tasks.uplink_rate_bps)
    back = radio if tasks.downlink_rate_bps is None else per_server(tasks.downlink_rate_bps)
    up, down = radio, back
    if tasks.associated_es is not None:  # one radio, the other servers over the wire
        near = tasks.associated_es
        rows = np.arange(count)
        radio = np.broadcast_to(radio[rows, near][:, None], (count, servers))
        up = radio + wire[near]
        down = back[rows, near][:, None] + wire[:, near].T
    return tuple(np.ascontiguousarray(a) for a in (up, radio, down, wire))
