"""Generalised assignment: measured costs and loads of pairs, the literature's types c, d and e."""

from __future__ import annotations

from alternatives.dt_assignment.cp_sat import cp_sat
from alternatives.dt_assignment.pairs import pair_model
from scaling_numbers import in_time
from scaling_report import Report

import optkit
from cases.summaries import compared
from optkit.result import Result

#: Alternatives are compared with the first one.
_METHODS = ("cg", "lagrangian", "mip")
#: Family, servers, twins, target.
_SHAPES = (
    ("gap-c", 20, 100, "proved"),
    ("gap-c", 10, 200, "proved in seconds"),
    ("gap-d", 20, 100, "gap 1.0e-03"),
    ("gap-d", 10, 200, "gap 1.0e-03"),
    ("gap-e", 20, 100, "gap 1.0e-03"),
    ("gap-e", 10, 200, "gap 1.0e-03"),
)


def generalised(report: Report) -> None:
    """Three exact methods beside Pyomo's HiGHS and plain CP-SAT."""
    settings = report.settings
    for family, servers, twins, target in _SHAPES[:1] if settings.quick else _SHAPES:
        if settings.quick:
            servers, twins = 5, 20
        instance = optkit.generate("dt_assignment", family, 0, servers=servers, twins=twins)
        size = f"{family} S={servers} M={twins}"
        first: Result | None = None
        for method in _METHODS:
            report.warm_up(family, method, servers=3, twins=8)
            result = report.ours(size, instance, method)
            report.figure(f"{size}, {method}", target, in_time(result))
            first = first or result
        for name, function in (("Pyomo, its HiGHS", pair_model), ("plain CP-SAT", cp_sat)):
            line = report.other(size, name, function, instance, first, settings.other_s)
            report.figure(f"{size}, {name}", "-", compared(line))
