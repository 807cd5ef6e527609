"""Loads that slow servers down, in the Pyomo model of ``mip``.

With congestion the model has these besides, for each slot s and server n:

- ``rho[s, n]``: utilisation; ``served[s, n]`` >= rho g(rho): its total delay in slots;
  ``excess[s, n]`` >= g(rho) - 1, where deadlines need it; both by tangents from below;
- ``slowed[k, m, n]``: the excess if block m of task k runs on server n, else 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.layers import Layers
from formulations.block_placement.tangents import LoadCurves

Terms = list[tuple[float, Any]]


class Congestion:
    """Adds loads and congested deadlines to a Pyomo model."""

    def __init__(self, model: Any, curves: LoadCurves) -> None:
        import pyomo.environ as pyo

        self._model = model
        self._curves = curves
        self._instance = instance = curves.instance
        self._value = pyo.value
        self._load: dict[tuple[int, int], list[Any]] = {}
        self._timed = instance.active_deadlines
        places = [(s, n) for s in curves.slots.tolist() for n in range(instance.servers)]
        model.rho = pyo.Var(places, domain=pyo.NonNegativeReals)
        model.served = pyo.Var(places, domain=pyo.NonNegativeReals)
        model.excess = pyo.Var(places if self._timed else [], domain=pyo.NonNegativeReals)
        model.slowed = pyo.Var(pyo.Any, dense=False, domain=pyo.NonNegativeReals)
        model.most_excess = pyo.Param(places, mutable=True, initialize=0.0)
        for row in ("eq6_load", "eq6_served_tangent", "eq6_excess_tangent", "eq6_slowed"):
            model.add_component(row, pyo.Constraint(pyo.Any))

    def add_load(self, slot: int, n: int, seconds: float, x: Any) -> None:
        """Work of a block that runs on server n if x is 1."""
        if seconds:
            load = seconds / self._instance.document.slot_s
            self._load.setdefault((slot, n), []).append(load * x)

    def close(self) -> Terms:
        """Add the rows of loads and the first tangents; returns their terms of the objective."""
        model, slot_s = self._model, self._instance.document.slot_s
        for place, rho in model.rho.items():
            model.eq6_load[place] = sum(self._load.get(place, [])) == rho
        self.touch(self._curves.seed())
        return [(slot_s, served) for served in model.served.values()]

    def touch(self, added: list[tuple[int, int, float]]) -> None:
        """Add tangents (slot's row, server, utilisation), and tell the rows how high they reach."""
        model, curves = self._model, self._curves
        for row, n, rho in added:
            place = (int(curves.slots[row]), n)
            number = len(model.eq6_served_tangent)
            slope, base = curves.delay_tangent(rho)
            # Divided by the slope, so that steep tangents are no larger than flat ones.
            served = model.served[place] / slope >= model.rho[place] + base / slope
            model.eq6_served_tangent[(*place, number)] = served
            slope, base = curves.excess_tangent(rho)
            if self._timed and slope > 0:
                excess = model.excess[place] / slope >= model.rho[place] + base / slope
                model.eq6_excess_tangent[(*place, number)] = excess
        for (slot, n), rho in model.rho.items():
            row = int(curves.row[slot])
            rho.setub(float(curves.most[row, n]) * (1 + 1e-9))
            model.most_excess[slot, n] = curves.most_excess(row, n)

    def block_deadline(self, layers: Layers, row: int, m: int) -> Terms:
        """Deadline of block m under load; returns its lateness in the objective."""
        instance, model = self._instance, self._model
        if not self._timed or instance.options.deadline_scope == "task":
            return []
        k = int(layers.tasks[row])
        lateness: Terms = []
        for j in np.flatnonzero(layers.node[row, m]).tolist():
            if j == 0:
                continue
            slot, n = int(instance.tables.slot[k]), j - 1
            arcs = {
                a: model.flow[k, m, self._name(a), j]
                for a in np.flatnonzero(layers.open[row, m, :, j]).tolist()
            }
            if instance.options.deadline == "hard":
                self._hard(layers, row, m, j, arcs)
                continue
            seconds = float(layers.compute_s[row, m, j])
            most = self._most(slot, n)
            never = float(self._curves.excess(most))  # beyond any slowdown
            spare = layers.spare_s[row, m, :, j]
            if seconds == 0 or min(spare[a] for a in arcs) >= seconds * never:
                continue
            left = sum(min(spare[a] / seconds, never) * flow for a, flow in arcs.items())
            x, late = model.x[k, m, j], model.late[k, m, n]
            model.eq13_lateness[k, m, n] = (
                model.excess[slot, n] - model.most_excess[slot, n] * (1 - x) - left - late <= 0
            )
            lateness.append((instance.options.penalty_weight * seconds, late))
        return lateness

    def _hard(self, layers: Layers, row: int, m: int, j: int, arcs: dict[int, Any]) -> None:
        """C2 under load: each arc leaves the server room up to a utilisation of its own.

        At most one of the arcs into a location carries flow, so one row does for all.
        """
        model = self._model
        k = int(layers.tasks[row])
        slot, n = int(self._instance.tables.slot[k]), j - 1
        most = self._most(slot, n)
        room = layers.room[row, m, :, j]
        tight = [(most - float(room[a]), flow) for a, flow in arcs.items() if room[a] < most]
        if tight:
            taken = sum(amount * flow for amount, flow in tight)
            model.eq10c_deadline[k, m, n] = model.rho[slot, n] + taken <= most * (1 + 1e-9)

    def slowed_work(self, layers: Layers, row: int) -> Terms:
        """What the load adds to the delay of a whole task."""
        instance, model = self._instance, self._model
        k = int(layers.tasks[row])
        slot = int(instance.tables.slot[k])
        terms: Terms = []
        for m, j in np.argwhere(layers.node[row]).tolist():
            seconds = float(layers.compute_s[row, m, j])
            if j > 0 and seconds > 0:
                place, slowed = (slot, j - 1), model.slowed[k, m, j - 1]
                model.eq6_slowed[k, m, j - 1] = slowed >= model.excess[place] - model.most_excess[
                    place
                ] * (1 - model.x[k, m, j])
                terms.append((seconds, slowed))
        return terms

    def begin_at(self, rho: NDArray[np.float64]) -> None:
        """Write the loads [T, N] of a feasible decision into the variables."""
        model, curves = self._model, self._curves
        for (slot, n), variable in model.rho.items():
            load = float(rho[slot, n])
            variable.set_value(load, skip_validation=True)
            model.served[slot, n].set_value(float(curves.delay(load)), skip_validation=True)
            if self._timed:
                excess = curves.imposed(int(curves.row[slot]), n, load)
                model.excess[slot, n].set_value(excess, skip_validation=True)
        for (k, m, n), variable in model.slowed.items():
            slot = int(self._instance.tables.slot[k])
            excess = model.excess[slot, n].value if model.x[k, m, n + 1].value else 0.0
            variable.set_value(excess, skip_validation=True)

    def _most(self, slot: int, n: int) -> float:
        return float(self._curves.most[self._curves.row[slot], n])

    def _name(self, a: int) -> int | str:
        return "hub" if a == self._instance.servers + 1 else int(a)
