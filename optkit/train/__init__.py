"""The verb ``train``, and the command ``python -m optkit.train``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optkit.learning.policy import Policy
    from optkit.learning.training import TrainingProgress


def train(
    problem: str,
    method: str = "ddl",
    *,
    family: str,
    seed: int = 0,
    preset: str = "paper",
    parameters: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_s: float = 30.0,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> Policy:
    """Train a learned method on the instances of a family and return the policy.

    Training scenarios have generator seeds from 1e6 (seed + 1) on; seeds below 1e6 are held out,
    and the first of them are the test scenarios. Where the generator has a parameter
    ``environment`` (what does not change from scenario to scenario), it is the seed unless given.

    Parameters
    ----------
    problem, method, family : as listed by ``problems()`` and ``methods(problem)``.
    seed : >= 0, of the networks' first weights, of batches and of the scenarios.
    preset : of the method's options: ``paper`` as printed, ``strong`` with its repairs.
    parameters : of the problem's generator.
    options : of the training.
    out : policy file. The state of the training is kept beside it, with the suffix ``.state``,
        until the policy is written.
    resume : go on from the state of an interrupted or killed training, to the same policy as
        without the interruption. A policy that is finished is read; without either, it begins.
    checkpoint_s : seconds between two writings of the state.
    on_progress : called with a `TrainingProgress` after every iteration.

    Raises
    ------
    UsageError
        A wrong name, option or parameter, or a state of another training.
    MethodUnavailable
        The method is not trained, or its packages are not installed.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, with the state written unless the test scenarios were still
        being solved.
    """
    from optkit.train.core import train_policy

    return train_policy(
        problem,
        method,
        family=family,
        seed=seed,
        preset=preset,
        parameters=parameters or {},
        options=options or {},
        out=out,
        resume=resume,
        checkpoint_s=checkpoint_s,
        on_progress=on_progress,
    )
