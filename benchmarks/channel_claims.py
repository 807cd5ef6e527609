"""The claims of paper 000 on its figures and lemmas, each with what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from channel_measures import REGIMES, Measures
from numpy.typing import NDArray

import optkit
from formulations.channel_choice.instance import ChannelChoice
from optkit.search.games import check_potential

_EQUAL = 1e-9  # relative; closer means are a tie


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, whether it holds here (``None``: in part), and the figures."""

    place: str
    text: str
    holds: bool | None
    measured: str


def all_claims(m: Measures, seeds: list[int]) -> list[Claim]:
    """Every claim that can be measured without the paper's unpublished numbers."""
    means = {name: values.mean(axis=2) for name, values in m.curves.items()}
    return [
        *_figure_3(means),
        *_figures_4_to_6(m, means),
        *_figures_7_to_9(m),
        *_lemmas(seeds),
        _literal_size(seeds),
    ]


def _verdict(holds: NDArray[np.bool_]) -> bool | None:
    return True if holds.all() else False if not holds.any() else None


def _figure_3(means: dict[str, NDArray[np.float64]]) -> list[Claim]:
    game, elc, ecc, bdo = (means[name] for name in ("MP-DOB", "ELC", "ECC", "BDO"))
    ratio, few = game / elc, ecc[:, 0] / game[:, 0]
    return [
        Claim("Fig. 3", "MP-DOB about twice ELC at every scale", _verdict(ratio > 1.8),
              f"MP-DOB / ELC from {ratio.min():.2f} to {ratio.max():.2f} (depends on varpi)"),
        Claim("Fig. 3", "ECC about half of MP-DOB with few services",
              _verdict((few > 0.4) & (few < 0.6)),
              f"ECC / MP-DOB at the smallest scale: {_list(few)}"),
        Claim("Fig. 3", "ECC collapses with many services", _verdict(ecc[:, -1] < elc[:, -1]),
              f"ECC at the largest scale: {_list(ecc[:, -1])}; ELC {_list(elc[:, -1])}"),
        Claim("Fig. 3", "BDO above ECC", _verdict(bdo > ecc), _counted(bdo > ecc, "means")),
        Claim("Fig. 3", "BDO above ELC", _verdict(bdo > elc), _counted(bdo > elc, "means")),
    ]  # fmt: skip


def _figures_4_to_6(m: Measures, means: dict[str, NDArray[np.float64]]) -> list[Claim]:
    game = means["MP-DOB"]
    claims = []
    for name, text in (("ACCO", "with the same partition"), ("ACCO whole", "with whole models"),
                       ("ACCO index", "with whole models, one pass in order")):  # fmt: skip
        above = game >= means[name] * (1 - _EQUAL)
        lead = (means[name] - game)[:, -1]
        claims.append(
            Claim("Fig. 4", f"MP-DOB at least as good as ACCO {text}", _verdict(above),
                  f"{_counted(above, 'means')}; ACCO leads at the largest scale by {_list(lead)}")
        )  # fmt: skip
    above = game >= means["MTTO"] * (1 - _EQUAL)
    claims.append(
        Claim("Fig. 5", "MP-DOB above MTTO, its cloud shares optimal", _verdict(above),
              _counted(above, "means"))
    )  # fmt: skip
    share, other = means["FLOP share"], means["FLOP share ACCO"]
    claims += [
        Claim("Fig. 6", "the offloaded share falls with the scale",
              _verdict(share[:, -1] < share[:, 0]),
              f"MP-DOB from {_list(share[:, 0])} to {_list(share[:, -1])}"),
        Claim("Fig. 6", "MP-DOB offloads most at scale", _verdict(share[:, -1] > other[:, -1]),
              f"ACCO at the largest scale {_list(other[:, -1])}"),
    ]  # fmt: skip
    return claims


def _figures_7_to_9(m: Measures) -> list[Claim]:
    helped = (m.balance["with"] - m.balance["without"]).mean(axis=2)[0]
    spread, mean = m.spread["spread"].mean(axis=2), m.spread["mean"].mean(axis=2)
    slots, drops = m.game["slots"].sum(axis=(1, 2)), m.game["drops"].sum(axis=(1, 2))
    falling = drops / np.maximum(slots, 1)
    converged = m.game["converged"] > 0
    return [
        Claim("Fig. 7", "load balance helps", _verdict(helped > 0),
              f"QoS gained at scales {_list(np.array(m.scales))}: {_list(helped)} (1e-11 J/FLOP)"),
        Claim("Fig. 7", "and helps more with the scale", _verdict(np.diff(helped) > 0), "as above"),
        Claim("Fig. 8", "the spread over runs grows with the scale",
              _verdict(spread[:, -1] > spread[:, 0]),
              f"over random update orders, smallest scale {_list(spread[:, 0])}, largest "
              f"{_list(spread[:, -1])}, at most {spread.max():.2f}"),
        Claim("Fig. 8", "and the average rises", _verdict(np.diff(mean, axis=1) > 0),
              _counted(np.diff(mean, axis=1) > 0, "steps")),
        Claim("Fig. 9", "the game converges", _verdict(converged),
              f"{_counted(converged, 'runs')}; largest gain left "
              f"{m.game['largest_gain'].max():.1e}"),
        Claim("Fig. 9", "QoS rises in every slot", _verdict(drops == 0),
              f"it falls in {_list(100 * falling)} % of the slots"),
    ]  # fmt: skip


def _lemmas(seeds: list[int]) -> list[Claim]:
    """Lemma 2, on dense instances where services interfere."""
    moves = twice = once = 0
    for seed in seeds:
        instance = _dense(seed, services=20, channels=3, sharing="fixed")
        game, rng = instance.game, np.random.default_rng(seed)
        printed = replace(game, potential=_printed(instance, game.potential))
        found = check_potential(game, rng, moves=500, starts=50)
        moves, once = moves + found.moves, once + found.broken
        twice += check_potential(printed, rng, moves=500, starts=50).broken
    circles = games = 0
    for seed in range(20 * len(seeds)):
        tiny: Any = optkit.generate("channel_choice", "tiny", seed, balanced=False, deadlines=False)
        if tiny.static.equal_share:
            details = optkit.solve(tiny, "equilibria", options={"cycles": True}).details
            games, circles = games + 1, circles + (details["improvement_cycle"] > 0)
    return [
        Claim("Lemma 2", "Eq. 32 is a potential", twice == 0,
              f"fixed shares: falls or stays in {twice} improving moves of about {moves}"),
        Claim("Lemma 2", "with each pair counted once it is one", once == 0,
              f"fixed shares: {once} of {moves}"),
        Claim("Lemma 2", "equal shares leave a potential game", circles == 0,
              f"improvements go round in {circles} of {games} tiny games"),
    ]  # fmt: skip


def _printed(instance: ChannelChoice, once: Any) -> Callable[[Any], Any]:
    """Eq. 32 as printed: the interference of each pair of services twice."""
    w = instance.static.power_w

    def potential(channel: Any) -> Any:
        pairs = np.zeros(len(channel))
        for c in range(1, instance.channels + 1):
            own = np.where(channel == c, w, 0.0)
            pairs += 0.5 * (own.sum(axis=1) ** 2 - (own**2).sum(axis=1))
        return once(channel) - pairs

    return potential


def _literal_size(seeds: list[int]) -> Claim:
    """9 services and 15 channels, by the exact method for a channel for everybody."""
    together = []
    for parameters in REGIMES.values():
        if "channels" in parameters:
            continue
        for seed in seeds:
            instance = optkit.generate("channel_choice", "paper", seed, **parameters)
            best = optkit.solve(instance, "sort")
            assert best.status == "optimal" and best.objective is not None
            same = [
                optkit.solve(instance, method).objective for method in ("mp_dob_channels", "acco")
            ]
            together.append(all(abs(best.objective - value) < 1e-9 for value in same if value))
    measured = f"game, greedy and optimum coincide in {sum(together)} of {len(together)}"
    text = "the paper's size (E = 9, M = 15) tells the methods apart"
    return Claim("Table 2", text, _verdict(~np.array(together)), measured)


def _dense(seed: int, **parameters: Any) -> ChannelChoice:
    instance = optkit.generate("channel_choice", "dense", seed, **parameters)
    assert isinstance(instance, ChannelChoice)
    return instance


def _list(values: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.3g}" for value in np.ravel(values))


def _counted(holds: NDArray[np.bool_], what: str) -> str:
    return f"in {np.count_nonzero(holds)} of {holds.size} {what}"
