"""Exact method for energy budgets: a price of a joule for each device, then what is near it.

Devices are independent. For each the Lagrangian dual has one price; it is concave and piecewise
linear, so the crossing of the lines to its left and right leads to the maximiser in few steps,
for all devices at once. What remains is the choice among paths of small reduced cost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.exact.component_solver import ComponentSolver
from formulations.block_placement.exact.components import components
from formulations.block_placement.exact.proofs import prove_all
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.kernels import path_usage
from formulations.block_placement.pricing import Prices, cheapest
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_STEPS = 200
_CONVERGED = 1e-12


def applies(instance: BlockPlacement) -> str | None:
    """None where energy budgets alone couple tasks, else why not."""
    if "energy" not in instance.couplings:
        return "no device has an energy budget"
    others = sorted(instance.couplings - {"energy"})
    if others:
        return f"tasks are also coupled by {', '.join(others)}"
    if instance.active_deadlines and instance.options.deadline_scope == "task":
        return "deadlines are for whole tasks"
    return None


class _Lines:
    """The dual of every device: the paths to the left (too much energy) and to the right."""

    def __init__(self, instance: BlockPlacement) -> None:
        self.instance = instance
        self.device = instance.tables.device
        budget = instance.energy_budget_j
        assert budget is not None
        self.budget = np.where(np.isnan(budget), np.inf, budget)
        self.frugal = self._paths(Prices.of(instance, second=0.0, joule=1.0)._replace(late=0.0))
        self.paths = self.frugal.copy()
        self.right_cost, self.right_joule = self._sums(self.frugal)
        fastest = self._paths(Prices.of(instance))
        self.left_cost, self.left_joule = self._sums(fastest)
        within = self.left_joule <= self.budget
        self._take(fastest, within)
        self.price = np.zeros(instance.devices)
        self.bound = self.left_cost.copy()  # D(0)
        self.closed = within

    def _paths(self, prices: Prices) -> Ints:
        return cheapest(self.instance, prices).locations

    def _sums(self, paths: Ints) -> tuple[Floats, Floats]:
        """Cost and energy of paths by device; the cost is infinite without a path."""
        instance, count = self.instance, self.instance.tasks
        moved, energy, late = np.zeros(count), np.zeros(count), np.zeros(count)
        busy = np.zeros((count, instance.servers + 1))
        prices = Prices.of(instance)
        path_usage(
            instance.tables, prices, np.arange(count), paths, moved, busy, np.zeros_like(busy),
            energy, late,
        )  # fmt: skip
        cost = moved + busy.sum(axis=1) + prices.late * late
        by_device = np.zeros((2, instance.devices))
        np.add.at(by_device[0], self.device, cost)
        np.add.at(by_device[1], self.device, energy)
        return by_device[0], by_device[1]

    def _take(self, paths: Ints, devices: NDArray[np.bool_]) -> None:
        """Adopt paths that keep the budget as the right line of some devices."""
        self.paths[devices[self.device]] = paths[devices[self.device]]
        cost, joule = self._sums(self.paths)
        self.right_cost, self.right_joule = cost, joule

    def step(self) -> None:
        """Evaluate the dual where the two lines of each open device cross."""
        fall = self.left_joule - self.right_joule
        crossing = (self.right_cost - self.left_cost) / np.where(self.closed, 1.0, fall)
        price = np.where(self.closed, self.price, crossing)
        paths = self._paths(Prices.of(self.instance, joule=price))
        cost, joule = self._sums(paths)
        free = np.where(np.isfinite(self.budget), self.budget, 0.0)
        value = cost + price * (joule - free)
        on_lines = self.left_cost + price * (self.left_joule - free)
        higher = ~self.closed & (value > self.bound)
        self.bound[higher], self.price[higher] = value[higher], price[higher]
        ended = ~self.closed & (value >= on_lines - _CONVERGED * np.abs(on_lines))
        fits = joule <= self.budget
        right = ~self.closed & ~ended & fits
        left = ~self.closed & ~ended & ~fits
        if right.any():
            self._take(paths, right)
        self.left_cost[left], self.left_joule[left] = cost[left], joule[left]
        self.closed = self.closed | ended


def lagrangian(instance: BlockPlacement, run: Run) -> None:
    """Price the budgets, then prove each device over the paths of small reduced cost."""
    run.built()
    lines = _Lines(instance)
    if not np.isfinite(lines.right_cost).all():
        run.infeasible()
        return
    run.found(instance.flat(lines.paths))
    run.bound(float(lines.bound.sum()))
    if (lines.right_joule > lines.budget * (1 + 1e-9)).any():
        run.infeasible()  # even the least energy is too much
        return
    for _ in run.steps(range(_STEPS)):
        if lines.closed.all():
            break
        lines.step()
        run.found(instance.flat(lines.paths))
        run.bound(float(lines.bound.sum()))
    if not run.stopped():
        _finish(instance, run, lines)


def _finish(instance: BlockPlacement, run: Run, lines: _Lines) -> None:
    """Choose among near paths device by device, the largest gap first."""
    locations = lines.paths
    solvers = []
    for component in components(instance):
        solver = ComponentSolver(component, locations[component.tasks])
        if len(component.row):
            device = int(component.rows.place[component.row[0]])
            size = component.rows.size[component.row]
            solver.adopt(np.array([lines.price[device]]) * size, float(lines.bound[device]))
        solvers.append(solver)
    prove_all(instance, run, locations, solvers)
    run.note(price_s_per_j=lines.price)
