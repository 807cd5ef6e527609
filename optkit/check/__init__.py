"""The verb ``check``, and the command ``python -m optkit.check``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optkit.instance import Instance
    from optkit.result import Result


@dataclass(frozen=True)
class CheckReport:
    """What a check found: ``problems`` is empty where the result holds."""

    problems: tuple[str, ...]
    facts: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every claim that can be checked from the files alone holds."""
        return not self.problems


def check(instance: Instance, result: Result) -> CheckReport:
    """Evaluate a result's decision anew and compare every claim that can be checked.

    Compared are the digest of the instance, the decision in both forms, objective, terms and
    violations, the status, and that the bound does not cross the objective. A bound itself is
    not proved again.
    """
    from optkit.check.core import compare

    return compare(instance, result)
