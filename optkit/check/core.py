"""The comparisons behind ``check``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from optkit.check import CheckReport
from optkit.errors import DecisionError
from optkit.evaluation import Evaluation
from optkit.instance import Instance
from optkit.result import Result, Status
from optkit.wording import shortened, show

_RELATIVE = 1e-9


def compare(instance: Instance, result: Result) -> CheckReport:
    """See `optkit.check.check`."""
    problems: list[str] = []
    facts: list[str] = []
    if result.problem != instance.problem:
        problem = shortened(result.problem)
        problems.append(f"the result is of problem {problem}, the instance of {instance.problem}")
        return CheckReport(tuple(problems), tuple(facts))
    if result.instance_digest != instance.digest:
        problems.append(
            f"the result is of another instance: digest {result.instance_digest[:12]}, "
            f"this instance has {instance.digest[:12]}"
        )
    if result.sense != instance.sense:
        problems.append(f"the file says {result.sense}, the problem is to {instance.sense}")
    if result.decision is None and result.x is None:
        if result.status in (Status.OPTIMAL, Status.FEASIBLE):
            problems.append(f"status is {result.status.value}, but the file holds no decision")
        facts.append("no decision to evaluate")
        return CheckReport(tuple(problems), tuple(facts))
    try:
        evaluation = _evaluate(instance, result, problems)
    except DecisionError as error:
        problems.append(str(error))
        return CheckReport(tuple(problems), tuple(facts))
    _compare_evaluation(evaluation, result, problems, facts)
    _compare_status(evaluation, result, instance, problems, facts)
    return CheckReport(tuple(problems), tuple(facts))


def _evaluate(instance: Instance, result: Result, problems: list[str]) -> Evaluation:
    if result.decision is None:
        return instance.evaluate(instance.check_decision(result.x if result.x is not None else []))
    x, parts = instance.from_decision(result.decision)
    x = instance.check_decision(x)
    if result.x is not None and not np.array_equal(x, result.x):
        problems.append("x and decision are not the same decision")
    return instance.evaluate(x, **parts)


def _compare_evaluation(
    found: Evaluation, result: Result, problems: list[str], facts: list[str]
) -> None:
    claimed = result.evaluation
    if claimed is None:
        problems.append("the file holds a decision, but not its evaluation")
        return
    scale = found.scale if math.isfinite(found.scale) else 1.0
    if not _same(claimed.objective, found.objective, scale):
        problems.append(f"objective is {found.objective!r}, the file says {claimed.objective!r}")
    else:
        facts.append(f"objective {found.objective!r} confirmed")
    for kind in ("terms", "violations"):
        ours: Mapping[str, Any] = getattr(found, kind)
        theirs: Mapping[str, Any] = getattr(claimed, kind)
        for name in sorted({*ours, *theirs}):
            field = f"evaluation.{kind}.{shortened(name)}"
            if name not in ours:
                problems.append(f"{field} is in the file, but {result.problem} has none")
            elif name not in theirs:
                problems.append(f"{field} is missing from the file")
            elif not _same(theirs[name], ours[name], 0.0):
                problems.append(f"{field} is {_show(ours[name])}, the file says "
                                f"{_show(theirs[name])}")  # fmt: skip


def _compare_status(
    found: Evaluation, result: Result, instance: Instance, problems: list[str], facts: list[str]
) -> None:
    for name, amount in found.broken.items():
        facts.append(f"violation {name}: {np.sum(amount):g}")
    if result.status in (Status.OPTIMAL, Status.FEASIBLE) and not found.feasible:
        problems.append(f"status is {result.status.value}, but the decision is not feasible")
    if result.status is Status.INFEASIBLE and found.feasible:
        problems.append("status is infeasible, but the decision is feasible")
    if not found.feasible or result.bound is None:
        if result.status is Status.OPTIMAL:
            problems.append("status is optimal, but a feasible decision or a bound is missing")
        return
    slack = found.objective - result.bound
    slack = slack if instance.sense == "minimise" else -slack
    if slack < -found.tolerance:
        problems.append(f"bound {result.bound!r} is better than the objective it bounds")
    elif slack > found.tolerance and result.status is Status.OPTIMAL:
        problems.append(f"status is optimal, but the bound {result.bound!r} leaves a gap")
    else:
        facts.append(f"bound {result.bound!r} agrees with status {result.status.value}")


def _show(value: Any) -> str:
    return show(value) if np.ndim(value) == 0 else "another array"


def _same(claimed: Any, found: Any, scale: float) -> bool:
    try:
        left = np.asarray(claimed, dtype=float)
    except (TypeError, ValueError):
        return False
    right = np.asarray(found, dtype=float)
    if left.shape != right.shape:
        return False
    right = np.where(np.isfinite(right), right, np.nan)  # a file holds null for infinities
    left = np.where(np.isfinite(left), left, np.nan)
    slack = _RELATIVE * np.maximum(np.abs(right), scale) + 1e-15
    return bool(np.all((np.isnan(left) & np.isnan(right)) | (np.abs(left - right) <= slack)))
