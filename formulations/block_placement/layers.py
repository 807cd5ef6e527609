"""The arcs of tasks in their layered graphs, as the arrays that the exact models are built from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.objective import SLACK

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: From so many servers on, arcs between servers through a hub are fewer than direct ones.
_HUB_SERVERS = 3
_CHUNK = 1_000


@dataclass(frozen=True)
class Layers:
    """Arcs of K tasks of one model with L blocks: block m is entered from a at location b.

    Location 0 is the device, 1..N are the servers, and N + 1 is a hub: where every transfer from
    one server to another takes equally long, it goes to the hub for nothing and leaves it at the
    full price. Values of arcs that are not open are 0.

    Attributes
    ----------
    tasks : [K] their indices.
    open : [K, L, N + 2, N + 2] arcs that a feasible decision can use.
    node : [K, L, N + 1] locations that some open arc enters.
    moving_s, drawn_j : [K, L, N + 2, N + 2] transfer time and energy, that of computing included.
    late_s : [K, L, N + 2, N + 2] seconds beyond the block's deadline at an idle server.
    spare_s : [K, L, N + 2, N + 2] seconds left until the block's deadline, at least 0; infinite
        without one.
    room : [K, L, N + 2, N + 2] utilisation of the server up to which a hard deadline of the block
        holds; infinite where no load can break it.
    compute_s : [K, L, N + 1] at an idle server.
    cycles, param_bytes : [K, L] and [L].
    result_s : [K, N + 1] to send the result back from the last block's location.
    """

    instance: BlockPlacement
    model: int
    tasks: Ints
    open: Mask
    node: Mask
    moving_s: Floats
    drawn_j: Floats
    late_s: Floats
    spare_s: Floats
    room: Floats
    compute_s: Floats
    cycles: Floats
    param_bytes: Floats
    result_s: Floats

    @property
    def lost(self) -> Mask:
        """Tasks [K] that have no path at all."""
        return ~np.asarray(_any(self.node, 2).all(axis=1))


def task_groups(instance: BlockPlacement, size: int, tasks: Ints | None = None) -> Iterator[Ints]:
    """All tasks, or those given, in groups of at most `size` of the same model."""
    chosen = np.arange(instance.tasks) if tasks is None else tasks
    model = instance.tables.model[chosen]
    order = chosen[np.argsort(model, kind="stable")]
    starts = np.flatnonzero(np.diff(np.sort(model))) + 1
    for same in np.split(order, starts):
        yield from np.split(same, range(size, len(same), size))


def layers_of(instance: BlockPlacement, tasks: Ints, hub: bool = True) -> Layers:
    """The arcs of tasks of the same model; without hubs if so asked."""
    t = instance.tables
    model = int(t.model[tasks[0]])
    length = int(t.lengths[model])
    locations = instance.servers + 1
    scale = t.scale[tasks]
    unit = np.zeros((len(tasks), locations, locations))  # seconds per bit
    unit[:, 0, 1:] = t.up_s_per_bit[tasks]
    unit[:, 1:, 0] = t.back_s_per_bit[tasks]
    unit[:, 1:, 1:] = t.wire_s_per_bit
    bits, arc_s = t.bits[model, :length], t.arc_s[model, :length]
    moving = bits[None, :, None, None] * unit[:, None] + arc_s
    moving *= scale[:, None, None, None]
    speed = np.empty((len(tasks), locations))
    speed[:, 0] = t.device_speed_hz[t.device[tasks]]
    speed[:, 1:] = t.server_speed_hz
    timed, measured = t.cycles_timed[model, :length], t.measured_s[model, :length]
    compute = (timed[None, :, None] / speed[:, None] + measured) * scale[:, None, None]
    usable = np.isfinite(moving) & np.isfinite(compute)[:, :, None, :]
    usable[:, 0, 1:] = False  # the input is on the device
    moving = np.where(np.isfinite(moving), moving, 0.0)
    compute = np.where(np.isfinite(compute), compute, 0.0)
    drawn = _joules(instance, tasks, model, length, moving)
    cycles = scale[:, None] * t.cycles[model, :length]
    deadline = t.deadline_s[tasks, :length] if instance.active_deadlines else None
    late, spare, room = _deadlines(instance, deadline, moving, compute)
    usable &= _single(instance, tasks, model, moving, compute, drawn, cycles, room)
    usable = _connected(usable)
    result = np.zeros((len(tasks), locations))
    result[:, 1:] = instance.options.result_bits * scale[:, None] * t.down_s_per_bit[tasks]
    hubs = _hubs(instance, model, length) & hub
    opened, values = _with_hub(hubs, usable, [moving, drawn, late, spare, room])
    moving, drawn, late, spare, room = values
    return Layers(
        instance, model, tasks, opened, _any(usable, 2), moving, drawn, late, spare, room,
        compute, cycles, t.param_bytes[model, :length], result,
    )  # fmt: skip


def busiest(instance: BlockPlacement) -> NDArray[np.float64]:
    """Utilisation [S, N] of each server if all work of the slot that can go there did."""
    slots = np.unique(instance.tables.slot)
    work = np.zeros((len(slots), instance.servers))
    for group in task_groups(instance, _CHUNK):
        layers = layers_of(instance, group)
        possible = np.where(layers.node, layers.compute_s, 0.0).sum(axis=1)[:, 1:]
        np.add.at(work, np.searchsorted(slots, instance.tables.slot[group]), possible)
    return work / instance.document.slot_s


def _joules(
    instance: BlockPlacement, tasks: Ints, model: int, length: int, moving: Floats
) -> Floats:
    """Energy [K, L, A, A] that an arc and the block behind it draw from the task's device."""
    t = instance.tables
    device, scale = t.device[tasks], t.scale[tasks]
    node = np.repeat(t.measured_j[None, model, :length], len(tasks), axis=0)
    node[:, :, 0] += t.cycles_powered[model, :length] * t.joule_per_cycle[device][:, None]
    drawn = scale[:, None, None, None] * (node[:, :, None, :] + t.arc_j[model, :length])
    sent = np.zeros_like(moving)  # seconds for which the transmit power is charged
    if instance.options.energy_transfer == "literal":
        sent[:, :, :, 1:] = moving[:, :, :, 1:]
    else:
        radio = t.bits[model, :length, None] * t.radio_s_per_bit[tasks][:, None]
        measured = np.where(np.isfinite(t.arc_s[model]), t.arc_s[model], 0.0)[:length, 0, 1:]
        sent[:, :, 0, 1:] = scale[:, None, None] * (radio + measured)
    sent[:, ~t.arc_powered[model, :length]] = 0.0
    return drawn + t.tx_power_w[device][:, None, None, None] * sent


def _deadlines(
    instance: BlockPlacement, deadline: Floats | None, moving: Floats, compute: Floats
) -> tuple[Floats, Floats, Floats]:
    """Lateness, spare time and room of arcs [K, L, A, A]; deadline [K, L]."""
    none, unlimited = np.zeros_like(moving), np.full_like(moving, np.inf)
    if deadline is None:
        return none, unlimited, unlimited
    limit, busy = deadline[:, :, None, None], compute[:, :, None, :]
    over = moving + busy - limit
    late, spare = np.maximum(over, 0.0), np.maximum(-over, 0.0)
    if instance.options.deadline != "hard":
        return late, spare, unlimited
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = (limit * (1 + SLACK) - moving) / busy  # the largest slowdown in time
        if instance.options.congestion == "ps":
            most = 1.0 - 1.0 / factor
        elif instance.options.congestion == "linear" and instance.options.congestion_slope > 0:
            most = (factor - 1.0) / instance.options.congestion_slope
        else:
            most = unlimited
    loaded = np.broadcast_to(busy > 0, most.shape).copy()
    loaded[..., 0] = False
    room = np.where(loaded, most, np.inf)
    room[moving + busy > limit * (1 + SLACK)] = -1.0  # late at an idle server
    return none, spare, room


def _single(
    instance: BlockPlacement,
    tasks: Ints,
    model: int,
    moving: Floats,
    compute: Floats,
    drawn: Floats,
    cycles: Floats,
    room: Floats,
) -> Mask:
    """Arcs [K, L, A, A] that break no limit by themselves: what they use only adds up."""
    t = instance.tables
    shape = compute.shape
    node = np.ones(shape, dtype=bool)
    own = np.zeros(shape)  # utilisation by this block alone
    own[:, :, 1:] = compute[:, :, 1:] / instance.document.slot_s
    if instance.options.congestion == "ps":
        node &= own < 1.0
    if (limit := instance.server_cycles) is not None:
        node[:, :, 1:] &= ~(cycles[:, :, None] > limit * (1 + SLACK))
    if (limit := instance.device_cycles) is not None:
        node[:, :, 0] &= ~(cycles > limit[t.device[tasks]][:, None] * (1 + SLACK))
    if (limit := instance.storage_bytes) is not None:
        size = t.param_bytes[model, : shape[1]]
        node[:, :, 1:] &= ~(size[:, None] > limit * (1 + SLACK))
    arc = node[:, :, None, :] & (room >= own[:, :, None, :] * (1 - SLACK))
    if (limit := instance.energy_budget_j) is not None:
        arc &= ~(drawn > limit[t.device[tasks]][:, None, None, None] * (1 + SLACK))
    if instance.active_deadlines and instance.options.deadline == "hard":
        whole = t.task_deadline_s[tasks][:, None, None, None] * (1 + SLACK)
        arc &= ~(moving + compute[:, :, None, :] > whole)
    return arc


def _connected(usable: Mask) -> Mask:
    """Only the arcs [K, L, A, A] that lie on a whole path."""
    usable = usable.copy()
    for m in range(1, usable.shape[1]):
        usable[:, m] &= _any(usable[:, m - 1], 1)[:, :, None]
    for m in range(usable.shape[1] - 1, 0, -1):
        usable[:, m - 1] &= _any(usable[:, m], 2)[:, None, :]
    return usable


def _any(mask: Mask, axis: int) -> Mask:
    return np.asarray(mask.any(axis=axis))


def _hubs(instance: BlockPlacement, model: int, length: int) -> Mask:
    """Blocks [L] whose input takes equally long, and draws as much, between any two servers."""
    t, servers = instance.tables, instance.servers
    between = t.wire_s_per_bit[~np.eye(servers, dtype=bool)]
    same = servers >= _HUB_SERVERS and bool((between == between[0]).all())
    hubs = same & ~t.arc_measured[model, :length] & t.arc_powered[model, :length]
    hubs[0] = False
    return hubs


def _with_hub(hubs: Mask, usable: Mask, values: list[Floats]) -> tuple[Mask, list[Floats]]:
    """Arcs and their values with one more location, through which the blocks `hubs` hop."""
    count, length, locations, _ = usable.shape
    shape = (count, length, locations + 1, locations + 1)
    opened = np.zeros(shape, dtype=bool)
    opened[:, :, :-1, :-1] = usable
    hops = ~np.eye(locations, dtype=bool)
    hops[0] = hops[:, 0] = False
    hopping = usable & hops & hubs[:, None, None]
    opened[:, :, :-1, :-1] &= ~hopping
    opened[:, :, :-1, -1] = _any(hopping, 3)
    opened[:, :, -1, :-1] = _any(hopping, 2)
    other = np.minimum(np.arange(locations) % max(locations - 1, 1) + 1, locations - 1)
    extended = []
    for value in values:
        wide = np.zeros(shape)
        wide[:, :, :-1, :-1] = value
        # Any other server stands for all of them.
        wide[:, :, -1, :-1] = value[:, :, other, np.arange(locations)]
        if np.isinf(value).any():
            wide[:, :, :-1, -1] = np.inf
        extended.append(np.where(opened, wide, 0.0))
    return opened, extended
