"""The printed problem: from raw devices to the optimum, up to a million pairs."""

from __future__ import annotations

import functools
import time
from typing import Any

from alternatives.dt_assignment.printed import printed_model
from scaling_numbers import seconds_of
from scaling_report import Report

import optkit
from optkit.result import Result

_REPEATS = 5
#: Twins and servers, and the target from raw devices to the optimum.
_SHAPES = ((1_000, 1_000, "0.1 s"), (100_000, 10, "0.1 s"))
_QUICK_SHAPES = ((100, 100, "-"),)
#: Families beside a user's model, and the target ratio.
_FAMILIES = (("paper", "555x"), ("4x", "533x"), ("10x", "1314x"))


def uncoupled(report: Report) -> None:
    """``argmin`` with its tables on 1e6 pairs, and beside Pyomo and HiGHS on three families."""
    quick = report.settings.quick
    report.warm_up("small", "argmin", couplings="")
    for twins, servers, target in _QUICK_SHAPES if quick else _SHAPES:
        instance = optkit.generate(
            "dt_assignment", "paper", 0, servers=servers, twins=twins, devices=8 * twins
        )
        tables_s = _tables_s(instance)
        size = f"M={twins:,} S={servers:,}"
        result = report.ours(size, instance, "argmin", note=functools.partial(_noted, tables_s))
        if result is not None:
            total = f"{tables_s + seconds_of(result):.3g} s ({_before(tables_s)})"
            report.figure(f"uncoupled, {size}, from devices on", target, total)
    for family, target in _FAMILIES[:1] if quick else _FAMILIES:
        instance = optkit.generate("dt_assignment", family, 0)
        tables_s = _tables_s(instance)
        result = report.ours(family, instance, "argmin", note=functools.partial(_noted, tables_s))
        line = report.other(
            family, "Pyomo as printed", printed_model, instance, result, report.settings.other_s,
            before_s=tables_s,
        )  # fmt: skip
        measured = "no ratio" if line.ratio is None else f"{line.ratio:.3g}x"
        name = f"uncoupled, {family}, Pyomo over argmin with tables"
        report.figure(name, target, measured)


def _tables_s(instance: Any) -> float:
    """Least seconds from a document in memory to the instance with all its tables."""
    document = instance.canonical()
    taken = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        type(instance)(document)
        taken.append(time.perf_counter() - start)
    return min(taken)


def _noted(tables_s: float, result: Result) -> str:
    return _before(tables_s)


def _before(tables_s: float) -> str:
    return f"tables {1e3 * tables_s:.3g} ms before"
