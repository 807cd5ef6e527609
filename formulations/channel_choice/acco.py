"""ACCO: services and channels paired greedily for the system (baseline of paper 000)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from formulations.channel_choice.acco_kernels import commit_in_order, commit_pairs
from formulations.channel_choice.exact.held import Held
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.whole_model import applies, whole_model
from optkit.errors import MethodUnavailable
from optkit.run import Run
from optkit.search.games import TOLERANCE

_STEPS = 8  # pairs, or services in order, between two looks at the limits


def acco(
    instance: ChannelChoice,
    run: Run,
    *,
    variant: Literal["greedy", "index"] = "greedy",
    cut: Literal["given", "whole"] = "given",
) -> None:
    """From all at home, one service after another to the channel that helps the system most.

    A service that was offloaded stays so, even if it loses by those that come later. With
    deadlines, fewer late services come before a larger gain. Where heads run is held.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes; one iteration a few services.
    variant : the best pair of all services and channels again and again ("greedy"), or one pass
        over the services in the order of the file ("index").
    cut : decide with the instance's partition, or as if whole models were offloaded, as in the
        paper that ACCO comes from; the decision is judged on the instance in either case, and
        the detail ``whole_model_objective`` is what "whole" believes.
    """
    held = Held(instance, run)
    whole = whole_model(instance) if cut == "whole" else None
    if cut == "whole" and whole is None:
        raise MethodUnavailable(f"method acco cannot offload whole models: {applies(instance)}")
    o = held.offloading if whole is None else Held(whole, run).offloading
    x = np.zeros(instance.services, dtype=np.int64)
    if variant == "greedy":
        for _ in run.steps():
            if commit_pairs(o, x, TOLERANCE, _STEPS):
                break
    else:
        for first in run.steps(range(0, len(x), _STEPS)):
            commit_in_order(o, x, first, min(first + _STEPS, len(x)), TOLERANCE)
    held.found(x)
    run.note(offloaded=int(np.count_nonzero(x)))
    if whole is not None:
        believed = whole.evaluate(held.decision(x))
        run.note(whole_model_objective=believed.objective)
