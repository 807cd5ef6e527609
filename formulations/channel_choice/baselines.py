"""The baselines of paper 000 that compute nothing; heads always run at home."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.whole_model import whole_objectives
from optkit.run import Run
from optkit.search.batches import at_least

Ints = NDArray[np.int64]


def elc(instance: ChannelChoice, run: Run) -> None:
    """ELC: everything at the edge servers.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    """
    run.found(np.zeros(len(instance.choices), dtype=np.int64))


def ecc(instance: ChannelChoice, run: Run) -> None:
    """ECC: everything to the cloud, service i over channel 1 + (i mod M).

    The paper offloads whole models: that objective is the detail ``whole_model_objective``
    (``None`` where the file has no cut before the first layer).

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    """
    channel = 1 + np.arange(instance.services, dtype=np.int64) % instance.channels
    x = with_heads_at_home(instance, channel[None])
    run.found(x[0])
    whole = whole_objectives(instance, x)
    run.note(whole_model_objective=None if whole is None else float(whole[0]))


def bdo(instance: ChannelChoice, run: Run, *, draws: int = 50) -> None:
    """BDO: each service to the cloud with probability 1/2, over a uniformly random channel.

    The best draw is kept; what the paper plots is the mean: the result's details hold over all
    draws ``mean_objective`` and ``mean_gain`` (over the origin), infeasible draws included, and
    with whole models, which is what the paper offloads, ``whole_model_mean_objective`` (``None``
    where the file has no cut before the first layer); and ``feasible_draws``.

    Parameters
    ----------
    instance : what is solved.
    run : where the decisions go.
    draws : how many decisions are drawn.
    """
    at_least(1, draws=draws)
    shape = (draws, instance.services)
    channel = run.rng.integers(1, instance.channels + 1, size=shape)
    x = with_heads_at_home(instance, np.where(run.rng.random(shape) < 0.5, channel, 0))
    judged = instance.evaluate_batch(x)
    run.found(x[judged.best(instance.sense)])
    mean = float(judged.objective.mean())
    whole = whole_objectives(instance, x)
    run.note(
        draws=draws,
        feasible_draws=int(np.count_nonzero(judged.feasible)),
        mean_objective=mean,
        mean_gain=mean - instance.origin,
        whole_model_mean_objective=None if whole is None else float(whole.mean()),
    )


def with_heads_at_home(instance: ChannelChoice, channel: Ints) -> Ints:
    """Decisions [B, n] of channels [B, N]."""
    if not instance.balanced:
        return channel
    return np.concatenate([channel, np.zeros_like(channel)], axis=1)
