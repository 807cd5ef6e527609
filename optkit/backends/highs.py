"""HiGHS: a `LinearModel` in; incumbents, bounds and a `Solution` out.

The rules follow measurements on 23 saved models on which some release or setting of HiGHS
returns a wrong optimum (``tests/backends/canary``): rows and objective are scaled, feasibility
tolerances are 1e-9, the relative gap is 0, every point is checked, and "infeasible" (or an end
that says nothing) must be confirmed without presolve. Presolve itself stays on: with the scaling
it is right on all 23, and without it large models end with wider gaps.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.backends.feed import Decode, Feed, Solution, SolveStatus
from optkit.backends.linear import LinearModel, ScaledModel
from optkit.backends.native import highspy
from optkit.errors import BoundError, SolverError, UsageError
from optkit.instance import Instance
from optkit.run import Run

Option = bool | int | float | str

_LP_NAMES = str.maketrans(" []", "_()")
TOLERANCE = 1e-9
#: In scaled units, where objective coefficients are about 1 to 1e4.
_ABSOLUTE_GAP = 1e-9
#: A point that breaks a scaled row by more than this is not believed.
BELIEVED = 1e-6
_SETTINGS: Mapping[str, Option] = {
    "output_flag": False,
    "log_to_console": False,  # some releases print debug lines without it
    "mip_abs_gap": _ABSOLUTE_GAP,
    "mip_feasibility_tolerance": TOLERANCE,
    "primal_feasibility_tolerance": TOLERANCE,
    # Smaller coefficients are dropped from the model; this is the least that HiGHS accepts.
    "small_matrix_value": 1e-12,
}
_STATUSES = {
    "kOptimal": SolveStatus.OPTIMAL,
    "kModelEmpty": SolveStatus.OPTIMAL,
    "kInfeasible": SolveStatus.INFEASIBLE,
    "kUnbounded": SolveStatus.UNBOUNDED,
    "kTimeLimit": SolveStatus.LIMIT,
    "kInterrupt": SolveStatus.LIMIT,
    "kHighsInterrupt": SolveStatus.LIMIT,
    "kIterationLimit": SolveStatus.LIMIT,
    "kSolutionLimit": SolveStatus.LIMIT,
    "kObjectiveBound": SolveStatus.LIMIT,
    "kObjectiveTarget": SolveStatus.LIMIT,
    "kMemoryLimit": SolveStatus.LIMIT,
}


def solve_model(
    model: LinearModel,
    run: Run,
    *,
    bound_of: Instance | None,
    decode: Decode | None = None,
    start: ArrayLike | None = None,
    rel_gap: float = 0.0,
    time_s: float | None = None,
    options: Mapping[str, Option] | None = None,
) -> Solution:
    """Solve a linear or mixed-integer model within the limits of a run.

    Parameters
    ----------
    model : in the caller's units.
    run : gives time, threads, seed and interrupt; receives incumbents while the solver works.
    bound_of : the instance whose optimum a bound of this model bounds. Bounds and infeasibility
        reach the run only if it is the run's own instance; give ``None`` for a restriction, a
        sub-problem or anything else.
    decode : values [n] (integer variables rounded) to ``(x, parts)`` for `Run.found`, or to
        ``None`` to skip the point; called in the calling thread.
    start : [n] complete values to start from; dropped if they are not feasible.
    rel_gap : relative gap of the model at which the solver may stop.
    time_s : a limit of this solve, besides the run's own.
    options : further HiGHS options, which win over the settings of this module.

    Raises
    ------
    UsageError
        An option that HiGHS does not have, or a value that it refuses.
    SolverError
        HiGHS ended twice in a way that says nothing about the model.
    BoundError
        A feasible decision is better than HiGHS's bound, with and without presolve.
    """
    scaled = ScaledModel.of(model)
    begin = _start_values(scaled, start)
    until_s = run.elapsed_s + min(run.remaining_s, math.inf if time_s is None else time_s)
    settings = {
        **_SETTINGS,
        "mip_rel_gap": float(rel_gap),
        "threads": run.threads,
        "random_seed": run.seed % 2**31,
        **(options or {}),
    }
    ends: list[_End] = []
    for presolve in ({}, {"presolve": "off"}):
        if run.stopped() or run.elapsed_s >= until_s:
            return Solution(SolveStatus.LIMIT)
        feed = Feed(run, bound_of, decode)
        # A time limit counts from the construction of a HiGHS object: one object a solve.
        limit = {"time_limit": until_s - run.elapsed_s}
        attempt = _Attempt(scaled, feed, {**settings, **limit, **presolve}, begin)
        try:
            end = attempt.solve(run)
            if end.doubtful is None:
                attempt.report(end.solution)
                return end.solution
        except BoundError:
            if ends:
                raise
            end = _End(Solution(SolveStatus.LIMIT), "a bound that a decision disproves")
        ends.append(end)
    first, second = ends
    status = second.solution.status
    if status in (SolveStatus.INFEASIBLE, SolveStatus.UNBOUNDED) and (
        first.solution.status is status or first.doubtful == "kUnboundedOrInfeasible"
    ):
        attempt.report(second.solution)
        return second.solution
    raise SolverError(
        f"HiGHS ended with {first.doubtful}, and without presolve with {second.doubtful}"
    )


def export(model: LinearModel, path: str | os.PathLike[str]) -> None:
    """Write a model, unscaled, to a ``.mps`` or ``.lp`` file.

    Raises
    ------
    UsageError
        Another suffix, or a file that cannot be written.
    """
    check_export_path(path)
    solver = highspy().Highs()
    set_options(solver, {"output_flag": False})
    sense = -1 if model.sense == "maximise" else 1
    _pass(
        solver, model, model.matrix, model.cost, model.row_lower, model.row_upper,
        sense, model.offset,
    )  # fmt: skip
    # Spaces end a name in both formats; brackets are quadratic terms in the LP format.
    readable = str.maketrans(" ", "_") if Path(path).suffix == ".mps" else _LP_NAMES
    for column, name in enumerate(model.column_names):
        solver.passColName(column, name.translate(readable))
    for row, name in enumerate(model.row_names):
        solver.passRowName(row, name.translate(readable))
    if solver.writeModel(os.fspath(path)) == highspy().HighsStatus.kError:
        raise UsageError(f"cannot write the model to {os.fspath(path)}")


def check_export_path(path: str | os.PathLike[str]) -> None:
    """Refuse a file that no model can be written to, before the model is built.

    Raises
    ------
    UsageError
        The suffix is neither ``.mps`` nor ``.lp``, or the folder is missing.
    """
    target = Path(path)
    if target.suffix not in (".mps", ".lp"):
        raise UsageError(f"cannot export to {target.name!r}, expected a name in .mps or .lp")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"cannot export to {os.fspath(path)}: there is no such folder")


@dataclass(frozen=True)
class _End:
    """A solution, and why it cannot be believed as it stands."""

    solution: Solution
    doubtful: str | None = None


class _Attempt:
    """One run of HiGHS, in a fresh thread: its scheduler belongs to the thread that made it, and
    a second solve in that thread with another number of threads returns "Not Set" and 0.0."""

    def __init__(
        self,
        scaled: ScaledModel,
        feed: Feed,
        settings: Mapping[str, Option],
        start: NDArray[np.float64] | None,
    ) -> None:
        self._scaled = scaled
        self._model = scaled.source
        self._feed = feed
        self._start = start
        self._mip = bool(self._model.integer.any())
        self._cancelled = threading.Event()
        self._solver = highspy().Highs()
        set_options(self._solver, settings)
        _pass(
            self._solver, self._model, scaled.matrix, scaled.cost, scaled.row_lower,
            scaled.row_upper,
        )  # fmt: skip
        if start is not None and self._mip:
            point = highspy().HighsSolution()
            point.col_value = start.tolist()
            self._solver.setSolution(point)

    def solve(self, run: Run) -> _End:
        """Run to the end or to a limit, and judge what comes back."""
        callbacks = highspy().cb.HighsCallbackType
        self._improving = int(callbacks.kCallbackMipImprovingSolution)
        self._interrupts = int(callbacks.kCallbackMipInterrupt)
        self._solver.setCallback(self._callback, None)
        for kind in (
            callbacks.kCallbackMipImprovingSolution,
            callbacks.kCallbackMipInterrupt,
            callbacks.kCallbackSimplexInterrupt,
            callbacks.kCallbackIpmInterrupt,
        ):
            self._solver.startCallback(kind)

        def work() -> None:
            try:
                self._solver.run()
            finally:  # or the solver would hold this object, which holds the solver
                self._solver.setCallback(None, None)

        run.watch(work, self._cancelled.set, self._feed.drain)
        return self._judge()

    def report(self, solution: Solution) -> None:
        """Hand a believed solution to the run."""
        if solution.values is not None:
            self._feed.point(solution.values)
        self._feed.bound(solution.bound)
        self._feed.drain()
        if solution.status is SolveStatus.INFEASIBLE:
            self._feed.infeasible()

    def _callback(self, kind: Any, _message: str, out: Any, into: Any, _data: Any) -> None:
        # In the solver's thread: leave everything to the polling thread.
        kind = int(kind)
        if kind == self._improving:
            self._feed.point(self._rounded(np.array(out.mip_solution, dtype=float)))
            return
        if kind == self._interrupts:
            self._feed.bound(self._safe_bound(out.mip_dual_bound))
        if into is not None and self._cancelled.is_set():
            into.user_interrupt = True

    def _judge(self) -> _End:
        solver, scaled = self._solver, self._scaled
        name = solver.getModelStatus().name
        status = _STATUSES.get(name)
        if status is None:
            return _End(Solution(SolveStatus.LIMIT), name)
        if name == "kModelEmpty" and scaled.violation(np.zeros(0)) > 0:
            status = SolveStatus.INFEASIBLE  # HiGHS does not look at rows without columns
        if status in (SolveStatus.INFEASIBLE, SolveStatus.UNBOUNDED):
            return _End(Solution(status), name)
        info, found = solver.getInfo(), solver.getSolution()
        values = self._rounded(np.array(found.col_value, dtype=float))
        sound = scaled.violation(values) <= BELIEVED
        if status is SolveStatus.OPTIMAL:
            doubt = "a point that breaks the model" if not sound else self._doubt(values, info)
            if doubt is not None:
                return _End(Solution(SolveStatus.LIMIT), doubt)
        bound, row_duals, reduced_costs = None, None, None
        if self._mip:
            bound = self._safe_bound(info.mip_dual_bound)
        elif status is SolveStatus.OPTIMAL:
            duals = np.array(found.row_dual, dtype=float)
            bound = self._lp_bound(duals, float(info.objective_function_value))
            row_duals = duals / scaled.divisors / scaled.factor
            reduced_costs = np.array(found.col_dual, dtype=float) / scaled.factor
        return _End(
            Solution(
                status,
                objective=self._model.objective(values) if sound else None,
                bound=bound,
                values=values if sound else None,
                row_duals=row_duals,
                reduced_costs=reduced_costs,
            )
        )

    def _doubt(self, values: NDArray[np.float64], info: Any) -> str | None:
        """Why an optimal point cannot be what it is said to be."""
        cost = self._scaled.cost
        objective, said = float(cost @ values), float(info.objective_function_value)
        slack = BELIEVED * max(1.0, float(np.abs(cost * values).sum()))
        if not abs(objective - said) <= slack:
            return "an objective that is not that of its point"
        if self._start is not None:
            bound = float(info.mip_dual_bound) if self._mip else said
            if float(cost @ self._start) < bound - slack:
                return "a bound that the start disproves"
        return None

    def _rounded(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if values.shape == self._model.integer.shape:
            return np.where(self._model.integer, np.round(values), values)
        return values

    def _safe_bound(self, value: float) -> float | None:
        """A bound in the model's units, less what the tolerances may have cost; else None."""
        if not math.isfinite(value):
            return None
        return self._scaled.unscaled(value - TOLERANCE * abs(value) - 2 * _ABSOLUTE_GAP)

    def _lp_bound(self, duals: NDArray[np.float64], objective: float) -> float | None:
        """The bound that the row duals prove, or the optimum less a slack where they prove none.

        For every y (with the sign that its row allows) and reduced costs d = c - A'y, the sum of
        y times a side of its row and d times a bound of its variable is a bound.
        """
        scaled, model = self._scaled, self._model
        sides = np.where(duals > 0, scaled.row_lower, scaled.row_upper)
        duals = np.where(np.isfinite(sides), duals, 0.0)
        reduced = scaled.cost - scaled.matrix.T @ duals
        limits = np.where(reduced > 0, model.lower, model.upper)
        if np.isinf(limits[reduced != 0]).any():
            return self._safe_bound(objective)
        terms = np.concatenate(
            [duals[duals != 0] * sides[duals != 0], reduced[reduced != 0] * limits[reduced != 0]]
        )
        return scaled.unscaled(float(terms.sum()) - 1e-13 * float(np.abs(terms).sum()))


def _start_values(scaled: ScaledModel, start: ArrayLike | None) -> NDArray[np.float64] | None:
    """A complete start with whole integers, or None if it breaks the model."""
    if start is None:
        return None
    values = np.array(start, dtype=float)
    if values.shape != scaled.cost.shape:
        raise UsageError(f"the start has shape {values.shape}, expected {scaled.cost.shape}")
    whole = scaled.source.integer & np.isfinite(values)
    values = np.where(whole, np.round(values), values)
    return values if scaled.violation(values) <= BELIEVED else None


def set_options(solver: Any, settings: Mapping[str, Option]) -> None:
    """Set options of a HiGHS object, which reports a wrong name only by its return value.

    Raises
    ------
    UsageError
        An unknown name, or a value that is refused.
    """
    ok = highspy().HighsStatus.kOk
    for name, value in settings.items():
        if solver.setOptionValue(name, value) != ok:
            raise UsageError(f"HiGHS refuses the option {name}={value!r}")


def _pass(
    solver: Any,
    model: LinearModel,
    matrix: Any,
    cost: NDArray[np.float64],
    row_lower: NDArray[np.float64],
    row_upper: NDArray[np.float64],
    sense: int = 1,
    offset: float = 0.0,
) -> None:
    rows, columns = model.shape
    status = solver.passModel(
        columns, rows, matrix.nnz, 1, sense, offset,
        cost, model.lower, model.upper, row_lower, row_upper,
        matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data,
        model.integer.astype(np.int32),
    )  # fmt: skip
    if status == highspy().HighsStatus.kError:
        raise SolverError("HiGHS refuses the model: a number is out of its range")
