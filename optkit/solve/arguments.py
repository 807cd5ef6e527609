"""The command line of ``optkit solve``."""

from __future__ import annotations

import argparse
import contextlib
import math
from collections.abc import Sequence

from optkit.console import Parser, assignment, non_negative
from optkit.errors import UsageError
from optkit.stop import Stop

_EPILOG = """\
Every FILE is solved by every method of the list. With more than one run, --out and --trace are
folders with one <file>.<method>.json or .csv a run.

exit status: 0 a feasible decision was found, 1 none was found, 2 bad input, 3 proven infeasible,
130 after Ctrl-C or SIGTERM (what was found is written first; a second one ends at once).
Of several runs, 2 goes before 1, 1 before 3, 3 before 0.

examples:
  optkit solve a.json --method auto --time-limit-s 10 --out a.result.json
  optkit solve a.json b.json --method mip,greedy,annealing -o annealing.steps=5000 --out results
  optkit solve a.json --list-methods
"""


def parse(words: Sequence[str], prog: str) -> argparse.Namespace:
    """The options of one call, with `stop` and `methods` added.

    Raises
    ------
    UsageError
        An unknown option, or a value that it does not take.
    """
    options = _parser(prog).parse(words)
    options.methods = list(dict.fromkeys(m.strip() for m in options.method.split(",")))
    if not all(options.methods):
        raise UsageError(f"--method: found {options.method!r}, expected names between commas")
    options.files = list(dict.fromkeys(options.files))
    if not options.files and not options.list_methods:
        raise UsageError(f"no FILE is given (see {prog} --help)")
    options.stop = Stop(
        time_s=None if options.time_limit_s == math.inf else options.time_limit_s,
        iterations=options.iterations,
        stall=options.stall,
        target=options.target,
        rel_gap=options.rel_gap,
    )
    return options


def _parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Solve instance files.",
        epilog=_EPILOG,
        usage="%(prog)s FILE... [options]",
    )
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="instance files (JSON)")
    add(
        "--method",
        default="auto",
        metavar="NAMES",
        help="one method, or several with commas between; default auto: the first exact one that "
        "applies",
    )
    add(
        "-o",
        dest="option",
        action="append",
        default=[],
        type=assignment,
        metavar="NAME=VALUE",
        help="option of the methods, or of one of them (METHOD.NAME=VALUE); the value is JSON, "
        "else text",
    )
    add(
        "--list-methods",
        action="store_true",
        help="list the methods of every problem, or of those of the files",
    )
    limits = parser.add_argument_group("limits").add_argument
    limits(
        "--time-limit-s",
        type=_non_negative_number,
        default=60.0,
        metavar="S",
        help="seconds for each run, building the model included; default 60, inf for none",
    )
    limits(
        "--rel-gap",
        type=_non_negative_number,
        default=1e-6,
        metavar="G",
        help="stop at this relative gap; default 1e-6",
    )
    limits("--iterations", type=non_negative, metavar="N", help="stop after N iterations")
    limits(
        "--stall",
        type=non_negative,
        metavar="N",
        help="stop after N iterations without an improvement",
    )
    limits("--target", type=_number, metavar="V", help="stop at an objective at least as good")
    run = parser.add_argument_group("run").add_argument
    run("--seed", type=non_negative, default=0, metavar="N", help="default 0")
    run("--threads", type=_positive, default=1, metavar="N", help="default 1")
    run("--warm-start", metavar="R.json", help="begin with the decision of a result file")
    run("--solver", metavar="NAME", help="the solver of methods that let you choose, such as highs")
    run("--policy", metavar="P.npz", help="what learned methods decide by; from optkit train")
    run("--export", metavar="M.mps", help="write the model of methods that have one")
    output = parser.add_argument_group("output").add_argument
    output("--out", metavar="R.json", help="result file, rewritten while running")
    output("--trace", metavar="T.csv", help="incumbent and bound over time")
    output("--json", action="store_true", help="one result document a line on stdout")
    output("--quiet", action="store_true", help="no progress on stderr")
    return parser


def _number(word: str) -> float:
    with contextlib.suppress(ValueError):
        if not math.isnan(value := float(word)):
            return value
    raise argparse.ArgumentTypeError(f"found {word!r}, expected a number")


def _non_negative_number(word: str) -> float:
    value = _number(word)
    if value < 0:
        raise argparse.ArgumentTypeError(f"found {word!r}, expected a number >= 0")
    return value


def _positive(word: str) -> int:
    value = non_negative(word)
    if value < 1:
        raise argparse.ArgumentTypeError(f"found {word!r}, expected an integer >= 1")
    return value
