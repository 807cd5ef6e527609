"""The constraint model of block_placement for CP-SAT (paper 001, Eqs. 2-14).

Variables, with the indices of the file and location 0 for the device: Booleans ``x[k, m, j]``
(block m of task k runs at location j) and ``arc[k, m, i, j]`` (and the block before at i).

All numbers are whole, and rounded so that no decision is lost and none costs more than it does:
objective coefficients and what fills a limit are rounded down. The bound is therefore valid, and
too low by at most (2 K M + N) / scale seconds, where the largest coefficient times the scale is
2^30. A decision that the evaluator finds infeasible in spite of that is cut off.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.cp_loads import CpLoads
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.layers import Layers, busiest, layers_of, task_groups
from formulations.block_placement.opening import opened
from formulations.block_placement.refine import sharpen
from formulations.block_placement.tangents import LoadCurves
from optkit.backends import cpsat
from optkit.backends.feed import Solution
from optkit.backends.native import cp_model
from optkit.run import Run

Ints = NDArray[np.int64]
Terms = list[tuple[float, Any]]
_GROUP = 200
#: A limit in whole units, and what the evaluator admits of it.
_LIMIT = 10**9
_ADMITTED = _LIMIT + 1


def applies(instance: BlockPlacement) -> str | None:
    """None, or why rounded numbers cannot prove anything about the instance."""
    if instance.active_deadlines and instance.options.congestion != "none":
        return "deadlines under congestion: use mip, or enumerate"
    return None


def cp(instance: BlockPlacement, run: Run, *, start: bool = True) -> None:
    """Minimise the total delay (Eq. 10a or 14) by constraint programming with learned clauses.

    Parameters
    ----------
    instance, run : as for every method.
    start : begin with a greedy decision, and fall back on the bound of the tasks' cheapest paths.
    """
    with opened(instance, run) if start else contextlib.nullcontext():
        if run.stopped():
            return
        model = CpPlacement(instance)
        if not model.build(run):
            return
        run.built()
        model.solve(run)


class CpPlacement:
    """The CP-SAT model of an instance, and how decisions are written to it and read from it."""

    def __init__(self, instance: BlockPlacement) -> None:
        self.instance = instance
        self.model = cp_model().CpModel()
        self.curves: LoadCurves | None = None
        self._x: dict[tuple[int, int, int], Any] = {}
        self._arc: dict[tuple[int, int, int, int], Any] = {}
        self._stored: dict[tuple[int, int, int, int], Any] = {}
        self._late: dict[int, tuple[Any, Terms, float]] = {}
        self._loads: CpLoads | None = None
        self._delay: Terms = []  # of the objective, Eq. 10a or 14
        self._load: dict[tuple[int, int], Terms] = {}
        self._whole: dict[int, Terms] = {}  # L_k, Eq. 9 summed over the task's blocks
        self._limited: dict[tuple[Any, ...], tuple[float, Terms]] = {}
        self._scale = cpsat.IntegerScale(1.0)

    def build(self, run: Run) -> bool:
        """Add all tasks and the rows that couple them; False if the run ended meanwhile."""
        for group in task_groups(self.instance, _GROUP):
            layers = layers_of(self.instance, group, hub=False)
            if layers.lost.any():
                run.infeasible()
                return False
            for row in range(len(group)):
                if run.stopped():
                    return False
                self._add_task(layers, row)
        options = self.instance.options
        rounded = [self._delay, *self._load.values()]
        if options.deadline == "penalty":
            rounded += [
                [(options.penalty_weight * amount, literal) for amount, literal in terms]
                for terms in self._whole.values()
            ]
        sizes = [amount for terms in rounded for amount, _ in terms]
        self._scale = cpsat.IntegerScale.of(sizes)
        objective = self._sum(self._delay)
        objective += sum(self._lateness(k, terms) for k, terms in self._whole.items())
        for limit, terms in self._limited.values():
            weights = [math.floor(amount / limit * _LIMIT) for amount, _ in terms]
            literals = [literal for _, literal in terms]
            self.model.add(self._dot(literals, weights) <= _ADMITTED)
        if options.congestion != "none":
            self.curves = LoadCurves(self.instance)
            self.curves.cap(busiest=busiest(self.instance), objective=run.objective)
            self._loads = CpLoads(self.model, self.curves, self._scale.scale)
            for (slot, n), terms in self._load.items():
                objective += self._loads.add_server(slot, n, self._sum(terms))
            self._loads.touch(self.curves.seed())
        self.model.minimize(objective)
        return True

    def solve(self, run: Run) -> Solution:
        """Solve the model from the run's incumbent on; again where the evaluator disagrees."""
        hint = None if run.objective is None or run.x is None else self._hint(run.x)

        def repair(values: cpsat.CpValues) -> bool:
            x = self._read(values)
            return not run.stopped() and sharpen(run, self, self.curves, x)

        return cpsat.solve_cp(
            self.model,
            run,
            bound_of=self.instance,
            decode=lambda values: (self._read(values), {}),
            scale=self._scale.scale,
            hint=hint,
            repair=repair,
        )

    def touch(self, curves: LoadCurves, added: list[tuple[int, int, float]]) -> None:
        """Add tangents."""
        if self._loads is not None:
            self._loads.touch(added)

    def forbid(self, x: Ints) -> None:
        """Cut off one decision."""
        cpsat.forbid(self.model, self._chosen(x))

    # --- tasks -----------------------------------------------------------------------------------

    def _add_task(self, layers: Layers, row: int) -> None:
        model, instance, options = self.model, self.instance, self.instance.options
        k = int(layers.tasks[row])
        device = int(instance.tables.device[k])
        for m in range(layers.open.shape[1]):
            places = np.flatnonzero(layers.node[row, m]).tolist()
            for j in places:
                self._x[k, m, j] = model.new_bool_var(f"x[{k},{m},{j}]")
                self._add_node(layers, row, m, j)
            model.add_exactly_one(self._x[k, m, j] for j in places)  # Eq. 2
            leave: dict[int, list[Any]] = {}
            arrive: dict[int, list[Any]] = {}
            for i, j in np.argwhere(layers.open[row, m]).tolist():
                if m == 0:
                    arc = self._x[k, 0, j]
                else:
                    arc = model.new_bool_var(f"arc[{k},{m},{i},{j}]")
                    self._arc[k, m, i, j] = arc
                    leave.setdefault(i, []).append(arc)
                    arrive.setdefault(j, []).append(arc)
                seconds = float(layers.moving_s[row, m, i, j])
                late = options.penalty_weight * float(layers.late_s[row, m, i, j])
                self._delay.append((seconds + late, arc))
                self._whole_add(k, seconds, arc)
                self._limit("eq11_energy", instance.energy_budget_j, (device,),
                            float(layers.drawn_j[row, m, i, j]), arc)  # fmt: skip
            for i, arcs in leave.items():
                model.add_exactly_one([*arcs, self._x[k, m - 1, i].negated()])
            for j, arcs in arrive.items():
                model.add_exactly_one([*arcs, self._x[k, m, j].negated()])
        limit = float(instance.tables.task_deadline_s[k])
        if options.deadline == "hard" and k in self._whole and limit > 0:
            self._limited["eq10c_deadline", k] = limit, self._whole.pop(k)

    def _add_node(self, layers: Layers, row: int, m: int, j: int) -> None:
        """Block m at location j: what it takes there, and what it adds to loads and stores."""
        instance, tables = self.instance, self.instance.tables
        k = int(layers.tasks[row])
        slot, device = int(tables.slot[k]), int(tables.device[k])
        x = self._x[k, m, j]
        seconds, cycles = float(layers.compute_s[row, m, j]), float(layers.cycles[row, m])
        if j == 0 or instance.options.congestion == "none":
            self._delay.append((seconds, x))
        else:
            self._load.setdefault((slot, j - 1), []).append((seconds, x))
        result = float(layers.result_s[row, j]) if m == layers.open.shape[1] - 1 else 0.0
        self._delay.append((result, x))
        self._whole_add(k, seconds + result, x)
        if j == 0:
            self._limit("device_cycles", instance.device_cycles, (device, slot), cycles, x)
            return
        self._limit("server_cycles", instance.server_cycles, (j - 1, slot), cycles, x)
        limit, size = instance.storage_bytes, float(layers.param_bytes[m])
        if limit is not None and np.isfinite(limit[j - 1]) and size > 0:
            scope = slot if instance.options.storage_scope == "slot" else -1
            key = (scope, layers.model, m, j - 1)
            if key not in self._stored:
                self._stored[key] = self.model.new_bool_var(f"stored{list(key)}")
                self._limit("storage", limit, (j - 1, scope), size, self._stored[key])
            self.model.add_implication(x, self._stored[key])

    def _whole_add(self, k: int, seconds: float, literal: Any) -> None:
        timed = np.isfinite(self.instance.tables.task_deadline_s[k])
        if timed and self.instance.active_deadlines:
            self._whole.setdefault(k, []).append((seconds, literal))

    def _limit(
        self, name: str, limit: Any, place: tuple[int, ...], amount: float, literal: Any
    ) -> None:
        """Count towards a limit; one of 0, or none, is broken by nothing that is there."""
        if limit is not None and limit[place[0]] > 0 and amount > 0:
            _, terms = self._limited.setdefault((name, *place), (float(limit[place[0]]), []))
            terms.append((amount, literal))

    def _lateness(self, k: int, terms: Terms) -> Any:
        """Lateness of a whole task in the objective (Eq. 13), the weight included."""
        weight = self.instance.options.penalty_weight
        limit = float(self.instance.tables.task_deadline_s[k])
        weighted = [(weight * seconds, literal) for seconds, literal in terms]
        most = sum(int(self._scale.whole(amount)) for amount, _ in weighted)
        in_time = math.ceil(min(weight * limit * self._scale.scale, most))
        late = self.model.new_int_var(0, most, f"late[{k}]")
        self._late[k] = late, weighted, in_time
        self.model.add(late >= self._sum(weighted) - in_time)
        return late

    # --- decisions -------------------------------------------------------------------------------

    def _chosen(self, x: Ints) -> list[Any]:
        locations = self.instance.padded(x)
        return [v for (k, m, j), v in self._x.items() if locations[k, m] == j]

    def _read(self, values: cpsat.CpValues) -> Ints:
        x = np.zeros(len(self.instance.choices), dtype=np.int64)
        for (k, m, j), variable in self._x.items():
            if values(variable):
                x[self.instance.starts[k] + m] = j
        return x

    def _hint(self, x: Ints) -> list[tuple[Any, int]]:
        """A value for every variable at a feasible decision."""
        locations, tables = self.instance.padded(x), self.instance.tables
        value: dict[int, int] = {}
        hint: list[tuple[Any, int]] = []

        def give(variable: Any, number: int) -> None:
            value[variable.index] = number
            hint.append((variable, number))

        for (k, m, j), variable in self._x.items():
            give(variable, int(locations[k, m] == j))
        for (k, m, i, j), variable in self._arc.items():
            give(variable, int(locations[k, m - 1] == i and locations[k, m] == j))
        real = np.arange(self.instance.blocks) < self.instance.lengths[:, None]
        task, block = np.nonzero(real)
        parts = (tables.slot[task], tables.model[task], block, locations[task, block] - 1)
        held = set(map(tuple, np.stack(parts, axis=1).tolist()))
        held |= {(-1, *key[1:]) for key in held}
        for key, variable in self._stored.items():
            give(variable, int(key in held))

        def amount(terms: Terms) -> int:
            return sum(int(self._scale.whole(a)) * value[v.index] for a, v in terms)

        for variable, terms, in_time in self._late.values():
            give(variable, max(0, amount(terms) - int(in_time)))
        if self._loads is not None:
            for (slot, n), terms in self._load.items():
                hint += self._loads.hint(slot, n, amount(terms))
        return hint

    def _sum(self, terms: Terms) -> Any:
        weights = self._scale.whole([amount for amount, _ in terms]).tolist()
        return self._dot([literal for _, literal in terms], weights)

    def _dot(self, literals: list[Any], weights: list[int]) -> Any:
        return cp_model().LinearExpr.weighted_sum(literals, weights)
