"""Processor sharing: one slot to a proof, the whole horizon, and one slot of 1,000 tasks."""

from __future__ import annotations

import statistics

from alternatives.block_placement.pyomo_highs import pyomo_highs
from alternatives.block_placement.scip_minlp import scip_minlp
from scaling_numbers import gap_text, in_time, reached_s, seconds_of
from scaling_report import Line, Report

import optkit

_PYOMO = "Pyomo, its HiGHS"
_SCIP = "SCIP, nonlinear"
#: Servers, blocks and rate of a slot, and the targets to 1e-6 and for a first answer.
_SLOTS = (
    ((4, 6, 60), "23 s", "6.0e-05 in 0.1-0.2 s"),
    ((2, 6, 60), "32 s", "1.2e-04 in 0.05 s"),
    ((4, 6, 110), "-", "9.0e-05 in 0.2-0.5 s"),
)


def ps_slot(report: Report) -> None:
    """``cg`` to 1e-6 on one slot, beside the Pyomo model and SCIP on the nonlinear one."""
    settings = report.settings
    report.warm_up("paper-ps", "cg", slots=2, rate=4)
    shapes = _SLOTS[:1] if settings.quick else _SLOTS
    for (servers, blocks, rate), proof, early in shapes:
        rate = 8 if settings.quick else rate
        label = f"({servers},{blocks},{rate})"
        seconds, targets, others = [], [], []
        early_gap = float(early.split()[0])
        for seed in settings.seeds:
            instance = optkit.generate(
                "block_placement", "paper-ps", seed,
                servers=servers, blocks=blocks, rate=rate, slots=1,
            )  # fmt: skip
            size = f"{label} seed {seed}"
            result = report.ours(size, instance, "cg")
            if result is not None:
                seconds.append(seconds_of(result) if result.gap is not None else float("inf"))
                targets.append(reached_s(result, early_gap))
            for name, function in ((_PYOMO, pyomo_highs), (_SCIP, scip_minlp)):
                others.append(
                    report.other(size, name, function, instance, result, settings.other_s)
                )
        if seconds:
            _figures(report, label, proof, early, seconds, targets)
        for name in (_PYOMO, _SCIP):
            _ratio_figure(report, label, name, [line for line in others if line.method == name])


def _figures(
    report: Report,
    label: str,
    proof: str,
    early: str,
    seconds: list[float],
    targets: list[float | None],
) -> None:
    runs = [line for line in report.lines if line.method == "cg" and line.size.startswith(label)]
    closed = sum(line.note.startswith("optimal") for line in runs)
    measured = f"median {statistics.median(seconds):.3g} s, proved {closed}/{len(runs)}"
    report.figure(f"ps slot {label} to 1e-6", proof, measured)
    reached = [time_s for time_s in targets if time_s is not None]
    measured = f"reached {len(reached)}/{len(targets)}"
    if reached:
        measured = f"median {statistics.median(reached):.3g} s, {measured}"
    report.figure(f"ps slot {label} to {early.split()[0]}", early.split("in ")[1], measured)


def _ratio_figure(report: Report, label: str, name: str, lines: list[Line]) -> None:
    published = {
        ("(4,6,60)", _PYOMO): "gap 9.7e-02 in 40 s",
        ("(2,6,60)", _SCIP): "gap 1.1e-04 in 60 s, 850x",
    }.get((label, name), "-")
    gaps = [line.gap for line in lines if line.gap is not None]
    ratios = [line.ratio for line in lines if line.ratio is not None]
    words = []
    if gaps:
        words.append(f"median gap {gap_text(statistics.median(gaps))}")
    if ratios:
        words.append(f"median {statistics.median(ratios):.3g}x the time of cg to the same gap")
    report.figure(f"ps slot {label}, {name}", published, ", ".join(words) or "nothing found")


def ps_horizon(report: Report) -> None:
    """``cg`` on all 600 slots of ``paper-ps``, on one and on two threads."""
    quick = report.settings.quick
    report.warm_up("paper-ps", "cg", slots=2, rate=4)
    size = {"slots": 3, "rate": 10} if quick else {"slots": 600, "rate": 60}
    instance = optkit.generate("block_placement", "paper-ps", 0, **size)
    count = size["slots"] * size["rate"]
    for threads in (1, 2):
        result = report.ours(
            f"K={count:,}", instance, "cg",
            rel_gap=1e-4, threads=threads, limit_s=None if quick else 180.0,
        )  # fmt: skip
        name = f"ps horizon, {count:,} tasks, {threads} thread(s)"
        report.figure(name, "gap 8.6e-05 in 66 s" if threads == 1 else "-", in_time(result))


def load_large(report: Report) -> None:
    """``cg`` on one slot of 1,000 tasks and 16 servers."""
    quick = report.settings.quick
    report.warm_up("large", "cg", slots=1, rate=4)
    rate = 30 if quick else 1000
    instance = optkit.generate("block_placement", "large", 0, rate=rate)
    result = report.ours(f"N=16 K={rate:,}", instance, "cg")
    report.figure(f"large slot, {rate:,} tasks", "gap 1.4e-03 in 2.8 s", in_time(result))
    reached = None if result is None else reached_s(result, 1.4e-3)
    measured = "not reached" if reached is None else f"{reached:.3g} s"
    report.figure(f"large slot, {rate:,} tasks, to 1.4e-3", "2.8 s", measured)
