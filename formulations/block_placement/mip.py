"""The mixed-integer model of block_placement in Pyomo (paper 001, Eqs. 2-14).

Variables, with the indices k, m, n of the file and location 0 for the device:

- ``x[k, m, j]``: block m of task k runs at location j;
- ``flow[k, m, i, j]``: its input goes from location i to j; over ``"hub"`` where all servers are
  equally far from each other;
- ``stored[s, i, m, n]``: server n stores block m of model i (in slot s, or "horizon");
- those of ``mip_congestion``.

Every row is divided by its right-hand side, and admits what the evaluator admits.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.layers import Layers, busiest, layers_of, task_groups
from formulations.block_placement.mip_congestion import Congestion
from formulations.block_placement.mip_start import begin_at, raise_lateness
from formulations.block_placement.objective import SLACK
from formulations.block_placement.opening import opened
from formulations.block_placement.refine import refine
from formulations.block_placement.tangents import LoadCurves
from optkit.backends.feed import Solution
from optkit.backends.pyomo import export_pyomo, linear_sum, solve_pyomo
from optkit.run import Run

Ints = NDArray[np.int64]
Terms = list[tuple[float, Any]]
_GROUP = 200
#: Above so many variables the arrays of ``mip_arrays`` are built instead, about 100 times faster.
_PYOMO_VARIABLES = 20_000
#: Rows admit what the evaluator admits; a decision beyond that is forbidden when it comes.
_SIDE = 1 + SLACK


def mip(
    instance: BlockPlacement,
    run: Run,
    *,
    solver: str = "highs",
    export: str | None = None,
    arrays: bool | None = None,
    start: bool = True,
) -> None:
    """Minimise the total delay (Eq. 10a or 14) as a mixed-integer programme over arc flows.

    Loads that slow servers down (`congestion`) enter by tangents of their convex delay, which are
    added where decisions are until nothing is missing.

    Parameters
    ----------
    instance, run : as for every method.
    solver : "highs", or "scip" or "gurobi" through Pyomo.
    export : a ``.mps`` or ``.lp`` file to write the first model to.
    arrays : build the same model without Pyomo; by default for large instances, if `solver` and
        `export` do not ask for Pyomo.
    start : begin with a greedy decision, and fall back on the bound of the tasks' cheapest paths.
    """
    with opened(instance, run) if start else contextlib.nullcontext():
        if run.stopped():
            return
        if arrays is None:
            size = len(instance.choices) * (6 * instance.servers + 2)
            arrays = size > _PYOMO_VARIABLES and export is None and solver == "highs"
        run.note(model="arrays" if arrays else "pyomo")
        if arrays:
            from formulations.block_placement.mip_arrays import solve_arrays

            solve_arrays(instance, run)
            return
        model = PlacementModel(instance, solver)
        if not model.build(run):
            return
        run.built()
        if export is not None:
            export_pyomo(model.pyomo, export)
        refine(run, model, model.curves)


class PlacementModel:
    """The Pyomo model of an instance, and how decisions are written to it and read from it.

    Attributes
    ----------
    pyomo : the ``ConcreteModel``.
    curves : the curves of loads where there is congestion.
    """

    def __init__(self, instance: BlockPlacement, solver: str = "highs") -> None:
        import pyomo.environ as pyo

        self.instance = instance
        self.pyomo = model = pyo.ConcreteModel(instance.name or "block_placement")
        self.curves: LoadCurves | None = None
        self._solver = solver
        self._pyo = pyo
        self._congestion: Congestion | None = None
        model.x = pyo.Var(pyo.Any, dense=False, domain=pyo.Binary)  # C3, Eq. 10d
        model.flow = pyo.Var(pyo.Any, dense=False, bounds=(0, 1))
        model.stored = pyo.Var(pyo.Any, dense=False, domain=pyo.Binary)
        model.late = pyo.Var(pyo.Any, dense=False, domain=pyo.NonNegativeReals)
        for row in (
            "eq2_one_location", "eq5_leave", "eq5_arrive", "eq5_through_hub",
            "eq10c_deadline", "eq13_lateness", "eq11_energy", "server_cycles", "device_cycles",
            "storage", "storage_holds", "forbidden",
        ):  # fmt: skip
            model.add_component(row, pyo.Constraint(pyo.Any))
        self._delay: Terms = []  # of the objective, Eq. 10a or 14
        self._energy: dict[int, Terms] = {}
        self._server_cycles: dict[tuple[int, int], Terms] = {}
        self._device_cycles: dict[tuple[int, int], Terms] = {}
        self._position: list[int] = []  # of each x in the decision vector
        self._location: list[int] = []

    def build(self, run: Run) -> bool:
        """Add all tasks and the rows that couple them; False if the run ended meanwhile."""
        instance = self.instance
        if instance.options.congestion != "none":
            self.curves = LoadCurves(instance)
            self.curves.cap(busiest=busiest(instance), objective=run.objective)
            self._congestion = Congestion(self.pyomo, self.curves)
        for group in task_groups(instance, _GROUP):
            layers = layers_of(instance, group)
            if layers.lost.any():
                run.infeasible()
                return False
            for row in range(len(group)):
                if run.stopped():
                    return False
                self._add_task(layers, row)
        self._add_limits()
        if self._congestion is not None:
            self._delay += self._congestion.close()
        self.pyomo.eq10a_delay = self._pyo.Objective(expr=linear_sum(self._delay))
        return True

    def solve(self, run: Run) -> Solution:
        """Solve the model from the run's incumbent on."""
        if run.objective is not None and run.x is not None:
            begin_at(self.pyomo, self.instance, run.x)
            if self._congestion is not None and run.evaluation is not None:
                self._congestion.begin_at(np.asarray(run.evaluation.terms["rho"]))
            raise_lateness(self.pyomo)
        return solve_pyomo(
            self.pyomo,
            run,
            bound_of=self.instance,
            decode=lambda values: (self._read(values.array(self.pyomo.x)), {}),
            solver=self._solver,
        )

    def decision(self, solution: Solution) -> Ints:
        """The decision vector of the solution, which Pyomo's variables hold."""
        return self._read(np.array([variable.value for variable in self.pyomo.x.values()]))

    def touch(self, curves: LoadCurves, added: list[tuple[int, int, float]]) -> None:
        """Add tangents."""
        if self._congestion is not None:
            self._congestion.touch(added)

    def forbid(self, x: Ints) -> None:
        """Cut off one decision."""
        model, locations = self.pyomo, self.instance.padded(x)
        chosen = [(1.0, v) for (k, m, j), v in model.x.items() if locations[k, m] == j]
        model.forbidden[len(model.forbidden)] = linear_sum(chosen) <= len(chosen) - 1

    # --- tasks -----------------------------------------------------------------------------------

    def _add_task(self, layers: Layers, row: int) -> None:
        model, options = self.pyomo, self.instance.options
        k = int(layers.tasks[row])
        hub = self.instance.servers + 1
        energy: Terms = []
        whole: Terms = []  # L_k, Eq. 9 summed over the task's blocks
        for m in range(layers.open.shape[1]):
            leave: dict[int, Terms] = {}
            arrive: dict[int, Terms] = {}
            for a, b in np.argwhere(layers.open[row, m]).tolist():
                names = ["hub" if place == hub else place for place in (a, b)]
                flow = model.flow[k, m, names[0], names[1]]
                leave.setdefault(a, []).append((1.0, flow))
                arrive.setdefault(b, []).append((1.0, flow))
                seconds = float(layers.moving_s[row, m, a, b])
                late = options.penalty_weight * float(layers.late_s[row, m, a, b])
                self._delay.append((seconds + late, flow))
                whole.append((seconds, flow))
                energy.append((float(layers.drawn_j[row, m, a, b]), flow))
            places = np.flatnonzero(layers.node[row, m]).tolist()
            for j in places:
                self._add_node(layers, row, m, j, whole)
            model.eq2_one_location[k, m] = sum(model.x[k, m, j] for j in places) == 1
            for j in places:
                model.eq5_arrive[k, m, j] = linear_sum(arrive[j]) == model.x[k, m, j]
            if hub in leave:
                model.eq5_through_hub[k, m] = linear_sum(arrive[hub]) == linear_sum(leave[hub])
            if m > 0:
                for i in np.flatnonzero(layers.node[row, m - 1]).tolist():
                    model.eq5_leave[k, m, i] = linear_sum(leave[i]) == model.x[k, m - 1, i]
            if self._congestion is not None:
                self._delay += self._congestion.block_deadline(layers, row, m)
        self._add_whole_deadline(layers, row, whole)
        device = int(self.instance.tables.device[k])
        self._energy.setdefault(device, []).extend(energy)

    def _add_node(self, layers: Layers, row: int, m: int, j: int, whole: Terms) -> None:
        """Block m at location j: what it takes there, and what it adds to loads and stores."""
        model, instance, tables = self.pyomo, self.instance, self.instance.tables
        k = int(layers.tasks[row])
        slot, device = int(tables.slot[k]), int(tables.device[k])
        x = model.x[k, m, j]
        self._position.append(int(instance.starts[k]) + m)
        self._location.append(j)
        seconds, cycles = float(layers.compute_s[row, m, j]), float(layers.cycles[row, m])
        whole.append((seconds, x))
        if j == 0 or self._congestion is None:
            self._delay.append((seconds, x))
        else:
            self._congestion.add_load(slot, j - 1, seconds, x)
        if m == layers.open.shape[1] - 1:
            result = float(layers.result_s[row, j])
            self._delay.append((result, x))
            whole.append((result, x))
        if j == 0:
            self._device_cycles.setdefault((device, slot), []).append((cycles, x))
            return
        self._server_cycles.setdefault((slot, j - 1), []).append((cycles, x))
        limit = instance.storage_bytes
        if limit is not None and np.isfinite(limit[j - 1]) and layers.param_bytes[m] > 0:
            scope = slot if instance.options.storage_scope == "slot" else "horizon"
            held = model.stored[scope, layers.model, m, j - 1]
            model.storage_holds[k, m, j - 1] = x <= held

    def _add_whole_deadline(self, layers: Layers, row: int, whole: Terms) -> None:
        """The deadline of a whole task: C2, or its lateness in Eq. 13."""
        instance, model = self.instance, self.pyomo
        k = int(layers.tasks[row])
        limit = float(instance.tables.task_deadline_s[k])
        if not (instance.active_deadlines and np.isfinite(limit)):
            return
        if self._congestion is not None:
            whole += self._congestion.slowed_work(layers, row)
        if instance.options.deadline == "hard":
            if limit > 0:  # of 0: no open arc takes any time
                model.eq10c_deadline[k] = linear_sum(whole, limit) <= _SIDE
            return
        unit = max(seconds for seconds, _ in whole)
        if unit > 0:
            model.eq13_lateness[k] = linear_sum(whole, unit) - model.late[k] <= limit / unit
            self._delay.append((instance.options.penalty_weight * unit, model.late[k]))

    # --- what couples tasks ----------------------------------------------------------------------

    def _add_limits(self) -> None:
        model, instance = self.pyomo, self.instance
        rows: list[tuple[Any, dict[Any, Terms], Any, int]] = [
            (model.eq11_energy, self._energy, instance.energy_budget_j, 0),
            (model.server_cycles, self._server_cycles, instance.server_cycles, 1),
            (model.device_cycles, self._device_cycles, instance.device_cycles, 0),
        ]
        for rows_of, terms_of, limit, place in rows:
            for index, terms in terms_of.items():
                which = index[place] if isinstance(index, tuple) else index
                # With a limit of 0 or none no arc that is open can break it.
                if limit is not None and limit[which] > 0:
                    rows_of[index] = linear_sum(terms, float(limit[which])) <= _SIDE
        stored: dict[tuple[Any, int], Terms] = {}
        for (scope, i, m, n), variable in model.stored.items():
            size = float(instance.tables.param_bytes[i, m])
            stored.setdefault((scope, n), []).append((size, variable))
        for index, terms in stored.items():
            size_limit = float(instance.storage_bytes[index[1]])  # type: ignore[index]
            model.storage[index] = linear_sum(terms, size_limit) <= _SIDE

    # --- decisions -------------------------------------------------------------------------------

    def _read(self, values: NDArray[np.float64]) -> Ints:
        x = np.zeros(len(self.instance.choices), dtype=np.int64)
        chosen = values > 0.5
        x[np.array(self._position)[chosen]] = np.array(self._location)[chosen]
        return x
