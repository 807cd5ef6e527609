"""Loads that slow servers down, in the constraint model of ``cp``, in whole numbers.

For each slot s and server n: ``work[s, n]``, the scaled seconds of work, and ``served[s, n]``, at
least what they take under load, by tangents from below.
"""

from __future__ import annotations

import math
from typing import Any

from formulations.block_placement.tangents import LoadCurves

#: Slopes of tangents are multiples of 2^-18, as long as no product passes 2^56.
_SLOPE_BITS = 18
_PRODUCT_BITS = 56
_STEEPEST = 2.0**16


class CpLoads:
    """Work and its delay for servers of a ``CpModel``.

    Parameters
    ----------
    model : the ``CpModel``.
    curves : the curves of the instance's loads, their limits set.
    scale : whole units per second.
    """

    def __init__(self, model: Any, curves: LoadCurves, scale: float) -> None:
        self._model = model
        self._curves = curves
        self._one = curves.instance.document.slot_s * scale  # a slot in whole units
        self._variables: dict[tuple[int, int], tuple[Any, Any]] = {}
        self._tops: dict[tuple[int, int], tuple[int, int]] = {}
        self._rows: dict[tuple[int, int], list[tuple[int, int, int]]] = {}

    def add_server(self, slot: int, n: int, amount: Any) -> Any:
        """Add a server with this amount of work; returns its delay, a term of the objective."""
        curves, model, place = self._curves, self._model, (slot, n)
        row = int(curves.row[slot])
        longest = curves.longest(row, n, _STEEPEST)
        tops = (
            max(math.ceil(float(curves.most[row, n]) * self._one), 1),
            math.ceil((longest + 1) * (self._one + 1)),
        )
        work = model.new_int_var(0, tops[0], f"work[{slot},{n}]")
        served = model.new_int_var(0, tops[1], f"served[{slot},{n}]")
        model.add(amount == work)
        self._variables[place], self._tops[place], self._rows[place] = (work, served), tops, []
        return served

    def touch(self, added: list[tuple[int, int, float]]) -> None:
        """Add tangents (slot's row, server, utilisation).

        Each slope is rounded, and the tangent taken that has this slope: it touches the curve so
        close by that nothing is lost.
        """
        for row, n, rho in added:
            place = (int(self._curves.slots[row]), n)
            if place not in self._variables:
                continue  # no work can come here
            slope = min(self._curves.delay_tangent(rho)[0], _STEEPEST)
            top, longest = self._tops[place]
            bits = min(
                _SLOPE_BITS,
                math.floor(_PRODUCT_BITS - math.log2(slope * top)),
                math.floor(_PRODUCT_BITS - math.log2(longest)),
            )
            unit = 2 ** max(bits, 0)
            whole = max(round(slope * unit), unit)
            base = math.floor(self._curves.base_of_slope(whole / unit) * self._one * unit)
            work, served = self._variables[place]
            self._model.add(unit * served >= whole * work + base)
            self._rows[place].append((unit, whole, base))

    def hint(self, slot: int, n: int, amount: int) -> list[tuple[Any, int]]:
        """Values of a server's variables at an amount of work."""
        rows = self._rows[slot, n]
        least = max(0, *(-((-whole * amount - base) // unit) for unit, whole, base in rows))
        work, served = self._variables[slot, n]
        return [(work, amount), (served, least)]
