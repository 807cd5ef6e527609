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
GAIN_DEFINITION = "gain share = |r - o| / |r - origin|, origin the objective of doing nothing."
_COLUMNS = (
    "problem", "family", "instance", "instance_digest", "seed", "method", "used", "status",
    "reason", "objective", "bound", "reference", "proven", "gap", "gain_share", "feasible",
    "seconds", "note",
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
    """The gap by `DEFINITION`; ``None`` without a feasible decision or a reference."""
    if not run.feasible or run.objective is None or reference.value is None:
        return None
    difference = _sign(run) * (run.objective - reference.value)
    if difference == 0:
        return 0.0
    return difference / abs(reference.value) if reference.value else math.inf


def gain_share_of(run: GapRun, reference: Reference) -> float | None:
    """What of the possible gain over doing nothing is missed; ``None`` without an origin."""
    if gap_of(run, reference) is None or run.origin == 0 or reference.value == run.origin:
        return None
    missed = abs(_number(reference.value) - _number(run.objective))
    return missed / abs(_number(reference.value) - run.origin)


class GapTable:
    """Runs by instance with their references.

    Attributes
    ----------
    runs : all runs, ordered as the families, seeds and methods were asked for.
    references : by (family, seed).
    """

    def __init__(
        self, runs: Sequence[GapRun], families: Sequence[str], methods: Sequence[str]
    ) -> None:
        self.runs = sorted(
            runs, key=lambda r: (families.index(r.family), r.seed, methods.index(r.method))
        )
        self._families = [f for f in families if any(run.family == f for run in runs)]
        self._methods = [m for m in methods if any(run.method == m for run in runs)]
        groups: dict[tuple[str, int], list[GapRun]] = {}
        for run in self.runs:
            groups.setdefault((run.family, run.seed), []).append(run)
        self.references = {key: reference_of(group) for key, group in groups.items()}

    @property
    def contradictions(self) -> list[str]:
        """Claims of runs that cannot all be true: some method or solver is wrong."""
        return [text for found in self.references.values() for text in found.contradictions]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Titles of the columns and one row of cells a method."""
        gains = {run.family for run in self.runs if run.origin != 0}
        titles = ["method"]
        for family in self._families:
            titles += [family] + ([f"{family}: gain share"] if family in gains else [])
        rows = []
        for method in self._methods:
            row = [method]
            for family in self._families:
                row.append(self._cell(method, family))
                if family in gains:
                    row.append(self._mean(method, family, gain_share_of))
            rows.append(row)
        return titles, rows

    def notes(self) -> list[str]:
        """One line a family on its instances and references, and what did not work."""
        lines = []
        for family in self._families:
            found = [r for (name, _), r in self.references.items() if name == family]
            solvable = [reference for reference in found if not reference.infeasible]
            proven = sum(reference.proven for reference in solvable)
            count = "1 instance" if len(found) == 1 else f"{len(found)} instances"
            line = f"{family}: {count}, optimum proven on {proven}/{len(solvable)}"
            if len(solvable) < len(found):
                line += f", {len(found) - len(solvable)} proven infeasible and left out"
            used = {run.used for run in self.runs if run.family == family and run.method == "auto"}
            lines.append(line + (f"; auto is {', '.join(sorted(used))}" if used else ""))
        failed = [run for run in self.runs if run.status in ("unavailable", "crashed")]
        texts = [f"{run.method} on {run.family}: {run.note}" for run in failed]
        return lines + list(dict.fromkeys(texts))

    def records(self, problem: str) -> list[dict[str, Any]]:
        """One plain mapping a run; absent and infinite numbers are ``None``."""
        records = []
        for run in self.runs:
            reference = self.references[run.family, run.seed]
            values = vars(run) | {
                "problem": problem,
                "reference": reference.value,
                "proven": reference.proven,
                "gap": gap_of(run, reference),
                "gain_share": gain_share_of(run, reference),
            }
            records.append({name: _plain(values[name]) for name in _COLUMNS})
        return records

    def _cell(self, method: str, family: str) -> str:
        runs = self._solvable(method, family)
        if not runs:
            return "-"
        if all(run.status == "unavailable" for run in runs):
            return "does not apply"
        good = [run for run in runs if run.feasible]
        parts = [self._mean(method, family, gap_of)] if good else []
        if len(good) < len(runs):
            parts.append(f"feasible {len(good)}/{len(runs)}")
        times = [run.seconds for run in runs if run.seconds is not None]
        if times:
            parts.append(f"{statistics.fmean(times):.2g} s")
        return ", ".join(parts) or "failed"

    def _mean(
        self, method: str, family: str, measure: Callable[[GapRun, Reference], float | None]
    ) -> str:
        """Mean ± spread of a measure over the feasible runs, ≤ where optima are not proven."""
        values, proven = [], True
        for run in self._solvable(method, family):
            reference = self.references[run.family, run.seed]
            value = measure(run, reference)
            if value is not None:
                values.append(value)
                proven = proven and reference.proven
        return ("" if proven else "≤ ") + spread(values) if values else "-"

    def _solvable(self, method: str, family: str) -> list[GapRun]:
        return [
            run
            for run in self.runs
            if run.method == method
            and run.family == family
            and not self.references[run.family, run.seed].infeasible
        ]


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
