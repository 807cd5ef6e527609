"""The Environment contract: decisions built step by step, many copies at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

State = TypeVar("State")


class Environment(ABC, Generic[State]):
    """Builds B decisions of one instance in parallel, one position a step.

    A state is opaque to its users and holds all B copies. Every step costs something; over all
    steps the costs add up to the objective (to its negative where the sense is to maximise), so
    a cost is always to be made small.

    Attributes
    ----------
    order : [steps] the position of the decision vector that each step fills.
    options : the largest number of options of any step (the width of `mask` and `costs`).
    observation_size : features of one observation.
    """

    order: NDArray[np.int64]
    options: int
    observation_size: int

    @abstractmethod
    def reset(self, batch: int) -> State:
        """State of B empty decisions."""

    @abstractmethod
    def mask(self, state: State) -> NDArray[np.bool_]:
        """[B, options]: which options of the next step are allowed.

        A row without any allowed option is a dead end."""

    @abstractmethod
    def costs(self, state: State) -> NDArray[np.float64]:
        """[B, options]: cost of each option of the next step; infinite where impossible."""

    @abstractmethod
    def step(self, state: State, action: NDArray[np.int64]) -> tuple[State, NDArray[np.float64]]:
        """Take action [B]; the next state and what the step cost [B]."""

    @abstractmethod
    def observe(self, state: State) -> NDArray[np.float32]:
        """[B, observation_size]: what a policy sees before the next step."""

    @abstractmethod
    def select(self, state: State, rows: NDArray[np.int64]) -> State:
        """State made of the named rows of this one (repeats allowed), for beam search."""

    @abstractmethod
    def decisions(self, state: State) -> tuple[NDArray[np.int64], Mapping[str, Any]]:
        """Decisions X [B, n] and their parts, of a state after the last step."""

    def features(self) -> NDArray[np.float32] | None:
        """[n, features]: what a policy that decides all positions at once sees of each position
        of the decision vector; ``None`` where the problem describes none."""
        return None
