"""The mixed-integer model of dt_assignment in Pyomo (paper 004, Eqs. 1-18, and its couplings).

Variables, with the indices of the file:

- ``x[m, s]``: twin m runs on server s (Eq. 9), for the pairs that are possible alone;
- ``together[k, m, s]``: so do both twins k < m, where they slow each other down;
- ``at[m, s, k]`` and ``hosts[s, k]``: twin m is on server s, which hosts k twins (equal shares:
  given k, the cost of a server is additive);
- ``behind[s, v]`` and ``sends[m, s, v]``: v devices send over the backhaul of server s, twin m's
  among them.

Every row is divided by its right-hand side, and admits what the evaluator admits.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.bounds import claim
from formulations.dt_assignment.groups import Groups
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.search import filled
from formulations.dt_assignment.sharing import pair_costs, pair_delays
from formulations.dt_assignment.tables import SLACK
from optkit.backends.feed import Solution, SolveStatus
from optkit.backends.pyomo import export_pyomo, linear_sum, solve_pyomo
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Terms = list[tuple[float, Any]]


def mip(
    instance: TwinAssignment,
    run: Run,
    *,
    solver: str = "highs",
    export: str | None = None,
    form: Literal["level", "pair"] = "level",
    start: bool = True,
) -> None:
    """Minimise the cost (Eq. 17) as a mixed-integer programme, with every coupling.

    Parameters
    ----------
    instance, run : as for every method.
    solver : "highs", or "scip" or "gurobi" through Pyomo.
    export : a ``.mps`` or ``.lp`` file to write the model to.
    form : how equal time shares are written: by the number of twins on a server, or by pairs of
        twins as the other rules are, whose relaxation is far weaker.
    start : begin with the greedy decision.
    """
    if not instance.open.any(axis=1).all():
        run.infeasible()
        return
    if start:
        run.found(filled(instance, Groups.of(instance)))
    model = TwinModel(instance, solver, form)
    if not model.build(run):
        claim(instance, run, None)
        return
    run.built()
    if export is not None:
        export_pyomo(model.pyomo, export)
    while not run.stopped():
        solution = model.solve(run)
        if solution.status is not SolveStatus.INFEASIBLE:
            claim(instance, run, solution.bound)
        if solution.status is not SolveStatus.OPTIMAL or solution.values is None:
            run.stopped()  # by the limit that the solver kept, if by any
            return
        x = model.decision()
        if run.found(x).feasible:
            return
        model.forbid(x)  # breaks a row by less than the solver's tolerance


class TwinModel:
    """The Pyomo model of an instance, and how decisions are written to it and read from it.

    Attributes
    ----------
    pyomo : the ``ConcreteModel``.
    """

    def __init__(self, instance: TwinAssignment, solver: str, form: str) -> None:
        import pyomo.environ as pyo

        self.instance = instance
        self.pyomo = model = pyo.ConcreteModel(instance.name or "dt_assignment")
        self._pyo = pyo
        self._solver = solver
        self._level = form == "level" and instance.cpu_sharing == "equal"
        model.x = pyo.Var(pyo.Any, dense=False, domain=pyo.Binary)
        model.together = pyo.Var(pyo.Any, dense=False, bounds=(0, 1))
        model.at = pyo.Var(pyo.Any, dense=False, bounds=(0, 1))
        model.hosts = pyo.Var(pyo.Any, dense=False, domain=pyo.Binary)
        model.behind = pyo.Var(pyo.Any, dense=False, domain=pyo.Binary)
        model.sends = pyo.Var(pyo.Any, dense=False, bounds=(0, 1))
        for row in (
            "eq18_one_server", "capacity", "both", "at_count", "at_server", "count_is", "one_count",
            "one_load", "load_is", "sends_load", "sends_server", "deadline", "forbidden",
        ):  # fmt: skip
            model.add_component(row, pyo.Constraint(pyo.Any))
        self._cost: Terms = []  # of the objective, Eq. 17
        self._late: dict[tuple[int, int], Terms] = {}  # seconds beyond those alone, by pair

    def build(self, run: Run) -> bool:
        """Add all variables and rows; False if the run ended meanwhile."""
        instance, model, tables = self.instance, self.pyomo, self.instance.tables
        for m, s in np.argwhere(instance.open).tolist():
            self._cost.append((float(tables.cost[m, s]), model.x[m, s]))
        for m in range(instance.twins):
            hosts = np.flatnonzero(instance.open[m]).tolist()
            model.eq18_one_server[m] = sum(model.x[m, s] for s in hosts) == 1
        self._add_limits()
        for s in range(instance.servers):
            if run.stopped():
                return False
            twins = np.flatnonzero(instance.open[:, s])
            if self._level:
                self._add_levels(s, twins)
            elif instance.cpu_sharing != "none":
                self._add_pairs(s, twins)
            if tables.backhaul_s_per_bit[s] > 0:
                self._add_backhaul(s, twins)
        self._add_deadlines()
        model.eq17_cost = self._pyo.Objective(expr=linear_sum(self._cost))
        return True

    def solve(self, run: Run) -> Solution:
        """Solve the model from the run's incumbent on."""
        if run.objective is not None and run.x is not None:
            self._begin_at(run.x)
        return solve_pyomo(
            self.pyomo,
            run,
            bound_of=self.instance,
            decode=lambda values: (self._read(values.array(self.pyomo.x)), {}),
            solver=self._solver,
        )

    def decision(self) -> Ints:
        """The decision vector that Pyomo's variables hold."""
        return self._read(np.array([variable.value for variable in self.pyomo.x.values()]))

    def forbid(self, x: Ints) -> None:
        """Cut off one decision."""
        chosen = [(1.0, self.pyomo.x[m, s]) for m, s in enumerate(x.tolist())]
        row = linear_sum(chosen) <= len(chosen) - 1
        self.pyomo.forbidden[len(self.pyomo.forbidden)] = row

    # --- couplings -------------------------------------------------------------------------------

    def _add_limits(self) -> None:
        instance, tables = self.instance, self.instance.tables
        for r, s in np.argwhere(np.isfinite(tables.limit)).tolist():
            twins = np.flatnonzero(instance.open[:, s] & (tables.demand[r, :, s] > 0))
            limit = float(tables.limit[r, s])
            unit = max(limit, SLACK)  # what a row is divided by
            uses = [(float(tables.demand[r, m, s]), self.pyomo.x[m, s]) for m in twins.tolist()]
            if uses:
                name = instance.resource_names[r]
                row = linear_sum(uses, unit) <= float(tables.most[r, s]) / unit
                self.pyomo.capacity[name, s] = row

    def _add_pairs(self, s: int, twins: Ints) -> None:
        """What two twins on one server cost each other (pairwise in every sharing rule)."""
        instance, model = self.instance, self.pyomo
        cost = pair_costs(instance, s, twins)
        delay = pair_delays(instance, s, twins)
        timed = np.isfinite(instance.tables.deadline_s[twins])
        for a, b in np.argwhere(np.triu(np.ones_like(cost), 1)).tolist():
            slows_timed = (timed[a] and delay[a, b] > 0) or (timed[b] and delay[b, a] > 0)
            if cost[a, b] == 0 and not slows_timed:
                continue
            k, m = int(twins[a]), int(twins[b])
            together = model.together[k, m, s]
            # Costs and delays are not negative, so nothing has to keep it below x.
            model.both[k, m, s] = model.x[k, s] + model.x[m, s] - together <= 1
            self._cost.append((float(cost[a, b]), together))
            self._late.setdefault((k, s), []).append((float(delay[a, b]), together))
            self._late.setdefault((m, s), []).append((float(delay[b, a]), together))

    def _add_levels(self, s: int, twins: Ints) -> None:
        """Equal shares: given how many twins a server hosts, its cost is additive."""
        model, tables = self.pyomo, self.instance.tables
        counts = range(1, len(twins) + 1)
        for m in twins.tolist():
            seconds = float(tables.compute_s[m, s])
            each = tables.delay_factor * float(tables.weight[m]) * seconds
            for k in counts:
                at = model.at[m, s, k]
                model.at_count[m, s, k] = at <= model.hosts[s, k]
                self._cost.append(((k - 1) * each, at))
                self._late.setdefault((m, s), []).append(((k - 1) * seconds, at))
            model.at_server[m, s] = sum(model.at[m, s, k] for k in counts) == model.x[m, s]
        for k in counts:
            hosted = sum(model.at[m, s, k] for m in twins.tolist())
            model.count_is[s, k] = hosted == k * model.hosts[s, k]
        if counts:
            model.one_count[s] = sum(model.hosts[s, k] for k in counts) <= 1

    def _add_backhaul(self, s: int, twins: Ints) -> None:
        """The devices behind a server share its backhaul equally."""
        model, tables = self.pyomo, self.instance.tables
        devices = {m: int(tables.devices[m]) for m in twins.tolist()}
        loads = range(sum(devices.values()) + 1)
        if len(loads) == 1:
            return
        for m in twins.tolist():
            alone = float(tables.transfer_s[m, s])
            each = float(tables.largest_input_bits[m] * tables.backhaul_s_per_bit[s])
            weight = tables.delay_factor * float(tables.weight[m])
            for v in loads[devices[m] :]:
                sends = model.sends[m, s, v]
                more_s = max(alone, v * each) - alone
                model.sends_load[m, s, v] = sends <= model.behind[s, v]
                self._cost.append((weight * more_s, sends))
                self._late.setdefault((m, s), []).append((more_s, sends))
            sent = sum(model.sends[m, s, v] for v in loads[devices[m] :])
            model.sends_server[m, s] = sent == model.x[m, s]
        model.one_load[s] = sum(model.behind[s, v] for v in loads) == 1
        load = linear_sum([(float(v), model.behind[s, v]) for v in loads])
        on_server = linear_sum([(float(count), model.x[m, s]) for m, count in devices.items()])
        model.load_is[s] = load >= on_server

    def _add_deadlines(self) -> None:
        tables = self.instance.tables
        for (m, s), terms in self._late.items():
            limit = float(tables.deadline_s[m])
            if not np.isfinite(limit) or not any(seconds > 0 for seconds, _ in terms):
                continue
            unit = limit or 1.0  # what a row is divided by
            alone = float(tables.transfer_s[m, s] + tables.compute_s[m, s])
            room = float(tables.latest_s[m]) - alone
            row = linear_sum(terms, unit) <= room / unit * self.pyomo.x[m, s]
            self.pyomo.deadline[m, s] = row

    # --- decisions -------------------------------------------------------------------------------

    def _begin_at(self, x: Ints) -> None:
        model, instance = self.pyomo, self.instance
        server = x.tolist()
        count = np.bincount(x, minlength=instance.servers)
        load = np.bincount(x, instance.tables.devices, minlength=instance.servers).astype(int)
        for (m, s), variable in model.x.items():
            variable.value = int(server[m] == s)
        for (k, m, s), variable in model.together.items():
            variable.value = int(server[k] == s == server[m])
        for (m, s, k), variable in model.at.items():
            variable.value = int(server[m] == s and count[s] == k)
        for (s, k), variable in model.hosts.items():
            variable.value = int(count[s] == k)
        for (s, v), variable in model.behind.items():
            variable.value = int(load[s] == v)
        for (m, s, v), variable in model.sends.items():
            variable.value = int(server[m] == s and load[s] == v)

    def _read(self, values: Floats) -> Ints:
        x = np.zeros(self.instance.twins, dtype=np.int64)
        for (m, s), value in zip(self.pyomo.x, values.tolist(), strict=True):
            if value > 0.5:
                x[m] = s
        return x
