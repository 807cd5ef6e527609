"""The convex curves of a server's load, and the tangents that stand for them in linear models.

With utilisation rho and slowdown g(rho), the work done on a server in a slot takes
``slot_s * rho * g(rho)`` seconds in all, a convex function of the load (Little's law).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement.instance import BlockPlacement

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: No tangent of processor sharing touches beyond: its slope would be no number for a solver.
_STEEPEST = 1.0 - 1e-5
#: Tangents before the first solve, and how far those beside a visited point are from it.
_SEEDS = 8
_BESIDE = (-0.05, -0.012, 0.012, 0.05)
#: Two tangents closer than this are one.
_SAME = 1e-10


class LoadCurves:
    """Curves, limits and tangents of each server in each slot that has tasks.

    Attributes
    ----------
    slots : [S] slots with tasks; `row` [T] finds a slot among them.
    most : [S, N] utilisation that no decision of interest exceeds.
    points : [S][N] utilisations at which there are tangents.
    """

    def __init__(self, instance: BlockPlacement) -> None:
        self.instance = instance
        self._ps = instance.options.congestion == "ps"
        self._slope = 0.0 if self._ps else instance.options.congestion_slope
        self.slots = np.unique(instance.tables.slot)
        self.row = np.full(instance.slots, -1)
        self.row[self.slots] = np.arange(len(self.slots))
        self.most = np.full((len(self.slots), instance.servers), np.inf)
        if self._ps:
            self.most[:] = 1.0
        self.points: list[list[list[float]]] = [
            [[] for _ in range(instance.servers)] for _ in self.slots
        ]

    def delay(self, rho: Floats | float) -> Floats:
        """rho g(rho): the delay of a slot's work, in slots."""
        return np.asarray(rho * (1.0 + self.excess(rho)))

    def excess(self, rho: Floats | float) -> Floats:
        """g(rho) - 1: by how much work is slowed down."""
        if self._ps:
            with np.errstate(divide="ignore"):
                return np.asarray(rho / (1.0 - np.minimum(rho, 1.0)))
        return np.asarray(self._slope * np.asarray(rho))

    def delay_tangent(self, rho: float) -> tuple[float, float]:
        """Slope and value at 0 of the tangent of `delay` at rho."""
        if self._ps:
            return 1.0 / (1.0 - rho) ** 2, -((rho / (1.0 - rho)) ** 2)
        return 1.0 + 2.0 * self._slope * rho, -self._slope * rho**2

    def excess_tangent(self, rho: float) -> tuple[float, float]:
        """Slope and value at 0 of the tangent of `excess` at rho."""
        if self._ps:
            return self.delay_tangent(rho)  # the same curve
        return self._slope, 0.0

    def base_of_slope(self, slope: float) -> float:
        """Value at 0 of the tangent of `delay` that has this slope, at least 1."""
        if self._ps:
            return -((float(np.sqrt(slope)) - 1.0) ** 2)
        return -((slope - 1.0) ** 2) / (4.0 * self._slope) if self._slope else 0.0

    def longest(self, s: int, n: int, slope: float) -> float:
        """What no tangent of `delay` of at most this slope exceeds at the utilisation `most`."""
        most = float(self.most[s, n])
        if self._ps and most > 1.0 - slope**-0.5:
            return slope * most + self.base_of_slope(slope)
        return float(self.delay(most))

    def reaching(self, delay: float) -> float:
        """The utilisation at which `delay` has this value."""
        if self._ps:
            return delay / (1.0 + delay)
        return 2.0 * delay / (1.0 + float(np.sqrt(1.0 + 4.0 * self._slope * delay)))

    def cap(self, busiest: Floats | None = None, objective: float | None = None) -> None:
        """Lower `most` to what all work [S, N] makes, or a decision of this objective could."""
        if busiest is not None:
            self.most = np.minimum(self.most, busiest * (1 + 1e-9))
        if objective is not None:
            # The work of one server in one slot takes no longer than all delays together.
            reach = self.reaching(objective / self.instance.document.slot_s)
            self.most = np.minimum(self.most, reach * (1 + 1e-6))

    def seed(self) -> list[tuple[int, int, float]]:
        """Spread the first tangents; see `visit`."""
        fractions = np.linspace(0.0, 1.0, _SEEDS)
        added = []
        for s, n in np.ndindex(*self.most.shape):
            top = min(float(self.most[s, n]), 0.95) if self._ps else float(self.most[s, n])
            spread = 1.0 - (1.0 - top) ** fractions if self._ps else top * fractions
            added += [(s, n, rho) for rho in spread.tolist() if self._add(s, n, rho)]
        return added

    def visit(self, rho: Floats) -> list[tuple[int, int, float]]:
        """Tangents (slot's row, server, utilisation) to add after a visit of rho [S, N].

        Empty if the curves are already touched there: the linear model is then exact at it.
        """
        added = []
        for s, n in np.ndindex(*rho.shape):
            here = min(float(rho[s, n]), _STEEPEST) if self._ps else float(rho[s, n])
            if not self._add(s, n, here):
                continue
            added.append((s, n, here))
            room = max(1.0 - here, 0.0) if self._ps else max(here, 0.1)
            for step in _BESIDE:
                beside = here + step * room
                if 0.0 <= beside <= self.most[s, n] and self._add(s, n, beside):
                    added.append((s, n, beside))
        return added

    def imposed(self, s: int, n: int, rho: float) -> float:
        """The `excess` that the tangents so far impose at a utilisation."""
        tangents = (self.excess_tangent(point) for point in self.points[s][n])
        return max((slope * rho + base for slope, base in tangents), default=0.0)

    def most_excess(self, s: int, n: int) -> float:
        """The `excess` that the tangents so far impose at most."""
        return self.imposed(s, n, float(self.most[s, n]))

    def _add(self, s: int, n: int, rho: float) -> bool:
        if any(abs(rho - other) <= _SAME for other in self.points[s][n]):
            return False
        self.points[s][n].append(rho)
        return True
