"""How far is every method from the optimum? ``python benchmarks/gaps.py --help`` tells more."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from bench_tools import header, seeds, status_line

from optkit.console import (
    INTERRUPTED,
    NOTHING_FOUND,
    SUCCESS,
    Parser,
    assignment,
    fail,
    guarded,
    non_negative,
)
from optkit.errors import UsageError

if TYPE_CHECKING:
    from gap_tables import GapTable

_DESCRIPTION = """\
Solve the same generated instances by an exact reference method and by every other method, and
print each method's mean gap, the seeds on which it was feasible, and its mean seconds."""

_EPILOG = """\
Without --family, the families "tiny" and "small" are run (all of them where a problem has
neither), and the time limit is 10 s: a minute or two. Long families can be made shorter by -p.

exit status: 0, 1 where a method failed or two contradict each other, 2 bad input, 130 after
Ctrl-C (the table so far is printed and written).

examples:
  python benchmarks/gaps.py --problem block_placement
  python benchmarks/gaps.py --family paper,paper-ps -p slots=1 --seeds 0-4 --markdown
  python benchmarks/gaps.py --family paper --methods greedy,rpdi --csv gaps.csv
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark on the words of a command line and return its exit status."""
    return guarded(_command, arguments)


def _command(words: Sequence[str]) -> int:
    options = _parser().parse(words)
    for path in (options.csv, options.json):
        _check_writable(path)
    # Late, so that --help and a typing error load nothing heavy.
    from gap_runs import (
        GapTask,
        check_methods,
        default_families,
        default_methods,
        instance_of,
        run_all,
    )
    from gap_tables import GapTable, write_csv, write_json

    import optkit

    if options.time_limit_s is None:
        options.time_limit_s = 10.0 if options.family is None else 60.0
    optkit.Stop(time_s=options.time_limit_s)  # complains of a bad limit before the first run
    families = options.family or default_families(options.problem)
    parameters = tuple(dict(options.parameter).items())
    firsts = [
        instance_of(options.problem, family, parameters, options.seeds[0]) for family in families
    ]
    methods = options.methods or default_methods(options.problem, firsts)
    methods = list(dict.fromkeys([options.reference, *methods]))
    check_methods(options.problem, methods, firsts)
    tasks = [
        GapTask(
            options.problem, family, parameters, seed, method, options.time_limit_s, options.threads
        )
        for family in families
        for seed in options.seeds
        for method in methods
    ]
    runs = []
    status = SUCCESS
    with (
        _progress(len(tasks)) as step,
        contextlib.closing(run_all(tasks, options.jobs)) as all_runs,
    ):
        try:
            for run in all_runs:
                runs.append(run)
                took = "" if run.seconds is None else f", {run.seconds:.2f} s"
                step(f"{run.family} seed {run.seed}: {run.method} {run.status}{took}")
        except KeyboardInterrupt:
            status = INTERRUPTED
    table = GapTable(runs, families, methods)
    _show(table, words, options, interrupted=status == INTERRUPTED)
    records = table.records(options.problem)
    if options.csv is not None:
        write_csv(options.csv, records)
    if options.json is not None:
        write_json(options.json, records)
    for text in table.contradictions:
        fail(text)
    crashed = any(run.status == "crashed" for run in runs)
    if status == SUCCESS and (crashed or table.contradictions):
        return NOTHING_FOUND
    return status


def _parser() -> Parser:
    parser = Parser(prog="python benchmarks/gaps.py", description=_DESCRIPTION, epilog=_EPILOG)
    add = parser.add_argument
    add("--problem", default="block_placement", metavar="NAME", help="default block_placement")
    add("--family", type=_names, metavar="F,...", help="instance families")
    add(
        "--methods",
        type=_names,
        metavar="a,b,...",
        help="default: auto and every heuristic that applies",
    )
    add(
        "--reference",
        default="auto",
        metavar="METHOD",
        help="the method that proves optima or bounds; default auto",
    )
    add("--seeds", type=seeds, default=seeds("0-4"), metavar="0-4", help="such as 0-4 or 0,1,7")
    add(
        "-p",
        dest="parameter",
        action="append",
        default=[],
        type=assignment,
        metavar="NAME=VALUE",
        help="parameter of the generator; the value is JSON, else text",
    )
    add("--time-limit-s", type=float, metavar="S", help="of each run; default 60, see below")
    add("--threads", type=_positive, default=1, metavar="N", help="of each run; default 1")
    add("--jobs", type=_positive, default=1, metavar="N", help="runs at the same time; default 1")
    add("--csv", metavar="FILE", help="write one row a run")
    add("--json", metavar="FILE", help="write one object a run")
    add("--markdown", action="store_true", help="print the table as Markdown")
    return parser


def _names(word: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in word.split(",")))
    if not all(names):
        raise argparse.ArgumentTypeError(f"found {word!r}, expected names between commas")
    return names


def _positive(word: str) -> int:
    if (value := non_negative(word)) < 1:
        raise argparse.ArgumentTypeError(f"found {word!r}, expected an integer >= 1")
    return value


def _check_writable(path: str | None) -> None:
    """Find out before the runs whether their result can be written."""
    if path is None:
        return
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path) or not os.access(folder, os.W_OK):
        raise UsageError(f"{path}: cannot be written")


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A function to call after each run: a bar on a terminal, else a line."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        done = iter(range(1, total + 1))
        yield lambda text: status_line(f"{next(done)}/{total} {text}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda text: bar.update(task, advance=1, description=text)


def _show(
    table: GapTable, words: Sequence[str], options: argparse.Namespace, interrupted: bool
) -> None:
    from gap_tables import DEFINITION, GAIN_DEFINITION

    titles, rows = table.cells()
    limits = f"{options.problem}, at most {options.time_limit_s:g} s a run, "
    limits += f"{options.threads} thread(s), {options.jobs} run(s) at a time"
    head = [*header("gaps.py", words), limits]
    foot = [*table.notes(), DEFINITION]
    if any("gain share" in title for title in titles):
        foot.append(GAIN_DEFINITION)
    if interrupted:
        foot.insert(0, "Interrupted: the runs so far.")
    if options.markdown:
        print("```", *head, "```", "", sep="\n")
        for cells in (titles, ["---"] * len(titles), *rows):
            print(f"| {' | '.join(cells)} |")
        print("", *(f"{line}  " for line in foot), sep="\n", flush=True)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    sheet = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        sheet.add_column(title)
    for row in rows:
        sheet.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)  # a pipe has no width: nothing may be cut off
    print(*head, "", sep="\n", flush=True)
    console.print(sheet)
    print("", *foot, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
