"""Distributed deep learning (paper 004): the best of what K trained networks decide at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optkit.errors import UsageError
from optkit.instance import Instance
from optkit.learning.choosing import best_of, features_of, improved
from optkit.learning.networks import Networks
from optkit.learning.policy import find_policy
from optkit.learning.surroundings import changes
from optkit.run import Run


def applies(instance: Instance) -> str | None:
    """Why no network can decide this instance at once, or ``None``."""
    if features_of(instance) is None:
        return "the problem describes no features of its positions"
    if not np.array_equal(instance.space.choices, instance.choices):
        return "what is searched is not the decision vector itself"
    return None


def decide(
    instance: Instance, run: Run, *, policy: str | None = None, polish: bool = False
) -> None:
    """Let every network decide and keep the best decision (paper 004, Algorithm 1, lines 19-25).

    The result's details hold ``networks`` and how many of their decisions are ``distinct``,
    ``decision_s`` (features, networks and choice, without reading the policy), ``trained_on``,
    and ``changed_since_training``: the fields in which the instance differs from what all
    scenarios of the training shared, of which a policy knows nothing.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    policy : file of ``optkit train``; absent, the one that the problem ships.
    polish : whether to go on with the best change of a single position while one helps.
    """
    found = find_policy(instance.problem, "ddl", policy)
    try:
        networks = Networks.restored(found.network, found.arrays)
        run.built()
        began_s = run.elapsed_s
        features = features_of(instance)
        assert features is not None  # as `applies` says
        networks.check(instance, features)
    except UsageError as error:
        raise UsageError(f"{found.source}: {error}") from None
    decisions = networks.decide(features[None])[:, 0]
    best = best_of(instance, decisions)
    took_s = run.elapsed_s - began_s
    _report(instance, run, best)
    training = found.training
    run.note(
        networks=len(networks),
        distinct=len(np.unique(decisions, axis=0)),
        decision_s=took_s,
        trained_on={key: training.get(key) for key in ("family", "parameters", "seed")},
        changed_since_training=changes(instance, training.get("shared") or {}),
    )
    if polish:
        _report(instance, run, improved(instance, best, stopped=run.stopped))


def _report(instance: Instance, run: Run, vector: NDArray[np.int64]) -> None:
    x, parts = instance.space.decode(vector[None])
    run.found(x[0], **{name: part[0] for name, part in parts.items()})
