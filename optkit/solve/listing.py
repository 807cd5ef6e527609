"""``--list-methods``: what can solve a problem, and an instance."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from optkit.errors import OptkitError, one_line
from optkit.loading import load
from optkit.registry import Method, methods, problems

if TYPE_CHECKING:
    from optkit.instance import Instance

_TITLES = ("method", "kind", "proves bound", "usable here", "summary")
Facts = dict[str, Any]


def list_methods(files: Sequence[str], as_json: bool, report: Callable[[object], None]) -> None:
    """Print the methods of every problem, or of the problem of each file and for that file.

    Without files nothing heavy is imported. A bad file is reported and left out.
    """
    show = _print_json if as_json else _print
    if not files:
        for problem in problems().values():
            heading = f"{problem.name}: {problem.summary}".rstrip(": ")
            show(heading, problem.name, [_facts(m, None) for m in methods(problem.name).values()])
        return
    for file in files:
        try:
            instance = load(file)
        except OptkitError as error:
            report(error)
            continue
        known = methods(instance.problem).values()
        show(f"{file}: {instance.problem}", instance.problem, [_facts(m, instance) for m in known])


def _print(heading: str, problem: str, methods_here: list[Facts]) -> None:
    rows = [_TITLES, *map(_row, methods_here)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    print(one_line(heading))
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        print("  " + one_line("  ".join(cells).rstrip()))
    print(flush=True)


def _row(facts: Facts) -> tuple[str, ...]:
    summary = facts["summary"]
    if facts["reference"]:
        summary += f" ({facts['reference']})"
    if facts["why_not"] is not None:
        summary += f" [not here: {facts['why_not']}]"
    flags = ["yes" if facts[name] else "no" for name in ("proves_bound", "usable")]
    return (facts["method"], facts["kind"], *flags, summary)


def _print_json(heading: str, problem: str, methods_here: list[Facts]) -> None:
    for facts in methods_here:
        print(json.dumps({"problem": problem, **facts}), flush=True)


def _facts(method: Method, instance: Instance | None) -> Facts:
    try:
        why_not = method.why_not if instance is None else method.why_not_for(instance)
    except ImportError as error:
        why_not = str(error)
    return {
        "method": method.name,
        "kind": method.kind,
        "proves_bound": method.proves_bound,
        "usable": why_not is None,
        "why_not": why_not,
        "summary": method.summary,
        "reference": method.reference,
    }
