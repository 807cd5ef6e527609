"""Load balance alone: the dynamic programme beside a MIP and a constraint programme."""

from __future__ import annotations

from typing import Any

from scaling_numbers import seconds_of
from scaling_report import Report

import optkit
from optkit.errors import BoundError
from optkit.result import Result

_METHODS = ("balance_dp", "balance_mip", "balance_cp")
#: Servers, services at each, whether their number varies, and the target of the first method.
_SHAPES = (
    (9, 8, False, "1 ms"),
    (50, 4, True, "45 ms"),
    (1000, 1, False, "100 ms"),
    (1000, 4, True, "1.7 s"),
)
_QUICK_SHAPES = ((9, 2, True, "-"),)
#: Beyond so many services the constraint programme finds nothing.
_MOST_CP = 500
_SAME = 1e-6


def balance(report: Report) -> None:
    """Heads on their own or the nearest server, everything at home."""
    limit_s = report.settings.other_s
    for servers, each, uneven, target in _QUICK_SHAPES if report.settings.quick else _SHAPES:
        instance: Any = optkit.generate(
            "channel_choice", "balance", 0, servers=servers, per_server=each, uneven=uneven
        )
        size = f"H={servers:,} N={instance.services:,}"
        found: dict[str, Result] = {}
        for method in _METHODS:
            if method == "balance_cp" and instance.services > _MOST_CP:
                continue
            report.warm_up("balance", method, servers=4, per_server=2)
            result = report.ours(size, instance, method, limit_s=limit_s, note=_how)
            if result is not None:
                found[method] = result
        _agree(size, found)
        for method, result in found.items():
            words = f"{1e3 * seconds_of(result):.3g} ms, {_how(result)}"
            if method != "balance_dp" and "balance_dp" in found:
                ratio = seconds_of(result) / max(seconds_of(found["balance_dp"]), 1e-6)
                words += f", {ratio:.3g}x balance_dp"
            aim = target if method == "balance_dp" else "-"
            report.figure(f"balance, {size}, {method}", aim, words)


def _how(result: Result) -> str:
    return str(result.details.get("balance", "no answer"))


def _agree(size: str, found: dict[str, Result]) -> None:
    """Methods that call their answer exact have the same objective.

    Raises
    ------
    BoundError
        They have not.
    """
    exact = {
        method: result.objective
        for method, result in found.items()
        if _how(result) == "exact" and result.objective is not None
    }
    if exact and max(exact.values()) - min(exact.values()) > _SAME * max(map(abs, exact.values())):
        raise BoundError(f"{size}: exact methods differ, {exact}")
