"""The same instance with whole models offloaded: what ECC, BDO, ACCO and MTTO do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.instance import ChannelChoice
from optkit.errors import InstanceError


def whole_model(instance: ChannelChoice) -> ChannelChoice | None:
    """The instance with every network cut before its first layer; ``None`` where some first cut
    of the file is not the input."""
    if instance.document.cut_choice == "input":
        return instance
    try:
        return instance.replace(cut_choice="input")
    except InstanceError:
        return None


def whole_objectives(instance: ChannelChoice, x: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Objectives [B] of decisions [B, n] with whole models offloaded, where that can be."""
    whole = whole_model(instance)
    return None if whole is None else whole.evaluate_batch(x).objective


def applies(instance: ChannelChoice) -> str | None:
    """Why whole models cannot be offloaded, or ``None``."""
    if whole_model(instance) is None:
        return "the first cut of some service is not the input of its network"
    return None
