"""Instances with load balance over every graph of nearest servers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice
from optkit.evaluation import Evaluation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GRAPHS = ("any", "plane", "star", "ring")


def nearest_of(rng: np.random.Generator, graph: str, servers: int) -> Ints:
    """A server nearest to each: any other, in a plane, all but one the same, or a ring."""
    if graph == "any":
        step = rng.integers(1, servers, servers)
        return np.asarray((np.arange(servers) + step) % servers)
    if graph == "plane":
        place = rng.random((servers, 2))
        distance = ((place[:, None] - place) ** 2).sum(axis=2)
        np.fill_diagonal(distance, np.inf)
        return np.asarray(distance.argmin(axis=1))
    if graph == "star":
        return np.array([1] + [0] * (servers - 1))
    return np.roll(np.arange(servers), -1)


def crowded(
    seed: int,
    graph: str = "any",
    servers: int = 3,
    services: int | None = None,
    homes: str = "random",
    **parameters: Any,
) -> ChannelChoice:
    """A tiny instance with other servers, and perhaps more services.

    `homes` puts services on servers at "random", in "turn", or all on "one".
    """
    rng = np.random.default_rng([seed, 23])
    document = generate("tiny", seed, balanced=True, **parameters)
    given, hosts = document["services"], document["servers"]
    count = len(given) if services is None else services
    nearest = nearest_of(rng, graph, servers)
    document["servers"] = [
        {
            **hosts[h % len(hosts)],
            "nearest": int(nearest[h]),
            "speed_flop_per_s": hosts[h % len(hosts)]["speed_flop_per_s"] * rng.uniform(0.7, 1.5),
        }
        for h in range(servers)
    ]
    document["services"] = [
        {**given[i % len(given)], "channel_gain": given[i % len(given)]["channel_gain"] * factor}
        for i, factor in enumerate(rng.uniform(0.7, 1.5, count))
    ]
    for i, service in enumerate(document["services"]):
        place = {"random": rng.integers(servers), "turn": i % servers, "one": 0}
        service["server"] = int(place[homes])
    return ChannelChoice(document)


def best_by_enumeration(instance: ChannelChoice, channel: Ints) -> Evaluation:
    """The best of all places of the heads."""
    places = np.array(list(itertools.product((0, 1), repeat=instance.services)))
    channels = np.broadcast_to(channel, places.shape)
    batch = instance.evaluate_batch(np.concatenate([channels, places], axis=1))
    return batch[batch.best("maximise")]
