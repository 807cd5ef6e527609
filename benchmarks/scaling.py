"""How large, how fast, and how many times faster than what a user would pick.

``python benchmarks/scaling.py --help`` tells more.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Sequence

from bench_tools import header, seeds

from optkit.console import INTERRUPTED, NOTHING_FOUND, SUCCESS, Parser, fail, guarded
from optkit.errors import BoundError, UsageError, suggestion

_DESCRIPTION = """\
Solve generated instances of growing size and print seconds, bounds and gaps, beside what a user
would pick instead, run on the same instances and checked against ours: networkx, plain Python,
Pyomo models through Pyomo's own HiGHS interface, plain CP-SAT, SCIP's MINLP."""

_EPILOG = """\
ratio: seconds of the alternative, building included, over the seconds in which ours had the gap
that the alternative ended with. All alternatives have one thread.

An unknown case prints those of the problem. All of a problem take half an hour to an hour;
--quick shows in about a minute that they work.

exit status: 0, 1 where a method failed or two results contradict each other, 2 bad input, 130
after Ctrl-C (what was found is printed and written).

examples:
  python benchmarks/scaling.py --case ps-slot,ps-horizon --json scaling.json
  python benchmarks/scaling.py --problem channel_choice --quick
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark on the words of a command line and return its exit status."""
    return guarded(_command, arguments)


def _command(words: Sequence[str]) -> int:
    options = _parser().parse(words)
    if options.json is not None and not os.access(os.path.dirname(options.json) or ".", os.W_OK):
        raise UsageError(f"{options.json}: cannot be written")
    # Late, so that --help loads nothing heavy.
    from cases import PROBLEMS
    from scaling_report import Report, Settings, print_titles

    _check_known("problem", options.problem, PROBLEMS)
    cases = importlib.import_module(f"cases.{options.problem}").CASES
    names = list(cases) if options.case is None else options.case.split(",")
    for name in names:
        _check_known("case", name, cases)
    chosen = tuple(options.seeds)
    quick = Settings(quick=True, seeds=chosen[:1], limit_s=5.0, other_s=2.0)
    report = Report(options.problem, quick if options.quick else Settings(seeds=chosen))
    head = header("scaling.py", words)
    print(*head, "", sep="\n", flush=True)
    print_titles()
    status = SUCCESS
    try:
        for name in names:
            report.begin(name)
            try:
                cases[name](report)
            except BoundError as error:
                fail(f"{name}: {error}")
                status = NOTHING_FOUND
    except KeyboardInterrupt:
        status = INTERRUPTED
    report.print_figures()
    if options.json is not None:
        report.write_json(options.json, head)
    return NOTHING_FOUND if status == SUCCESS and report.failures else status


def _check_known(noun: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        listed = ", ".join(known)
        raise UsageError(f"unknown {noun} {name[:60]!r}{suggestion(name, known)}; known: {listed}")


def _parser() -> Parser:
    parser = Parser(prog="python benchmarks/scaling.py", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument(
        "--problem", default="block_placement", metavar="NAME", help="default block_placement"
    )
    parser.add_argument("--case", metavar="NAME,...", help="default: all of them")
    parser.add_argument(
        "--seeds",
        type=seeds,
        default=seeds("0-4"),
        metavar="0-4",
        help="of the cases that repeat; default 0-4",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes and short limits")
    parser.add_argument("--json", metavar="FILE", help="write every line and figure")
    return parser


if __name__ == "__main__":
    sys.exit(main())
