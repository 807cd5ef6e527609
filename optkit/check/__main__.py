"""``python -m optkit.check INSTANCE RESULT``: evaluate a result anew and compare its claims."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from optkit.check import CheckReport, check
from optkit.console import NOTHING_FOUND, SUCCESS, Parser, guarded
from optkit.errors import BoundError, one_line
from optkit.loading import load
from optkit.registry import problems

_EPILOG = "exit status: 0 every claim holds, 1 some claim fails, 2 bad input."


def main(arguments: Sequence[str] | None = None, prog: str = "python -m optkit.check") -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    arguments : the words after the command's name; those of the process by default.
    prog : the command's name in its help.
    """
    return guarded(lambda words: _command(words, prog), arguments)


def _command(words: Sequence[str], prog: str) -> int:
    parser = Parser(
        prog=prog,
        description="Evaluate the decision of a result file anew and compare every claim.",
        epilog=_EPILOG,
    )
    parser.add_argument("instance", metavar="INSTANCE", help="instance file")
    parser.add_argument("result", metavar="RESULT", help="result file")
    parser.add_argument("--json", action="store_true", help="one document on stdout")
    options = parser.parse(words)
    report = _check(options.instance, options.result)
    if options.json:
        document = {"ok": report.ok, "problems": report.problems, "facts": report.facts}
        print(json.dumps(document))
    else:
        for fact in report.facts:
            print(one_line(f"fact: {fact}"))
        for problem in report.problems:
            print(one_line(f"problem: {problem}"))
        print("ok" if report.ok else f"{len(report.problems)} of the claims fail")
    return SUCCESS if report.ok else NOTHING_FOUND


def _check(instance_file: str, result_file: str) -> CheckReport:
    problems()  # an uninstalled clone says so before its first missing package does
    from optkit.result import Result

    instance = load(instance_file)
    try:
        result = Result.load(result_file)
    except BoundError as error:  # a claim that its own file disproves
        return CheckReport((str(error),), ())
    return check(instance, result)


if __name__ == "__main__":
    sys.exit(main())
