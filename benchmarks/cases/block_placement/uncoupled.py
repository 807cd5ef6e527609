"""The printed model: a shortest path for each task, up to a million of them."""

from __future__ import annotations

import functools
from typing import Any

from alternatives.block_placement.shortest import networkx_paths, plain_dp
from scaling_numbers import check, seconds_of
from scaling_report import Report

import optkit
from optkit.result import Result

#: Shape of the two instances: tasks a slot and slots.
_SHAPES = ((110, 600), (1000, 1000))
_QUICK_SHAPES = ((50, 200),)


def uncoupled(report: Report) -> None:
    """``dp`` on 66,000 and 1,000,000 tasks; networkx and plain Python on some of them."""
    quick = report.settings.quick
    report.warm_up("paper", "dp", slots=2, rate=4)
    for rate, slots in _QUICK_SHAPES if quick else _SHAPES:
        instance = optkit.generate(
            "block_placement", "paper", 0, servers=9, blocks=18, rate=rate, slots=slots
        )
        count = rate * slots
        size = f"N=9 M=18 K={count:,}"
        result = report.ours(
            size, instance, "dp",
            note=functools.partial(_each, count),
        )  # fmt: skip
        if result is None:
            return
        target = "0.93 s" if count == 66_000 else "-"
        report.figure(f"uncoupled, {count:,} tasks", target, f"{seconds_of(result):.3g} s")
        if (rate, slots) == _SHAPES[1]:
            continue
        for name, function, tasks in (
            ("networkx", networkx_paths, 20 if quick else 300),
            ("plain Python", plain_dp, 100 if quick else 3000),
        ):
            some = first_tasks(instance, tasks)
            line = report.other(
                f"{size} ({tasks} run)", name, function, some, result, scale=count / tasks,
                note="ratio scaled linearly to all tasks",
            )  # fmt: skip
            if line.objective is not None:
                check(optkit.solve(some, "dp"), line.objective, line.bound, name)
            published = {"networkx": "128x", "plain Python": "22x"}[name]
            measured = "failed" if line.ratio is None else f"{line.ratio:.3g}x"
            report.figure(f"uncoupled, {name} over dp", published, measured)


def first_tasks(instance: Any, count: int) -> Any:
    """The instance of the first so many tasks alone."""
    tasks = instance.canonical()["tasks"]
    return instance.replace(tasks={name: values[:count] for name, values in tasks.items()})


def _each(count: int, result: Result) -> str:
    return f"{1e6 * seconds_of(result) / count:.2f} µs a task"
