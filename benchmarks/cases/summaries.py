"""Runs in words, for the table of figures."""

from __future__ import annotations

import statistics

from scaling_numbers import gap_text, seconds_of
from scaling_report import Line

from optkit.result import Result, Status


def proofs(results: list[Result]) -> str:
    """Mean and longest seconds of runs, how many were proofs, and the gap of the others."""
    seconds = [seconds_of(result) for result in results]
    proved = sum(result.status in (Status.OPTIMAL, Status.INFEASIBLE) for result in results)
    words = f"mean {statistics.fmean(seconds):.3g} s, longest {max(seconds):.3g} s"
    words += f", proved {proved}/{len(results)}"
    open_gaps = [r.gap for r in results if r.status is Status.FEASIBLE and r.gap is not None]
    return words + (f", gap at most {gap_text(max(open_gaps))}" if open_gaps else "")


def compared(line: Line) -> str:
    """What an alternative reached, and in how many times our seconds."""
    if line.solve_s is None:
        return line.note
    words = f"gap {gap_text(line.gap)} in {(line.build_s or 0.0) + line.solve_s:.3g} s"
    if line.ratio is not None:
        words += f", {line.ratio:.3g}x the time of ours to the same gap"
    return words
