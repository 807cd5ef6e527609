"""How one training goes, from names to the policy file."""

from __future__ import annotations

import inspect
import json
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optkit.errors import UsageError, suggestion
from optkit.generate import drawing
from optkit.learning.policy import Policy
from optkit.learning.training import Training, TrainingProgress, state_file
from optkit.registry import methods, resolve
from optkit.registry import problem as find_problem
from optkit.solve.signals import interruptible

_ENVIRONMENT = "environment"


def train_policy(
    problem: str,
    method: str,
    *,
    family: str,
    seed: int,
    preset: str,
    parameters: Mapping[str, Any],
    options: Mapping[str, Any],
    out: str | os.PathLike[str] | None,
    resume: bool,
    checkpoint_s: float,
    on_progress: Callable[[TrainingProgress], None] | None,
) -> Policy:
    """Train, as ``optkit.train`` says."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"the seed is {seed!r}, expected an integer >= 0")
    trainer = _trainer(problem, method)
    settled = dict(parameters)
    if _ENVIRONMENT in inspect.signature(resolve(find_problem(problem).generate)).parameters:
        settled.setdefault(_ENVIRONMENT, seed)
    draw = drawing(problem, family, **settled)
    target = None if out is None else Path(out)
    if target is not None:
        _check_writable(target)
    with interruptible() as interrupt:
        training = Training(
            method,
            problem,
            family,
            settled,
            seed,
            draw,
            interrupt=interrupt,
            policy_path=target,
            every_s=checkpoint_s,
            resume=resume,
            on_progress=on_progress,
            command=_command(problem, method, family, seed, preset, parameters, options),
        )
        policy = trainer(training, preset=preset, **options)
    if policy is None:
        if training.unwritten:
            raise UsageError(training.unwritten)
        raise KeyboardInterrupt
    if target is not None and policy.source != os.fspath(target):
        try:
            policy.save(target)
        except OSError as error:
            raise UsageError(f"{target}: cannot be written: {error.strerror}") from None
        state_file(target).unlink(missing_ok=True)
    return policy


def _trainer(problem: str, name: str) -> Callable[..., Policy | None]:
    known = methods(problem)
    trained = {key: method for key, method in known.items() if method.train is not None}
    if name not in known:
        raise UsageError(
            f"unknown method {name[:60]!r} for {problem}{suggestion(name, trained)}; "
            f"trained ones: {', '.join(trained)}"
        )
    if name not in trained:
        raise UsageError(f"method {name} is not trained; trained ones: {', '.join(trained)}")
    trainer: Callable[..., Policy | None] = resolve(str(known[name].train))
    return trainer


def _check_writable(target: Path) -> None:
    if target.is_dir():
        raise UsageError(f"{target}: is a directory, expected a file")
    if not os.access(target.parent, os.W_OK):
        state = "cannot be written" if target.parent.exists() else "does not exist"
        raise UsageError(f"the folder {target.parent} {state}")


def _command(
    problem: str,
    method: str,
    family: str,
    seed: int,
    preset: str,
    parameters: Mapping[str, Any],
    options: Mapping[str, Any],
) -> str:
    """What a user types for the same training, but where its policy goes."""
    words = ["optkit", "train", problem, "--method", method, "--family", family]
    words += ["--seed", str(seed), "--preset", preset]
    for flag, values in (("-p", parameters), ("-o", options)):
        for name, value in values.items():
            words += [flag, f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)
