"""When to stop: an immutable specification that each run starts its own clock for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optkit.errors import UsageError

#: Name of the threads in which solvers run, by which a command sees that one was left behind.
NATIVE_THREAD = "optkit-native"


@dataclass(frozen=True, slots=True)
class Stop:
    """Limits of one solve; whichever is reached first ends it.

    ``None`` means no limit, except for `rel_gap`, where 0 does.

    Parameters
    ----------
    time_s : wall-clock seconds from the call of ``solve``, building the model included and the
        compiling of kernels on their first use left out.
    iterations : steps of the method (``Run.steps``).
    stall : steps without an improvement of the incumbent.
    target : stop once a feasible objective is at least this good.
    rel_gap : stop once the relative gap is at most this. It only stops: what is called optimal
        does not depend on it.
    """

    time_s: float | None = 60.0
    iterations: int | None = None
    stall: int | None = None
    target: float | None = None
    rel_gap: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("time_s", "rel_gap"):
            value = getattr(self, name)
            absent = value is None and name == "time_s"
            if not absent and not (_is_number(value) and value >= 0):
                raise UsageError(f"Stop.{name} is {value!r}, expected a number >= 0")
        for name in ("iterations", "stall"):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int) or value < 0
            ):
                raise UsageError(f"Stop.{name} is {value!r}, expected an integer >= 0")
        if self.target is not None and not _is_number(self.target):
            raise UsageError(f"Stop.target is {self.target!r}, expected a number")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
