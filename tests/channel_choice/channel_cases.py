"""Instances between what can be enumerated and what is solved in earnest, over all options."""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.channel_choice.generate import generate
from formulations.channel_choice.instance import ChannelChoice

REGIMES = ("hard", "mid", "soft")


def varied(seed: int, least: int = 7, most: int = 11) -> ChannelChoice:
    """A dense instance of a few services on a few channels with every option drawn at random."""
    rng = np.random.default_rng(seed)
    document = generate(
        "dense",
        seed,
        services=int(rng.integers(least, most + 1)),
        channels=int(rng.integers(1, 5)),
        regime=str(rng.choice(REGIMES)),
        wr_db=float(rng.choice([0, 0.3, 3, 6, 20, 40])),
        sharing=str(rng.choice(["fixed", "equal"])),
        cloudx=float(rng.choice([0.5, 1, 2])),
    )
    document["delay_model"] = str(rng.choice(["sum", "parallel"]))
    document["transfer"] = str(rng.choice(["full", "scaled"]))
    document["segmentation"] = "optimal" if rng.random() < 0.7 else float(rng.choice([1.0, 0.7]))
    document["require_profitable"] = bool(rng.random() < 0.6)
    several, timed = rng.random() < 0.3, rng.random() < 0.4
    document["cut_choice"] = "optimal" if several else "given"
    for service in document["services"]:
        cut = service["cuts"][0]
        total = cut["head_flop"] + cut["tail_flop"]
        if several:
            service["cuts"] = [
                {
                    "head_flop": share * total,
                    "tail_flop": total - share * total,
                    "transfer_bits": cut["transfer_bits"] * rng.uniform(0.4, 1.6),
                    "tail_param_bytes": 0.0,
                }
                for share in sorted(rng.uniform(0, 1, 3))
            ]
        if timed and rng.random() < 0.4:
            service["deadline_s"] = float(total / 1.2e12 * rng.uniform(0.8, 3))
    return ChannelChoice(document)


def dense(seed: int, **parameters: Any) -> ChannelChoice:
    """An instance of the dense family."""
    return ChannelChoice(generate("dense", seed, **parameters))
