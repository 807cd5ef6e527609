"""optkit: how far is this placement from the best one, and can you prove it?

The verbs are `load`, `generate`, `solve`, `check`, `train`, `problems` and `methods`; the classes
are loaded when they are first named, so that importing optkit imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit.check import check as check
from optkit.errors import BoundError as BoundError
from optkit.errors import DecisionError as DecisionError
from optkit.errors import InstanceError as InstanceError
from optkit.errors import MethodUnavailable as MethodUnavailable
from optkit.errors import OptkitError as OptkitError
from optkit.errors import SolverError as SolverError
from optkit.errors import UsageError as UsageError
from optkit.generate import generate as generate
from optkit.loading import load as load
from optkit.registry import Method as Method
from optkit.registry import Problem as Problem
from optkit.registry import methods as methods
from optkit.registry import problems as problems
from optkit.solve import solve as solve
from optkit.stop import Stop as Stop
from optkit.train import train as train

if TYPE_CHECKING:
    from optkit.environment import Environment as Environment
    from optkit.evaluation import BatchEvaluation as BatchEvaluation
    from optkit.evaluation import Evaluation as Evaluation
    from optkit.instance import Instance as Instance
    from optkit.result import Result as Result
    from optkit.run import Run as Run
    from optkit.space import Game as Game
    from optkit.space import Space as Space

__version__ = "0.1.0"

_CLASSES = {
    "BatchEvaluation": "optkit.evaluation",
    "Environment": "optkit.environment",
    "Evaluation": "optkit.evaluation",
    "Game": "optkit.space",
    "Instance": "optkit.instance",
    "Result": "optkit.result",
    "Run": "optkit.run",
    "Space": "optkit.space",
}


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise AttributeError(f"module 'optkit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_CLASSES[name]), name)
