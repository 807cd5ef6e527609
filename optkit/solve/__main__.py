"""``python -m optkit.solve FILE... --method NAMES``: solve instance files."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from optkit.console import BAD_INPUT, SUCCESS, fail, guarded
from optkit.registry import problems
from optkit.solve.arguments import parse


def main(arguments: Sequence[str] | None = None, prog: str = "python -m optkit.solve") -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    arguments : the words after the command's name; those of the process by default.
    prog : the command's name in its help.
    """
    return guarded(lambda words: _command(words, prog), arguments)


def _command(words: Sequence[str], prog: str) -> int:
    options = parse(words, prog)
    errors: list[object] = []

    def report(error: object) -> None:
        errors.append(error)
        fail(error)

    if options.list_methods:
        from optkit.solve.listing import list_methods

        list_methods(options.files, options.json, report)
        return BAD_INPUT if errors else SUCCESS
    problems()  # an uninstalled clone says so before its first missing package does
    # Late, so that --help and --list-methods load nothing heavy.
    from optkit.solve.plan import plan
    from optkit.solve.session import execute, overall

    statuses = execute(plan(options, report), options)
    return overall(statuses | ({BAD_INPUT} if errors else set()))


if __name__ == "__main__":
    sys.exit(main())
