"""The columns of gap tables, and tables with a name: those of the papers' comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gap_variants import Variant, variant

from optkit.errors import UsageError, suggestion
from optkit.registry import problem as find_problem

Parameters = tuple[tuple[str, Any], ...]
#: Families of a table that asks for none, where the problem has them: minutes, not hours.
_QUICK_FAMILIES = ("tiny", "small")


@dataclass(frozen=True)
class Column:
    """Instances whose gaps are averaged in one column.

    Parameters
    ----------
    label : title of the column.
    family : of all of them.
    parameters : of the generator, as pairs; every entry gives one instance a seed.
    """

    label: str
    family: str
    parameters: tuple[Parameters, ...] = ((),)

    def with_parameters(self, given: Mapping[str, Any]) -> Column:
        """The same column with parameters of a call, which go before its own."""
        changed = tuple(tuple({**dict(own), **given}.items()) for own in self.parameters)
        return Column(self.label, self.family, changed)


@dataclass(frozen=True)
class Preset:
    """A table with a name.

    Parameters
    ----------
    summary : one line for ``--help``.
    seeds, time_limit_s, measure : unless the call gives others.
    """

    problem: str
    summary: str
    columns: tuple[Column, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    time_limit_s: float = 60.0
    measure: str = "both"

    def variants(self) -> list[Variant]:
        """Its methods, and those that decide by a policy that the problem ships."""
        shipped = [name for name in find_problem(self.problem).policies if name == "ddl"]
        return [variant(word) for word in (*self.methods, *shipped)]


def column(label: str, family: str, **parameters: Any) -> Column:
    """A column of instances with the same parameters."""
    return Column(label, family, (tuple(parameters.items()),))


def _twins(alpha: float, environments: Sequence[int]) -> Column:
    sources = tuple((("delay_weight", alpha), ("environment", number)) for number in environments)
    return Column(f"alpha {alpha:g}", "paper", sources)


_LOW = {"cloud_energy_low": 0.4}
_DENSE = {"services": 30, "channels": 5}
_GAME = "mp_dob_channels"

PRESETS: Mapping[str, Preset] = {
    "channel-choice-paper": Preset(
        "channel_choice",
        "paper 000: the offloading game and the baselines, share of the optimal gain",
        (
            column("paper n=1", "paper", per_server=1, **_LOW),
            column("paper n=4", "paper", per_server=4, **_LOW),
            column("paper n=8 int8", "paper", per_server=8, bytes_per_element=1, **_LOW),
            column("dense 30,5 mid", "dense", **_DENSE, regime="mid"),
            column("dense 30,5 soft", "dense", **_DENSE, regime="soft"),
            column("dense 30,5 soft equal", "dense", **_DENSE, regime="soft", sharing="equal"),
            column("dense 50,10 mid", "dense", services=50, channels=10, regime="mid"),
        ),
        (
            f"{_GAME}[rule=own]",
            f"{_GAME}[rule=system]",
            f"{_GAME}[rule=system_stop]",
            f"{_GAME}[rule=async,plays=20]",
            "acco",
            "acco[variant=index]:objective",
            "local_search[starts=1]",
            "local_search[starts=20]",
            "mtto:shares_objective/objective",
            "acco[cut=whole]:whole_model_objective",
            "ecc:whole_model_objective/objective",
            "bdo:whole_model_mean_objective/mean_objective",
        ),
        tuple(range(10)),
        measure="gain",
    ),
    "channel-choice-joint": Preset(
        "channel_choice",
        "paper 000: channels and load balance in parallel, in turn, or together",
        (
            column("joint 9,2", "joint", channels=2, **_LOW),
            column("joint 9,15", "joint", **_LOW),
        ),
        (_GAME, "mp_dob", "cg", "cg+balance_dp", "balance_dp+cg", "alternate"),
        tuple(range(10)),
        measure="gain",
    ),
    "dt-assignment-paper": Preset(
        "dt_assignment",
        "paper 004, Fig. 9: the baselines over alpha, three environments",
        tuple(_twins(alpha, (7, 8, 9)) for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("ro", "co", "ad", "ad[reading=cut]", "ad[reading=index]", "best_edge"),
        tuple(range(100)),
        10.0,
    ),
    "dt-assignment-coupled": Preset(
        "dt_assignment",
        "the paper's size with each coupling: baselines and searches",
        tuple(
            column(word, "paper", couplings=word)
            for word in ("equal", "proportional", "optimal", "wspt", "load", "memory", "count")
        ),
        (
            "ro", "co", "ad", "separable", "greedy", "local_search[kicks=0]",
            "local_search[kicks=300]", "local_search",
        ),
        tuple(range(5)),
        10.0,
    ),
}  # fmt: skip

#: Columns of a table that asks for none, where the quick families alone would say little.
_QUICK: Mapping[str, tuple[Column, ...]] = {
    "channel_choice": (
        column("tiny", "tiny"),
        column("paper", "paper"),
        column("dense 12,3", "dense", services=12, channels=3),
    ),
}


def preset(name: str) -> Preset:
    """The table of that name.

    Raises
    ------
    UsageError
        With a suggestion.
    """
    if name not in PRESETS:
        known = ", ".join(PRESETS)
        raise UsageError(f"unknown preset {name[:60]!r}{suggestion(name, PRESETS)}; known: {known}")
    return PRESETS[name]


def quick_columns(problem: str) -> Sequence[Column]:
    """What is run where nothing is asked for: quick, or all families where none is known to be."""
    known = find_problem(problem).families
    if problem in _QUICK:
        return _QUICK[problem]
    return columns([name for name in _QUICK_FAMILIES if name in known] or list(known))


def columns(families: Sequence[str]) -> list[Column]:
    """One column a family."""
    return [Column(name, name) for name in families]
