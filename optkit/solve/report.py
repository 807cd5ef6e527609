"""A result in words: a block for each run, and a table of several."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optkit.errors import one_line
from optkit.fields import jsonable
from optkit.result import Result, relative_gap
from optkit.solve.plan import Task

_LONGEST = 100
#: What every result of a game says of its end point.
_GAME = {"equilibrium", "largest_gain"}


def block(task: Task, result: Result) -> str:
    """Everything worth knowing of one run, as lines."""
    rows = [
        ("method", _method(task, result)),
        ("objective", _objective(result)),
        ("bound", _with_unit(result.bound, result.unit)),
        ("gap", _percent(result.gap)),
        ("status", f"{result.status.value} ({result.reason.value})"),
    ]
    evaluation = result.evaluation
    if evaluation is not None:
        rows += _group("violations", evaluation.broken)
        rows += _group("terms", evaluation.terms)
    details = dict(result.details)
    if set(details) >= _GAME:
        rows.insert(5, ("game", _end_point(details)))
        details = {name: fact for name, fact in details.items() if name not in _GAME}
    rows += _group("details", details)
    build = "" if result.build_s is None else f"build {result.build_s:.3f} s, "
    first = f", kernels compiled in {result.compile_s:.1f} s" if result.compile_s else ""
    rows.append(("time", f"{build}solve {result.solve_s or 0.0:.3f} s{first}"))
    name = f": {result.instance}" if result.instance else ""
    lines = [f"{task.file}{name}"] + [f"  {title:<11}{text}" for title, text in rows]
    return "\n".join(one_line(line) for line in lines)


def table(runs: Sequence[tuple[Task, Result]]) -> None:
    """Print one row a run on stdout, each gap to the best bound that any run proved."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    bounds: dict[str, float] = {}
    for _, result in runs:
        if result.bound is not None:
            tighter = max if result.sense == "minimise" else min
            known = bounds.get(result.instance_digest, result.bound)
            bounds[result.instance_digest] = tighter(known, result.bound)
    numbers = ("objective", "best bound", "gap", "seconds")
    sheet = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("file", "method", "status", *numbers):
        sheet.add_column(title, justify="right" if title in numbers else "left", no_wrap=True)
    for task, result in runs:
        bound = bounds.get(result.instance_digest)
        gap = None
        if result.objective is not None and result.feasible and bound is not None:
            gap = relative_gap(result.objective, bound)
        cells = (
            task.file,
            _method(task, result),
            _status(result),
            _objective(result),
            _number(bound),
            _percent(gap),
            f"{(result.build_s or 0.0) + (result.solve_s or 0.0):.2f}",
        )
        sheet.add_row(*(Text(one_line(cell)) for cell in cells))
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)  # a pipe has no width: nothing may be cut off
    console.print(sheet)


def _method(task: Task, result: Result) -> str:
    return result.method if task.asked == result.method else f"{result.method} ({task.asked})"


def _status(result: Result) -> str:
    """Status of one row of the table, with what a game ended in."""
    text = f"{result.status.value} ({result.reason.value})"
    return f"{text}, {_end_point(result.details)}" if set(result.details) >= _GAME else text


def _end_point(details: Mapping[str, Any]) -> str:
    """Whether a game ended in a Nash equilibrium, and what a player could still gain alone."""
    kind = {True: "equilibrium", False: "no equilibrium"}.get(
        details["equilibrium"], "equilibrium not known"
    )
    return f"{kind} (largest gain {summary(details['largest_gain'])})"


def _objective(result: Result) -> str:
    text = _with_unit(result.objective, result.unit)
    if result.evaluation is None:
        return "none found"
    return text if result.feasible else f"{text} (infeasible)"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.9g}"


def _with_unit(value: float | None, unit: str) -> str:
    return _number(value) if value is None else f"{value:.9g} {unit}".rstrip()


def _percent(gap: float | None) -> str:
    return "-" if gap is None else f"{100 * gap:.4g} %" if gap > 1e-9 else "0 %"


def _group(title: str, facts: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Rows of names and values, aligned; the title stands before the first."""
    width = max(map(len, facts), default=0)
    return [
        (title if index == 0 else "", f"{name:<{width}}  {summary(value)}")
        for index, (name, value) in enumerate(facts.items())
    ]


def summary(value: Any) -> str:
    """A value on one short line: an array by its shape, least, mean and greatest entry."""
    if isinstance(value, (bool, str)) or value is None:
        text = json.dumps(value) if not isinstance(value, str) else value
    elif isinstance(value, (int, np.integer)):
        text = str(value)
    elif isinstance(value, (float, np.floating)):
        text = f"{value:.9g}"
    else:
        text = _array(value) or json.dumps(jsonable(value), default=str)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _array(value: Any) -> str:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return ""
    shape = "x".join(map(str, numbers.shape))
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return f"[{shape}]"
    least, mean, most = (f"{f(known):.6g}" for f in (np.min, np.mean, np.max))
    return f"[{shape}] min {least}, mean {mean}, max {most}"


def print_json(document: Mapping[str, Any]) -> None:
    """One document on one line of stdout, at once."""
    print(json.dumps(document, allow_nan=False), file=sys.stdout, flush=True)
