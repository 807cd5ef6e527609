"""A generalised assignment problem in every form that a backend takes, and the saved models."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from optkit.backends.cpsat import IntegerScale
from optkit.backends.linear import LinearModel
from optkit.backends.native import cp_model, highspy
from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance

CANARY = Path(__file__).parent / "canary"
EXPECTED: dict[str, dict[str, Any]] = json.loads((CANARY / "expected.json").read_text())["models"]


class Assignment(Instance):
    """Give each of n items to one of k bins of limited capacity; `cost` [n, k] is per choice."""

    problem = "toy_assignment"

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.cost = np.asarray(document["cost"], dtype=float)
        self.weight = np.asarray(document["weight"], dtype=float)
        self.capacity = np.asarray(document["capacity"], dtype=float)
        self.name = ""
        self.choices = np.full(len(self.cost), self.cost.shape[1])

    def canonical(self) -> dict[str, Any]:
        return {"cost": self.cost, "weight": self.weight, "capacity": self.capacity}

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        items = np.arange(len(self.cost))
        terms = self.cost[items, decisions]
        load = np.zeros((len(decisions), len(self.capacity)))
        for k in range(len(self.capacity)):
            load[:, k] = np.where(decisions == k, self.weight[:, k], 0).sum(axis=1)
        excess = np.where(load > self.capacity * (1 + 1e-9), load - self.capacity, 0.0)
        return BatchEvaluation(terms.sum(1), np.abs(terms).sum(1), {}, {"capacity": excess})

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        return {"bin": np.asarray(x)}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        return np.asarray(decision["bin"]), {}

    def best(self) -> float | None:
        """The optimum by enumeration; None where no decision is feasible."""
        every = np.array(list(itertools.product(*(range(k) for k in self.choices))))
        judged = self.evaluate_batch(every)
        row = judged.best(self.sense)
        return float(judged.objective[row]) if judged.feasible[row] else None


class Yield(Assignment):
    """The same, to maximise."""

    problem = "toy_yield"
    sense = "maximise"


def draw(
    n: int,
    k: int,
    seed: int,
    *,
    maximise: bool = False,
    cost_scale: float = 1.0,
    weight_scale: float = 1.0,
    tightness: float = 1.2,
) -> Assignment:
    """A random instance; about the tighter, the fewer feasible decisions."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(5, 26, (n, k)) * weight_scale
    # What is heavy is cheap to minimise and dear to maximise, so that capacities matter.
    size = weight / weight_scale
    cost = (size if maximise else 50 - size) + rng.uniform(0, 9, (n, k))
    document = {
        "cost": cost * cost_scale,
        "weight": weight,
        "capacity": tightness * weight.sum(0) / k,
    }
    return Yield(document) if maximise else Assignment(document)


def hard(seed: int = 0) -> Assignment:
    """One that no solver here closes within a test, while each finds decisions at once."""
    return draw(100, 20, seed, tightness=0.8)


def linear(instance: Assignment) -> LinearModel:
    """Binary x[i, k] in row-major order."""
    n, k = instance.cost.shape
    number = np.arange(n * k)
    load = sparse.csr_matrix((instance.weight.ravel(), (number % k, number)), shape=(k, n * k))
    return LinearModel(
        cost=instance.cost.ravel(),
        matrix=sparse.vstack([sparse.kron(sparse.eye(n), np.ones((1, k))), load]),
        row_lower=np.r_[np.ones(n), np.full(k, -np.inf)],
        row_upper=np.r_[np.ones(n), instance.capacity],
        lower=0,
        upper=1,
        integer=True,
        sense=instance.sense,
    )


def chosen(instance: Assignment, values: NDArray[Any]) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """The decision of a point of `linear`."""
    return values.reshape(instance.cost.shape).argmax(axis=1), {}


def point(instance: Assignment, x: ArrayLike) -> NDArray[np.float64]:
    """The point of `linear` of a decision."""
    return np.eye(instance.cost.shape[1])[np.asarray(x)].ravel()


def pyomo_model(instance: Assignment) -> Any:
    """The same model in Pyomo."""
    import pyomo.environ as pyo

    n, k = instance.cost.shape
    model = pyo.ConcreteModel()
    model.I, model.K = pyo.RangeSet(0, n - 1), pyo.RangeSet(0, k - 1)
    model.x = pyo.Var(model.I, model.K, domain=pyo.Binary)
    model.one_bin = pyo.Constraint(model.I, rule=lambda m, i: sum(m.x[i, j] for j in m.K) == 1)
    model.capacity = pyo.Constraint(
        model.K,
        rule=lambda m, j: (
            sum(instance.weight[i, j] * m.x[i, j] for i in m.I) <= instance.capacity[j]
        ),
    )
    model.total = pyo.Objective(
        expr=sum(instance.cost[i, j] * model.x[i, j] for i in model.I for j in model.K),
        sense=pyo.minimize if instance.sense == "minimise" else pyo.maximize,
    )
    return model


def cp(instance: Assignment) -> tuple[Any, list[list[Any]], IntegerScale]:
    """The same model for CP-SAT, with weights that are whole numbers."""
    n, k = instance.cost.shape
    scale = IntegerScale.of(instance.cost, instance.sense)
    whole = scale.whole(instance.cost).tolist()
    weight = instance.weight.astype(int).tolist()
    model = cp_model().CpModel()
    x = [[model.new_bool_var(f"x[{i},{j}]") for j in range(k)] for i in range(n)]
    for row in x:
        model.add_exactly_one(row)
    for j in range(k):
        load = sum(weight[i][j] * x[i][j] for i in range(n))
        model.add(load <= int(np.floor(instance.capacity[j])))
    total = sum(whole[i][j] * x[i][j] for i in range(n) for j in range(k))
    (model.minimize if instance.sense == "minimise" else model.maximize)(total)
    return model, x, scale


def read_mps(path: Path) -> LinearModel:
    """A model file as arrays, read by HiGHS."""
    solver = highspy().Highs()
    solver.setOptionValue("output_flag", False)
    assert solver.readModel(str(path)) == highspy().HighsStatus.kOk
    solver.ensureColwise()
    lp = solver.getLp()
    matrix = sparse.csc_matrix(
        (np.array(lp.a_matrix_.value_), np.array(lp.a_matrix_.index_), lp.a_matrix_.start_),
        shape=(lp.num_row_, lp.num_col_),
    )
    return LinearModel(
        cost=np.array(lp.col_cost_),
        matrix=matrix,
        row_lower=np.array(lp.row_lower_),
        row_upper=np.array(lp.row_upper_),
        lower=np.array(lp.col_lower_),
        upper=np.array(lp.col_upper_),
        integer=np.array([int(kind) == 1 for kind in lp.integrality_] or False),
        sense="maximise" if lp.sense_ == highspy().ObjSense.kMaximize else "minimise",
        offset=lp.offset_,
        column_names=list(lp.col_names_),
        row_names=list(lp.row_names_),
    )
