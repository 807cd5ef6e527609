"""Pyomo models: to arrays for HiGHS, to the other solvers that Pyomo knows, and to files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.backends.external import SOLVERS, solve_external
from optkit.backends.feed import Feed, Solution, SolveStatus
from optkit.backends.highs import BELIEVED, Option, check_export_path, solve_model
from optkit.backends.linear import LinearModel, ScaledModel
from optkit.errors import SolverError, UsageError, suggestion
from optkit.instance import Instance
from optkit.run import Run


class _NotLinear(UsageError):
    """A model that only some solvers can take."""


class Values:
    """The values of a Pyomo model's variables at one point: what a Pyomo ``decode`` receives.

    ``values(model.x[i, j])`` is the value of one variable; ``values.array(model.x)`` are those
    of an indexed variable in the order of its index set.
    """

    def __init__(self, layout: Layout, full: NDArray[np.float64]) -> None:
        self._layout = layout
        self._full = full

    def __call__(self, variable: Any) -> float:
        """Value of one variable; fixed ones and those in no constraint have theirs too."""
        return float(self._full[self._layout.position(variable)])

    def array(self, component: Any) -> NDArray[np.float64]:
        """Values of an indexed variable, flat, in the order of its index set."""
        return self._full[self._layout.positions(component)]


#: Takes the values of a Pyomo model to ``(x, parts)``, or to ``None`` where they give no decision.
PyomoDecode = Callable[[Values], tuple[ArrayLike, Mapping[str, Any]] | None]


class Layout:
    """All variables of a Pyomo model in their order of declaration, and their columns if any."""

    def __init__(self, model: Any, columns: list[Any]) -> None:
        from pyomo.environ import Var

        declared = list(model.component_data_objects(Var, active=True, descend_into=True))
        self._position = {id(variable): i for i, variable in enumerate(declared)}
        for variable in columns:
            if id(variable) not in self._position:
                self._position[id(variable)] = len(declared)
                declared.append(variable)
        self.variables = declared
        self._columns = np.array([self._position[id(v)] for v in columns], dtype=np.int64)
        self._rest = np.array([_resting_value(variable) for variable in declared], dtype=float)
        self._arrays: dict[int, NDArray[np.int64]] = {}

    def position(self, variable: Any) -> int:
        """Place of a variable in `variables`."""
        return self._position[id(variable)]

    def positions(self, component: Any) -> NDArray[np.int64]:
        """Places of an indexed variable's members."""
        found = self._arrays.get(id(component))
        if found is None:
            places = [self._position[id(variable)] for variable in component.values()]
            found = self._arrays[id(component)] = np.array(places, dtype=np.int64)
        return found

    def full(self, columns: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Values of all variables from those of the columns (None: where these rest too)."""
        values = self._rest.copy()
        if columns is not None:
            values[self._columns] = columns
        return values

    def columns(self, full: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the columns from those of all variables."""
        return full[self._columns]

    def load(self, full: NDArray[np.float64]) -> None:
        """Leave a point in the variables, where users of Pyomo look for it."""
        for variable, value in zip(self.variables, full.tolist(), strict=True):
            if not variable.fixed:
                variable.set_value(value, skip_validation=True)


def from_pyomo(model: Any) -> tuple[LinearModel, Any]:
    """Take a linear Pyomo model to arrays.

    Returns
    -------
    LinearModel
        With the names of the model's variables and constraints.
    ComponentMap
        From each variable that a constraint or the objective contains to its column. Fixed
        variables are constants of the arrays.

    Raises
    ------
    UsageError
        The model is not linear, has more than one objective, or a variable whose domain is
        neither continuous nor of whole numbers.
    InfeasibleConstraintException
        A constraint without variables does not hold (Pyomo's own error).
    """
    from pyomo.common.collections import ComponentMap
    from pyomo.common.errors import InvalidConstraintError, InvalidExpressionError
    from pyomo.environ import maximize
    from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

    try:
        form = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)
    except (InvalidConstraintError, InvalidExpressionError) as error:
        raise _NotLinear(f"the solver needs a linear model: {error}") from None
    if len(form.objectives) > 1:
        several = ", ".join(objective.name for objective in form.objectives)
        raise UsageError(f"the model has several active objectives ({several}), expected one")
    lower: list[float] = []
    upper: list[float] = []
    kept: list[int] = []
    names: list[str] = []
    for row, ((constraint, kind), side) in enumerate(zip(form.rows, form.rhs, strict=True)):
        # kind 0 is an equation, 1 is <= and -1 is >=; a range comes as 1 followed by -1.
        if kind == -1 and row and form.rows[row - 1].constraint is constraint:
            lower[-1] = side
            continue
        kept.append(row)
        names.append(constraint.name)
        lower.append(-np.inf if kind == 1 else side)
        upper.append(np.inf if kind == -1 else side)
    columns = form.columns
    bounds = [variable.bounds for variable in columns]
    linear = LinearModel(
        cost=form.c.toarray()[0] if form.objectives else np.zeros(len(columns)),
        matrix=form.A.tocsr()[kept],
        row_lower=np.array(lower, dtype=float),
        row_upper=np.array(upper, dtype=float),
        lower=np.array([-np.inf if low is None else low for low, _ in bounds], dtype=float),
        upper=np.array([np.inf if high is None else high for _, high in bounds], dtype=float),
        integer=np.array([_is_whole(variable) for variable in columns], dtype=bool),
        sense="maximise"
        if form.objectives and form.objectives[0].sense == maximize
        else "minimise",
        offset=float(form.c_offset[0]) if form.objectives else 0.0,
        column_names=[variable.name for variable in columns],
        row_names=names,
    )
    return linear, ComponentMap((variable, column) for column, variable in enumerate(columns))


def solve_pyomo(
    model: Any,
    run: Run,
    *,
    bound_of: Instance | None,
    decode: PyomoDecode | None = None,
    solver: str = "highs",
    export: str | os.PathLike[str] | None = None,
    start: bool = True,
    rel_gap: float = 0.0,
    time_s: float | None = None,
    options: Mapping[str, Option] | None = None,
) -> Solution:
    """Solve a Pyomo model within the limits of a run.

    Parameters
    ----------
    model : a concrete model; linear for HiGHS and Gurobi.
    run, bound_of, rel_gap, time_s : as for `optkit.backends.highs.solve_model`.
    decode : receives the `Values` of a point and returns ``(x, parts)`` for `Run.found`, or
        ``None`` to skip the point.
    solver : "highs" reports incumbents and bounds while it works; "scip" and "gurobi" report
        theirs at the end.
    export : a ``.mps`` or ``.lp`` file to write the model to first, with readable names.
    start : start from the present values of the variables, if all of them have one.
    options : further options of the solver, by its own names.

    Returns
    -------
    Solution
        Its `values` are those of all variables of the model in order of declaration; they are
        left in the variables too.

    Raises
    ------
    UsageError
        An unknown solver, a file that cannot be written, or a model that the solver cannot take.
    MethodUnavailable
        The solver is not installed; names what to install.
    """
    known = ("highs", *SOLVERS)
    if solver not in known:
        raise UsageError(
            f"unknown solver {solver!r}, expected one of {', '.join(known)}"
            + suggestion(solver, known)
        )
    from pyomo.common.errors import InfeasibleConstraintException

    if export is not None:
        export_pyomo(model, export)
    linear: LinearModel | None = None
    column_of: Any = {}
    try:
        linear, column_of = from_pyomo(model)
    except InfeasibleConstraintException:
        # Pyomo compares without a tolerance, so nothing is claimed of the instance.
        return Solution(SolveStatus.INFEASIBLE)
    except _NotLinear:
        if solver != "scip":
            raise
    layout = Layout(model, list(column_of))
    inner = _decoder(decode, layout)
    if solver != "highs" or linear is None:
        scaled = None if linear is None else ScaledModel.of(linear)

        def check(full: NDArray[np.float64]) -> None:
            if scaled is not None and scaled.violation(layout.columns(full)) > BELIEVED:
                raise SolverError(f"{solver} ended with a point that breaks the model")

        solution = solve_external(
            solver, model, layout.variables, layout.full(None), run, Feed(run, bound_of, inner),
            factor=1.0 if scaled is None else abs(scaled.factor), check=check,
            start=start, rel_gap=rel_gap, time_s=time_s, options=options,
        )  # fmt: skip
    else:
        present = [variable.value for variable in column_of]
        solution = solve_model(
            linear,
            run,
            bound_of=bound_of,
            decode=None if inner is None else lambda values: inner(layout.full(values)),
            start=present if start and None not in present else None,
            rel_gap=rel_gap,
            time_s=time_s,
            options=options,
        )
        if solution.values is not None:
            full = layout.full(solution.values)
            solution = Solution(solution.status, solution.objective, solution.bound, full)
    if solution.values is not None:
        layout.load(solution.values)
    return solution


def linear(coefficients: list[float], variables: list[Any], constant: float = 0.0) -> Any:
    """The linear expression of these terms, built far faster than by operators."""
    from pyomo.core.expr import LinearExpression

    return LinearExpression(constant=constant, linear_coefs=coefficients, linear_vars=variables)


def linear_sum(terms: Iterable[tuple[float, Any]], divisor: float = 1.0) -> Any:
    """The sum of the terms (coefficient, variable), divided, without those that are 0."""
    present = [(coefficient, variable) for coefficient, variable in terms if coefficient]
    return linear(
        [coefficient / divisor for coefficient, _ in present],
        [variable for _, variable in present],
    )


def export_pyomo(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a Pyomo model to a ``.mps`` or ``.lp`` file with the names it is read by.

    Raises
    ------
    UsageError
        Another suffix, or a folder that does not exist.
    """
    check_export_path(path)
    model.write(os.fspath(path), io_options={"symbolic_solver_labels": True})


def _decoder(
    decode: PyomoDecode | None, layout: Layout
) -> Callable[[NDArray[Any]], tuple[ArrayLike, Mapping[str, Any]] | None] | None:
    return None if decode is None else lambda full: decode(Values(layout, full))


def _is_whole(variable: Any) -> bool:
    if variable.is_integer():
        return True
    if variable.is_continuous():
        return False
    raise UsageError(f"variable {variable.name}: expected a domain of reals or of whole numbers")


def _resting_value(variable: Any) -> float:
    """The value of a variable that no row holds: its own, else the one in its bounds nearest 0."""
    if variable.value is not None:
        return float(variable.value)
    low, high = variable.bounds
    return float(min(max(0.0, -np.inf if low is None else low), np.inf if high is None else high))
