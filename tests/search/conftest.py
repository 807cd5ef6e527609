"""Toy problems that are small enough to check by hand, and one that is very long."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from optkit.environment import Environment
from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance
from optkit.run import Run
from optkit.search import batches
from optkit.space import Space
from optkit.stop import Stop


class Toy(Instance):
    """Fields of the document become arrays; `largest` is the largest batch judged so far."""

    problem = "toy"

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = dict(document)
        self.name = ""
        self.largest = 0
        self.judged = 0
        self.prepare(**{name: np.asarray(value) for name, value in document.items()})

    def prepare(self, **fields: NDArray[Any]) -> None:
        raise NotImplementedError

    def judge(self, x: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        raise NotImplementedError

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        assert np.all((decisions >= 0) & (decisions < self.choices))
        self.largest = max(self.largest, decisions.size)
        self.judged += len(decisions)
        return self.judge(decisions, **parts)

    def canonical(self) -> dict[str, Any]:
        return dict(self.document)

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        return {"x": np.asarray(x), **parts}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        rest = {name: part for name, part in decision.items() if name != "x"}
        return np.asarray(decision["x"]), rest


@dataclass(frozen=True)
class Partial:
    """State of `AssignmentSteps`: load of every server and the tasks placed so far."""

    load: NDArray[np.float64]
    x: NDArray[np.int64]
    step: int


class AssignmentSteps(Environment[Partial]):
    """Places the tasks in order; a step costs what it adds to the objective."""

    def __init__(self, instance: Assignment) -> None:
        self.instance = instance
        tasks, self.options = instance.cost.shape
        self.order = np.arange(tasks)
        self.observation_size = 1
        self.selections = 0

    def reset(self, batch: int) -> Partial:
        return Partial(np.zeros((batch, self.options)), np.zeros((batch, 0), dtype=np.int64), 0)

    def mask(self, state: Partial) -> NDArray[np.bool_]:
        left = self.instance.capacity - state.load
        return np.asarray(self.instance.size[state.step] <= left)

    def costs(self, state: Partial) -> NDArray[np.float64]:
        size = self.instance.size[state.step]
        crowd = (state.load + size) ** 2 - state.load**2
        return np.asarray(self.instance.cost[state.step] + self.instance.crowding * crowd)

    def step(self, state: Partial, action: NDArray[np.int64]) -> tuple[Partial, NDArray[Any]]:
        rows = np.arange(len(action))
        cost = self.costs(state)[rows, action]
        load = state.load.copy()
        load[rows, action] += self.instance.size[state.step]
        return Partial(load, np.column_stack([state.x, action]), state.step + 1), cost

    def observe(self, state: Partial) -> NDArray[np.float32]:
        return state.load[:, :1].astype(np.float32)

    def select(self, state: Partial, rows: NDArray[np.int64]) -> Partial:
        self.selections += 1
        return Partial(state.load[rows], state.x[rows], state.step)

    def decisions(self, state: Partial) -> tuple[NDArray[np.int64], Mapping[str, Any]]:
        return state.x, {}


class Assignment(Toy):
    """Tasks to servers: cost of each, plus crowding times the squared loads, within capacity.

    The excess over all servers is ONE violation, as the real problems aggregate theirs.
    """

    def prepare(self, **fields: NDArray[Any]) -> None:
        self.cost, self.size = fields["cost"], fields["size"]
        self.capacity = fields["capacity"].astype(float)
        self.crowding = float(fields.get("crowding", np.array(1.0)))
        self.choices = np.full(len(self.cost), self.cost.shape[1])
        self.steps = AssignmentSteps(self)

    def judge(self, x: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        chosen = x[:, :, None] == np.arange(len(self.capacity))
        load = np.sum(chosen * self.size[:, None], axis=1)
        objective = np.where(chosen, self.cost, 0).sum(axis=(1, 2)) + self.crowding * np.sum(
            load**2, 1
        )
        over = np.sum(np.maximum(load - self.capacity, 0.0), axis=1)
        return BatchEvaluation(objective, np.abs(objective), {}, {"capacity": over})

    def environment(self) -> AssignmentSteps:
        return self.steps


class Knapsack(Toy):
    """Take the items of greatest value within the weight limit."""

    sense: ClassVar[str] = "maximise"

    def prepare(self, **fields: NDArray[Any]) -> None:
        self.value, self.weight, self.limit = fields["value"], fields["weight"], fields["limit"]
        self.choices = np.full(len(self.value), 2)

    def judge(self, x: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        objective = (x @ self.value).astype(float)
        over = np.maximum(x @ self.weight - self.limit, 0)
        return BatchEvaluation(objective, np.abs(objective), {}, {"weight": over[:, None]})


class Levels(Toy):
    """Bits of a level and a part `price`; the space walks whole levels, with the best price.

    The objective is the squared distance of level from target plus that of price from level.
    """

    parts: ClassVar[tuple[str, ...]] = ("price",)

    def prepare(self, **fields: NDArray[Any]) -> None:
        self.bits, self.target = int(fields["bits"]), fields["target"]
        self.exact = bool(fields.get("exact", np.array(True)))
        self.choices = np.full(self.bits, 2)

    def judge(self, x: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        level = x @ (2 ** np.arange(self.bits))
        objective = (level - self.target) ** 2 + (parts["price"] - level) ** 2 + 0.0
        return BatchEvaluation(objective, np.abs(objective))

    @property
    def space(self) -> Space:
        def decode(z: NDArray[np.int64]) -> tuple[NDArray[np.int64], Mapping[str, Any]]:
            return (z >> np.arange(self.bits)) & 1, {"price": z[:, 0].astype(float)}

        return Space(np.array([2**self.bits]), decode, self.exact)


class Long(Toy):
    """A million coins: how many show heads."""

    def prepare(self, **fields: NDArray[Any]) -> None:
        self.choices = np.full(int(fields["positions"]), 2)

    def judge(self, x: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        objective = np.count_nonzero(x, axis=1).astype(float)
        return BatchEvaluation(objective, objective)


class Overload(Toy):
    """Queueing: the objective is infinite unless few choose the server.

    That also breaks a row, which says by how much, unless the instance is silent.
    """

    def prepare(self, **fields: NDArray[Any]) -> None:
        self.tasks, self.room = int(fields["tasks"]), int(fields["room"])
        self.silent = bool(fields.get("silent", np.array(False)))
        self.choices = np.full(self.tasks, 2)

    def judge(self, x: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        served = x.sum(axis=1)
        local = 10.0 * (self.tasks - served)
        queue = np.where(served < self.room, served / np.maximum(self.room - served, 1), np.inf)
        over = np.maximum(served - self.room + 1, 0)
        violations = {} if self.silent else {"unstable": over}
        return BatchEvaluation(local + queue, local, {}, violations)


def brute_force(instance: Instance) -> float | None:
    """Best feasible objective over the vectors of the space, one at a time."""
    best = None
    sign = 1 if instance.sense == "minimise" else -1
    for z in itertools.product(*map(range, instance.space.choices.tolist())):
        x, parts = instance.space.decode(np.array(z)[None])
        one = instance.evaluate(x[0], **{name: part[0] for name, part in parts.items()})
        if one.feasible and (best is None or sign * one.objective < sign * best):
            best = one.objective
    return best


def random_assignment(
    seed: int, tasks: int = 6, servers: int = 3, slack: float = 1.5
) -> Assignment:
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 6, tasks)
    return Assignment(
        {
            "cost": rng.integers(0, 60, (tasks, servers)),
            "size": size,
            "capacity": np.full(servers, max(slack * size.sum() / servers, size.max())),
        }
    )


def random_knapsack(seed: int, items: int = 10) -> Knapsack:
    rng = np.random.default_rng(seed)
    weight = rng.integers(1, 20, items)
    value = rng.integers(1, 30, items)
    return Knapsack({"value": value, "weight": weight, "limit": int(weight.sum() // 2)})


@pytest.fixture
def start() -> Callable[..., Run]:
    """A run without a time limit, so that nothing depends on the clock."""

    def make(instance: Instance, seed: int = 0, proves: bool = False, **limits: Any) -> Run:
        warm_start = limits.pop("warm_start", None)
        stop = Stop(time_s=None, **limits)
        return Run(instance, stop, seed=seed, proves_bound=proves, warm_start=warm_start)

    return make


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Batches of at most 7 rows, so that tiny problems need many of them."""
    monkeypatch.setattr(batches, "ROWS", 7)
    return 7


@pytest.fixture
def toys() -> SimpleNamespace:
    """The toy problems and their helpers."""
    names = (Assignment, Knapsack, Levels, Long, Overload)
    helpers = (brute_force, random_assignment, random_knapsack)
    return SimpleNamespace(**{made.__name__: made for made in (*names, *helpers)})
