"""``python -m optkit.generate PROBLEM FAMILY``: draw an instance of a family."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from optkit.console import SUCCESS, Parser, assignment, guarded, non_negative
from optkit.errors import UsageError
from optkit.generate import generate
from optkit.registry import problem, problems

_EPILOG = """\
examples:
  optkit generate block_placement tiny --seed 7 --out a.json
  optkit generate block_placement paper -p servers=9 -p network=vgg16 --out paper.json
  optkit generate --list
"""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m optkit.generate") -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    arguments : the words after the command's name; those of the process by default.
    prog : the command's name in its help.
    """
    return guarded(lambda words: _command(words, prog), arguments)


def _command(words: Sequence[str], prog: str) -> int:
    parser = _parser(prog)
    options = parser.parse(words)
    if options.list:
        _list(options.problem)
        return SUCCESS
    if options.problem is None or options.family is None:
        parser.error("a PROBLEM and a FAMILY are needed, --list shows them")
    parameters = dict(options.parameter)
    for name in ("problem", "family", "seed"):
        if name in parameters:
            raise UsageError(f"-p {name}: is not a parameter of a generator")
    try:
        instance = generate(options.problem, options.family, options.seed, **parameters)
    except UsageError:
        raise
    except (ValueError, ArithmeticError, MemoryError) as error:
        raise UsageError(f"no such instance can be generated: {error}") from error
    if options.out is None:
        print(json.dumps(instance.to_dict(), indent=1, allow_nan=False))
        return SUCCESS
    try:
        instance.save(options.out)
    except OSError as error:
        raise UsageError(f"{options.out}: cannot be written: {error.strerror}") from None
    return SUCCESS


def _parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Draw an instance; the same arguments give the same instance.",
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add("problem", nargs="?", metavar="PROBLEM")
    add("family", nargs="?", metavar="FAMILY")
    add("--seed", type=non_negative, default=0, metavar="N", help="default 0")
    add(
        "-p",
        dest="parameter",
        action="append",
        default=[],
        type=assignment,
        metavar="NAME=VALUE",
        help="parameter of the generator; the value is JSON, else text",
    )
    add("--out", metavar="FILE", help="instance file; default stdout")
    add("--list", action="store_true", help="list the families of every problem, or of PROBLEM")
    return parser


def _list(name: str | None) -> None:
    for description in problems().values() if name is None else [problem(name)]:
        print(description.name)
        width = max(map(len, description.families), default=0)
        for family, text in description.families.items():
            print(f"  {family:<{width}}  {text}")


if __name__ == "__main__":
    sys.exit(main())
