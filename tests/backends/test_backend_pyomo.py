"""Pyomo models: the arrays that they become, the other solvers, and files."""

from __future__ import annotations

import builtins
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from backend_toys import draw, hard, linear, pyomo_model, read_mps

from optkit.backends import external
from optkit.backends.feed import SolveStatus
from optkit.backends.highs import solve_model
from optkit.backends.pyomo import Values, export_pyomo, from_pyomo, solve_pyomo
from optkit.errors import MethodUnavailable, SolverError, UsageError
from optkit.result import StopReason
from optkit.run import Run
from optkit.stop import Stop

SOLVERS = ["highs", "scip", "gurobi"]


@pytest.fixture(params=SOLVERS)
def solver(request: pytest.FixtureRequest) -> str:
    package = {"scip": "pyscipopt", "gurobi": "gurobipy"}.get(request.param)
    if package is not None:
        pytest.importorskip(package)
    return str(request.param)


def _bins(model: Any, instance: Any) -> Any:
    return lambda values: (values.array(model.x).reshape(instance.cost.shape).argmax(1), {})


def _every_kind() -> Any:
    """Rows and variables of every kind that a model can have; the optimum is x=3, y=2, z=-1."""
    model = pyo.ConcreteModel()
    model.x = pyo.Var(domain=pyo.NonNegativeIntegers, bounds=(None, 7.5))
    model.y = pyo.Var(bounds=(-5, 2))
    model.z = pyo.Var()
    model.fixed = pyo.Var(domain=pyo.Integers, initialize=4)
    model.fixed.fix()
    model.alone = pyo.Var(bounds=(2, 5))
    model.range = pyo.Constraint(expr=(-1, model.z + model.fixed - 4, 6))
    model.least = pyo.Constraint(expr=model.x - model.z >= 1)
    model.most = pyo.Constraint(expr=2 * model.x + model.fixed <= 11)
    model.equal = pyo.Constraint(expr=model.x + model.y == 5)
    model.off = pyo.Constraint(expr=model.x == 100)
    model.off.deactivate()
    model.total = pyo.Objective(
        expr=3 * model.x - model.z + 2 * model.fixed + 1, sense=pyo.maximize
    )
    return model


def test_arrays_of_every_kind_of_row_and_variable() -> None:
    model = _every_kind()
    arrays, column_of = from_pyomo(model)
    assert len(column_of) == 3
    assert model.fixed not in column_of
    order = [column_of[v] for v in (model.x, model.y, model.z)]
    rows = {name: i for i, name in enumerate(arrays.row_names)}
    assert set(rows) == {"range", "least", "most", "equal"}
    matrix = arrays.matrix.toarray()[:, order]
    sides = list(zip(arrays.row_lower, arrays.row_upper, strict=True))
    assert matrix[rows["range"]].tolist() == [0, 0, 1]
    assert sides[rows["range"]] == (-1, 6)
    assert matrix[rows["least"]].tolist() == [1, 0, -1]
    assert sides[rows["least"]] == (1, np.inf)
    assert sides[rows["most"]] == (-np.inf, 7)
    assert sides[rows["equal"]] == (5, 5)
    assert arrays.lower[order].tolist() == [0, -5, -np.inf]
    assert arrays.upper[order].tolist() == [7.5, 2, np.inf]
    assert arrays.integer[order].tolist() == [True, False, False]
    assert arrays.cost[order].tolist() == [3, 0, -1]
    assert (arrays.sense, arrays.offset) == ("maximise", 9)
    assert [arrays.column_names[c] for c in order] == ["x", "y", "z"]


def test_every_kind_is_solved_by_every_solver(solver: str) -> None:
    model = _every_kind()
    seen: list[tuple[float, ...]] = []

    def decode(values: Values) -> None:
        variables = (model.x, model.y, model.z, model.fixed, model.alone)
        seen.append(tuple(values(v) for v in variables))

    solution = solve_pyomo(model, Run(draw(3, 2, 0)), bound_of=None, decode=decode, solver=solver)
    assert solution.status is SolveStatus.OPTIMAL
    assert solution.objective == pytest.approx(19)
    assert 19 - 1e-6 <= solution.bound <= 19 + 1e-6
    assert seen[-1] == pytest.approx((3, 2, -1, 4, 2))
    assert pyo.value(model.total) == pytest.approx(19)
    assert solution.values == pytest.approx([3, 2, -1, 4, 2])
    assert model.range.active
    assert not model.off.active


@pytest.mark.parametrize("maximise", [False, True])
@pytest.mark.parametrize("cost_scale", [1e-7, 1.0, 1e7])
def test_assignments_at_every_scale(solver: str, cost_scale: float, maximise: bool) -> None:
    for seed in range(3):
        instance = draw(6, 3, seed, cost_scale=cost_scale, maximise=maximise, tightness=1.1)
        model = pyomo_model(instance)
        run = Run(instance, proves_bound=True)
        solution = solve_pyomo(
            model, run, bound_of=instance, decode=_bins(model, instance), solver=solver
        )
        best = instance.best()
        assert run.proved  # and may have stopped HiGHS within the tolerance of a proof
        assert solution.objective == pytest.approx(best, rel=1.1e-6)
        assert run.objective == pytest.approx(best, rel=1.1e-6)
        sign = -1 if maximise else 1
        assert sign * solution.bound <= sign * best
        assert model.total.active
        assert len(list(model.component_objects(pyo.Objective))) == 1


def test_pyomo_and_arrays_are_the_same_model() -> None:
    instance = draw(5, 3, 2)
    arrays, _ = from_pyomo(pyomo_model(instance))
    twin = linear(instance)
    assert np.array_equal(arrays.cost, twin.cost)
    assert (arrays.matrix != twin.matrix).nnz == 0
    assert np.array_equal(arrays.row_upper, twin.row_upper)


def test_infeasible_is_claimed_only_of_the_runs_own_instance(solver: str) -> None:
    instance = draw(4, 2, 0, tightness=0.01)
    for bound_of, claimed in ((instance, True), (None, False)):
        run = Run(instance, proves_bound=True)
        solution = solve_pyomo(pyomo_model(instance), run, bound_of=bound_of, solver=solver)
        assert solution.status is SolveStatus.INFEASIBLE
        assert (solution.objective, solution.bound, solution.values) == (None, None, None)
        assert run.proved_infeasible is claimed


def test_unbounded(solver: str) -> None:
    model = pyo.ConcreteModel()
    model.x, model.y = pyo.Var(), pyo.Var(domain=pyo.Binary)
    model.row = pyo.Constraint(expr=model.x + model.y >= 0)
    model.total = pyo.Objective(expr=model.x, sense=pyo.maximize)
    solution = solve_pyomo(model, Run(draw(3, 2, 0)), bound_of=None, solver=solver)
    assert solution.status is SolveStatus.UNBOUNDED
    assert solution.bound is None


def test_a_constraint_without_variables_that_fails_is_no_claim() -> None:
    model = pyomo_model(draw(3, 2, 0))
    model.x.fix(0)
    run = Run(draw(3, 2, 0), proves_bound=True)
    solution = solve_pyomo(model, run, bound_of=run.instance)
    assert solution.status is SolveStatus.INFEASIBLE
    assert not run.proved_infeasible


def test_an_interrupt_returns_incumbent_and_bound(solver: str) -> None:
    instance = hard() if solver != "gurobi" else draw(80, 20, 0, tightness=0.8)
    model = pyomo_model(instance)
    interrupt = threading.Event()
    run = Run(instance, Stop(time_s=100), proves_bound=True, interrupt=interrupt)
    timer = threading.Timer(1.0, interrupt.set)
    timer.start()
    solution = solve_pyomo(
        model, run, bound_of=instance, decode=_bins(model, instance), solver=solver
    )
    timer.join()
    assert run.reason is StopReason.INTERRUPTED
    assert solution.status is SolveStatus.LIMIT
    assert run.objective == pytest.approx(solution.objective)
    assert run.best_bound == pytest.approx(solution.bound)


def test_no_time_gives_no_numbers(solver: str) -> None:
    run = Run(draw(3, 2, 0), Stop(time_s=0), proves_bound=True)
    solution = solve_pyomo(pyomo_model(run.instance), run, bound_of=run.instance, solver=solver)
    assert solution.status is SolveStatus.LIMIT
    assert (solution.objective, solution.bound, solution.values) == (None, None, None)


def test_the_variables_values_are_the_start(solver: str) -> None:
    instance = draw(6, 3, 5)
    best = instance.best()
    model = pyomo_model(instance)
    first = solve_pyomo(model, Run(instance), bound_of=None)
    seen: list[float] = []
    solution = solve_pyomo(
        model,
        Run(instance),
        bound_of=None,
        solver=solver,
        decode=lambda v: seen.append(float(instance.cost.ravel() @ v.array(model.x))),
    )
    assert first.objective == pytest.approx(best)
    assert solution.objective == pytest.approx(best)
    assert seen[0] == pytest.approx(best)


def test_wrong_names_are_refused_before_anything_is_built() -> None:
    with pytest.raises(UsageError, match="unknown solver 'scipp'.*did you mean 'scip'"):
        solve_pyomo(None, Run(draw(3, 2, 0)), bound_of=None, solver="scipp")


def test_an_unknown_option_is_refused(solver: str) -> None:
    with pytest.raises(UsageError, match="nonsense"):
        solve_pyomo(
            pyomo_model(draw(3, 2, 0)),
            Run(draw(3, 2, 0)),
            bound_of=None,
            solver=solver,
            options={"nonsense": 1},
        )


@pytest.mark.parametrize(("name", "package"), [("scip", "pyscipopt"), ("gurobi", "gurobipy")])
def test_a_missing_solver_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    def missing(module: str) -> Any:
        raise ImportError(module)

    monkeypatch.setattr(external.importlib, "import_module", missing)
    with pytest.raises(MethodUnavailable, match=f"pip install {package}"):
        external.SOLVERS[name]()


def test_models_that_highs_cannot_take() -> None:
    run = Run(draw(3, 2, 0))
    model = pyo.ConcreteModel()
    model.x = pyo.Var(bounds=(1, 2))
    model.total = pyo.Objective(expr=model.x**2)
    with pytest.raises(UsageError, match="linear"):
        solve_pyomo(model, run, bound_of=None)
    model.del_component("total")
    model.one, model.two = pyo.Objective(expr=model.x), pyo.Objective(expr=-model.x)
    with pytest.raises(UsageError, match="several active objectives"):
        solve_pyomo(model, run, bound_of=None)
    model.two.deactivate()
    model.y = pyo.Var(domain=pyo.Set(initialize=[0, 5]))
    model.row = pyo.Constraint(expr=model.x + model.y >= 1)
    with pytest.raises(UsageError, match="variable y"):
        solve_pyomo(model, run, bound_of=None)


def test_a_point_that_breaks_the_model_is_an_error(
    monkeypatch: pytest.MonkeyPatch, solver: str
) -> None:
    if solver == "highs":
        pytest.skip("covered with the HiGHS backend")
    true_solution = external._solution

    def wrong(*arguments: Any) -> Any:
        solution = true_solution(*arguments)
        solution.values[:3] = 1
        return solution

    monkeypatch.setattr(external, "_solution", wrong)
    instance = draw(4, 2, 0)
    with pytest.raises(SolverError, match="breaks the model"):
        solve_pyomo(pyomo_model(instance), Run(instance), bound_of=None, solver=solver)


def test_scip_takes_a_model_that_is_not_linear() -> None:
    pytest.importorskip("pyscipopt")
    model = pyo.ConcreteModel()
    model.x = pyo.Var(bounds=(-3, 4), domain=pyo.Integers)
    model.total = pyo.Objective(expr=(model.x - 1.2) ** 2)
    solution = solve_pyomo(model, Run(draw(3, 2, 0)), bound_of=None, solver="scip")
    assert solution.objective == pytest.approx(0.04, abs=1e-6)
    assert solution.values == pytest.approx([1])


@pytest.mark.parametrize("suffix", [".mps", ".lp"])
@pytest.mark.parametrize("maximise", [False, True])
def test_export_keeps_names_and_optimum(tmp_path: Path, suffix: str, maximise: bool) -> None:
    instance = draw(5, 3, 6, maximise=maximise)
    model = pyomo_model(instance)
    path = tmp_path / f"model{suffix}"
    solve_pyomo(model, Run(instance), bound_of=None, export=path)
    again = read_mps(path)
    assert any("one_bin" in name for name in again.row_names)
    assert any(name.startswith("x(0_2)") for name in again.column_names)
    solution = solve_model(again, Run(instance), bound_of=None)
    assert abs(solution.objective) == pytest.approx(instance.best())


def test_export_checks_the_file_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a name in .mps or .lp"):
        export_pyomo(None, tmp_path / "model.nl")
    with pytest.raises(UsageError, match="no such folder"):
        export_pyomo(None, tmp_path / "missing" / "model.lp")


def test_standard_streams_stay_open_to_others(
    capfd: pytest.CaptureFixture[str], solver: str
) -> None:
    instance = draw(6, 3, 1)
    seen: list[int] = []

    def progress(_: Any) -> None:
        seen.append(1)
        builtins.print("progress", flush=True)

    run = Run(instance, proves_bound=True)
    run.on_progress = progress
    model = pyomo_model(instance)
    solve_pyomo(model, run, bound_of=instance, decode=_bins(model, instance), solver=solver)
    out = capfd.readouterr()
    assert out.out == "progress\n" * len(seen)
    assert out.err == ""
    assert seen
