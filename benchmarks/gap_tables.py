"""From runs to gaps: the reference of each instance, the table and the rows of a file."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gap_runs import GapRun

#: Definition of the gap, printed below every table.
DEFINITION = (
    "gap = (o - r) / |r| to minimise, (r - o) / |r| to maximise, of a feasible objective o to the "
    "reference r: the proven optimum, or, marked with ≤, the best bound that any run proved; "
    "mean ± standard deviation over the instances on which the method was feasible (all, unless "
    "it says so), then mean seconds, building included. Instance and method have the same seed; "
    "every method ran once before, untimed."
)
GAIN_DEFINITION = (
    "gain share = the same difference / |r - origin|, origin the objective of doing nothing."
)
_COLUMNS = (
    "problem", "column", "family", "parameters", "instance", "instance_digest", "seed", "method",
    "used", "status", "reason", "objective", "bound", "reference", "proven", "figure",
    "figure_name", "gap", "gain_share", "feasible", "seconds", "equilibrium", "largest_gain",
    "note",
)  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """What the gaps of one instance are measured to.

    Parameters
    ----------
    value : the proven optimum, or the best bound; ``None`` where no run proved any.
    proven : whether it is the optimum.
    infeasible : whether some run proved that there is no feasible decision.
    contradictions : claims of runs that cannot all be true.
    """

    value: float | None
    proven: bool
    infeasible: bool
    contradictions: tuple[str, ...]


def reference_of(runs: Sequence[GapRun]) -> Reference:
    """The reference of an instance from all its runs, heuristics included."""
    minimise = runs[0].sense == "minimise"
    best = min if minimise else max
    tightest = max if minimise else min
    feasible = [run for run in runs if run.feasible and run.objective is not None]
    bounding = [run for run in runs if run.bound is not None]
    infeasible = [run for run in runs if run.status == "infeasible"]
    wrong = [
        f"{run.instance}: {run.method} found {run.objective!r}, which {other.method} calls "
        f"impossible (bound {other.bound!r})"
        for run in feasible
        for other in bounding
        if _sign(run) * (_number(other.bound) - _number(run.objective)) > run.tolerance
    ]
    wrong += [
        f"{run.instance}: {run.method} found a decision, {other.method} claims there is none"
        for run in feasible[:1]
        for other in infeasible
    ]
    value, proven = None, any(run.status == "optimal" for run in runs)
    if proven:
        value = best(_number(run.objective) for run in feasible)
    elif bounding:
        value = tightest(_number(run.bound) for run in bounding)
    return Reference(value, proven, bool(infeasible), tuple(wrong))


def gap_of(run: GapRun, reference: Reference) -> float | None:
    """The gap by `DEFINITION`; ``None`` without a figure or a reference."""
    missed = _missed(run, reference)
    if missed is None or missed == 0:
        return missed
    return missed / abs(reference.value) if reference.value else math.copysign(math.inf, missed)


def gain_share_of(run: GapRun, reference: Reference) -> float | None:
    """What of the possible gain over doing nothing is missed; ``None`` without an origin."""
    missed = _missed(run, reference)
    if missed is None or run.origin == 0 or reference.value == run.origin:
        return None
    return missed / abs(_number(reference.value) - run.origin)


def _missed(run: GapRun, reference: Reference) -> float | None:
    """By how much the run's figure is worse than the reference."""
    if run.value is None or reference.value is None:
        return None
    return _sign(run) * (run.value - reference.value)


#: What a table shows of a run.
Measure = Callable[[GapRun, Reference], "float | None"]


class GapTable:
    """Runs by instance with their references.

    Attributes
    ----------
    runs : all runs, ordered as the columns, instances and methods were asked for.
    references : by instance, see `instance_key`.
    """

    def __init__(
        self, runs: Sequence[GapRun], columns: Sequence[str], methods: Sequence[str]
    ) -> None:
        self.runs = sorted(
            runs,
            key=lambda r: (columns.index(r.column), r.parameters, r.seed, methods.index(r.method)),
        )
        self._columns = [c for c in columns if any(run.column == c for run in runs)]
        self._methods = [m for m in methods if any(run.method == m for run in runs)]
        groups: dict[tuple[str, str, int], list[GapRun]] = {}
        for run in self.runs:
            groups.setdefault(instance_key(run), []).append(run)
        self.references = {key: reference_of(group) for key, group in groups.items()}

    @property
    def contradictions(self) -> list[str]:
        """Claims of runs that cannot all be true: some method or solver is wrong."""
        return [text for found in self.references.values() for text in found.contradictions]

    def cells(self, measure: str = "both") -> tuple[list[str], list[list[str]]]:
        """Titles of the columns and one row of cells a method.

        Parameters
        ----------
        measure : "gap", "gain" (shares of the gain, where there is an origin) or "both".
        """
        gains = {run.column for run in self.runs if run.origin != 0 and measure != "gap"}
        titles = ["method"]
        rows = [[method] for method in self._methods]
        for column in self._columns:
            measures = []
            if measure != "gain" or column not in gains:
                titles.append(column)
                measures.append(gap_of)
            if column in gains:
                titles.append(f"{column}: gain share")
                measures.append(gain_share_of)
            for row in rows:
                row.append(self._cell(row[0], column, measures[0]))
                row += [self._mean(row[0], column, further) for further in measures[1:]]
        return titles, rows

    def notes(self) -> list[str]:
        """One line a column on its instances and references, what counts where it is not the
        objective, how games ended, and what did not work."""
        lines = []
        for column in self._columns:
            found = [r for (name, *_), r in self.references.items() if name == column]
            solvable = [reference for reference in found if not reference.infeasible]
            proven = sum(reference.proven for reference in solvable)
            count = "1 instance" if len(found) == 1 else f"{len(found)} instances"
            line = f"{column}: {count}, optimum proven on {proven}/{len(solvable)}"
            if len(solvable) < len(found):
                line += f", {len(found) - len(solvable)} proven infeasible and left out"
            used = {run.used for run in self.runs if run.column == column and run.method == "auto"}
            lines.append(line + (f"; auto is {', '.join(sorted(used))}" if used else ""))
        lines += filter(None, map(self._figures, self._methods))
        lines += filter(None, map(self._equilibria, self._methods))
        failed: dict[tuple[str, str], dict[str, None]] = {}
        for run in self.runs:
            if run.status in ("unavailable", "crashed"):
                failed.setdefault((run.method, run.note), {})[run.column] = None
        return lines + [
            f"{method} on {', '.join(names)}: {note}" for (method, note), names in failed.items()
        ]

    def _figures(self, method: str) -> str:
        """Which details count instead of the objectives of a method."""
        names = {run.figure_name: None for run in self.runs if run.method == method}
        names.pop("", None)
        if not names:
            return ""
        return f"{method}: o is its detail {' or '.join(names)}, even of infeasible decisions"

    def _equilibria(self, method: str) -> str:
        """How many ends of a game are equilibria, and what a player could still gain alone."""
        parts = []
        for column in self._columns:
            runs = self._solvable(method, column)
            known = [run for run in runs if run.equilibrium is not None]
            if known:
                stable = sum(bool(run.equilibrium) for run in known)
                most = max(run.largest_gain or 0.0 for run in known)
                open_ends = [f"a player could gain {most:.3g} alone"] * (stable < len(known))
                open_ends += [f"{len(runs) - len(known)} not checked"] * (len(known) < len(runs))
                left = f" ({', '.join(open_ends)})" if open_ends else ""
                parts.append(f"{column} {stable}/{len(runs)}{left}")
        return f"{method} ends in an equilibrium: {', '.join(parts)}" if parts else ""

    def records(self, problem: str) -> list[dict[str, Any]]:
        """One plain mapping a run; absent and infinite numbers are ``None``."""
        records = []
        for run in self.runs:
            reference = self.references[instance_key(run)]
            values = vars(run) | {
                "problem": problem,
                "reference": reference.value,
                "proven": reference.proven,
                "gap": gap_of(run, reference),
                "gain_share": gain_share_of(run, reference),
            }
            records.append({name: _plain(values[name]) for name in _COLUMNS})
        return records

    def _cell(self, method: str, column: str, measure: Measure) -> str:
        runs = self._solvable(method, column)
        if not runs:
            return "-"
        if all(run.status == "unavailable" for run in runs):
            return "does not apply"
        good = [run for run in runs if run.feasible]
        shown = any(run.value is not None for run in runs)
        parts = [self._mean(method, column, measure)] if shown else []
        if len(good) < len(runs):
            parts.append(f"feasible {len(good)}/{len(runs)}")
        times = [run.seconds for run in runs if run.seconds is not None]
        if times:
            parts.append(f"{statistics.fmean(times):.2g} s")
        return ", ".join(parts) or "failed"

    def _mean(self, method: str, column: str, measure: Measure) -> str:
        """Mean ± spread of a measure over the runs that have it, ≤ where optima are not proven."""
        values, proven = [], True
        for run in self._solvable(method, column):
            reference = self.references[instance_key(run)]
            value = measure(run, reference)
            if value is not None:
                values.append(value)
                proven = proven and reference.proven
        return ("" if proven else "≤ ") + spread(values) if values else "-"

    def _solvable(self, method: str, column: str) -> list[GapRun]:
        return [
            run
            for run in self.runs
            if run.method == method
            and run.column == column
            and not self.references[instance_key(run)].infeasible
        ]


def instance_key(run: GapRun) -> tuple[str, str, int]:
    """What the runs of one instance have in common."""
    return run.column, run.parameters, run.seed


def spread(shares: Sequence[float]) -> str:
    """Mean ± sample standard deviation as per cent, with digits that suit the mean."""
    percent = [100 * share for share in shares]
    mean = statistics.fmean(percent)
    if not math.isfinite(mean):
        return "infinite"
    size = abs(mean)
    digits = 4 if size < 1e-4 else max(0, min(4, 1 - math.floor(math.log10(size))))
    text = f"{mean:.{digits}f}" if round(mean, 4) else "0"
    if len(percent) > 1 and round(statistics.stdev(percent), 4):
        text += f" ± {statistics.stdev(percent):.{digits}f}"
    return f"{text} %"


def write_csv(path: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Write one row a run; an absent value is an empty field."""
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def write_json(path: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Write one object a run, null for what is absent."""
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(records, stream, indent=1, allow_nan=False)
        stream.write("\n")


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sign(run: GapRun) -> float:
    return 1.0 if run.sense == "minimise" else -1.0


def _number(value: float | None) -> float:
    return math.nan if value is None else value
