"""SCIP and Gurobi through Pyomo's direct interfaces: incumbent and bound come at the end.

Pyomo's interfaces build the native model; it is run here, in a thread that can be interrupted,
since their own ``solve`` captures the standard streams of the whole process meanwhile and, with
SCIP, holds Python's global lock.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.backends.feed import Feed, Solution, SolveStatus
from optkit.errors import MethodUnavailable, SolverError, UsageError
from optkit.run import Run

Option = bool | int | float | str

#: In scaled units, as for HiGHS.
_ABSOLUTE_GAP = 1e-9
_TOLERANCE = 1e-9


def solve_external(
    solver: str,
    model: Any,
    variables: Sequence[Any],
    resting: NDArray[np.float64],
    run: Run,
    feed: Feed,
    *,
    factor: float,
    check: Callable[[NDArray[np.float64]], None],
    start: bool,
    rel_gap: float,
    time_s: float | None,
    options: Mapping[str, Option] | None,
) -> Solution:
    """Solve a Pyomo model with one of `SOLVERS`; most parameters are those of `solve_pyomo`.

    "Infeasible" and "unbounded" must be confirmed without presolve.

    Parameters
    ----------
    variables : all variables of the model; the solution's values are theirs.
    resting : values of those that the solver does not see.
    feed : receives the incumbent and the bound at the end.
    factor : what the objective is multiplied by to have coefficients of about 1 to 1e4.
    check : raises SolverError for a point that breaks the model.
    """
    native = SOLVERS[solver]()
    until_s = run.elapsed_s + min(run.remaining_s, math.inf if time_s is None else time_s)
    solution = Solution(SolveStatus.LIMIT)
    with _prepared(model, factor):
        ends: set[SolveStatus] = set()
        for presolve in (True, False):
            left_s = until_s - run.elapsed_s
            if run.stopped() or left_s <= 0:
                return Solution(SolveStatus.LIMIT)
            native.build(model, start)
            native.limit(run, left_s, rel_gap, presolve, options or {})
            run.watch(native.optimize, native.interrupt)
            end = native.end()
            if end.status in (SolveStatus.OPTIMAL, SolveStatus.LIMIT):
                solution = _solution(end, variables, resting, factor)
                break
            if end.status is not None:
                ends.add(end.status)
        else:
            if len(ends) != 1:
                raise SolverError(f"{solver} does not settle between infeasible and unbounded")
            solution = Solution(ends.pop())
    if solution.values is not None:
        check(solution.values)
        feed.point(solution.values)
    feed.bound(solution.bound)
    feed.drain()
    if solution.status is SolveStatus.INFEASIBLE:
        feed.infeasible()
    return solution


def _config(direct: Any) -> Any:
    """The settings that a direct interface builds its native model with."""
    from pyomo.common.timing import HierarchicalTimer

    return direct.config(value={"timer": HierarchicalTimer()})


@dataclass(frozen=True)
class _End:
    """How a solver ended, in scaled units; the status is None for "infeasible or unbounded"."""

    status: SolveStatus | None
    objective: float | None
    bound: float
    values: Mapping[Any, float] | None
    maximise: bool


class _Scip:
    """SCIP through ``scip_direct``."""

    _STATUSES: Mapping[str, SolveStatus | None] = {
        "optimal": SolveStatus.OPTIMAL,
        "gaplimit": SolveStatus.OPTIMAL,
        "infeasible": SolveStatus.INFEASIBLE,
        "unbounded": SolveStatus.UNBOUNDED,
        "inforunbd": None,
    }

    def __init__(self) -> None:
        try:
            pyscipopt = importlib.import_module("pyscipopt")
        except ImportError:
            raise MethodUnavailable("SCIP is not installed: pip install pyscipopt") from None
        from pyomo.contrib.solver.solvers.scip.scip_direct import ScipDirect

        self._scip = pyscipopt
        self._direct = ScipDirect()

    def build(self, model: Any, start: bool) -> None:
        self._model, self._loader, _ = self._direct._create_solver_model(
            model, _config(self._direct)
        )
        self._model.hideOutput()
        if start:
            native = self._direct._pyomo_var_to_solver_var_map
            if all(v.value is not None for v in native if v.is_integer()):
                self._direct._mipstart()

    def limit(
        self, run: Run, left_s: float, rel_gap: float, presolve: bool, options: Mapping[str, Option]
    ) -> None:
        parameters = {
            "limits/time": min(left_s, 1e20),
            "limits/gap": rel_gap,
            "limits/absgap": _ABSOLUTE_GAP,
            "numerics/feastol": _TOLERANCE,
            "lp/threads": min(run.threads, 64),
            "randomization/randomseedshift": run.seed % 2**31,
            # The run's own rule for Ctrl-C holds.
            "misc/catchctrlc": False,
            **options,
        }
        if not presolve:
            self._model.setPresolve(self._scip.SCIP_PARAMSETTING.OFF)
        for name, value in parameters.items():
            try:
                self._model.setParam(name, value)
            except (KeyError, ValueError, TypeError) as error:
                raise UsageError(f"SCIP refuses the option {name}={value!r}: {error}") from None

    def optimize(self) -> None:
        self._model.optimizeNogil()

    def interrupt(self) -> None:
        self._model.interruptSolve()

    def end(self) -> _End:
        model = self._model
        found, bound = bool(model.getNSols()), float(model.getDualbound())
        return _End(
            self._STATUSES.get(model.getStatus(), SolveStatus.LIMIT),
            float(model.getObjVal()) if found else None,
            bound if abs(bound) < model.infinity() else math.inf,
            self._loader.get_vars() if found else None,
            model.getObjectiveSense() == "maximize",
        )


class _Gurobi:
    """Gurobi through ``gurobi_direct``."""

    _STATUSES: Mapping[int, SolveStatus | None] = {
        2: SolveStatus.OPTIMAL,
        3: SolveStatus.INFEASIBLE,
        4: None,
        5: SolveStatus.UNBOUNDED,
    }

    def __init__(self) -> None:
        try:
            gurobipy = importlib.import_module("gurobipy")
        except ImportError:
            raise MethodUnavailable("Gurobi is not installed: pip install gurobipy") from None
        from pyomo.contrib.solver.solvers.gurobi.gurobi_direct import GurobiDirect

        self._gurobipy = gurobipy
        self._direct = GurobiDirect()

    def build(self, model: Any, start: bool) -> None:
        from pyomo.common.errors import InvalidConstraintError, InvalidExpressionError

        try:
            self._model, self._loader, _ = self._direct._create_solver_model(
                model, _config(self._direct)
            )
        except (InvalidConstraintError, InvalidExpressionError) as error:
            raise UsageError(f"Gurobi needs a linear model: {error}") from None
        except self._gurobipy.GurobiError as error:
            raise MethodUnavailable(f"Gurobi does not start: {error}") from None
        self._model.setParam("OutputFlag", 0)
        if start:
            for variable, native in self._direct._pyomo_gurobi_var_iter():
                if variable.value is not None:
                    native.Start = variable.value

    def limit(
        self, run: Run, left_s: float, rel_gap: float, presolve: bool, options: Mapping[str, Option]
    ) -> None:
        parameters = {
            "TimeLimit": left_s,
            "MIPGap": rel_gap,
            "MIPGapAbs": _ABSOLUTE_GAP,
            "FeasibilityTol": _TOLERANCE,
            "IntFeasTol": _TOLERANCE,
            "Threads": run.threads,
            "Seed": run.seed % 2**31,
            "Presolve": -1 if presolve else 0,
            **options,
        }
        for name, value in parameters.items():
            try:
                self._model.setParam(name, value)
            except (self._gurobipy.GurobiError, TypeError, ValueError) as error:
                raise UsageError(f"Gurobi refuses the option {name}={value!r}: {error}") from None

    def optimize(self) -> None:
        try:
            self._model.optimize()
        except self._gurobipy.GurobiError as error:
            # The free licence ends at 2000 variables or rows.
            raise MethodUnavailable(f"Gurobi does not solve the model: {error}") from None

    def interrupt(self) -> None:
        self._model.terminate()

    def end(self) -> _End:
        model = self._model
        found = bool(model.SolCount)
        try:
            bound = float(model.ObjBound)
        except (AttributeError, self._gurobipy.GurobiError):
            bound = math.inf  # not defined for this end
        return _End(
            self._STATUSES.get(model.Status, SolveStatus.LIMIT),
            float(model.ObjVal) if found else None,
            bound if abs(bound) < self._gurobipy.GRB.INFINITY else math.inf,
            self._loader.get_vars() if found else None,
            model.ModelSense < 0,
        )


#: Solvers besides HiGHS that `solve_external` knows.
SOLVERS: Mapping[str, Callable[[], Any]] = {"scip": _Scip, "gurobi": _Gurobi}


def _solution(
    end: _End, variables: Sequence[Any], resting: NDArray[np.float64], factor: float
) -> Solution:
    bound: float | None = None
    if math.isfinite(end.bound):
        slack = _TOLERANCE * abs(end.bound) + 2 * _ABSOLUTE_GAP
        bound = (end.bound + slack if end.maximise else end.bound - slack) / factor
    values: NDArray[np.float64] | None = None
    if end.values is not None:
        values = resting.copy()
        for place, variable in enumerate(variables):
            if variable in end.values and not variable.fixed:
                value = end.values[variable]
                values[place] = round(value) if variable.is_integer() else value
    return Solution(
        end.status or SolveStatus.LIMIT,
        objective=None if end.objective is None else end.objective / factor,
        bound=bound,
        values=values,
    )


@contextmanager
def _prepared(model: Any, factor: float) -> Iterator[None]:
    """Within, the objective is multiplied by the factor and no constraint has two sides.

    PySCIPOpt loses the constant of a body when a constraint has two (-1 <= z - 4 <= 6 becomes
    3 <= z <= 6).
    """
    from pyomo.common.modeling import unique_component_name
    from pyomo.environ import Block, Constraint, ConstraintList, Objective

    active = list(model.component_data_objects(Objective, active=True, descend_into=True))
    if len(active) != 1:
        names = ", ".join(objective.name for objective in active)
        raise UsageError(f"the model has {len(active)} active objectives ({names}), expected one")
    replaced = [
        constraint
        for constraint in model.component_data_objects(Constraint, active=True, descend_into=True)
        if constraint.has_lb() and constraint.has_ub() and not constraint.equality
    ]
    block = Block(concrete=True)
    block.objective = Objective(expr=factor * active[0].expr, sense=active[0].sense)
    block.sides = ConstraintList()
    for constraint in replaced:
        block.sides.add(constraint.body >= constraint.lower)
        block.sides.add(constraint.body <= constraint.upper)
    replaced.append(active[0])
    for component in replaced:
        component.deactivate()
    model.add_component(unique_component_name(model, "optkit_prepared"), block)
    try:
        yield
    finally:
        model.del_component(block)
        for component in replaced:
            component.activate()
