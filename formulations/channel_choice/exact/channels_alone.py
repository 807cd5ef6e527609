"""Channels alone as an instance of their own: what the joint methods hand to the exact ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from formulations.channel_choice.exact import dp, sort
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.objective import judge
from formulations.channel_choice.offloading import SLACK, Offloading
from optkit.errors import UsageError
from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance
from optkit.run import Run
from optkit.stop import Stop

Ints = NDArray[np.int64]
#: Up to so many services the subsets of all are fewer than what columns cost.
_SUBSETS = 12
#: Of the time that is left, for one choice of channels.
_PART = 0.25


class ChannelsAlone(Instance):
    """The choice of channels in an `Offloading`; its objective is the gain over all at home.

    It has no document: it may be a relaxation that no file describes. It offers what the exact
    methods read of a `ChannelChoice` without load balance.
    """

    problem = "channel_choice"
    sense = "maximise"
    balanced = False

    def __init__(self, o: Offloading) -> None:
        self.name = ""
        self.static = o
        self.services, self.channels = len(o.power_w), o.channels
        self.choices = np.full(self.services, o.channels + 1)

    def offloading(self, omega: NDArray[np.int64] | None = None) -> Offloading:
        """The problem itself."""
        return self.static

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        """Judge channels X [B, N]."""
        o = self.static
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            outcome = judge(o, decisions)
            own = np.log2((o.threshold + outcome.local_overhead) / (o.threshold + outcome.overhead))
        away = decisions > 0
        late = np.where(away, outcome.delay_s > o.deadline_s * (1 + SLACK), o.late_at_home)
        dear = away & (outcome.overhead > outcome.local_overhead * (1 + SLACK))
        dear &= o.require_profitable
        return BatchEvaluation(
            own.sum(axis=1),
            np.abs(own).sum(axis=1),
            {"gain": own},
            {"deadline": late.astype(float), "unprofitable": dear.astype(float)},
        )

    def canonical(self) -> dict[str, Any]:
        """Refused: there is no document."""
        raise UsageError("a choice of channels alone has no document")

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        """The channels."""
        return {"channel": self.check_decision(x)}

    def from_decision(self, decision: Mapping[str, Any]) -> tuple[Ints, dict[str, Any]]:
        """The vector x of a decision."""
        return self.check_decision(decision["channel"]), {}


def choose_channels(o: Offloading, run: Run, start: Ints | None = None) -> Run:
    """The best channels of a problem, as a run of its own within a part of `run`'s time.

    Its `x` are channels, its `objective` their gain over all at home, its `best_bound` a bound
    on any gain (``None`` if it was stopped before there was one).

    Parameters
    ----------
    o : the problem.
    run : gives time, threads, seed and interrupt.
    start : [N] channels to begin with.
    """
    alone = ChannelsAlone(o)
    left_s = run.remaining_s  # negative where the limit has just passed
    part = Run(
        alone,
        Stop(time_s=max(0.0, _PART * left_s) if np.isfinite(left_s) else None, rel_gap=0.0),
        seed=run.seed,
        threads=run.threads,
        warm_start=None if start is None else (start, {}),
        proves_bound=True,
        parent=run,
    )
    # What the methods read of an instance is there.
    instance = cast("ChannelChoice", alone)
    if start is not None:
        part.found(start)
    if alone.channels >= alone.services:
        sort.sort(instance, part)
    elif alone.services <= _SUBSETS:
        dp.dp(instance, part)
    else:
        from formulations.channel_choice.exact import cg

        cg.cg(instance, part)
    return part
