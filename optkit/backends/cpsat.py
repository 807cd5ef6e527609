"""CP-SAT: a `CpModel` with a whole-numbered objective in; incumbents and bounds out.

Rules that come from saved models on which CP-SAT 9.15 returns a wrong optimum
(``tests/backends/canary``): ``presolve_inclusion_work_limit`` is 0, and a model with optional
intervals is refused, since no parameter makes that style right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.backends.feed import Feed, Solution, SolveStatus
from optkit.backends.linear import Sense
from optkit.backends.native import cp_model
from optkit.errors import SolverError, UsageError
from optkit.instance import Instance
from optkit.run import Run

#: The largest scaled objective coefficient; none may reach twice this.
_LARGEST = 2**30

CpDecode = Callable[["CpValues"], tuple[ArrayLike, Mapping[str, Any]] | None]


@dataclass(frozen=True)
class IntegerScale:
    """Takes an objective over variables >= 0 to whole numbers so that its bound stays valid.

    Parameters
    ----------
    scale : whole-numbered objective per unit of the true one.
    sense : of the objective; coefficients are rounded down to minimise, up to maximise.
    """

    scale: float
    sense: Sense = "minimise"

    @classmethod
    def of(cls, coefficients: ArrayLike, sense: Sense = "minimise") -> IntegerScale:
        """The scale under which the largest of these coefficients becomes 2^30."""
        size = np.abs(np.asarray(coefficients, dtype=float))
        if not np.isfinite(size).all():
            raise UsageError("a coefficient of the objective is not a finite number")
        largest = float(size.max(initial=0.0))
        return cls(_LARGEST / largest if largest > 0 else 1.0, sense)

    def whole(self, coefficients: ArrayLike) -> NDArray[np.int64]:
        """Coefficients for the model, each less than 1 away from its scaled value.

        Raises
        ------
        UsageError
            One is larger than those that the scale was made of, so that sums could overflow.
        """
        scaled = np.asarray(coefficients, dtype=float) * self.scale
        if not (np.abs(scaled) < 2 * _LARGEST).all():
            raise UsageError("a scaled objective coefficient is not below 2^31")
        rounded = np.floor(scaled) if self.sense == "minimise" else np.ceil(scaled)
        return np.asarray(rounded).astype(np.int64)


class CpValues:
    """The values of a `CpModel`'s variables at one point: what a CP-SAT ``decode`` receives.

    ``values(x)`` is that of one variable or negated Boolean; ``values.array(xs)`` those of a
    nested list or array of variables, in its shape.
    """

    def __init__(self, full: NDArray[np.int64]) -> None:
        self._full = full

    def __call__(self, variable: Any) -> int:
        """Value of one variable."""
        index = variable.index
        return int(self._full[index] if index >= 0 else 1 - self._full[-index - 1])

    def array(self, variables: Any) -> NDArray[np.int64]:
        """Values of many variables."""
        places = np.array(variables, dtype=object)
        values = [self(variable) for variable in places.flat]
        return np.array(values, dtype=np.int64).reshape(places.shape)


def solve_cp(
    model: Any,
    run: Run,
    *,
    bound_of: Instance | None,
    decode: CpDecode | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    hint: Iterable[tuple[Any, int]] | None = None,
    repair: Callable[[CpValues], bool] | None = None,
    rel_gap: float = 0.0,
    time_s: float | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Solution:
    """Solve a CP-SAT model within the limits of a run.

    Parameters
    ----------
    model : a ``CpModel`` whose objective has whole coefficients (see `IntegerScale`); without
        optional intervals.
    run, bound_of, rel_gap, time_s : as for `optkit.backends.highs.solve_model`.
    decode : receives the `CpValues` of a point and returns ``(x, parts)`` for `Run.found`, or
        ``None`` to skip the point; called in the calling thread.
    scale, offset : the true objective is ``offset +`` the model's objective ``/ scale``.
    hint : variables and values, auxiliary variables included; a feasible point is started from,
        another one is dropped.
    repair : called with the last point of each solve; where the model relaxes the instance and
        the point breaks the instance, it cuts the point off (see `forbid`) and returns True, and
        the model is solved again.
    parameters : further CP-SAT parameters, which win over the settings of this module.

    Returns
    -------
    Solution
        `values` are whole numbers, in the order of the model's variables.

    Raises
    ------
    UsageError
        An optional interval, an objective of floats, an incomplete hint, or a parameter that
        CP-SAT does not have.
    SolverError
        The model is invalid (an overflow, say): carries CP-SAT's own text.
    """
    _check(model)
    until_s = run.elapsed_s + min(run.remaining_s, math.inf if time_s is None else time_s)
    settings = {
        "num_workers": run.threads,
        "random_seed": run.seed % 2**31,
        "catch_sigint_signal": False,  # the run has one rule for every solver
        "presolve_inclusion_work_limit": 0,
        "relative_gap_limit": rel_gap,
        **(parameters or {}),
    }
    search = _Search(model, run, Feed(run, bound_of, _decoder(decode)), settings, scale, offset)
    model.clear_hints()
    if hint is not None:
        search.hint(_complete(model, hint), until_s)
    while True:
        solution = search.solve(until_s)
        if repair is None or solution.values is None or not repair(CpValues(solution.values)):
            return solution
        model.clear_hints()  # the hint may be what was cut off
        _check(model)


def forbid(model: Any, literals: Iterable[Any]) -> None:
    """Cut off every point at which all of these Booleans hold."""
    model.add_bool_or([literal.negated() for literal in literals])


class _Search:
    """Solves one model, again where it is changed; incumbents and bounds go to a feed."""

    def __init__(
        self,
        model: Any,
        run: Run,
        feed: Feed,
        settings: Mapping[str, Any],
        scale: float,
        offset: float,
    ) -> None:
        self._model = model
        self._run = run
        self._feed = feed
        self._settings = settings
        self._scale = scale
        self._offset = offset
        self._hinted = False

    def hint(self, values: NDArray[np.int64], until_s: float) -> None:
        """Hint a point if it is feasible: after a wrong hint the search may find nothing."""
        for index, value in enumerate(values.tolist()):
            self._model.add_hint(self._model.get_int_var_from_proto_index(index), value)
        solver = self._solver(until_s, fix_variables_to_their_hinted_value=True)
        if solver is None:
            return
        status = self._run.watch(lambda: solver.solve(self._model), solver.stop_search)
        self._hinted = status in (cp_model().OPTIMAL, cp_model().FEASIBLE)
        if self._hinted:
            self._feed.point(np.array(solver.response_proto.solution, dtype=np.int64))
            self._feed.drain()
        else:
            self._model.clear_hints()

    def solve(self, until_s: float) -> Solution:
        """Solve the model as it is now."""
        cp, feed, model = cp_model(), self._feed, self._model
        solver = self._solver(until_s)
        if solver is None:
            return Solution(SolveStatus.LIMIT)
        reported: list[float] = []

        callback: Any = cp.CpSolverSolutionCallback

        class Incumbents(callback):
            def on_solution_callback(self) -> None:
                feed.point(np.array(self.response_proto.solution, dtype=np.int64))

        def better_bound(value: float) -> None:
            reported[:] = [value]
            feed.bound(self._unscaled(value))

        solver.best_bound_callback = better_bound
        incumbents = Incumbents()
        status = self._run.watch(
            lambda: solver.solve(model, incumbents), solver.stop_search, feed.drain
        )
        if status == cp.MODEL_INVALID:
            raise SolverError(f"CP-SAT refuses the model: {model.validate().strip()}")
        if status == cp.INFEASIBLE:
            if self._hinted:
                raise SolverError("CP-SAT calls a model infeasible that has a feasible point")
            feed.infeasible()
            return Solution(SolveStatus.INFEASIBLE)
        # Numbers only where the status defines them: UNKNOWN reports zeros.
        solved = status in (cp.OPTIMAL, cp.FEASIBLE)
        objective, bound = None, None
        if model.has_objective():
            if solved:
                objective = self._unscaled(solver.objective_value)
                reported = [solver.best_objective_bound]
            bound = self._unscaled(reported[0]) if reported else None
        feed.bound(bound)
        feed.drain()
        return Solution(
            SolveStatus.OPTIMAL if status == cp.OPTIMAL else SolveStatus.LIMIT,
            objective=objective,
            bound=bound if bound is not None and math.isfinite(bound) else None,
            values=np.array(solver.response_proto.solution, dtype=np.int64) if solved else None,
        )

    def _solver(self, until_s: float, **more: Any) -> Any:
        """A solver with the settings, or None where no time is left."""
        left_s = until_s - self._run.elapsed_s
        if self._run.stopped() or left_s <= 0:
            return None
        solver = cp_model().CpSolver()
        limit = {"max_time_in_seconds": left_s} if math.isfinite(left_s) else {}
        for name, value in {**self._settings, **limit, **more}.items():
            try:
                setattr(solver.parameters, name, value)
            except (AttributeError, TypeError, ValueError) as error:
                reason = str(error).splitlines()[0]
                raise UsageError(
                    f"CP-SAT refuses the parameter {name}={value!r}: {reason}"
                ) from None
        return solver

    def _unscaled(self, value: float) -> float:
        return value / self._scale + self._offset


def _check(model: Any) -> None:
    """Refuse models that CP-SAT would solve wrongly."""
    proto = model.proto
    for constraint in proto.constraints:
        if constraint.has_interval() and len(constraint.enforcement_literal):
            raise UsageError(
                f"the model has an optional interval ({constraint.name or 'unnamed'}), with which "
                "CP-SAT reports wrong optima: use one non-optional interval a task, with a size "
                "variable and a demand variable for each resource"
            )
    if proto.has_floating_point_objective():
        raise UsageError("the objective has coefficients that are not whole: use IntegerScale")


def _complete(model: Any, hint: Iterable[tuple[Any, int]]) -> NDArray[np.int64]:
    """A hint as a full vector of values.

    A partial hint is worse than none: the search spends itself on completing it.
    """
    given: dict[int, int] = {}
    for variable, value in hint:
        index = variable.index
        given[index if index >= 0 else -index - 1] = int(value) if index >= 0 else 1 - int(value)
    full = []
    for index, variable in enumerate(model.proto.variables):
        domain = list(variable.domain)
        if index not in given and domain[0] != domain[-1]:
            name = variable.name or f"number {index}"
            raise UsageError(f"the hint leaves out the variable {name}; hint all or none")
        full.append(given.get(index, domain[0]))
    return np.array(full, dtype=np.int64)


def _decoder(
    decode: CpDecode | None,
) -> Callable[[NDArray[Any]], tuple[ArrayLike, Mapping[str, Any]] | None] | None:
    return None if decode is None else lambda full: decode(CpValues(full))
