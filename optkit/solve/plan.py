"""From the command line to the runs it asks for; everything is checked before the first one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optkit.errors import DecisionError, InstanceError, OptkitError, UsageError
from optkit.instance import Instance
from optkit.loading import load
from optkit.registry import Method
from optkit.registry import method as find_method
from optkit.result import Result


@dataclass(frozen=True)
class Task:
    """One run: an instance file and a method.

    Parameters
    ----------
    file, asked : as typed; `asked` may be "auto".
    instance, method, options, warm_start : for ``solve``.
    out, trace : where the result and its trace go, if anywhere.
    """

    file: str
    asked: str
    instance: Instance
    method: Method
    options: Mapping[str, Any]
    warm_start: Result | None
    out: Path | None
    trace: Path | None


def plan(options: argparse.Namespace, report: Callable[[object], None]) -> list[Task]:
    """The runs in order: every file by every method.

    A file that is bad, or a method that cannot solve it, is reported and left out.

    Raises
    ------
    UsageError, InstanceError
        What concerns the whole call: output paths, the warm start.
    """
    several = len(options.files) * len(options.methods) > 1
    if several and options.export is not None:
        raise UsageError("--export writes one model: give one FILE and one method")
    outs = _targets("--out", options.out, ".json", options, several)
    traces = _targets("--trace", options.trace, ".csv", options, several)
    warm_start = _read_warm_start(options.warm_start)
    tasks = []
    for file in options.files:
        try:
            instance = load(file)
            if warm_start is not None:
                _check_warm_start(instance, warm_start, options.warm_start)
        except OptkitError as error:
            report(error)
            continue
        for name in options.methods:
            try:
                method = find_method(name, instance)
                chosen = method.check_options(_options_of(method, name, options))
            except OptkitError as error:
                report(f"{file}: {error}")
                continue
            target = (outs.get((file, name)), traces.get((file, name)))
            tasks.append(Task(file, name, instance, method, chosen, warm_start, *target))
    return tasks


def _options_of(method: Method, asked: str, options: argparse.Namespace) -> dict[str, Any]:
    """The options of one method: ``METHOD.NAME`` is for that one alone."""
    chosen: dict[str, Any] = {}
    for name, value in options.option:
        owner, dot, own = name.rpartition(".")
        if not dot or owner in (method.name, asked):
            chosen[own] = value
        elif owner not in options.methods:
            raise UsageError(f"-o {name}: {owner} is not among the methods of this call")
    for name in ("solver", "export"):
        if (value := getattr(options, name)) is not None:
            chosen[name] = value
    if options.policy is not None and (method.kind == "learned" or len(options.methods) == 1):
        chosen["policy"] = options.policy
    return chosen


def _read_warm_start(path: str | None) -> Result | None:
    return None if path is None else Result.load(path)


def _check_warm_start(instance: Instance, result: Result, source: str) -> None:
    from optkit.solve.core import starting_point

    if result.problem != instance.problem:
        raise InstanceError(
            f"found {result.problem[:60]!r}, expected {instance.problem!r}", "problem", source
        )
    try:
        starting_point(instance, result)
    except DecisionError as error:
        field = "x" if result.decision is None else "decision"
        raise InstanceError(str(error), field, source) from None


def _targets(
    flag: str, given: str | None, suffix: str, options: argparse.Namespace, several: bool
) -> dict[tuple[str, str], Path]:
    """Where each run writes; the folders exist and can be written when this returns."""
    if given is None:
        return {}
    path = Path(given)
    if several:
        _make_folder(flag, path)
        targets = {
            (file, name): path / f"{Path(file).stem}.{name}{suffix}"
            for file in options.files
            for name in options.methods
        }
    else:
        targets = {(options.files[0], options.methods[0]): path}
    inputs = {os.path.realpath(file): file for file in options.files}
    owners: dict[str, str] = {}
    for (file, _), target in targets.items():
        real = os.path.realpath(target)
        if real in inputs:
            raise UsageError(f"{flag}: {target} is an input of this call")
        if real in owners:
            raise UsageError(f"{flag}: {owners[real]} and {file} would both write {target}")
        owners[real] = file
        if target.is_dir():
            raise UsageError(f"{flag}: {target} is a directory, expected a file")
        if not os.access(target.parent, os.W_OK):
            state = "cannot be written" if target.parent.exists() else "does not exist"
            raise UsageError(f"{flag}: the folder {target.parent} {state}")
    return targets


def _make_folder(flag: str, path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{flag}: several runs need a folder, {path}: {error.strerror}") from None
