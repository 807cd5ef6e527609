"""Cases of dt_assignment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scaling_report import Report

from cases.dt_assignment.assigned import generalised
from cases.dt_assignment.grown import hundred, ten, thirty
from cases.dt_assignment.paper_size import paper_size
from cases.dt_assignment.uncoupled import uncoupled

CASES: Mapping[str, Callable[[Report], None]] = {
    "uncoupled": uncoupled,
    "paper-size": paper_size,
    "10x": ten,
    "30x": thirty,
    "100x": hundred,
    "gap": generalised,
}
