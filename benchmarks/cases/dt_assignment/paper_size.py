"""The paper's size with every coupling, to a proof, beside models as users write them."""

from __future__ import annotations

from alternatives.dt_assignment.cp_sat import cp_sat
from alternatives.dt_assignment.pairs import pair_model
from scaling_report import Line, Report

import optkit
from cases.summaries import compared, proofs
from optkit.result import Result

_PYOMO, _CP_SAT = "Pyomo, its HiGHS", "plain CP-SAT"
_COUPLINGS = (
    "load", "memory", "count", "equal", "proportional", "optimal", "wspt", "backhaul", "deadline",
    "load,equal", "memory,wspt,deadline", "count,proportional,deadline", "optimal,load,count",
    "backhaul,wspt",
)  # fmt: skip
_QUICK_COUPLINGS = ("load", "equal", "backhaul,wspt")


def paper_size(report: Report) -> None:
    """``auto`` and ``cg`` on every seed; the alternatives on the first one."""
    settings = report.settings
    family = "small" if settings.quick else "paper"
    for couplings in _QUICK_COUPLINGS if settings.quick else _COUPLINGS:
        results: dict[str, list[Result]] = {"auto": [], "cg": []}
        others: list[Line] = []
        for seed in settings.seeds:
            instance = optkit.generate("dt_assignment", family, seed, couplings=couplings)
            size = f"{couplings} seed {seed}"
            first = None
            for method, found in results.items():
                if method != "auto" and optkit.methods("dt_assignment")[method].why_not_for(
                    instance
                ):
                    continue
                report.warm_up("small", method, couplings=couplings)
                result = report.ours(size, instance, method, note=_used)
                first = first or result
                if result is not None:
                    found.append(result)
            if seed == settings.seeds[0]:
                others += [
                    report.other(size, name, function, instance, first, settings.other_s)
                    for name, function in ((_PYOMO, pair_model), (_CP_SAT, cp_sat))
                ]
        for method, found in results.items():
            if found:
                report.figure(f"{couplings}, {method}", "proved in 0.1 s", proofs(found))
        for line in others:
            report.figure(f"{couplings}, {line.method}", "-", compared(line))


def _used(result: Result) -> str:
    return result.method
