"""Problems small enough to check in the head: minimise, maximise, with parts and violations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.errors import DecisionError
from optkit.evaluation import BatchEvaluation
from optkit.fields import array
from optkit.instance import Instance
from optkit.registry import Method, Problem
from optkit.run import Run
from optkit.stop import Stop

HERE = Path(__file__).parent
STORED = HERE.parents[1] / "instances" / "block_placement" / "two-blocks.json"
TWO_BLOCKS = json.loads(STORED.read_text())


class Costs(Instance):
    """Position i takes option k for cost[i][k] seconds; weight[i][k] add up to at most limit.

    A null cost is infinite. The origin is what option 0 costs everywhere.
    """

    problem = "toy"
    unit = "s"
    worst: ClassVar[float] = np.inf

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.name = document.get("name", "")
        shape = np.shape(document["cost"])
        self.cost = array(document["cost"], "cost", shape, minimum=-1e300, null=self.worst)
        weight = document.get("weight")
        self.weight = array(np.zeros(shape) if weight is None else weight, "weight", shape)
        self.limit = document.get("limit")
        self.choices = np.full(shape[0], shape[1])

    def canonical(self) -> dict[str, Any]:
        document = {"problem": self.problem, "version": 1, "name": self.name, "cost": self.cost}
        if self.limit is not None:
            document |= {"weight": self.weight, "limit": self.limit}
        return document

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        if parts:
            raise DecisionError(f"the toy has no part {next(iter(parts))!r}")
        positions = np.arange(len(self.choices))
        paid = self.cost[positions, decisions]
        weight = self.weight[positions, decisions].sum(axis=1)
        violations = {}
        if self.limit is not None:
            violations["limit"] = np.maximum(weight - self.limit, 0.0)
        scale = np.abs(paid).sum(axis=1)
        return BatchEvaluation(paid.sum(axis=1), scale, {"paid": paid}, violations)

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        return {"option": self.check_decision(x)}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        if set(decision) != {"option"}:
            raise DecisionError("expected a decision with the one array 'option'")
        return self.check_decision(decision["option"]), {}

    @property
    def origin(self) -> float:
        return float(self.cost[:, 0].sum())


class Profits(Costs):
    """The same table, to be made large."""

    sense: ClassVar[str] = "maximise"
    worst: ClassVar[float] = -np.inf


class Shop(Instance):
    """Sell item i (x[i] = 1) at price[i], a part, to someone who pays at most worth[i]."""

    problem = "shop"
    sense: ClassVar[str] = "maximise"
    unit = "usd"
    parts: ClassVar[tuple[str, ...]] = ("price",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.name = document.get("name", "")
        self.worth = array(document["worth"], "worth", (len(document["worth"]),))
        self.choices = np.full(len(self.worth), 2)

    def canonical(self) -> dict[str, Any]:
        return {"problem": "shop", "version": 1, "name": self.name, "worth": self.worth}

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        if set(parts) != {"price"}:
            raise DecisionError("expected the part 'price'")
        price = np.asarray(parts["price"], dtype=float)
        earned = decisions * price
        too_dear = decisions * np.maximum(price - self.worth, 0.0)
        total = earned.sum(axis=1)
        return BatchEvaluation(total, np.abs(total), {"earned": earned}, {"too_dear": too_dear})

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        return {"sold": self.check_decision(x), "price": np.asarray(parts["price"], dtype=float)}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        if set(decision) != {"sold", "price"}:
            raise DecisionError("expected a decision with the arrays 'sold' and 'price'")
        price = np.asarray(decision["price"], dtype=float)
        return self.check_decision(decision["sold"]), {"price": price}


def costs(**changes: Any) -> Costs:
    """Best 6 at [1, 1] and [1, 2]."""
    document = {"problem": "toy", "name": "costs", "cost": [[5, 2, 3], [9, 4, 4.0]]}
    return Costs(document | changes)


def limited() -> Costs:
    """Option k weighs k + 1, at most 4 in all: not [1, 2], [2, 1] and [2, 2]; best 6 at [1, 1]."""
    return costs(weight=[[1, 2, 3], [1, 2, 3]], limit=4)


def profits(**changes: Any) -> Profits:
    """Best 14 at [0, 0]."""
    return Profits({"problem": "toy", "name": "profits", "cost": [[5, 2, 3], [9, 4, 4]]} | changes)


def shop() -> Shop:
    """Best 12: all sold at what they are worth."""
    return Shop({"problem": "shop", "name": "shop", "worth": [3.0, 4.0, 5.0]})


def begin(instance: Instance, *, proves: bool = True, seed: int = 0, **limits: Any) -> Run:
    """A run without a time limit, so that nothing depends on the clock."""
    return Run(instance, Stop(**({"time_s": None} | limits)), seed=seed, proves_bound=proves)


# --- a problem as another package would bring it ---------------------------------------------


def best(instance: Costs, run: Run) -> None:
    """Each position at its least cost, which is right where nothing is limited."""
    x = np.argmin(instance.cost, axis=1)
    run.bound(run.found(x).objective)


def unlimited(instance: Costs) -> str | None:
    """Why `best` may be wrong, or None."""
    return None if instance.limit is None else "a limit couples the positions"


def rule(instance: Costs, run: Run, *, option: int = 0, how: str = "all") -> None:
    """One option everywhere."""
    run.found(np.full(len(instance.choices), option))


def own_random(instance: Costs, run: Run) -> None:
    """Hides the generic method of the same name."""
    run.found(run.rng.integers(0, instance.choices))
    run.note(whose="own")


PROBLEM = Problem(
    name="toy",
    instance="core_toys:Costs",
    generate="core_toys:costs",
    families={"small": "the one that is checked in the head"},
    methods=(
        Method("quick", "core_toys:rule", "heuristic"),
        Method(
            "moon", "no_such_package:solve", "exact", requires=("no_such_package",), extra="far"
        ),
        Method("best", "core_toys:best", "exact", proves_bound=True, applies=unlimited),
        Method("random", "core_toys:own_random", "heuristic", applies="core_toys:unlimited"),
    ),
)
