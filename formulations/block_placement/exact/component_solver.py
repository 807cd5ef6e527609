"""Bounds, improves and proves the choice problem of one component."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from formulations.block_placement import kernels
from formulations.block_placement.exact.components import LOAD, Columns, Component
from formulations.block_placement.pricing import cheapest
from optkit.exact.choice import (
    ChoiceProblem,
    DualSolution,
    dual,
    improve,
    polish,
    prove,
    starting_choices,
)
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Columns to start with: all paths of at most one change where they are no more than this.
_FIRST = 60_000
#: Columns to prove with: all that could be part of a better decision, where they are no more.
_NEAR = 300_000
_ROUNDS = 100
#: Limits leave local search in poor optima; up to so many tasks it is kicked out of them.
_POLISHED = 400
#: Up to so many rows a dual takes milliseconds.
_QUICK_ROWS = 24


class _Pool(NamedTuple):
    """Columns to choose from."""

    problem: ChoiceProblem
    path: Ints  # [C, M]
    incumbent: Ints | None  # [K] columns of the best paths known
    beyond: float  # what every decision that uses another path costs at least


class ComponentSolver:
    """One component: its columns so far, its best paths and its bound.

    Attributes
    ----------
    paths : [K, M] the best locations known for its tasks.
    value : their cost in this component, infinite where they break a row.
    bound : a bound on every decision.
    price : [R] the prices of that bound.
    possible : whether each task has a path at all.
    """

    def __init__(self, component: Component, paths: Ints) -> None:
        self.component = component
        self.paths = paths
        self.columns_made = 0
        self.proved_infeasible = False
        instance, rows = component.instance, component.rows
        kinds = rows.kind[component.row]
        congestion = instance.options.congestion
        self._names = [congestion if kind == LOAD else "capacity" for kind in kinds]
        limits = np.array([self._limit(int(row)) for row in component.row])
        self._size = np.where(kinds == LOAD, rows.size[component.row], limits)
        # The price at no load: below it no load is worth anything.
        self.price: Floats = np.where(kinds == LOAD, self._size, 0.0)
        first = cheapest(instance, component.prices(self.price), component.tasks)
        self.possible = bool(np.isfinite(first.cost).all())
        self.bound = float(first.cost.sum())
        self._first = first.locations
        self.value = self._value(paths)
        if self.possible and len(component.row) == 0:
            self.paths, self.value = first.locations, self.bound

    def _limit(self, row: int) -> float:
        """The limit of a row in units of its size: 1, or 0 for a limit of 0."""
        component, rows = self.component, self.component.rows
        instance = component.instance
        kind, place = rows.kind[row], rows.place[row]
        limits = (None, instance.server_cycles, instance.device_cycles, instance.energy_budget_j)
        limit = limits[kind]
        return 1.0 if limit is None or limit[place] > 0 else 0.0

    @property
    def _limited(self) -> bool:
        """Whether limits bind few enough tasks for local search to be kicked."""
        return "capacity" in self._names and len(self.component.tasks) <= _POLISHED

    @property
    def gap(self) -> float:
        """Objective less bound, in seconds."""
        return max(0.0, self.value - self.bound)

    def _problem(self, columns: Columns) -> tuple[ChoiceProblem, Ints]:
        """The choice problem on columns, and the order in which it has them."""
        order = np.argsort(columns.task, kind="stable")
        counts = np.bincount(columns.task[order], minlength=len(self.component.tasks))
        starts = np.concatenate([[0], np.cumsum(counts)])
        return self._choice(starts, columns.take(order)), order

    def _choice(self, starts: ArrayLike, columns: Columns) -> ChoiceProblem:
        slope = np.full(len(self._size), self.component.instance.options.congestion_slope)
        return ChoiceProblem(
            np.asarray(starts, dtype=np.int64),
            columns.cost,
            columns.amount,
            self._names,
            self._size,
            slope,
        )

    def _columns(self, task: Ints, path: Ints) -> Columns:
        """Columns of paths; `task` counts within the component."""
        made = self.component.columns(self.component.tasks[task], path)
        self.columns_made += len(task)
        usable = np.isfinite(made.cost) & np.isfinite(made.amount).all(axis=1)
        return Columns(task, path, made.cost, made.amount).take(np.flatnonzero(usable))

    def _value(self, paths: Ints) -> float:
        columns = self._columns(np.arange(len(paths)), paths)
        if len(columns.task) < len(paths):
            return np.inf
        if len(self.component.row) == 0:
            return float(columns.cost.sum())
        problem, _ = self._problem(columns)
        return problem.value(np.arange(len(paths)))

    def relax(self, price: Floats | None, run: Run) -> Floats | None:
        """Column generation, then local search over its columns; returns the final prices."""
        if len(self.component.row) == 0:
            return price
        columns = self._first_columns()
        problem, order = self._problem(columns)
        if price is not None and len(price) != len(self.price):
            price = None
        solution = self._dual(problem, price, run)
        for _ in range(_ROUNDS):
            fresh = self._price(solution.price, problem)
            if len(fresh.task) == 0 or run.stopped():
                break
            columns = _join(columns, fresh)
            problem, order = self._problem(columns)
            solution = self._dual(problem, solution.price, run)
        path = columns.path[order]
        best, least = None, np.inf
        for start in starting_choices(problem, solution):
            choice, value = improve(problem, start, solution.price, stopped=run.stopped)
            self._keep(path[choice], value)
            if value < least:
                best, least = choice, value
        if best is not None and self._limited:
            choice, value = polish(problem, best, solution.price, run.rng, stopped=run.stopped)
            self._keep(path[choice], value)
        return solution.price

    def _dual(self, problem: ChoiceProblem, price: Floats | None, run: Run) -> DualSolution:
        """Maximise the dual; where that may take long, in a thread that the run can leave."""
        if problem.resources <= _QUICK_ROWS:
            return dual(problem, price)
        return run.watch(lambda: dual(problem, price), lambda: None)

    def adopt(self, price: Floats, bound: float) -> None:
        """Take over prices and the bound that they give."""
        if bound > self.bound:
            self.price, self.bound = price, bound

    def bound_at(self, price: Floats) -> None:
        """Use the bound that prices of another component give, where they fit this one.

        Any prices give a valid bound; those of a like component give a good one.
        """
        if len(price) != len(self.price) or len(price) == 0:
            return
        nothing = Columns(
            np.zeros(1, dtype=np.int64), self.paths[:1], np.zeros(1), np.zeros((1, len(price)))
        )
        conjugates = self._choice([0, 1], nothing).dual(price)[0]
        tasks = self.component.tasks
        best = cheapest(self.component.instance, self.component.prices(price), tasks)
        self.adopt(price, float(best.cost.sum() + conjugates))

    def _keep(self, paths: Ints, value: float) -> None:
        if value < self.value:
            self.value, self.paths = value, paths

    def _price(self, price: Floats, problem: ChoiceProblem) -> Columns:
        """Price every path of every task: the bound, and the paths that beat all columns."""
        tasks = self.component.tasks
        best = cheapest(self.component.instance, self.component.prices(price), tasks)
        priced = problem.cost + problem.load @ price
        known = np.minimum.reduceat(priced, problem.starts[:-1])
        conjugates = problem.dual(price)[0] - known.sum()
        bound = float(best.cost.sum() + conjugates)
        if bound > self.bound:
            self.bound, self.price = bound, price
        better = best.cost < known - 1e-10 * np.abs(known)
        return self._columns(np.flatnonzero(better), best.locations[better])

    def _first_columns(self) -> Columns:
        """All paths of at most one change where they are few, and the best ones known."""
        component = self.component
        instance = component.instance
        count, locations, blocks = len(component.tasks), instance.servers + 1, instance.blocks
        shapes, changes = [], []
        few = count * locations * (1 + (locations - 1) * (blocks - 1)) <= _FIRST
        for first in range(locations):
            for last in range(locations):
                for at in range(1, blocks) if first != last and few else (0,) * (first == last):
                    path = np.full(blocks, last)
                    path[:at] = first
                    shapes.append(path)
                    changes.append(at)
        lengths = instance.lengths[component.tasks]
        task, shape = np.nonzero(np.array(changes)[None, :] < lengths[:, None])
        every = np.arange(count)
        return _join(
            self._columns(task, np.array(shapes)[shape]),
            self._columns(every, self.paths),
            self._columns(every, self._first),
        )

    def _near_columns(self, budget: float) -> Columns | None:
        """Every path of reduced cost at most the budget that no other of its task beats in cost
        and in every row; None where they are too many."""
        component = self.component
        instance = component.instance
        prices = component.prices(self.price)
        if np.isfinite(budget):
            budget = budget * (1 + 1e-6) + 1e-12 * abs(self.bound)
        room, total = 256, 0
        found = []
        for local, task in enumerate(component.tasks):
            count = -1
            while count < 0:
                if room > _NEAR:
                    return None
                paths = np.zeros((room, instance.blocks), dtype=np.int64)
                count = kernels.near_paths(
                    instance.tables, prices, task, budget, paths, np.zeros(room)
                )
                room *= 4 if count < 0 else 1
            made = self._columns(np.full(count, local), paths[:count])
            found.append(_undominated(made) if len(component.row) == 1 else made)
            total += len(found[-1].task)
            if total > _NEAR:
                return None
        return _join(*found)

    def _pool(self) -> _Pool | None:
        """The incumbent and every path that could be part of a better decision.

        Where they are too many, only those of smaller reduced cost; None without a limit on it.
        """
        budget = self.value - self.bound
        near = self._near_columns(budget)
        while near is None and np.isfinite(budget):
            budget /= 2
            near = self._near_columns(budget)
        if near is None:
            return None
        count = len(near.task)
        if np.isfinite(self.value):
            near = _join(near, self._columns(np.arange(len(self.paths)), self.paths))
        problem, order = self._problem(near)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        incumbent = place[count:] if np.isfinite(self.value) else None
        return _Pool(problem, near.path[order], incumbent, self.bound + budget)

    def prove(self, run: Run, tolerance: float) -> None:
        """Close the gap over every path that could still beat the incumbent.

        Again where only the nearer paths had room: a better incumbent leaves fewer.
        """
        if len(self.component.row) == 0:
            return
        while not (self._closed(tolerance) or self.proved_infeasible or run.stopped()):
            before = self.gap
            self._prove_once(run, tolerance)
            if not self.gap < 0.9 * before:
                return

    def _closed(self, tolerance: float) -> bool:
        return bool(np.isfinite(self.value)) and self.gap <= tolerance * abs(self.value)

    def _prove_once(self, run: Run, tolerance: float) -> None:
        pool = self._pool()
        if pool is None:
            return
        incumbent = pool.incumbent
        if incumbent is not None:
            incumbent, _ = improve(
                pool.problem, incumbent, self.price, near=20, stopped=run.stopped
            )
            if self._limited:
                incumbent, _ = polish(
                    pool.problem, incumbent, self.price, run.rng, stopped=run.stopped
                )
        choice, value, bound = prove(pool.problem, self.price, incumbent, tolerance, run.stopped)
        if choice is None and bound == np.inf:
            self.proved_infeasible = True
            return
        if choice is not None:
            self._keep(pool.path[choice], value)
        self.bound = max(self.bound, min(bound, pool.beyond, self.value))


def _undominated(columns: Columns) -> Columns:
    """Of one task's columns over a single row, those that are cheaper than all of less amount."""
    order = np.lexsort((columns.cost, columns.amount[:, 0]))
    cost = columns.cost[order]
    before = np.concatenate([[np.inf], np.minimum.accumulate(cost)[:-1]])
    return columns.take(order[cost < before])


def _join(*parts: Columns) -> Columns:
    return Columns(
        np.concatenate([part.task for part in parts]),
        np.concatenate([part.path for part in parts]),
        np.concatenate([part.cost for part in parts]),
        np.concatenate([part.amount for part in parts]),
    )
