"""One training as its trainer sees it: scenarios, seed, interrupt, checkpoints and progress."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from optkit.errors import MethodUnavailable, UsageError
from optkit.instance import Instance
from optkit.learning.archive import Arrays, read_archive, write_archive
from optkit.learning.policy import Policy
from optkit.learning.surroundings import surroundings

#: Generator seeds below this one are never trained on: tests draw from them, and users do.
TRAINED_FROM = 1_000_000
#: Writing a checkpoint may take at most one part in so many of a training.
_PATIENCE = 20.0
_FORMAT = "optkit training"
#: Scenarios in which the fields are sought that never change.
_COMPARED = 8

State = tuple[Mapping[str, Any], Arrays]


@dataclass(frozen=True)
class TrainingProgress:
    """What a progress callback receives after every iteration.

    Parameters
    ----------
    time_s : since this call began.
    iteration, iterations : done and wanted; 0 while the trainer prepares.
    facts : the last measurement by name, or what the trainer is preparing.
    """

    time_s: float
    iteration: int
    iterations: int
    facts: Mapping[str, Any]


class Training:
    """What a trainer ``(training, *, preset, **options) -> Policy`` talks to.

    A trainer checks its options first, then asks for `resumed`, and from time to time offers its
    state to `checkpoint`, with which it can go on exactly where it was.

    Parameters
    ----------
    method, problem, family, parameters, seed : what is trained for what; the parameters are
        those of the problem's generator.
    draw : the instance of a generator seed.
    interrupt : set from outside to end the training.
    policy_path : where the policy goes, if anywhere.
    every_s : seconds between two checkpoints.
    resume : whether to begin with the state that an earlier training left.
    on_progress : called after every iteration.
    command : what a user types to train the same; it is kept in the policy.

    Attributes
    ----------
    unwritten : why the last checkpoint could not be written, else empty.
    """

    def __init__(
        self,
        method: str,
        problem: str,
        family: str,
        parameters: Mapping[str, Any],
        seed: int,
        draw: Callable[[int], Instance],
        *,
        interrupt: threading.Event | None = None,
        policy_path: Path | None = None,
        every_s: float = 30.0,
        resume: bool = False,
        on_progress: Callable[[TrainingProgress], None] | None = None,
        command: str = "",
    ) -> None:
        self.method = method
        self.problem = problem
        self.family = family
        self.parameters = dict(parameters)
        self.seed = seed
        self.interrupt = interrupt or threading.Event()
        self.command = command
        self.unwritten = ""
        self._draw = draw
        self._policy_path = policy_path
        self._state_path = None if policy_path is None else state_file(policy_path)
        self._every_s = every_s
        self._resume = resume
        self._on_progress = on_progress
        self._start = time.monotonic()
        self._due_s = self._start + every_s

    def scenario(self, number: int) -> Instance:
        """The training scenario of that number; those of two seeds differ."""
        return self._draw(TRAINED_FROM * (self.seed + 1) + number)

    def test_scenario(self, number: int) -> Instance:
        """The held-out scenario of that number: the instance of that generator seed."""
        return self._draw(number)

    def description(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What is trained on and how; two calls that agree on it train the same policy."""
        described = {
            "method": self.method,
            "problem": self.problem,
            "family": self.family,
            "parameters": self.parameters,
            "seed": self.seed,
            "options": dict(options),
        }
        plain: dict[str, Any] = json.loads(json.dumps(described))
        return plain

    def resumed(self, options: Mapping[str, Any]) -> State | None:
        """The state to go on from, or ``None`` to begin.

        Raises
        ------
        UsageError
            The state is of another training, or damaged.
        """
        path = self._state_path
        if not self._resume or path is None or not path.exists():
            return None
        name = os.fspath(path)
        document, arrays = read_archive(path, name)
        if document.get("format") != _FORMAT or not isinstance(document.get("state"), dict):
            raise UsageError(f"{name}: is not the state of a training")
        if difference := _difference(document.get("training"), self.description(options)):
            raise UsageError(f"{name}: is the state of another training: {difference}")
        return document["state"], arrays

    def finished(self, options: Mapping[str, Any]) -> Policy | None:
        """The policy that this very training has written already, if it is to be gone on with.

        Raises
        ------
        UsageError
            The file is the policy of another training, or damaged.
        """
        path, state = self._policy_path, self._state_path
        if not self._resume or path is None or not path.exists():
            return None
        if state is not None and state.exists():  # of a later call
            return None
        policy = Policy.load(path)
        described = {"method": policy.method, "problem": policy.problem, **policy.training}
        if difference := _difference(described, self.description(options)):
            raise UsageError(f"{path}: is the policy of another training: {difference}")
        return policy

    def checkpoint(
        self, options: Mapping[str, Any], state: Callable[[], State], now: bool = False
    ) -> None:
        """Write the state that `resumed` gives back, if it is time to or if it is wanted now.

        A file that cannot be written is not worth the training: progress tells of it.
        """
        began = time.monotonic()
        if self._state_path is None or (began < self._due_s and not now):
            return
        document, arrays = state()
        whole = {"format": _FORMAT, "training": self.description(options), "state": document}
        try:
            write_archive(self._state_path, whole, arrays)
            self.unwritten = ""
        except OSError as error:
            self.unwritten = f"{self._state_path}: cannot be written: {error.strerror}"
        took = time.monotonic() - began
        self._due_s = began + took + max(self._every_s, _PATIENCE * took)

    def policy(
        self,
        options: Mapping[str, Any],
        network: Mapping[str, Any],
        arrays: Arrays,
        history: Sequence[Mapping[str, Any]],
        packages: Sequence[str],
    ) -> Policy:
        """What was trained, with all that says how; the versions are those of the packages."""
        described = self.description(options)
        method, problem = described.pop("method"), described.pop("problem")
        described |= {"command": self.command, "versions": _versions(packages)}
        described["shared"] = surroundings([self.test_scenario(i) for i in range(_COMPARED)])
        return Policy(method, problem, network, arrays, described, history)

    def report(self, iteration: int, iterations: int, facts: Mapping[str, Any]) -> None:
        """Tell how it goes: iterations done and wanted, and what else is worth a word."""
        if self._on_progress is not None:
            trouble = {"unwritten": self.unwritten} if self.unwritten else {}
            elapsed = time.monotonic() - self._start
            told = TrainingProgress(elapsed, iteration, iterations, {**facts, **trouble})
            self._on_progress(told)

    def stopped(self) -> bool:
        """Whether the trainer should save its state and return ``None`` now."""
        return self.interrupt.is_set()


def state_file(policy: Path) -> Path:
    """Where the state of a training is kept until its policy is written."""
    return policy.with_name(policy.name + ".state")


def needs(*modules: str) -> None:
    """Check that what training imports is installed.

    Raises
    ------
    MethodUnavailable
        Says what is missing and how to install it.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise MethodUnavailable(f'training needs {", ".join(missing)}: pip install "optkit[learn]"')


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _difference(found: Any, wanted: Mapping[str, Any]) -> str:
    """The first thing in which two descriptions differ; empty where they agree."""
    if not isinstance(found, dict):
        return "it does not say which"
    for key, value in wanted.items():
        other = found.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            names = [name for name in {**value, **other} if value.get(name) != other.get(name)]
            if names:
                key, value, other = names[0], value.get(names[0]), other.get(names[0])
        if value != other:
            return f"{key} was {other!r}, and is now {value!r}"
    return ""
