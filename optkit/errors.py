"""The errors of optkit: each says in one line what was found and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class OptkitError(Exception):
    """Base of every error that optkit raises on purpose.

    ``result`` holds the result so far where the error ended a run, else ``None``.
    """

    result: Any = None


class UsageError(OptkitError, ValueError):
    """A call or a command line that cannot be carried out: a wrong name, option or value."""


class InstanceError(OptkitError, ValueError):
    """A document that is not a valid instance (or result) of its problem.

    Parameters
    ----------
    message : what was found and what was expected.
    field : path of the field, such as ``tasks[3].blocks[0].cycles``; empty for the document.
    source : the file it came from; empty for a document in memory.
    """

    def __init__(self, message: str, field: str = "", source: str = "") -> None:
        self.message = message
        self.field = field
        self.source = source
        super().__init__(message, field, source)

    def __str__(self) -> str:
        return one_line(": ".join(p for p in (self.source, self.field, self.message) if p))


class DecisionError(OptkitError, ValueError):
    """A decision of the wrong length, type or range for its instance."""


class MethodUnavailable(OptkitError):
    """A method that does not apply to this instance, or whose packages are not installed."""


class BoundError(OptkitError):
    """A bound that contradicts a feasible decision: a method or a solver is wrong."""


class RunEnded(OptkitError):
    """Ends a method from inside after its run was told to stop; ``solve`` never lets it out."""


class SolverError(OptkitError):
    """A solver ended in a way that says nothing about the model (not a limit, not a proof)."""


def one_line(text: str) -> str:
    """The text with line ends, control characters and the like written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` where a known word is close, else the empty text."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
