"""``optkit solve|generate|train|check ...``: the commands under one name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from optkit import __version__
from optkit.console import SUCCESS, guarded
from optkit.errors import UsageError, suggestion

COMMANDS = {
    "solve": "solve instance files",
    "generate": "draw an instance of a family",
    "train": "train a learned method on a family",
    "check": "evaluate a result anew and compare its claims",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    arguments : the words after ``optkit``; those of the process by default.
    """
    return guarded(_command, arguments)


def _command(words: Sequence[str]) -> int:
    first = words[0] if words else "--help"
    if first in ("-h", "--help"):
        print("usage: optkit COMMAND ..., or optkit --version\n\ncommands:")
        for name, text in COMMANDS.items():
            print(f"  {name:<10}{text}")
        print("\noptkit COMMAND --help says more.")
        return SUCCESS
    if first == "--version":
        print(f"optkit {__version__}")
        return SUCCESS
    if first not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise UsageError(
            f"unknown command {first[:60]!r}{suggestion(first, COMMANDS)}; known: {known}"
        )
    main_of = importlib.import_module(f"optkit.{first}.__main__").main
    status: int = main_of(list(words[1:]), f"optkit {first}")
    return status


if __name__ == "__main__":
    sys.exit(main())
