"""Groups of tasks that couplings tie together, and the rows that tie them.

Without storage every coupling is a function of sums over tasks: seconds of work of a slot on a
server (congestion), cycles of a slot on a server or a device, joules of a device. A component is
a set of tasks that share such rows, directly or through others: one slot, one device, or more.
Its problem is to choose one path for each task, a `Choice` (``optkit.exact.choice``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from formulations.block_placement import kernels
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.pricing import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LOAD, SERVER, DEVICE, ENERGY = range(4)


@dataclass(frozen=True)
class Rows:
    """Every row of an instance: what is added up, where, and the limit.

    A row's amount is divided by its `size`: loads become utilisations, limits become 1.
    """

    kind: Ints  # [R] LOAD, SERVER, DEVICE or ENERGY
    slot: Ints  # [R] -1 for ENERGY
    place: Ints  # [R] server of LOAD and SERVER, device of DEVICE and ENERGY
    size: Floats  # [R] slot_s for LOAD, the limit else
    of_server: Ints  # [2, T, N] LOAD and SERVER rows, -1 where there is none
    of_device: Ints  # [T + 1, D] DEVICE rows, and in the last line ENERGY rows

    @classmethod
    def of(cls, instance: BlockPlacement) -> Rows:
        """The rows of an instance that some task of it can touch."""
        slots, servers, devices = instance.slots, instance.servers, instance.devices
        of_server = np.full((2, slots, servers), -1)
        of_device = np.full((slots + 1, devices), -1)
        t = instance.tables
        kind: list[int] = []
        slot: list[int] = []
        place: list[int] = []
        size: list[float] = []

        def add(what: int, s: int, where: int, limit: float) -> int:
            kind.append(what)
            slot.append(s)
            place.append(where)
            size.append(limit)
            return len(kind) - 1

        for s in np.unique(t.slot):
            for n in range(servers):
                if "load" in instance.couplings:
                    of_server[0, s, n] = add(LOAD, int(s), n, instance.document.slot_s)
                limit = instance.server_cycles
                if limit is not None and not np.isnan(limit[n]):
                    of_server[1, s, n] = add(SERVER, int(s), n, float(limit[n]))
        if instance.device_cycles is not None:
            for s, d in np.unique(np.stack([t.slot, t.device], axis=1), axis=0):
                if not np.isnan(instance.device_cycles[d]):
                    of_device[s, d] = add(DEVICE, int(s), int(d), float(instance.device_cycles[d]))
        if instance.energy_budget_j is not None:
            for d in np.unique(t.device):
                if not np.isnan(instance.energy_budget_j[d]):
                    limit_j = float(instance.energy_budget_j[d])
                    of_device[-1, d] = add(ENERGY, -1, int(d), limit_j)
        return cls(
            np.array(kind, dtype=np.int64),
            np.array(slot, dtype=np.int64),
            np.array(place, dtype=np.int64),
            # A limit of 0 admits nothing; dividing by 1 keeps what little there is above it.
            np.array([value if value > 0 else 1.0 for value in size]),
            of_server,
            of_device,
        )

    def touched(self, slot: Ints, device: Ints) -> Ints:
        """Rows that tasks of these slots and devices touch [K, 2 N + 2], -1 for none."""
        return np.concatenate(
            [
                self.of_server[0, slot],
                self.of_server[1, slot],
                self.of_device[slot, device][:, None],
                self.of_device[-1, device][:, None],
            ],
            axis=1,
        )


@dataclass(frozen=True)
class Columns:
    """Paths of tasks with what they cost and use; row c belongs to task[c]."""

    task: Ints  # [C]
    path: Ints  # [C, M]
    cost: Floats  # [C] seconds that no row adds up
    amount: Floats  # [C, R] of the component's rows, divided by their sizes

    def take(self, which: Ints) -> Columns:
        """Some of the columns, by number."""
        return Columns(self.task[which], self.path[which], self.cost[which], self.amount[which])


@dataclass(frozen=True)
class Component:
    """Tasks that share rows; row indices are those of `Rows`."""

    instance: BlockPlacement
    rows: Rows
    tasks: Ints  # [K]
    row: Ints  # [R]

    def prices(self, price: Floats) -> Prices:
        """Prices of arcs for a price y [R] of one unit of each of the component's rows."""
        instance, rows = self.instance, self.rows
        per_unit = price / rows.size[self.row]
        congested = "load" in instance.couplings
        busy = np.zeros((instance.slots, instance.servers))
        busy += 0.0 if congested else 1.0
        cycle = np.zeros_like(busy)
        device_cycle = np.zeros((instance.devices, instance.slots))
        joule = np.zeros(instance.devices)
        kind, slot, place = rows.kind[self.row], rows.slot[self.row], rows.place[self.row]
        pick = kind == LOAD
        busy[slot[pick], place[pick]] = per_unit[pick]
        pick = kind == SERVER
        cycle[slot[pick], place[pick]] = per_unit[pick]
        pick = kind == DEVICE
        device_cycle[place[pick], slot[pick]] = per_unit[pick]
        pick = kind == ENERGY
        joule[place[pick]] = per_unit[pick]
        return Prices.of(instance, busy=busy, cycle=cycle, device_cycle=device_cycle, joule=joule)

    def columns(self, task: Ints, path: Ints) -> Columns:
        """Costs and amounts of paths [C, M] of tasks [C]."""
        instance, count = self.instance, len(task)
        locations = instance.servers + 1
        moved, energy, late = np.zeros(count), np.zeros(count), np.zeros(count)
        busy, cycles = np.zeros((count, locations)), np.zeros((count, locations))
        prices = Prices.of(instance)
        kernels.path_usage(instance.tables, prices, task, path, moved, busy, cycles, energy, late)
        cost = moved + busy[:, 0] + prices.late * late
        if "load" not in instance.couplings:
            cost += busy[:, 1:].sum(axis=1)
        local = np.full(len(self.rows.kind) + 1, -1)
        local[self.row] = np.arange(len(self.row))
        t = instance.tables
        used = local[self.rows.touched(t.slot[task], t.device[task])]
        values = np.concatenate(
            [busy[:, 1:], cycles[:, 1:], cycles[:, :1], energy[:, None]], axis=1
        )
        amount = np.zeros((count, len(self.row)))
        who, what = np.nonzero(used >= 0)
        amount[who, used[who, what]] = values[who, what]
        return Columns(task, path, cost, amount / self.rows.size[self.row])


def components(instance: BlockPlacement) -> list[Component]:
    """Split an instance without storage into components, in order of their first task.

    Tasks that touch no row are in components of their own without rows, all together.
    """
    rows = Rows.of(instance)
    t = instance.tables
    touched = rows.touched(t.slot, t.device)
    task, column = np.nonzero(touched >= 0)
    row = touched[task, column]
    count = instance.tasks
    size = count + len(rows.kind)
    links = coo_matrix((np.ones(len(task)), (task, count + row)), shape=(size, size))
    _, label = connected_components(links, directed=False)
    free = np.ones(count, dtype=bool)
    free[task] = False
    task_label = np.where(free, -1, label[:count])
    row_order = np.argsort(label[count:], kind="stable")
    row_label = label[count:][row_order]
    found = []
    order = np.argsort(task_label, kind="stable")
    starts = np.flatnonzero(np.diff(task_label[order], prepend=task_label[order[0]] - 1))
    for tasks in np.split(order, starts[1:]):
        first = np.searchsorted(row_label, task_label[tasks[0]], side="left")
        last = np.searchsorted(row_label, task_label[tasks[0]], side="right")
        found.append(Component(instance, rows, np.sort(tasks), np.sort(row_order[first:last])))
    return sorted(found, key=lambda component: int(component.tasks[0]))
