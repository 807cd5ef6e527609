"""Options of training the networks of paper 004, and what the presets say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from optkit.errors import UsageError, suggestion
from optkit.learning.codes import Output, Sign
from optkit.parameters import check_parameters

Preset = Literal["paper", "strong"]


@dataclass(frozen=True)
class DdlSettings:
    """How the K networks look and how they are trained; the defaults are preset ``paper``.

    Given in paper 004: two hidden layers, one in the extractor, 12 networks, 1000 iterations,
    1024 test scenarios, rates from 1e-5 to 1e-2. The other defaults are ours.

    Parameters
    ----------
    networks : K.
    extractor : widths of the layers that each position goes through alone; [] for none.
    hidden : widths of the layers that all positions go through together.
    output, sign : what outputs stand for (`optkit.learning.codes.decode`).
    deviation : standard deviation of the first weights; ``None`` for sqrt(2 / inputs).
    memory : labelled scenarios that are kept, the oldest replaced first (the database).
    new : scenarios that are drawn in an iteration.
    iterations : after the memory is full.
    batch : rows of the memory that each network learns from in an iteration.
    learning_rate : of Adam.
    decay : how the rate falls: not at all, or as a cosine to 0 at the last iteration.
    label : what the networks learn: the ``best`` of their decisions; that after the best change
        of a position, at most ``rounds`` times and else while one helps (``one_opt``); or what
        the first exact method that applies finds in ``label_s`` seconds, if it is better
        (``exact``).
    explore : whether each network also offers a noisy decision for the label.
    permute : whether batches show the positions in random order. It saves scenarios where the
        features say everything and nothing couples positions; where something does, nothing is
        left that tells equal positions apart, and all of them crowd on one option.
    tests : held-out scenarios that are measured.
    measure : iterations between two measurements.
    reference_s : seconds for solving the test scenarios exactly, to measure gaps on those that
        are solved.
    precision : of the weights of the trained policy.
    """

    networks: int = 12
    extractor: tuple[int, ...] = (32, 8)
    hidden: tuple[int, ...] = (120, 80)
    output: Output = "binary"
    sign: Sign = "fixed"
    deviation: float | None = None
    memory: int = 1024
    new: int = 1
    iterations: int = 1000
    batch: int = 128
    learning_rate: float = 1e-3
    decay: Literal["none", "cosine"] = "none"
    label: Literal["best", "one_opt", "exact"] = "best"
    rounds: int | None = 3
    label_s: float = 10.0
    explore: bool = False
    permute: bool = False
    tests: int = 1024
    measure: int = 250
    reference_s: float = 60.0
    precision: Literal["float32", "float16"] = "float32"

    def __post_init__(self) -> None:
        least = {"networks": 1, "memory": 1, "new": 1, "iterations": 0, "batch": 1, "rounds": 0,
                 "tests": 0, "measure": 1}  # fmt: skip
        for name, minimum in least.items():
            if (value := getattr(self, name)) is not None and value < minimum:
                _refuse(name, value, f"an integer of at least {minimum}")
        for name in ("extractor", "hidden"):
            if any(width < 1 for width in getattr(self, name)):
                _refuse(name, list(getattr(self, name)), "widths of at least 1")
        for name in ("learning_rate", "deviation"):
            if (value := getattr(self, name)) is not None and not 0 < value < float("inf"):
                _refuse(name, value, "a number above 0")
        for name in ("label_s", "reference_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                _refuse(name, getattr(self, name), "a number >= 0")
        if self.new > self.memory:
            _refuse("new", self.new, f"at most memory ({self.memory})")
        if self.sign == "literal" and self.output == "softmax":
            _refuse("sign", self.sign, "'fixed' with softmax, whose outputs are no bits")


#: The repairs of what is printed (paper 004, Algorithm 1), by preset.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "strong": {
        "new": 8,
        "label": "one_opt",
        "decay": "cosine",
        "learning_rate": 6e-3,
        "iterations": 3000,
    },
}


def ddl_settings(preset: str, options: Mapping[str, Any]) -> DdlSettings:
    """The settings of a preset with some options changed.

    Raises
    ------
    UsageError
        An unknown preset or option (with a suggestion), or a value that it does not take.
    """
    if preset not in PRESETS:
        raise UsageError(
            f"unknown preset {str(preset)[:60]!r}{suggestion(str(preset), PRESETS)}; "
            f"known: {', '.join(PRESETS)}"
        )
    checked = check_parameters(
        DdlSettings.__init__, options, skip=1, owner="training ddl", noun="option"
    )
    return replace(DdlSettings(), **{**PRESETS[preset], **checked})


def _refuse(name: str, found: Any, expected: str) -> None:
    raise UsageError(f"option {name} of training ddl is {found!r}, expected {expected}")
