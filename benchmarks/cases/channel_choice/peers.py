"""Small instances beside a nonlinear programme and a model of all coalitions."""

from __future__ import annotations

import statistics

from alternatives.channel_choice.coalitions import coalition_model
from alternatives.channel_choice.scip_minlp import scip_minlp
from scaling_report import Line, Report

import optkit
from cases.summaries import compared

_SCIP, _COALITIONS = "SCIP, nonlinear", "Pyomo over coalitions"
_CHANNELS = 3
_SERVICES = (6, 8, 10, 12, 15)
#: Times the seconds of ours where SCIP proves the optimum.
_TARGETS = {6: "60x", 8: "870x"}
#: Every decision of so many services is judged as well.
_ENUMERATED = 8


def peers(report: Report) -> None:
    """``cg`` and ``enumerate`` on dense mid instances, and the alternatives."""
    settings = report.settings
    report.warm_up("dense", "cg", services=12, channels=_CHANNELS)
    report.warm_up("dense", "enumerate", services=4, channels=2)
    for services in _SERVICES[:1] if settings.quick else _SERVICES:
        lines: list[Line] = []
        for seed in settings.seeds:
            instance = optkit.generate(
                "channel_choice", "dense", seed, services=services, channels=_CHANNELS
            )
            size = f"{services},{_CHANNELS},mid,fixed seed {seed}"
            result = report.ours(size, instance, "cg")
            if services <= _ENUMERATED:
                report.ours(size, instance, "enumerate")
            for name, function in ((_SCIP, scip_minlp), (_COALITIONS, coalition_model)):
                line = report.other(size, name, function, instance, result, settings.other_s)
                lines.append(line)
        for name in (_SCIP, _COALITIONS):
            target = _TARGETS.get(services, "-") if name == _SCIP else "-"
            own = [line for line in lines if line.method == name]
            report.figure(f"peers, N={services}, {name}", target, _ratios(own))


def _ratios(lines: list[Line]) -> str:
    if len(lines) == 1:
        return compared(lines[0])
    ratios = [line.ratio for line in lines if line.ratio is not None]
    closed = sum(line.gap is not None and line.gap <= 1e-5 for line in lines)
    words = f"proved {closed}/{len(lines)}"
    if ratios:
        words += f", median {statistics.median(ratios):.3g}x the time of cg to the same gap"
    return words
