"""``cg`` on the family dense: by size, regime and sharing, and what equal sharing costs."""

from __future__ import annotations

from scaling_numbers import seconds_of
from scaling_report import Report

import optkit
from cases.summaries import proofs
from optkit.result import Result

Row = tuple[int, int, str, str]
#: Services, channels, regime and sharing, and the target.
_ROWS: dict[Row, str] = {
    (50, 10, "hard", "fixed"): "mean 0.1 s, all proved",
    (50, 10, "mid", "fixed"): "mean 0.2 s, all proved",
    (50, 10, "soft", "fixed"): "mean 1.6 s, all proved",
    (50, 10, "mid", "equal"): "mean 0.6 s, all proved",
    (100, 15, "hard", "fixed"): "mean 0.1 s, all proved",
    (100, 15, "mid", "fixed"): "mean 0.5 s, all proved",
    (100, 15, "mid", "equal"): "mean 2.9 s, all proved",
    (100, 15, "soft", "fixed"): "all proved in 60 s",
    (200, 15, "hard", "fixed"): "mean 0.3 s, all proved",
    (200, 15, "mid", "fixed"): "mean 1.3 s, all proved",
    (200, 15, "soft", "fixed"): "gap 1.6e-03 in 43 s",
    (300, 30, "mid", "fixed"): "all proved in 10 s",
    (500, 30, "mid", "fixed"): "gap 4.3e-04 in 31 s",
    (1000, 64, "mid", "fixed"): "gap 5.0e-04 in 60 s",
}
_QUICK_ROWS: dict[Row, str] = {
    (16, 4, "hard", "fixed"): "-",
    (16, 4, "mid", "equal"): "-",
    (30, 5, "mid", "fixed"): "-",
}
_PRICED = ((50, 10, "mid"), (100, 15, "mid"))
_QUICK_PRICED = ((16, 4, "mid"),)


def table(report: Report) -> None:
    """Mean and longest seconds of all seeds, and how many were proved."""
    for row, target in (_QUICK_ROWS if report.settings.quick else _ROWS).items():
        results = _solved(report, row)
        if results:
            report.figure(f"table, {_label(row)}", target, proofs(results))


def equal_price(report: Report) -> None:
    """Seconds of an equally shared cloud over those of a fixed speed, same seeds."""
    for services, channels, regime in _QUICK_PRICED if report.settings.quick else _PRICED:
        rows: list[Row] = [(services, channels, regime, sharing) for sharing in ("fixed", "equal")]
        fixed, equal = (_solved(report, row) for row in rows)
        if len(fixed) == len(equal) == len(report.settings.seeds):
            price = sum(map(seconds_of, equal)) / sum(map(seconds_of, fixed))
            measured = f"{price:.3g} ({proofs(equal)})"
            report.figure(
                f"equal over fixed, {services},{channels},{regime}", "at most 3", measured
            )


def _solved(report: Report, row: Row) -> list[Result]:
    """What ``cg`` makes of each seed; failed runs are left out."""
    services, channels, regime, sharing = row
    report.warm_up("dense", "cg", services=12, channels=3, regime=regime, sharing=sharing)
    results = []
    for seed in report.settings.seeds:
        instance = optkit.generate(
            "channel_choice", "dense", seed,
            services=services, channels=channels, regime=regime, sharing=sharing,
        )  # fmt: skip
        results.append(report.ours(f"{_label(row)} seed {seed}", instance, "cg"))
    return [result for result in results if result is not None]


def _label(row: Row) -> str:
    return ",".join(map(str, row))
