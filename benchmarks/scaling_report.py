"""Times, gaps and ratios of the scaling benchmark: measured, checked and printed as they come."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from alternatives.child import in_child
from bench_tools import status_line
from scaling_numbers import check, gap_text, known, reached_s, seconds_of

import optkit
from optkit.console import debugging, describe
from optkit.instance import Instance
from optkit.result import Result, StopReason, relative_gap

_COLUMNS = (
    ("case", 12), ("size", 34), ("method", 22), ("build s", 8), ("solve s", 8),
    ("objective", 12), ("bound", 12), ("gap", 8), ("ratio", 8),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One measured run; absent numbers are ``None``.

    Parameters
    ----------
    ratio : seconds of an alternative to the seconds in which ours reached the same gap.
    """

    case: str
    size: str
    method: str
    build_s: float | None = None
    solve_s: float | None = None
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """What a method was meant to reach at full size, and what this run found."""

    name: str
    target: str
    measured: str


@dataclass(frozen=True)
class Settings:
    """What the cases are to run.

    Parameters
    ----------
    quick : small sizes and short limits, to see that all works.
    seeds : of cases that repeat.
    limit_s : seconds for ours; `other_s` : seconds for solving an alternative.
    """

    quick: bool = False
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    limit_s: float = 60.0
    other_s: float = 20.0


class Report:
    """Runs ours and the alternatives, keeps what came of them and prints it at once.

    Attributes
    ----------
    problem, settings : what the cases are of, and what they are to run.
    lines, figures : so far.
    failures : how many runs of ours ended by an error.
    """

    def __init__(self, problem: str, settings: Settings) -> None:
        self.problem = problem
        self.settings = settings
        self.lines: list[Line] = []
        self.figures: list[Figure] = []
        self.failures = 0
        self._case = ""
        self._warm: set[str] = set()
        self._small: Mapping[str, Any] | None = None

    def begin(self, case: str) -> None:
        """Start the lines of a case."""
        self._case = case

    def warm_up(self, family: str, method: str, **parameters: Any) -> None:
        """Run a method on a small instance, so that compiled code is there.

        The alternatives that follow begin with the same instance, unmeasured.
        """
        key = f"{family} {method} {sorted(parameters.items())}"
        instance = optkit.generate(self.problem, family, 0, **parameters)
        self._small = instance.canonical()
        if key in self._warm:
            return
        self._warm.add(key)
        with contextlib.suppress(Exception):  # the run itself will tell
            self._solve(instance, method, optkit.Stop(time_s=5.0), 1)

    def ours(
        self,
        size: str,
        instance: Instance,
        method: str,
        *,
        limit_s: float | None = None,
        rel_gap: float = 1e-6,
        threads: int = 1,
        note: Callable[[Result], str] = lambda result: "",
    ) -> Result | None:
        """Solve by a method of optkit; ``None``, and a line that says why, where it fails."""
        name = method if threads == 1 else f"{method}, {threads} threads"
        status_line(f"{self._case} {size}: {name} ...")
        stop = optkit.Stop(time_s=limit_s or self.settings.limit_s, rel_gap=rel_gap)
        try:
            result = self._solve(instance, method, stop, threads)
        except Exception as error:
            if debugging():
                raise
            self.failures += 1
            self._add(Line(self._case, size, name, note=f"failed: {describe(error)}"))
            return None
        words = [result.status.value, note(result)]
        line = Line(
            self._case, size, name, result.build_s or 0.0, result.solve_s,
            result.objective if result.feasible else None, result.bound, result.gap,
            note=", ".join(word for word in words if word),
        )  # fmt: skip
        self._add(line)
        return result

    def other(
        self,
        size: str,
        name: str,
        function: Callable[..., dict[str, Any]],
        instance: Any,
        result: Result | None,
        *arguments: Any,
        scale: float | None = None,
        before_s: float = 0.0,
        note: str = "",
    ) -> Line:
        """Run an alternative in a process of its own and check it against our result.

        Parameters
        ----------
        function : of ``alternatives``, called with the document and `arguments`.
        result : ours of the same instance.
        scale : what its seconds are to be multiplied by before they are compared with the
            seconds of the whole run of `result`, and that is not to be checked; without it
            they are compared as `Line.ratio` says.
        before_s : seconds that ours took before the run of `result`, and that count as its own.

        Raises
        ------
        BoundError
            Ours and theirs cannot both be true.
        """
        status_line(f"{self._case} {size}: {name} ...")
        answer = in_child(
            function, instance.canonical(), *arguments, limit_s=self.settings.other_s,
            first=self._small,
        )  # fmt: skip
        if "error" in answer:
            line = Line(self._case, size, name, note=answer["error"])
            self._add(line)
            return line
        objective = answer["objective"]
        if "x" in answer:
            evaluation = instance.evaluate(answer["x"])
            objective = evaluation.objective if evaluation.feasible else None
            if not evaluation.feasible:
                note = f"breaks {', '.join(evaluation.broken) or 'the load'}"
        bound = answer["bound"] if known(answer["bound"]) else None
        gap = None
        if objective is not None and bound is not None:
            best = min if instance.sense == "minimise" else max
            gap = relative_gap(objective, best(bound, objective))
        seconds = answer["build_s"] + answer["solve_s"]
        ratio = None
        if result is not None and scale is not None:
            ratio = seconds * scale / (before_s + seconds_of(result))
        elif result is not None:
            check(result, objective, bound, name)
            if gap is not None:
                reached = reached_s(result, gap)
                ratio = None if reached is None else seconds / (before_s + reached)
                note = note or ("ours did not reach this gap" if reached is None else "")
            else:
                note = note or ("found nothing" if objective is None else "proved nothing")
        line = Line(
            self._case, size, name, answer["build_s"], answer["solve_s"], objective, bound, gap,
            ratio, note,
        )  # fmt: skip
        self._add(line)
        return line

    def figure(self, name: str, target: str, measured: str) -> None:
        """Set a figure of this run beside its target, which is meant for the full sizes."""
        target = "-" if self.settings.quick else target
        self.figures.append(Figure(name, target, measured))

    def print_figures(self) -> None:
        """Print the table of figures."""
        if not self.figures:
            return
        widths = [max(len(getattr(f, n)) for f in self.figures) for n in ("name", "target")]
        widths = [max(widths[0], len("figure")), max(widths[1], len("target"))]
        print()
        for figure in [Figure("figure", "target", "this run"), *self.figures]:
            name, target = figure.name.ljust(widths[0]), figure.target.ljust(widths[1])
            print(f"{name}  {target}  {figure.measured}", flush=True)

    def write_json(self, path: str, head: Sequence[str]) -> None:
        """Write all lines and figures, null for what is absent."""
        document = {
            "head": list(head),
            "lines": [_plain(asdict(line)) for line in self.lines],
            "figures": [asdict(figure) for figure in self.figures],
        }
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=1, allow_nan=False)
            stream.write("\n")

    @staticmethod
    def _solve(instance: Instance, method: str, stop: optkit.Stop, threads: int) -> Result:
        result = optkit.solve(instance, method, stop=stop, threads=threads)
        if result.reason is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        return result

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        cells = (
            line.case, line.size, line.method, _number(line.build_s, ".2f"),
            _number(line.solve_s, ".2f"), _number(line.objective, ".8g"),
            _number(line.bound, ".8g"), gap_text(line.gap),
            _number(line.ratio, ".3g"),
        )  # fmt: skip
        _print_cells(cells, line.note)


def print_titles() -> None:
    """Print the titles of the columns that lines are printed in."""
    _print_cells([title for title, _ in _COLUMNS], "")


def _print_cells(cells: Sequence[str], note: str) -> None:
    padded = []
    for cell, (title, width) in zip(cells, _COLUMNS, strict=True):
        text = title in ("case", "size", "method")
        padded.append(cell.ljust(width) if text else cell.rjust(width))
    print("  ".join([*padded, note]).rstrip(), file=sys.stdout, flush=True)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
