"""How a training goes, and how it ended, in a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from optkit.errors import one_line
from optkit.learning.policy import Policy
from optkit.learning.training import TrainingProgress
from optkit.solve.progress import shown


def progress(
    problem: str, method: str, quiet: bool
) -> AbstractContextManager[Callable[[TrainingProgress], None] | None]:
    """A callback for ``train`` that shows how it goes; ``None`` where nothing is wanted."""
    return shown(lambda now: describe(now, f"{problem}: {method}"), quiet)


def describe(now: TrainingProgress, label: str) -> str:
    """One line: elapsed time, iterations, and what was measured last."""
    facts = [f"{now.time_s:.0f} s"]
    if (preparing := now.facts.get("preparing")) is not None:
        facts.append(f"preparing: {preparing}")
    else:
        facts.append(f"iteration {now.iteration:,} of {now.iterations:,}")
        facts += measured(now.facts)
    if unwritten := now.facts.get("unwritten"):
        facts.append(str(unwritten))
    return one_line(f"{label}: {', '.join(facts)}")


def measured(facts: Mapping[str, Any]) -> list[str]:
    """The numbers of a measurement that are known, as words."""
    forms = {
        "loss": "loss {:.4g}",
        "convergence": "C {:.4f}",
        "mean_cost": "mean cost {:.6g}",
        "gap": "gap {:.3%}",
        "hits": "{:.1%} of positions optimal",
    }
    known = {name: facts.get(name) for name in forms}
    return [form.format(known[name]) for name, form in forms.items() if known[name] is not None]


def closing(policy: Policy, out: str) -> str:
    """What the command prints at its end."""
    history = policy.history
    last = ", ".join(measured(history[-1])) if history else ""
    size = sum(array.size for array in policy.arrays.values())
    return f"{out}: {size:,} weights{'; on held-out scenarios: ' if last else ''}{last}"
