"""What a solve returns, on screen and on disk."""

from __future__ import annotations

import csv
import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.errors import BoundError
from optkit.evaluation import Evaluation
from optkit.fields import jsonable
from optkit.files import read_document, write_document
from optkit.reader import Reader


class Status(StrEnum):
    """What is known of the instance after the run."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


class StopReason(StrEnum):
    """Why the run ended."""

    PROVED = "proved"
    GAP = "gap"
    TIME = "time"
    ITERATIONS = "iterations"
    STALL = "stall"
    TARGET = "target"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    CRASHED = "crashed"


@dataclass(frozen=True)
class TracePoint:
    """Incumbent and bound at a moment of the run; ``None`` where there was none."""

    time_s: float
    objective: float | None
    bound: float | None


def relative_gap(objective: float, bound: float) -> float:
    """|objective - bound| / max(|objective|, |bound|), 0 where they are equal."""
    if objective == bound:
        return 0.0
    return abs(objective - bound) / max(abs(objective), abs(bound))


@dataclass(frozen=True, eq=False)
class Result:
    """The decision a method found, the bound it proved, and how the run went.

    Absent numbers are ``None``. The names are those of the result file. Construction refuses a
    bound that a feasible decision disproves (`BoundError`).
    """

    problem: str
    instance: str
    instance_digest: str
    sense: str
    method: str
    options: Mapping[str, Any]
    seed: int
    status: Status
    reason: StopReason
    x: NDArray[np.int64] | None
    decision: Mapping[str, Any] | None
    evaluation: Evaluation | None
    bound: float | None
    details: Mapping[str, Any] = field(default_factory=dict)
    build_s: float | None = None
    solve_s: float | None = None
    compile_s: float | None = None
    trace: tuple[TracePoint, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""

    def __post_init__(self) -> None:
        if self.evaluation is None or not self.evaluation.feasible or self.bound is None:
            return
        slack = self.evaluation.objective - self.bound
        slack = slack if self.sense == "minimise" else -slack
        if slack < -self.evaluation.tolerance:
            raise BoundError(
                f"bound {self.bound!r} is better than the feasible objective "
                f"{self.evaluation.objective!r}"
            )

    @property
    def objective(self) -> float | None:
        """Objective of the decision (see `feasible`), or ``None`` without one."""
        return None if self.evaluation is None else self.evaluation.objective

    @property
    def feasible(self) -> bool:
        """Whether a feasible decision is held."""
        return self.evaluation is not None and self.evaluation.feasible

    @property
    def gap(self) -> float | None:
        """Relative gap of the feasible decision to the bound; ``None`` without both."""
        if self.evaluation is None or not self.feasible or self.bound is None:
            return None
        return relative_gap(self.evaluation.objective, self.bound)

    def to_dict(self) -> dict[str, Any]:
        """The result document, ready for JSON."""
        evaluation = None
        if self.evaluation is not None:
            evaluation = {
                "objective": self.evaluation.objective,
                "scale": self.evaluation.scale,
                "terms": self.evaluation.terms,
                "violations": self.evaluation.violations,
            }
        document: dict[str, Any] = jsonable(
            {
                "problem": self.problem,
                "instance": self.instance,
                "instance_digest": self.instance_digest,
                "sense": self.sense,
                "unit": self.unit,
                "method": self.method,
                "options": self.options,
                "seed": self.seed,
                "status": self.status.value,
                "reason": self.reason.value,
                "x": self.x,
                "decision": self.decision,
                "evaluation": evaluation,
                "bound": self.bound,
                "gap": self.gap,
                "details": self.details,
                "build_s": self.build_s,
                "solve_s": self.solve_s,
                "compile_s": self.compile_s,
                "trace": [[p.time_s, p.objective, p.bound] for p in self.trace],
                "versions": self.versions,
            }
        )
        return document

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result document, atomically."""
        write_document(path, self.to_dict())

    def save_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the trace as CSV with the columns time_s, objective, bound."""
        with open(path, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["time_s", "objective", "bound"])
            for point in self.trace:
                row = (point.time_s, point.objective, point.bound)
                writer.writerow(["" if v is None else repr(v) for v in row])

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Result:
        """Read a result file.

        Raises
        ------
        InstanceError
            The file is not a result document; names the file and the field.
        BoundError
            Its bound is better than the feasible objective it claims.
        """
        return cls.from_dict(read_document(path), os.fspath(path))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], source: str = "") -> Result:
        """Build a result from its document; errors as in `load`."""
        reader = Reader(document, source)
        build = functools.partial(
            cls,
            problem=reader.get("problem", str),
            instance=reader.get("instance", str, ""),
            instance_digest=reader.get("instance_digest", str),
            sense=reader.choice("sense", ("minimise", "maximise")),
            method=reader.get("method", str),
            options=reader.get("options", dict, {}),
            seed=reader.get("seed", int, 0),
            status=Status(reader.choice("status", [s.value for s in Status])),
            reason=StopReason(reader.choice("reason", [r.value for r in StopReason])),
            x=reader.integers("x"),
            decision=reader.get("decision", dict, None),
            evaluation=_evaluation(reader),
            bound=reader.number("bound"),
            details=reader.get("details", dict, {}),
            build_s=reader.number("build_s"),
            solve_s=reader.number("solve_s"),
            compile_s=reader.number("compile_s"),
            trace=tuple(TracePoint(t or 0.0, o, b) for t, o, b in reader.rows("trace", 3)),
            versions=reader.get("versions", dict, {}),
            unit=reader.get("unit", str, ""),
        )
        try:
            return build()
        except BoundError as error:
            where = f"{source}: bound" if source else "bound"
            raise BoundError(f"{where}: {error}") from None


def _evaluation(reader: Reader) -> Evaluation | None:
    value = reader.get("evaluation", dict, None)
    if value is None:
        return None
    inner = Reader(value, reader.source, "evaluation.")
    objective, scale = inner.number("objective"), inner.number("scale")
    if objective is None:  # an infinite objective is null in a file
        objective = -math.inf if reader.document.get("sense") == "maximise" else math.inf
    return Evaluation(
        objective,
        math.inf if scale is None else scale,
        inner.amounts("terms", null=math.nan),
        inner.amounts("violations", null=math.inf),
    )
