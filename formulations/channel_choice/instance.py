"""The instance of channel_choice (paper 000, MP-DOB)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from formulations.channel_choice.heads import Heads, head_times
from formulations.channel_choice.objective import evaluate, judge, qos
from formulations.channel_choice.offloading import (
    Offloading,
    compile_heads,
    compile_offloading,
    offloading,
)
from formulations.channel_choice.schema import canonical, parse
from optkit.environment import Environment
from optkit.errors import DecisionError
from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance
from optkit.space import Game

#: How far a fraction in a file may be from the one that follows.
_SAME = 1e-6


class ChannelChoice(Instance):
    """Each service at home (0) or offloaded over one of M channels (1..M), heads at home (0) or,
    with load balance, at the nearest server (1).

    x is the channel of every service, followed with load balance by where every head runs.

    Attributes
    ----------
    document : the checked file, see ``schema``.
    services, servers, channels : N, H and M.
    balanced : whether there is load balance.
    static : the services with heads at home and, where there is load balance, without it.
    heads : data of the load balance, or None without it.
    """

    problem = "channel_choice"
    sense = "maximise"

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = parse(document)
        self.name = self.document.name
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            self.static: Offloading = compile_offloading(self.document)
            self.heads: Heads | None = compile_heads(self.document)
        self.services = len(self.document.services)
        self.servers = len(self.document.servers)
        self.channels = self.document.channels
        self.balanced = self.heads is not None
        options = [self.channels + 1] * self.services
        options += [2] * self.services if self.balanced else []
        self.choices = np.array(options, dtype=np.int64)
        self.choices.setflags(write=False)

    def canonical(self) -> dict[str, Any]:
        """The document with typed numbers, defaults left out."""
        return canonical(self.document)

    @cached_property
    def _at_home(self) -> Offloading:
        return offloading(self, None)

    def offloading(self, omega: NDArray[np.int64] | None = None) -> Offloading:
        """The channel choice with heads held at omega [N]; all at home where it is None."""
        if omega is None or not self.balanced or not np.any(omega):
            return self._at_home
        return offloading(self, omega)

    @property
    def origin(self) -> float:
        """Quality of service with everything at home."""
        o = self.offloading()
        with np.errstate(over="ignore"):
            return float(qos(o, o.local_overhead).sum())

    @cached_property
    def game(self) -> Game:
        """Services that choose their channels, each for its own quality of service; heads stay
        at home."""
        from formulations.channel_choice.game import channel_game

        return channel_game(self)

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        """Judge decisions X [B, n]: the objective is the total quality of service (Eq. 17)."""
        if parts:
            raise DecisionError(f"channel_choice has no part {next(iter(parts))!r}")
        return evaluate(self, self.check_decisions(decisions))

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        """``channel`` (0 is home), with load balance ``head_on_nearest`` (0 or 1), and what the
        evaluator chose: ``cut`` and ``delta`` (0 at home)."""
        decision = self.check_decision(x)
        channel, omega = decision[: self.services], decision[self.services :]
        heads = head_times(self, omega[None]) if self.balanced else (None, None)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            outcome = judge(self.offloading(), channel[None], *heads)
        full = {"channel": channel}
        if self.balanced:
            full["head_on_nearest"] = omega
        full["cut"] = self.static.cut_index[np.arange(self.services), outcome.cut[0]]
        return {**full, "delta": outcome.delta[0]}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """The vector x of a decision.

        ``cut`` and ``delta`` follow from it and may be left out.

        Raises
        ------
        DecisionError
            Something is missing or no decision, or a cut or fraction is not what follows.
        """
        wanted = ["channel"] + ["head_on_nearest"] * self.balanced
        if not set(wanted) <= set(decision) <= {*wanted, "cut", "delta"}:
            names = " and ".join(map(repr, wanted))
            raise DecisionError(f"expected a decision with {names} (and perhaps 'cut', 'delta')")
        x: list[Any] = []
        for name in wanted:
            values = decision[name]
            if not isinstance(values, (list, tuple, np.ndarray)) or len(values) != self.services:
                raise DecisionError(f"{name} is not a list of {self.services} integers")
            x += list(values)
        vector = self.check_decision(x)
        if "cut" in decision or "delta" in decision:
            self._compare(decision, self.decision(vector))
        return vector, {}

    def _compare(
        self, decision: Mapping[str, Any], follows: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Hold ``cut`` and ``delta``, where they are given, to what follows from the rest."""
        for name in ("cut", "delta"):
            if name not in decision:
                continue
            try:
                given = np.asarray(decision[name])
            except ValueError:  # lists of different lengths
                given = np.zeros(0)
            if given.shape != (self.services,) or given.dtype.kind not in "iuf":
                raise DecisionError(f"{name} is not a list of {self.services} numbers")
            wrong = ~(np.abs(given - follows[name]) <= _SAME)
            if wrong.any():
                i = int(np.argmax(wrong))
                raise DecisionError(
                    f"{name}[{i}] is {given[i]:g}, but {follows[name][i]:g} follows from the rest"
                )

    def environment(self) -> Environment[Any]:
        """Services decided one by one, those that gain most on their own first."""
        from formulations.channel_choice.environment import ChannelEnvironment

        return ChannelEnvironment(self)
