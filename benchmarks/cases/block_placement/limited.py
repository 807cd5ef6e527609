"""Shared limits: storage over the horizon, energy budgets, and cycles of a slot."""

from __future__ import annotations

from alternatives.block_placement.pyomo_highs import pyomo_highs
from scaling_numbers import gap_at, gap_text, in_time, seconds_of
from scaling_report import Report

import optkit
from cases.summaries import compared
from optkit.result import Result

_PYOMO = "Pyomo, its HiGHS"


def storage(report: Report) -> None:
    """``storage`` on 2,400 and 36,000 tasks, and beside ``mip`` and Pyomo on 120."""
    quick = report.settings.quick
    report.warm_up("paper-storage", "storage", slots=2, rate=4)
    report.warm_up("paper-storage", "mip", slots=2, rate=4)
    rate = 5 if quick else 60
    shapes = ((4, 12, 8, "-"),) if quick else (
        (4, 12, 40, "gap 0 in 50 s"), (4, 18, 600, "-")
    )  # fmt: skip
    for servers, blocks, slots, published in shapes:
        instance = optkit.generate(
            "block_placement", "paper-storage", 0,
            servers=servers, blocks=blocks, slots=slots, rate=rate,
        )  # fmt: skip
        size = f"N={servers} M={blocks} K={rate * slots:,}"
        result = report.ours(size, instance, "storage", limit_s=None if quick else 120.0)
        report.figure(f"storage, {size}", published, in_time(result))
    blocks = 6 if quick else 12
    small = optkit.generate(
        "block_placement", "paper-storage", 0, servers=4, blocks=blocks, slots=2, rate=rate
    )
    size = f"N=4 M={blocks} K={2 * rate}"
    result = report.ours(size, small, "storage")
    mip = report.ours(size, small, "mip")
    if result is not None and mip is not None:
        measured = f"{seconds_of(mip) / seconds_of(result):.3g}x"
        report.figure(f"storage, {size}, mip over storage", "-", measured)
    line = report.other(size, _PYOMO, pyomo_highs, small, result, report.settings.other_s)
    report.figure(f"storage, {size}, {_PYOMO}", "-", compared(line))


def energy(report: Report) -> None:
    """``lagrangian`` on 3,600 and 36,000 tasks, and beside Pyomo on 120."""
    quick = report.settings.quick
    report.warm_up("energy", "lagrangian", slots=2, rate=4)
    rate = 5 if quick else 60
    shapes = ((10, "-"),) if quick else ((60, "gap 0 in 9.7 s"), (600, "gap 3.0e-05 in 12 s"))
    for slots, published in shapes:
        instance = optkit.generate("block_placement", "energy", 0, slots=slots, rate=rate)
        size = f"K={rate * slots:,}"
        result = report.ours(size, instance, "lagrangian")
        report.figure(f"energy, {size}", published, in_time(result))
    small = optkit.generate("block_placement", "energy", 0, slots=2, rate=rate)
    size = f"K={2 * rate}"
    result = report.ours(size, small, "lagrangian")
    line = report.other(size, _PYOMO, pyomo_highs, small, result, report.settings.other_s)
    report.figure(f"energy, {size}, {_PYOMO}", "-", compared(line))


def cycles(report: Report) -> None:
    """``cg`` on one slot whose servers have 0.6 of their cycles, beside Pyomo."""
    settings = report.settings
    published = {60: "gap 1.2e-03 in 1.3 s", 110: "gap 2.9e-03 in 0.35 s"}
    for rate in (6,) if settings.quick else (60, 110):
        free = optkit.generate("block_placement", "paper", 0, rate=rate, slots=1)
        speed = free.canonical()["servers"]["speed_hz"]
        instance = free.replace(servers={"cycles_per_slot": 0.6 * speed})
        size = f"(4,6,{rate})"
        result = report.ours(size, instance, "cg", limit_s=settings.other_s, note=_early)
        report.figure(f"cycles {size}, at 2 s", published.get(rate, "-"), _at_2_s(result))
        report.figure(f"cycles {size}", "-", in_time(result))
        line = report.other(size, _PYOMO, pyomo_highs, instance, result, settings.other_s)
        report.figure(f"cycles {size}, {_PYOMO}", "-", compared(line))


def energy_load(report: Report) -> None:
    """``cg`` on budgets and processor sharing at the same time."""
    quick = report.settings.quick
    size = {"slots": 2, "rate": 60} if quick else {"slots": 60, "rate": 60}
    report.warm_up("paper-energy", "cg", slots=2, rate=4)
    instance = optkit.generate("block_placement", "paper-energy", 0, **size)
    label = f"N=2 K={size['slots'] * size['rate']:,}"
    result = report.ours(label, instance, "cg")
    report.figure(f"energy and load, {label}", "gap 1.3e-02 in 38 s", in_time(result))


def _early(result: Result) -> str:
    return f"gap {_at_2_s(result)} after 2 s"


def _at_2_s(result: Result | None) -> str:
    return "failed" if result is None else gap_text(gap_at(result, 2.0))
