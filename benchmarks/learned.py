"""How far are trained policies from the optimum on instances that they have never seen?

``python benchmarks/learned.py --help`` tells more.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from bench_tools import header, seeds, status_line
from gap_variants import variant

from optkit.console import SUCCESS, Parser, assignment, guarded, non_negative, positive

_DESCRIPTION = """\
Train a policy for every environment, preset and seed, and print its mean gap to proven optima on
held-out instances of its environment, beside the gaps of other methods on the same instances."""

_EPILOG = """\
Policies are kept in --folder and not trained again if they are there; one of another training is
refused. Instances are those of generator seeds 0, 1, ..., which no training draws; those that are
not solved to a proof are left out, and told.

examples:
  python benchmarks/learned.py --folder policies
  python benchmarks/learned.py --environments 7 --seeds 0 --presets strong --tests 100
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark on the words of a command line and return its exit status."""
    return guarded(_command, arguments)


def _command(words: Sequence[str]) -> int:
    options = _parser().parse(words)
    folder = Path(options.folder or tempfile.mkdtemp(prefix="policies-"))
    folder.mkdir(parents=True, exist_ok=True)
    presets = options.presets.split(",")
    methods = _checked(options, presets)
    jobs = [(e, p, s) for e in options.environments for p in presets for s in options.seeds]
    print(*header("learned.py", words), "", sep="\n", flush=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        trained = [pool.submit(_train, options, folder, job) for job in jobs]
        for job, future in zip(jobs, trained, strict=True):
            environment, preset, seed = job
            took = future.result()
            status_line(
                f"environment {environment}, {preset}, seed {seed}: trained in {took:.0f} s"
            )
        others = [(e, m) for e in options.environments for m in methods]
        rows = {
            **{key: pool.submit(_other, options, *key) for key in others},
            **{job: pool.submit(_policy, options, folder, job) for job in jobs},
        }
        found = {key: future.result() for key, future in rows.items()}
    _print(options, presets, found)
    return SUCCESS


def _parser() -> Parser:
    parser = Parser(prog="python benchmarks/learned.py", description=_DESCRIPTION, epilog=_EPILOG)
    add = parser.add_argument
    add("--problem", default="dt_assignment", metavar="NAME", help="default dt_assignment")
    add("--family", default="paper", metavar="NAME", help="default paper")
    add(
        "-p", dest="parameter", action="append", default=[], type=assignment, metavar="NAME=VALUE",
        help="parameter of the generator; default delay_weight=1",
    )  # fmt: skip
    add(
        "-o", dest="option", action="append", default=[], type=assignment, metavar="NAME=VALUE",
        help="option of the training, such as iterations=2000",
    )  # fmt: skip
    add(
        "--environments", type=seeds, default=seeds("7,8,9"), metavar="7,8,9",
        help="values of the generator's parameter environment; default 7,8,9",
    )  # fmt: skip
    add("--seeds", type=seeds, default=seeds("0-4"), metavar="0-4", help="of trainings")
    add("--presets", default="paper,strong", metavar="NAMES", help="default paper,strong")
    add(
        "--methods", default="ro,co,ad,best_edge,greedy,local_search[kicks=0],argmin",
        metavar="a,b,...", help="to compare with",
    )  # fmt: skip
    add("--tests", type=non_negative, default=1024, metavar="N", help="instances; default 1024")
    add("--folder", metavar="DIR", help="where policies are kept; default a temporary one")
    add("--jobs", type=positive, default=1, metavar="N", help="processes; default 1")
    return parser


def _checked(options: argparse.Namespace, presets: list[str]) -> list[str]:
    """The methods; a wrong name costs no training."""
    import optkit
    from optkit.learning.ddl_settings import ddl_settings

    for preset in presets:
        ddl_settings(preset, dict(options.option))
    for environment in options.environments:
        parameters = _parameters(options, environment)
        instance = optkit.generate(options.problem, options.family, 0, **parameters)
    methods = [name for name in options.methods.split(",") if name]
    for step in (variant(name).steps[-1] for name in methods):
        optkit.solve(instance, step.name, options=dict(step.options), stop=optkit.Stop(time_s=0))
    return methods


def _parameters(options: argparse.Namespace, environment: int) -> dict[str, Any]:
    given = dict(options.parameter) or {"delay_weight": 1.0}
    return {**given, "environment": environment}


def _file(folder: Path, job: tuple[int, str, int]) -> Path:
    environment, preset, seed = job
    return folder / f"e{environment}-{preset}-s{seed}.npz"


def _train(options: argparse.Namespace, folder: Path, job: tuple[int, str, int]) -> float:
    """Seconds of a training, which reads the policy if it is there already."""
    import optkit

    environment, preset, seed = job
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    start = time.perf_counter()
    optkit.train(
        options.problem, "ddl", family=options.family, seed=seed, preset=preset,
        parameters=_parameters(options, environment), options={"tests": 0} | dict(options.option),
        out=_file(folder, job), resume=True,
    )  # fmt: skip
    return time.perf_counter() - start


class Row(NamedTuple):
    """What a method or a policy did on the instances of an environment.

    Parameters
    ----------
    gap : mean over the feasible answers, in per cent; ``None`` without any.
    feasible, compared : how many answers were feasible, and how many optima are proven.
    decision_s : median.
    """

    gap: float | None
    feasible: int
    compared: int
    decision_s: float


def _gaps(
    options: argparse.Namespace, environment: int, method: str, settings: dict[str, Any]
) -> Row:
    import optkit

    gaps, seconds = [], []
    for seed in range(options.tests):
        instance = optkit.generate(
            options.problem, options.family, seed, **_parameters(options, environment)
        )
        best = optkit.solve(instance)
        if best.status != "optimal":
            continue
        result = optkit.solve(instance, method, options=settings)
        value = result.details.get("mean_objective", result.objective)
        if result.feasible:
            gaps.append(100 * abs(value - best.objective) / abs(best.objective))
        seconds.append(result.details.get("decision_s", result.solve_s))
    mean = statistics.fmean(gaps) if gaps else None
    return Row(mean, len(gaps), len(seconds), statistics.median(seconds) if seconds else math.nan)


def _other(options: argparse.Namespace, environment: int, method: str) -> Row:
    step = variant(method).steps[-1]
    return _gaps(options, environment, step.name, dict(step.options))


def _policy(options: argparse.Namespace, folder: Path, job: tuple[int, str, int]) -> Row:
    return _gaps(options, job[0], "ddl", {"policy": str(_file(folder, job))})


def _print(options: argparse.Namespace, presets: list[str], found: dict[Any, Row]) -> None:
    titles = ["method", *(f"environment {e}" for e in options.environments), "a decision"]
    lines = []
    for method in dict.fromkeys(key[1] for key in found if len(key) == 2):
        cells = [[found[e, method]] for e in options.environments]
        lines.append([method, *map(_cell, cells), _decision(cells)])
    for preset in presets:
        cells = [[found[e, preset, s] for s in options.seeds] for e in options.environments]
        lines.append([f"ddl, {preset}", *map(_cell, cells), _decision(cells)])
    print("| " + " | ".join(titles) + " |", "| " + " | ".join("---" for _ in titles) + " |",
          *("| " + " | ".join(line) + " |" for line in lines), sep="\n")  # fmt: skip
    compared = [
        max(row.compared for key, row in found.items() if key[0] == environment)
        for environment in options.environments
    ]
    print(
        f"\nMean gap to the proven optimum of {', '.join(map(str, compared))} of {options.tests} "
        f"instances that were never trained on; of ddl mean (least-largest) over "
        f"{len(options.seeds)} trainings. Infeasible answers have no gap; where there are some, "
        f"the feasible ones are counted."
    )


def _cell(rows: list[Row]) -> str:
    """Mean gap of one row or, with the least and the largest, of several."""
    gaps = [row.gap for row in rows if row.gap is not None]
    text = f"{statistics.fmean(gaps):.2f} %" if gaps else "-"
    if len(rows) > 1 and gaps:
        text += f" ({min(gaps):.2f}-{max(gaps):.2f})"
    feasible, compared = sum(row.feasible for row in rows), sum(row.compared for row in rows)
    return text if feasible == compared else f"{text}, feasible {feasible}/{compared}"


def _decision(cells: list[list[Row]]) -> str:
    return f"{1000 * statistics.median(row.decision_s for rows in cells for row in rows):.2g} ms"


if __name__ == "__main__":
    sys.exit(main())
