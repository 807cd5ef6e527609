"""Loads that slow servers down, in the array model: the twin of ``mip_congestion``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.array_rows import Columns, Rows
from formulations.block_placement.layers import Layers
from formulations.block_placement.tangents import LoadCurves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ArrayCongestion:
    """Adds loads and congested deadlines to the columns and rows of an `ArrayModel`.

    What changes from solve to solve, tangents and the rows that know how high they reach, is
    written by `moving_rows`.
    """

    def __init__(self, curves: LoadCurves, columns: Columns, rows: Rows) -> None:
        self._curves = curves
        self._instance = instance = curves.instance
        self._columns, self._rows = columns, rows
        self._timed = instance.active_deadlines
        shape = curves.most.shape
        size = curves.most.size

        def variables(cost: float) -> Ints:
            return columns.add(np.full(size, cost), 0.0, np.inf).reshape(shape)

        self._rho = variables(0.0)
        self._served = variables(instance.document.slot_s)
        self._excess = variables(0.0) if self._timed else self._rho
        self._loads: list[tuple[Ints, Ints, Floats]] = []
        # Rows excess - most_excess (1 - x) - rest <= 0: x, place, the determined column, the rest.
        self._switched: list[tuple[Ints, Ints, Ints, tuple[Ints, Ints, Floats]]] = []
        self._slowed: list[tuple[Ints, Ints, Ints]] = []  # column, x and place

    def add(self, layers: Layers, x: Ints, flow: Ints) -> None:
        """Loads of some tasks, and the deadlines of their blocks."""
        k, m, j, place = self._remote(layers)
        load = layers.compute_s[k, m, j] / self._instance.document.slot_s
        self._loads.append((place[load != 0], x[k, m, j][load != 0], load[load != 0]))
        options = self._instance.options
        if not self._timed or options.deadline_scope == "task":
            return
        most = self._curves.most.ravel()[place]
        if options.deadline == "hard":
            self._hard(layers, flow, (k, m, j), place, most)
            return
        seconds = layers.compute_s[k, m, j]
        never = self._curves.excess(most)
        arcs = layers.open[k, m, :, j]
        spare = np.where(arcs, layers.spare_s[k, m, :, j], np.inf)
        pick = seconds > 0
        pick[pick] = spare.min(axis=1)[pick] < (seconds * np.where(pick, never, 0.0))[pick]
        late = self._columns.add(options.penalty_weight * seconds[pick], 0.0, np.inf)
        row, start = np.nonzero(arcs[pick])
        left = spare[pick][row, start] / seconds[pick][row]
        used = left != 0
        rest = (
            row[used],
            flow[k[pick], m[pick], :, j[pick]][row, start][used],
            np.minimum(left, never[pick][row])[used],
        )
        self._switched.append((x[k, m, j][pick], place[pick], late, rest))

    def slowed_work(
        self, layers: Layers, x: Ints, timed: NDArray[np.bool_]
    ) -> tuple[Ints, Ints, Floats]:
        """What loads add to the delay of whole tasks: task's row, column and seconds."""
        k, m, j, place = self._remote(layers)
        seconds = layers.compute_s[k, m, j]
        pick = (seconds > 0) & timed[k]
        k, m, j, place, seconds = k[pick], m[pick], j[pick], place[pick], seconds[pick]
        slowed = self._columns.add(np.zeros(len(k)), 0.0, np.inf)
        nothing = np.zeros(0, dtype=np.int64)
        self._switched.append((x[k, m, j], place, slowed, (nothing, nothing, np.zeros(0))))
        self._slowed.append((slowed, x[k, m, j], place))
        return k, slowed, seconds

    def close(self) -> None:
        """Add the rows of loads (Eq. 6) and the first tangents."""
        size = self._rho.size
        first = self._rows.add(np.arange(size), self._rho.ravel(), -1.0, size, 0.0, 0.0)
        for place, column, load in self._loads:
            self._rows.extend(first + place, column, load)
        self._curves.seed()

    def limit(self, upper: Floats) -> None:
        """Write the limits of the loads into the upper bounds of all columns."""
        upper[self._rho.ravel()] = self._curves.most.ravel() * (1 + 1e-9)

    def moving_rows(self) -> Rows:
        """Tangents, and the rows that depend on how high they reach."""
        curves, rows = self._curves, Rows()
        places, points = [], []
        for at, (s, n) in enumerate(np.ndindex(*curves.most.shape)):
            places += [at] * len(curves.points[s][n])
            points += curves.points[s][n]
        place = np.array(places, dtype=np.int64)
        pairs = [(curves.delay_tangent, self._served)]
        if self._timed:
            pairs.append((curves.excess_tangent, self._excess))
        for tangent, column in pairs:
            slope, base = np.array([tangent(point) for point in points]).T
            rising = slope > 0
            here, slope, base = place[rising], slope[rising], base[rising]
            number = np.arange(len(here))
            rows.add(number, column.ravel()[here], 1.0 / slope, len(here), lower=base / slope)
            rows.extend(len(rows) - len(here) + number, self._rho.ravel()[here], -1.0)
        reach = np.array([curves.most_excess(s, n) for s, n in np.ndindex(*curves.most.shape)])
        for x, where, determined, (row, column, amount) in self._switched:
            number = np.arange(len(x))
            first = rows.add(number, self._excess.ravel()[where], 1.0, len(x), upper=reach[where])
            rows.extend(first + number, x, reach[where])
            rows.extend(first + number, determined, -1.0)
            rows.extend(first + row, column, -amount)
        return rows

    def begin_at(self, values: Floats, rho: Floats) -> None:
        """Write the loads [T, N] of a feasible decision into a point."""
        curves = self._curves
        loads = rho[curves.slots]
        values[self._rho] = loads
        values[self._served] = curves.delay(loads)
        if not self._timed:
            return
        imposed = np.array(
            [curves.imposed(s, n, float(loads[s, n])) for s, n in np.ndindex(*loads.shape)]
        )
        values[self._excess.ravel()] = imposed
        for slowed, x, place in self._slowed:
            values[slowed] = imposed[place] * values[x]
        for x, place, late, (row, column, amount) in self._switched:
            short = imposed[place] * values[x]
            np.subtract.at(short, row, amount * values[column])
            values[late] = np.maximum(short, 0.0)

    def _hard(
        self,
        layers: Layers,
        flow: Ints,
        node: tuple[Ints, Ints, Ints],
        place: Ints,
        most: Floats,
    ) -> None:
        """C2 under load: each arc leaves the server room up to a utilisation of its own."""
        k, m, j = node
        taken = np.where(layers.open[k, m, :, j], most[:, None] - layers.room[k, m, :, j], 0.0)
        tight = (taken > 0).any(axis=1)
        row, start = np.nonzero(taken[tight] > 0)
        size = int(tight.sum())
        first = self._rows.add(
            row, flow[k[tight], m[tight], :, j[tight]][row, start], taken[tight][row, start],
            size, upper=most[tight] * (1 + 1e-9),
        )  # fmt: skip
        self._rows.extend(first + np.arange(size), self._rho.ravel()[place[tight]], 1.0)

    def _remote(self, layers: Layers) -> tuple[Ints, Ints, Ints, Ints]:
        """Nodes at servers: task's row, block, location, and place among slots and servers."""
        k, m, j = np.nonzero(layers.node)
        far = j > 0
        k, m, j = k[far], m[far], j[far]
        slot = self._curves.row[self._instance.tables.slot[layers.tasks[k]]]
        return k, m, j, slot * self._instance.servers + j - 1
