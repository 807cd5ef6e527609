"""The constraint model of dt_assignment for CP-SAT (paper 004, Eqs. 1-18, and its couplings).

Variables, with the indices of the file: Booleans ``x[m, s]`` (twin m runs on server s) for the
pairs that are possible alone, ``together[k, m, s]`` (so do both), whole numbers ``load[s]``
(devices behind a backhaul) and ``wait[m, s]`` (what the backhaul adds to the cost of twin m).

All numbers are whole, and rounded so that no decision is lost and none costs more than it does:
objective coefficients and what fills a limit are rounded down. The bound is therefore valid. A
decision that the evaluator finds infeasible in spite of that is cut off.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.bounds import claim
from formulations.dt_assignment.groups import Groups
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.search import filled
from formulations.dt_assignment.sharing import pair_costs, pair_delays
from formulations.dt_assignment.tables import SLACK
from optkit.backends import cpsat
from optkit.backends.feed import SolveStatus
from optkit.backends.native import cp_model
from optkit.run import Run

Ints = NDArray[np.int64]
Terms = list[tuple[float, Any]]
#: A limit in whole units: the shares of it are rounded down.
_WHOLE = 2**24
#: A deadline in whole units: finer, since few terms fill it.
_TICKS = 2**30


def cp(instance: TwinAssignment, run: Run, *, start: bool = True) -> None:
    """Minimise the cost (Eq. 17) by constraint programming with learned clauses.

    Parameters
    ----------
    instance, run : as for every method.
    start : begin with the greedy decision.
    """
    if not instance.open.any(axis=1).all():
        run.infeasible()
        return
    if start:
        run.found(filled(instance, Groups.of(instance)))
    model = CpTwins(instance)
    if not model.build(run):
        claim(instance, run, None)
        return
    run.built()
    model.solve(run)


class CpTwins:
    """The CP-SAT model of an instance, and how decisions are written to it and read from it."""

    def __init__(self, instance: TwinAssignment) -> None:
        self.instance = instance
        self.model = cp_model().CpModel()
        self._x: dict[tuple[int, int], Any] = {}
        self._together: dict[tuple[int, int, int], Any] = {}
        self._load: dict[int, Any] = {}
        self._wait: dict[tuple[int, int], _Wait] = {}
        self._cost: Terms = []
        self._late: dict[tuple[int, int], Terms] = {}  # seconds beyond those alone, by pair
        self._scale = cpsat.IntegerScale(1.0)

    def build(self, run: Run) -> bool:
        """Add all variables and rows; False if the run ended meanwhile."""
        instance, model, tables = self.instance, self.model, self.instance.tables
        for m, s in np.argwhere(instance.open).tolist():
            self._x[m, s] = model.new_bool_var(f"x[{m},{s}]")
            self._cost.append((float(tables.cost[m, s]), self._x[m, s]))
        for m in range(instance.twins):
            hosts = np.flatnonzero(instance.open[m]).tolist()
            model.add_exactly_one(self._x[m, s] for s in hosts)
        self._add_limits()
        for s in range(instance.servers):
            if run.stopped():
                return False
            twins = np.flatnonzero(instance.open[:, s])
            if instance.cpu_sharing != "none":
                self._add_pairs(s, twins)
        longest = self._longest_uploads()
        sizes = [*(cost for cost, _ in self._cost), *longest.values()]
        self._scale = cpsat.IntegerScale.of(sizes)
        if instance.integer_cost and self._scale.scale > 1:
            self._scale = cpsat.IntegerScale(1.0)  # nothing is rounded
        for (m, s), cost in longest.items():
            self._add_wait(m, s, cost)
        self._add_deadlines()
        costs = self._scale.whole([cost for cost, _ in self._cost]).tolist()
        objective = self._dot([literal for _, literal in self._cost], costs)
        model.minimize(objective + sum(wait.variable for wait in self._wait.values()))
        return True

    def solve(self, run: Run) -> None:
        """Solve the model from the run's incumbent on."""
        x = run.x if run.objective is not None else None

        def repair(values: cpsat.CpValues) -> bool:
            decision = self._read(values)
            if run.found(decision).feasible:
                return False
            cpsat.forbid(self.model, [self._x[m, s] for m, s in enumerate(decision.tolist())])
            return True

        solution = cpsat.solve_cp(
            self.model,
            run,
            bound_of=self.instance,
            decode=lambda values: (self._read(values), {}),
            scale=self._scale.scale,
            hint=None if x is None else self._hint(x),
            repair=repair,
        )
        if solution.status is not SolveStatus.INFEASIBLE:
            claim(self.instance, run, solution.bound)

    # --- couplings -------------------------------------------------------------------------------

    def _add_limits(self) -> None:
        instance, tables = self.instance, self.instance.tables
        for r, s in np.argwhere(np.isfinite(tables.limit)).tolist():
            twins = np.flatnonzero(instance.open[:, s] & (tables.demand[r, :, s] > 0)).tolist()
            limit = float(tables.limit[r, s])
            unit = max(limit, SLACK) / _WHOLE
            shares = [math.floor(float(tables.demand[r, m, s]) / unit) for m in twins]
            literals = [self._x[m, s] for m in twins]
            if literals:
                self.model.add(
                    self._dot(literals, shares) <= math.ceil(float(tables.most[r, s]) / unit)
                )

    def _add_pairs(self, s: int, twins: Ints) -> None:
        instance, model = self.instance, self.model
        cost = pair_costs(instance, s, twins)
        delay = pair_delays(instance, s, twins)
        for a, b in np.argwhere(np.triu(np.ones_like(cost), 1)).tolist():
            if cost[a, b] == 0 and delay[a, b] == 0 and delay[b, a] == 0:
                continue
            k, m = int(twins[a]), int(twins[b])
            both = model.new_bool_var(f"together[{k},{m},{s}]")
            self._together[k, m, s] = both
            model.add_bool_or([self._x[k, s].negated(), self._x[m, s].negated(), both])
            model.add_implication(both, self._x[k, s])
            model.add_implication(both, self._x[m, s])
            self._cost.append((float(cost[a, b]), both))
            self._late.setdefault((k, s), []).append((float(delay[a, b]), both))
            self._late.setdefault((m, s), []).append((float(delay[b, a]), both))

    def _longest_uploads(self) -> dict[tuple[int, int], float]:
        """Cost of the longest upload of each pair at a shared backhaul; adds its load."""
        instance, tables = self.instance, self.instance.tables
        longest = {}
        for s in np.flatnonzero(tables.backhaul_s_per_bit > 0).tolist():
            twins = np.flatnonzero(instance.open[:, s])
            most = int(tables.devices[twins].sum())
            self._load[s] = self.model.new_int_var(0, most, f"load[{s}]")
            counts = tables.devices[twins].tolist()
            literals = [self._x[m, s] for m in twins.tolist()]
            self.model.add(self._dot(literals, counts) == self._load[s])
            for m in twins.tolist():
                alone_s = float(tables.transfer_s[m, s])
                longest[m, s] = self._weight(m) * max(alone_s, most * self._each_s(m, s))
        return longest

    def _add_wait(self, m: int, s: int, longest: float) -> None:
        """Cost of the wait of a pair: 0, or what the load makes of it where the twin is here."""
        each = self._weight(m) * self._each_s(m, s)
        alone = self._weight(m) * float(self.instance.tables.transfer_s[m, s])
        whole_each = int(self._scale.whole(each))
        whole_alone = math.ceil(alone * self._scale.scale)
        top = int(self._scale.whole(longest))
        variable = self.model.new_int_var(0, top, f"wait[{m},{s}]")
        wait = _Wait(variable, whole_each, whole_alone)
        self._wait[m, s] = wait
        cost = whole_each * self._load[s] - whole_alone
        self.model.add(variable >= cost).only_enforce_if(self._x[m, s])

    def _add_deadlines(self) -> None:
        tables = self.instance.tables
        pairs = {*self._late, *self._wait}
        for m, s in sorted(pairs):
            limit = float(tables.deadline_s[m])
            if not np.isfinite(limit):
                continue
            tick = (limit or 1.0) / _TICKS
            terms = self._late.get((m, s), [])
            shares = [_ticks(seconds, tick) for seconds, _ in terms]
            slower = self._dot([literal for _, literal in terms], shares)
            compute = float(tables.compute_s[m, s])
            last = math.ceil(float(tables.latest_s[m]) / tick)
            x = self._x[m, s]
            alone = _ticks(float(tables.transfer_s[m, s]) + compute, tick)
            self.model.add(slower + alone <= last).only_enforce_if(x)
            if s in self._load:
                arriving = _ticks(self._each_s(m, s), tick) * self._load[s] + _ticks(compute, tick)
                self.model.add(slower + arriving <= last).only_enforce_if(x)

    def _weight(self, m: int) -> float:
        tables = self.instance.tables
        return tables.delay_factor * float(tables.weight[m])

    def _each_s(self, m: int, s: int) -> float:
        """Seconds of upload for each device behind the backhaul."""
        tables = self.instance.tables
        return float(tables.largest_input_bits[m] * tables.backhaul_s_per_bit[s])

    # --- decisions -------------------------------------------------------------------------------

    def _read(self, values: cpsat.CpValues) -> Ints:
        x = np.zeros(self.instance.twins, dtype=np.int64)
        for (m, s), variable in self._x.items():
            if values(variable):
                x[m] = s
        return x

    def _hint(self, x: Ints) -> list[tuple[Any, int]]:
        """A value for every variable at a feasible decision."""
        server = x.tolist()
        load = np.bincount(x, self.instance.tables.devices, minlength=self.instance.servers)
        hint = [(v, int(server[m] == s)) for (m, s), v in self._x.items()]
        hint += [(v, int(server[k] == s == server[m])) for (k, m, s), v in self._together.items()]
        hint += [(v, int(load[s])) for s, v in self._load.items()]
        for (m, s), wait in self._wait.items():
            here = server[m] == s
            hint.append((wait.variable, wait.at(int(load[s])) if here else 0))
        return hint

    def _dot(self, literals: list[Any], weights: list[int]) -> Any:
        return cp_model().LinearExpr.weighted_sum(literals, weights)


def _ticks(seconds: float, tick: float) -> int:
    """Seconds in whole ticks, rounded down; twice the deadline says as much as any more."""
    return math.floor(min(seconds / tick, 2.0 * _TICKS))


class _Wait:
    """A variable for the cost of a wait, and the whole numbers that it is made of."""

    def __init__(self, variable: Any, each: int, alone: int) -> None:
        self.variable = variable
        self._each = each
        self._alone = alone

    def at(self, load: int) -> int:
        """Its least value at a load."""
        return max(0, self._each * load - self._alone)
