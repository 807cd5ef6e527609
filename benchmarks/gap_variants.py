"""Methods of a gap table as they are written: options, warm starts, and which figure counts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optkit.console import assignment
from optkit.errors import UsageError

#: The figure that is the objective itself, of a decision that may be infeasible.
OBJECTIVE = "objective"
#: What counts where nothing else is asked for: methods that are drawn at random note their mean.
MEAN = "mean_objective"


@dataclass(frozen=True)
class Step:
    """One method with its options, as pairs."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Variant:
    """What is asked for by one word of a list of methods.

    Parameters
    ----------
    word : as written; names the row of the table.
    steps : methods one after another, each beginning with the decision of the one before.
    figures : details of the result of which the first that is there counts, instead of the
        objective; none for the usual (see `MEAN`).
    """

    word: str
    steps: tuple[Step, ...]
    figures: tuple[str, ...] = ()


def variants(text: str) -> list[Variant]:
    """The methods of a list such as ``acco,acco[variant=index],bdo:mean_objective``."""
    found = {word: variant(word) for word in _split(text, ",")}
    return list(found.values())


def variant(word: str) -> Variant:
    """The method that is written ``STEP+...:DETAIL/...``, a step ``NAME[OPTION=VALUE,...]``.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not written so.
    """
    chain, *details = _split(word, ":")
    if len(details) > 1:
        raise _unreadable(word)
    steps = tuple(_step(part) for part in _split(chain, "+"))
    return Variant(word, steps, tuple(_split(details[0], "/")) if details else ())


def with_options(asked: Sequence[Variant], given: Sequence[tuple[str, Any]]) -> list[Variant]:
    """The same methods with options of a call, ``METHOD.NAME``; what is in brackets goes before.

    Raises
    ------
    UsageError
        An option of no method, or of one that is not asked for.
    """
    by_method: dict[str, dict[str, Any]] = {}
    names = {step.name for each in asked for step in each.steps}
    for name, value in given:
        owner, dot, own = name.rpartition(".")
        if not dot:
            raise UsageError(f"-o {name}: expected METHOD.NAME=VALUE")
        if owner not in names:
            raise UsageError(f"-o {name}: {owner} is not among the methods of this call")
        by_method.setdefault(owner, {})[own] = value
    return [
        Variant(each.word, tuple(_given(step, by_method) for step in each.steps), each.figures)
        for each in asked
    ]


def _given(step: Step, by_method: Mapping[str, Mapping[str, Any]]) -> Step:
    options = {**by_method.get(step.name, {}), **dict(step.options)}
    return Step(step.name, tuple(options.items()))


def _step(word: str) -> Step:
    name, bracket, rest = word.partition("[")
    if not bracket:
        return Step(name)
    if not name or not rest.endswith("]"):
        raise _unreadable(word)
    return Step(name, tuple(assignment(part) for part in _split(rest[:-1], ",")))


def _split(text: str, separator: str) -> list[str]:
    """Parts of a text between separators that are in no bracket.

    Raises
    ------
    argparse.ArgumentTypeError
        A part is empty, or brackets do not match.
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if depth < 0:
            raise _unreadable(text)
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    parts = [part.strip() for part in parts]
    if depth or not all(parts):
        raise _unreadable(text)
    return parts


def _unreadable(text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(
        f"found {text!r}, expected methods between commas, such as acco[variant=index]"
    )
