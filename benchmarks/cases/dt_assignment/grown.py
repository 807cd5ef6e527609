"""Ten, thirty and a hundred times as many servers as in the paper."""

from __future__ import annotations

from typing import Any

from alternatives.dt_assignment.cp_sat import cp_sat
from alternatives.dt_assignment.pairs import pair_model
from scaling_numbers import in_time
from scaling_report import Line, Report

import optkit
from cases.summaries import compared, proofs
from optkit.result import Result

_RULES = ("equal", "proportional", "optimal", "wspt")
#: By coupling, the target and the methods; alternatives are compared with the first one.
_TEN = {
    "load": ("gap 5.0e-04", ("cg", "lagrangian")),
    "memory": ("gap 5.0e-03", ("cg", "lagrangian")),
    "count": ("proved", ("auto", "cg")),
    "equal": ("proved in 10 s", ("cg",)),
    "proportional": ("proved, or gap 3.0e-04", ("cg",)),
    "optimal": ("proved, or gap 3.0e-04", ("cg",)),
    "wspt": ("proved, or gap 3.0e-04", ("cg",)),
}
#: Servers and twins in place of a family's own.
_SMALL = {"servers": 6, "twins": 20}
#: Those that are also solved by plain Pyomo with HiGHS and by plain CP-SAT, on the first seed.
_COMPARED = ("load", "memory", "equal")
_QUICK_TEN = ("load", "count", "equal")


def ten(report: Report) -> None:
    """31 servers and 150 twins with limits or a sharing rule; some beside models as users write."""
    settings = report.settings
    size: dict[str, Any] = _SMALL if settings.quick else {}
    for couplings in _QUICK_TEN if settings.quick else _TEN:
        target, methods = _TEN[couplings]
        results: dict[str, list[Result]] = {method: [] for method in methods}
        others: list[Line] = []
        for seed in settings.seeds:
            instance = optkit.generate("dt_assignment", "10x", seed, couplings=couplings, **size)
            first = None
            for method in methods:
                report.warm_up("small", method, couplings=couplings)
                result = report.ours(f"{couplings} seed {seed}", instance, method)
                first = first or result
                if result is not None:
                    results[method].append(result)
            if seed == settings.seeds[0] and couplings in _COMPARED:
                others += [
                    report.other(couplings, name, function, instance, first, settings.other_s)
                    for name, function in (("Pyomo, its HiGHS", pair_model), ("CP-SAT", cp_sat))
                ]
        for method, runs in results.items():
            if runs:
                report.figure(f"10x {couplings}, {method}", target, proofs(runs))
        for line in others:
            report.figure(f"10x {couplings}, {line.method}", "-", compared(line))


def thirty(report: Report) -> None:
    """91 servers and 450 twins with every sharing rule."""
    size: dict[str, Any] = _SMALL if report.settings.quick else {}
    for couplings in _RULES[:1] if report.settings.quick else _RULES:
        instance = optkit.generate("dt_assignment", "30x", 0, couplings=couplings, **size)
        _run(report, "30x", couplings, "cg", "gap 1.0e-03", instance, limit_s=120.0)


def hundred(report: Report) -> None:
    """301 servers and 1,500 twins: limits by bound and gap, and one shared backhaul."""
    size: dict[str, Any] = _SMALL if report.settings.quick else {}
    for couplings, method, target in (
        ("load", "lagrangian", "gap 5.0e-03"), ("backhaul", "auto", "proved in 0.8 s")
    ):  # fmt: skip
        instance = optkit.generate("dt_assignment", "100x", 0, couplings=couplings, **size)
        _run(report, "100x", couplings, method, target, instance, limit_s=120.0)


def _run(
    report: Report,
    family: str,
    couplings: str,
    method: str,
    target: str,
    instance: Any,
    limit_s: float | None = None,
) -> Result | None:
    report.warm_up("small", method, couplings=couplings)
    limit_s = None if report.settings.quick else limit_s
    result = report.ours(couplings, instance, method, limit_s=limit_s)
    report.figure(f"{family} {couplings}, {method}", target, in_time(result))
    return result
