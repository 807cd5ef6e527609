"""How far is every method from the optimum? ``python benchmarks/gaps.py --help`` tells more."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from bench_tools import header, seeds, status_line
from gap_variants import Variant, variant, variants, with_options

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
    from gap_presets import Column
    from gap_runs import GapTask
    from gap_tables import GapTable

#: Lines of progress where there is no terminal.
_MOST_LINES = 1000
_DESCRIPTION = """\
Solve the same generated instances by an exact reference method and by every other method, and
print each method's mean gap, the seeds on which it was feasible, and its mean seconds."""

_EPILOG = """\
A method may be written with options, acco[variant=index], and several times with others. a+b
starts b from the decision of a. a:DETAIL counts a detail of the result instead of the
objective, feasible or not, and a:DETAIL/OTHER the first that is there ("objective" is one, too);
what draws at random, such as ro, counts by its mean_objective unasked.

Without --family, small ones are run, and the time limit is 10 s: a minute or two. Long families
can be made shorter by -p. Presets, which take --seeds, --methods, -p and all others but --family:
{presets}

exit status: 0, 1 where a method failed or two contradict each other, 2 bad input, 130 after
Ctrl-C (the table so far is printed and written).

examples:
  python benchmarks/gaps.py --problem block_placement
  python benchmarks/gaps.py --family paper,paper-ps -p slots=1 --seeds 0-4 --markdown
  python benchmarks/gaps.py --family paper --methods greedy,rpdi --csv gaps.csv
  python benchmarks/gaps.py --problem channel_choice --family dense \\
      --methods 'acco,acco[variant=index],best_response[rule=system]' -o best_response.starts=5
  python benchmarks/gaps.py --preset channel-choice-paper --seeds 0 --time-limit-s 5
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark on the words of a command line and return its exit status."""
    return guarded(_command, arguments)


def _command(words: Sequence[str]) -> int:
    options = _parser().parse(words)
    for path in (options.csv, options.json):
        _check_writable(path)
    # Late, so that --help and a typing error load nothing heavy.
    from gap_runs import run_all
    from gap_tables import GapTable, write_csv, write_json

    shown, asked = _asked(options)
    tasks = _tasks(options, shown, asked)
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
                step(f"{run.column} seed {run.seed}: {run.method} {run.status}{took}")
        except KeyboardInterrupt:
            status = INTERRUPTED
    table = GapTable(runs, [each.label for each in shown], [each.word for each in asked])
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


def _asked(options: argparse.Namespace) -> tuple[list[Column], list[Variant]]:
    """Columns and methods of the table; fills in the options that a call may leave out.

    Raises
    ------
    UsageError
        Words that do not go together, or that nothing has.
    """
    from gap_presets import columns, preset, quick_columns
    from gap_runs import check_methods, default_methods, instance_of

    import optkit

    named = None if options.preset is None else preset(options.preset)
    if named is None:
        options.problem = options.problem or "block_placement"
        shown = columns(options.family) if options.family else quick_columns(options.problem)
        usual_s, usual_seeds = 60.0 if options.family else 10.0, seeds("0-4")
    else:
        if options.family or options.problem not in (None, named.problem):
            raise UsageError(f"--preset {options.preset} has its own families of {named.problem}")
        options.problem, shown = named.problem, named.columns
        usual_s, usual_seeds = named.time_limit_s, list(named.seeds)
    options.seeds = options.seeds or usual_seeds
    options.measure = options.measure or (named.measure if named else "both")
    if options.time_limit_s is None:
        options.time_limit_s = usual_s
    optkit.Stop(time_s=options.time_limit_s)  # complains of a bad limit before the first run
    shown = [column.with_parameters(dict(options.parameter)) for column in shown]
    firsts = [
        instance_of(options.problem, column.family, column.parameters[0], options.seeds[0])
        for column in shown
    ]
    asked = options.methods
    if asked is None:
        asked = default_methods(options.problem, firsts) if named is None else named.variants()
    asked = list({each.word: each for each in (options.reference, *asked)}.values())
    asked = with_options(asked, options.option)
    check_methods(options.problem, asked, firsts)
    return shown, asked


def _tasks(
    options: argparse.Namespace, shown: Sequence[Column], asked: Sequence[Variant]
) -> list[GapTask]:
    from gap_runs import GapTask

    return [
        GapTask(
            problem=options.problem,
            column=column.label,
            family=column.family,
            parameters=parameters,
            seed=seed,
            method=method,
            time_limit_s=options.time_limit_s,
            threads=options.threads,
        )
        for column in shown
        for parameters in column.parameters
        for seed in options.seeds
        for method in asked
    ]


def _parser() -> Parser:
    from gap_presets import PRESETS

    listed = "\n".join(f"  {name:22} {preset.summary}" for name, preset in PRESETS.items())
    parser = Parser(
        prog="python benchmarks/gaps.py",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(presets=listed),
    )
    add = parser.add_argument
    add("--problem", metavar="NAME", help="default block_placement")
    add("--family", type=_names, metavar="F,...", help="instance families")
    add("--preset", metavar="NAME", help="a table with a name, see below")
    add(
        "--methods",
        type=variants,
        metavar="a,b,...",
        help="see below; default: auto and every heuristic that applies",
    )
    add(
        "-o",
        dest="option",
        action="append",
        default=[],
        type=assignment,
        metavar="METHOD.NAME=VALUE",
        help="option of a method; the value is JSON, else text",
    )
    add(
        "--reference",
        default=variant("auto"),
        type=variant,
        metavar="METHOD",
        help="the method that proves optima or bounds; default auto",
    )
    add("--seeds", type=seeds, metavar="0-4", help="such as 0,1,7; default 0-4, or the preset's")
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
    add(
        "--measure",
        choices=("gap", "gain", "both"),
        help="what to show; default both where doing nothing has a worth, or the preset's",
    )
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
        every = max(1, total // _MOST_LINES)

        def tell(text: str) -> None:
            if (number := next(done)) % every == 0:
                status_line(f"{number}/{total} {text}")

        yield tell
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

    titles, rows = table.cells(options.measure)
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
