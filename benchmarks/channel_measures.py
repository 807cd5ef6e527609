"""What the claims of paper 000 are judged by: runs of every method over regimes and scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import optkit
from formulations.channel_choice.instance import ChannelChoice
from optkit.result import Result

#: What the paper leaves open: J/FLOP as 1e-11, 1e-10 and 1e-9, and few channels to a cheap cloud.
REGIMES: dict[str, dict[str, Any]] = {
    "1e-11 J/FLOP": {"energy_unit": 1e-11},
    "1e-10 J/FLOP": {"energy_unit": 1e-10},
    "1e-9 J/FLOP": {"energy_unit": 1e-9},
    "5 channels, cheap cloud": {"channels": 5, "cloud_energy_low": 0.4},
}
#: Curves of Figs. 3-6: quality of service, and shares of offloading.
CURVES = (
    "ELC", "ECC", "BDO", "MP-DOB", "MP-DOB system", "MTTO", "ACCO", "ACCO whole", "ACCO index",
    "FLOP share", "FLOP share ACCO",
)  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """Arrays over regimes, scales and seeds [R, S, seeds], by name.

    Attributes
    ----------
    scales : services at each of the 9 servers.
    curves : `CURVES`.
    spread : largest minus smallest objective over random update orders (Fig. 8), and "mean".
    game : slots, drops, whether it converged, and its largest gain (Fig. 9).
    balance : quality of service of MP-DOB without and with load balance (Fig. 7), [1, S, seeds].
    """

    scales: tuple[int, ...]
    curves: dict[str, NDArray[np.float64]]
    spread: dict[str, NDArray[np.float64]]
    game: dict[str, NDArray[np.float64]]
    balance: dict[str, NDArray[np.float64]]


def measure(
    scales: Sequence[int], seeds: Sequence[int], orders: int, tell: Callable[[str], None]
) -> Measures:
    """Run everything; `orders` random update orders stand for all."""
    shape = (len(REGIMES), len(scales), len(seeds))
    tables: list[dict[str, NDArray[np.float64]]] = [{}, {}, {}]
    for r, (regime, parameters) in enumerate(REGIMES.items()):
        for s, scale in enumerate(scales):
            tell(f"{regime}, {scale} services a server")
            for number, seed in enumerate(seeds):
                instance = _paper(seed, per_server=scale, **parameters)
                for table, values in zip(tables, _runs(instance, seed, orders), strict=True):
                    for name, value in values.items():
                        table.setdefault(name, np.full(shape, np.nan))[r, s, number] = value
    balance = {name: np.empty((1, len(scales), len(seeds))) for name in ("without", "with")}
    for s, scale in enumerate(scales):
        tell(f"load balance, {scale} services a server")
        for number, seed in enumerate(seeds):
            joint = optkit.generate(
                "channel_choice", "joint", seed, per_server=scale, energy_unit=1e-11
            )
            for name, method in (("without", "mp_dob_channels"), ("with", "mp_dob")):
                balance[name][0, s, number] = _solved(joint, method).objective
    return Measures(tuple(scales), tables[0], tables[1], tables[2], balance)


def _runs(
    instance: ChannelChoice, seed: int, orders: int
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    game = _solved(instance, "mp_dob_channels")
    system = _solved(instance, "mp_dob_channels", rule="system")
    several = _solved(instance, "mp_dob_channels", seed, rule="async", plays=orders)
    mtto, acco = _solved(instance, "mtto"), _solved(instance, "acco")
    whole = _solved(instance, "acco", cut="whole")
    index = _solved(instance, "acco", cut="whole", variant="index")
    shared = mtto.details["shares_objective"]
    curves = {
        "ELC": _solved(instance, "elc").objective,
        "ECC": _solved(instance, "ecc").details["whole_model_objective"],
        "BDO": _solved(instance, "bdo", seed).details["whole_model_mean_objective"],
        "MP-DOB": game.objective,
        "MP-DOB system": system.objective,
        "MTTO": mtto.details["whole_model_objective"] if shared is None else shared,
        "ACCO": acco.objective,
        "ACCO whole": whole.details["whole_model_objective"],
        "ACCO index": index.details["whole_model_objective"],
        "FLOP share": game.evaluation.terms["offload_rate_flop"],
        "FLOP share ACCO": acco.evaluation.terms["offload_rate_flop"],
    }
    ends = np.array(several.details.get("end_objectives", [several.objective]))
    spread = {"spread": float(np.ptp(ends)), "mean": float(ends.mean())}
    details = game.details
    walk = {name: float(details[name]) for name in ("slots", "drops", "converged", "largest_gain")}
    return curves, spread, walk


def _paper(seed: int, **parameters: Any) -> ChannelChoice:
    instance = optkit.generate("channel_choice", "paper", seed, **parameters)
    assert isinstance(instance, ChannelChoice)
    return instance


def _solved(instance: Any, method: str, seed: int = 0, **options: Any) -> Any:
    result: Result = optkit.solve(instance, method, seed=seed, options=options)
    return result
