"""``python -m optkit.generate PROBLEM FAMILY``: draw an instance, or convert a file to one."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from optkit.console import SUCCESS, Parser, assignment, guarded, non_negative
from optkit.errors import UsageError
from optkit.generate import generate
from optkit.generate.convert import convert
from optkit.registry import problem, problems

if TYPE_CHECKING:
    import argparse

    from optkit.instance import Instance

_EPILOG = """\
examples:
  optkit generate block_placement tiny --seed 7 --out a.json
  optkit generate block_placement paper -p servers=9 -p network=vgg16 --out paper.json
  optkit generate dt_assignment --from-gap gapc.txt -p number=2 --out c2.json
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
    if options.problem is None:
        parser.error("a PROBLEM and a FAMILY are needed, --list shows them")
    instance = _made(parser, options, dict(options.parameter))
    if options.out is None:
        print(json.dumps(instance.to_dict(), indent=1, allow_nan=False))
        return SUCCESS
    try:
        instance.save(options.out)
    except OSError as error:
        raise UsageError(f"{options.out}: cannot be written: {error.strerror}") from None
    return SUCCESS


def _made(parser: Parser, options: argparse.Namespace, parameters: dict[str, Any]) -> Instance:
    """The instance that the words describe."""
    taken = {"problem", "family", "seed"} if options.source is None else {"problem", "kind", "path"}
    for name in sorted(taken & set(parameters)):
        raise UsageError(f"-p {name}: is not a parameter of a generator")
    if options.source is not None:
        if options.family is not None:
            parser.error(f"a file is converted, and a family {options.family!r} is named too")
        kind, path = options.source
        maximise = {"maximise": True} if options.maximise else {}
        return convert(options.problem, kind, path, **(parameters | maximise))
    if options.maximise:
        parser.error("--maximise: says what a converted file means, and there is none")
    if options.family is None:
        parser.error("a PROBLEM and a FAMILY are needed, --list shows them")
    try:
        return generate(options.problem, options.family, options.seed, **parameters)
    except UsageError:
        raise
    except (ValueError, ArithmeticError, MemoryError) as error:
        raise UsageError(f"no such instance can be generated: {error}") from error


def _parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Draw an instance, or convert a file of a foreign format to one; the same "
        "arguments give the same instance.",
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
        help="parameter of the generator or format; the value is JSON, else text",
    )
    for kind, owners in _formats().items():
        add(
            f"--from-{kind}",
            dest="source",
            type=partial(_source, kind),
            metavar="FILE",
            help=f"convert a file of this format ({', '.join(owners)})",
        )
    add("--maximise", action="store_true", help="the file's problem is one of most profit")
    add("--out", metavar="FILE", help="instance file; default stdout")
    add("--list", action="store_true", help="list the families of every problem, or of PROBLEM")
    return parser


def _source(kind: str, path: str) -> tuple[str, str]:
    return kind, path


def _formats() -> dict[str, list[str]]:
    """The problems that read each foreign format."""
    found: dict[str, list[str]] = {}
    with contextlib.suppress(UsageError):  # nothing is installed: said when a problem is named
        for description in problems().values():
            for kind in description.converters:
                found.setdefault(kind, []).append(description.name)
    return found


def _list(name: str | None) -> None:
    for description in problems().values() if name is None else [problem(name)]:
        print(description.name)
        width = max(map(len, description.families), default=0)
        for family, text in description.families.items():
            print(f"  {family:<{width}}  {text}")


if __name__ == "__main__":
    sys.exit(main())
