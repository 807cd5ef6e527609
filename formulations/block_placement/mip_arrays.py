"""The model of ``mip`` as arrays, for instances of 100,000 variables and for other exact methods.

Row by row the same as the Pyomo model, which is the one to read; a test holds the two together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from formulations.block_placement.array_rows import Columns, Rows
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.layers import Layers, busiest, layers_of, task_groups
from formulations.block_placement.mip_arrays_congestion import ArrayCongestion
from formulations.block_placement.mip_arrays_points import Points
from formulations.block_placement.objective import SLACK
from formulations.block_placement.refine import refine
from formulations.block_placement.tangents import LoadCurves
from optkit.backends.feed import Solution
from optkit.backends.highs import solve_model
from optkit.backends.linear import LinearModel
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_GROUP = 1_000
_SIDE = 1 + SLACK


def solve_arrays(instance: BlockPlacement, run: Run) -> None:
    """Build the model without Pyomo and solve it as ``mip`` does."""
    model = ArrayModel(instance)
    if model.build(run):
        run.built()
        refine(run, model, model.curves)


class ArrayModel:
    """The mixed-integer model of an instance, or of some of its tasks, as columns and rows.

    With only some tasks, limits and loads are those of these tasks alone: its optimum is then no
    bound on that of the instance, and its decisions leave the other tasks on their devices.

    Parameters
    ----------
    instance : the instance.
    tasks : indices of the tasks; all by default.

    Attributes
    ----------
    columns, rows : what `linear` consists of.
    points : which columns are what, to read decisions from points of the model.
    curves : the curves of loads where there is congestion.
    """

    def __init__(self, instance: BlockPlacement, tasks: Ints | None = None) -> None:
        self.instance = instance
        self.tasks = np.arange(instance.tasks) if tasks is None else tasks
        self.columns, self.rows = Columns(), Rows()
        self.points = Points(instance)
        self.curves: LoadCurves | None = None
        self._congestion: ArrayCongestion | None = None
        self._amounts: dict[str, list[tuple[Ints, Ints, Floats]]] = {}
        self._forbidden: list[Ints] = []

    def build(self, run: Run | None = None) -> bool:
        """Add all tasks and the rows that couple them.

        False if the run ended meanwhile, or a task has no path, of which the run is told.
        """
        instance = self.instance
        if instance.options.congestion != "none":
            self.curves = LoadCurves(instance)
            best = None if run is None else run.objective
            self.curves.cap(busiest=busiest(instance), objective=best)
            self._congestion = ArrayCongestion(self.curves, self.columns, self.rows)
        for group in task_groups(instance, _GROUP, self.tasks):
            if run is not None and run.stopped():
                return False
            layers = layers_of(instance, group)
            if layers.lost.any():
                if run is not None:
                    run.infeasible()
                return False
            self._add_tasks(layers)
        self._add_limits()
        if self._congestion is not None:
            self._congestion.close()
        return True

    def linear(self) -> LinearModel:
        """The model as it is now."""
        rows = [self.rows]
        if self._congestion is not None:
            rows.append(self._congestion.moving_rows())
        if self._forbidden:
            cuts = Rows()
            for chosen in self._forbidden:
                cuts.add(np.zeros_like(chosen), chosen, 1.0, 1, upper=len(chosen) - 1.0)
            rows.append(cuts)
        cost, lower, upper, integer = self.columns.arrays()
        if self._congestion is not None:
            self._congestion.limit(upper)
        low = np.concatenate([part.lower for part in rows])
        high = np.concatenate([part.upper for part in rows])
        matrix = sparse.vstack([part.matrix(len(cost)) for part in rows], format="csc")
        return LinearModel(cost, matrix, low, high, lower, upper, integer)

    def solve(self, run: Run) -> Solution:
        """Solve the model from the run's incumbent on."""
        linear = self.linear()
        start = None
        if run.objective is not None and run.x is not None and run.evaluation is not None:
            rho = np.asarray(run.evaluation.terms["rho"])
            start = self.values_of(linear, run.x, rho)
        return solve_model(
            linear,
            run,
            bound_of=self.instance if len(self.tasks) == self.instance.tasks else None,
            decode=lambda values: (self.points.read(values), {}),
            start=start,
        )

    def decision(self, solution: Solution) -> Ints:
        """The decision vector of a solution."""
        return self.points.read(np.asarray(solution.values))

    def touch(self, curves: LoadCurves, added: list[tuple[int, int, float]]) -> None:
        """Tangents are written from the curves with each solve."""

    def forbid(self, x: Ints) -> None:
        """Cut off one decision."""
        self._forbidden.append(self.points.chosen(x))

    def values_of(self, linear: LinearModel, x: Ints, rho: Floats) -> Floats:
        """The point of the model [n] at a feasible decision with the loads rho [T, N]."""
        values = np.zeros(len(linear.cost))
        self.points.write(values, x)
        if self._congestion is not None:
            self._congestion.begin_at(values, rho)
        for row, late in self.rows.marked("late"):  # each at the value that its row asks for
            values[late] = 0.0
            short = (linear.matrix @ values - linear.row_upper)[row]
            values[late] = np.maximum(short, 0.0)
        return values

    # --- tasks -----------------------------------------------------------------------------------

    def _add_tasks(self, layers: Layers) -> None:
        instance, options, rows = self.instance, self.instance.options, self.rows
        k, m, j = np.nonzero(layers.node)
        seconds = layers.compute_s[k, m, j]
        last = layers.node.shape[1] - 1
        loaded = (j > 0) & (self._congestion is not None)
        result = np.where(m == last, layers.result_s[k, j], 0.0)
        nodes = self.columns.add(np.where(loaded, 0.0, seconds) + result, 0.0, 1.0, integer=True)
        x = np.full(layers.node.shape, -1)
        x[k, m, j] = nodes
        self.points.nodes.append(np.stack([nodes, layers.tasks[k], m, j], axis=1))
        at, block, a, b = np.nonzero(layers.open)
        moving, late = layers.moving_s[at, block, a, b], layers.late_s[at, block, a, b]
        arcs = self.columns.add(moving + options.penalty_weight * late, 0.0, 1.0)
        flow = np.full(layers.open.shape, -1)
        flow[at, block, a, b] = arcs
        self.points.arcs.append(np.stack([arcs, layers.tasks[at], block, a, b], axis=1))
        # Eq. 2
        size = layers.node.shape[0] * layers.node.shape[1]
        rows.add(k * (last + 1) + m, nodes, 1.0, size, 1.0, 1.0)
        # Eq. 5: what arrives at a location, or leaves it, is what runs there
        number = np.full((*layers.node.shape[:2], instance.servers + 2), -1)
        number[k, m, j] = np.arange(len(nodes))
        first = rows.add(np.arange(len(nodes)), nodes, -1.0, len(nodes), 0.0, 0.0)
        real = b <= instance.servers
        rows.extend(first + number[at, block, b][real], arcs[real], 1.0)
        before = (m < last).nonzero()[0]
        number[k[before], m[before], j[before]] = np.arange(len(before))
        first = rows.add(np.arange(len(before)), nodes[before], -1.0, len(before), 0.0, 0.0)
        later = ((block > 0) & (a <= instance.servers)).nonzero()[0]
        rows.extend(first + number[at[later], block[later] - 1, a[later]], arcs[later], 1.0)
        hubs = layers.open[..., -1].any(axis=2)
        index = np.full(hubs.shape, -1)
        index[hubs] = np.arange(hubs.sum())
        into, out = b > instance.servers, a > instance.servers
        first = rows.add(index[at[into], block[into]], arcs[into], 1.0, int(hubs.sum()), 0.0, 0.0)
        rows.extend(first + index[at[out], block[out]], arcs[out], -1.0)
        self._count(layers, x, flow)
        if self._congestion is not None:
            self._congestion.add(layers, x, flow)
        self._whole_deadline(layers, x, flow)

    def _count(self, layers: Layers, x: Ints, flow: Ints) -> None:
        """What nodes and arcs use of the limits that couple tasks."""
        instance, t = self.instance, self.instance.tables
        slot, device = t.slot[layers.tasks], t.device[layers.tasks]
        if instance.energy_budget_j is not None:
            at = np.nonzero(layers.open)
            self._use("energy", device[at[0]], flow[at], layers.drawn_j[at])
        k, m, j = np.nonzero(layers.node)
        cycles, servers = layers.cycles[k, m], instance.servers
        if instance.server_cycles is not None:
            far = j > 0
            place = slot[k[far]] * servers + j[far] - 1
            self._use("server_cycles", place, x[k, m, j][far], cycles[far])
        if instance.device_cycles is not None:
            near = j == 0
            place = slot[k[near]] * instance.devices + device[k[near]]
            self._use("device_cycles", place, x[k, m, j][near], cycles[near])
        limit = instance.storage_bytes
        if limit is not None:
            far = (j > 0) & (layers.param_bytes[m] > 0)
            far[far] = np.isfinite(limit[j[far] - 1])
            k, m, j = k[far], m[far], j[far]
            scope = slot[k] if instance.options.storage_scope == "slot" else np.zeros_like(k)
            shape = (instance.slots, *t.cycles.shape, servers)
            model = np.full_like(k, layers.model)
            key = np.ravel_multi_index((scope, model, m, j - 1), shape)
            self._use("stored", key, x[k, m, j], np.ones(len(k)))

    def _use(self, kind: str, key: Ints, column: Ints, amount: Floats) -> None:
        used = amount != 0
        self._amounts.setdefault(kind, []).append((key[used], column[used], amount[used]))

    def _whole_deadline(self, layers: Layers, x: Ints, flow: Ints) -> None:
        """The deadline of whole tasks: C2, or their lateness in Eq. 13."""
        instance = self.instance
        limit = instance.tables.task_deadline_s[layers.tasks]
        if not instance.active_deadlines:
            return
        hard = instance.options.deadline == "hard"
        k, m, j = np.nonzero(layers.node)
        at = np.nonzero(layers.open)
        seconds = layers.compute_s[k, m, j]
        result = np.where(m == layers.node.shape[1] - 1, layers.result_s[k, j], 0.0)
        longest = np.zeros(len(limit))
        for task, amount in ((k, seconds), (k, result), (at[0], layers.moving_s[at])):
            np.maximum.at(longest, task, amount)
        unit = limit if hard else longest
        timed = np.isfinite(limit) & (unit > 0)
        number = np.full(len(limit), -1)
        number[timed] = np.arange(timed.sum())
        task = np.concatenate([k, at[0]])
        column = np.concatenate([x[k, m, j], flow[at]])
        amount = np.concatenate([seconds + result, layers.moving_s[at]])
        if self._congestion is not None:
            where, slowed, work = self._congestion.slowed_work(layers, x, np.isfinite(limit))
            task = np.concatenate([task, where])
            column, amount = np.concatenate([column, slowed]), np.concatenate([amount, work])
        kept = timed[task]
        side = np.full(timed.sum(), _SIDE) if hard else limit[timed] / unit[timed]
        first = self.rows.add(
            number[task[kept]], column[kept], amount[kept] / unit[task[kept]], len(side),
            upper=side,
        )  # fmt: skip
        if not hard:
            late = self.columns.add(instance.options.penalty_weight * unit[timed], 0.0, np.inf)
            self.rows.extend(first + np.arange(len(late)), late, -1.0)
            self.rows.mark("late", first + np.arange(len(late)), late)

    # --- what couples tasks ----------------------------------------------------------------------

    def _add_limits(self) -> None:
        instance = self.instance
        if "stored" in self._amounts:
            key, column, _ = self._gathered("stored")
            found, held = np.unique(key, return_inverse=True)
            stored = self.columns.add(np.zeros(len(found)), 0.0, 1.0, integer=True)
            link = self.rows.add(np.arange(len(key)), column, 1.0, len(key), upper=0.0)
            self.rows.extend(link + np.arange(len(key)), stored[held], -1.0)
            shape = (instance.slots, *instance.tables.cycles.shape, instance.servers)
            s, i, m, n = np.unravel_index(found, shape)
            by_slot = instance.options.storage_scope == "slot"
            scope = s if by_slot else np.full_like(s, -1)
            self.points.stored = np.stack([stored, scope, i, m, n], axis=1)
            size = instance.tables.param_bytes[i, m]
            self._amounts["storage"] = [(s * instance.servers + n, stored, size)]
        for kind, limit in (
            ("energy", instance.energy_budget_j),
            ("server_cycles", instance.server_cycles),
            ("device_cycles", instance.device_cycles),
            ("storage", instance.storage_bytes),
        ):
            if limit is None or kind not in self._amounts:
                continue
            key, column, amount = self._gathered(kind)
            # With a limit of 0 or none no arc that is open can break it.
            limited = limit[key % len(limit)] > 0
            key, column, amount = key[limited], column[limited], amount[limited]
            found, row = np.unique(key, return_inverse=True)
            self.rows.add(row, column, amount / limit[key % len(limit)], len(found), upper=_SIDE)

    def _gathered(self, kind: str) -> tuple[Ints, Ints, Floats]:
        keys, columns, amounts = zip(*self._amounts[kind], strict=True)
        return np.concatenate(keys), np.concatenate(columns), np.concatenate(amounts)
