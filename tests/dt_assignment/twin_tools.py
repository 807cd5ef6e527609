"""Small instances and decisions that the tests of dt_assignment share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.generate import generate
from formulations.dt_assignment.instance import TwinAssignment

RULES = ("none", "equal", "proportional", "optimal", "wspt")


def tiny(seed: int) -> TwinAssignment:
    return TwinAssignment(generate("tiny", seed))


def decisions(instance: TwinAssignment) -> NDArray[np.int64]:
    """Every decision of a tiny instance."""
    grid = np.indices(tuple(instance.choices)).reshape(instance.twins, -1)
    return np.ascontiguousarray(grid.T).astype(np.int64)


def random_decisions(instance: TwinAssignment, count: int, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng([seed, 7])
    return rng.integers(0, instance.servers, (count, instance.twins))
