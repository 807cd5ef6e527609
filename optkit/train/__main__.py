"""``python -m optkit.train PROBLEM --family FAMILY --out policy.npz``: train a learned method."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from optkit.console import INTERRUPTED, SUCCESS, Parser, assignment, guarded, non_negative
from optkit.errors import UsageError
from optkit.registry import problems
from optkit.train import train

_EPILOG = """\
Generator seeds below 1000000 are held out: `optkit generate` draws instances that no training of
their environment has seen. Where the generator has a parameter `environment`, it is --seed unless
given with -p.

The state of the training is kept in POLICY.state until the policy is written. After Ctrl-C, or a
kill, --resume goes on from it, to the same policy as without the interruption.

exit status: 0 the policy is written, 2 bad input, 130 after Ctrl-C or SIGTERM (the state is
written first, unless the test scenarios were still being solved).

examples:
  optkit train dt_assignment --family paper --seed 7 -p delay_weight=1 --out policy.npz
  optkit train dt_assignment --family paper --preset strong -o iterations=2000 --out policy.npz
  optkit solve a.json --method ddl --policy policy.npz
"""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: Sequence[str] | None = None, prog: str = "python -m optkit.train") -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    arguments : the words after the command's name; those of the process by default.
    prog : the command's name in its help.
    """
    return guarded(lambda words: _command(words, prog), arguments)


def _command(words: Sequence[str], prog: str) -> int:
    options = _parser(prog).parse(words)
    problems()  # an uninstalled clone says so before its first missing package does
    if "numpy" not in sys.modules:  # before it starts its threads, which small networks slow down
        for name in _THREADS:
            os.environ.setdefault(name, "1")
    from optkit.learning.training import state_file
    from optkit.train.progress import closing, progress

    with progress(options.problem, options.method, options.quiet) as on_progress:
        try:
            policy = train(
                options.problem,
                options.method,
                family=options.family,
                seed=options.seed,
                preset=options.preset,
                parameters=_unique("-p", options.parameter),
                options=_unique("-o", options.option),
                out=options.out,
                resume=options.resume,
                checkpoint_s=options.checkpoint_s,
                on_progress=on_progress,
            )
        except KeyboardInterrupt:
            policy = None
    if policy is None:
        kept = state_file(Path(options.out)).exists()
        further = "--resume goes on from the state that is kept" if kept else "nothing is kept yet"
        print(f"interrupted: {further}", file=sys.stderr)
        return INTERRUPTED
    print(closing(policy, options.out))
    return SUCCESS


def _unique(flag: str, pairs: list[tuple[str, object]]) -> dict[str, object]:
    for name in ("family", "seed", "preset"):
        if name in dict(pairs):
            raise UsageError(f"{flag} {name}: give it as --{name}")
    return dict(pairs)


def _parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Train a learned method on the instances of a family.",
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add("problem", metavar="PROBLEM")
    add("--method", default="ddl", metavar="NAME", help="default ddl")
    add("--family", required=True, metavar="FAMILY", help="see optkit generate --list")
    add("--seed", type=non_negative, default=0, metavar="N", help="default 0")
    add("--preset", default="paper", metavar="NAME", help="paper (default) or strong")
    add(
        "-p",
        dest="parameter",
        action="append",
        default=[],
        type=assignment,
        metavar="NAME=VALUE",
        help="parameter of the generator; the value is JSON, else text",
    )
    add(
        "-o",
        dest="option",
        action="append",
        default=[],
        type=assignment,
        metavar="NAME=VALUE",
        help="option of the training, such as iterations=2000",
    )
    add("--out", required=True, metavar="POLICY", help="policy file (NPZ)")
    add("--resume", action="store_true", help="go on from POLICY.state, if there is one")
    add(
        "--checkpoint-s",
        type=non_negative,
        default=30,
        metavar="S",
        help="seconds between two writings of the state; default 30",
    )
    add("--quiet", action="store_true", help="no progress on stderr")
    return parser


if __name__ == "__main__":
    sys.exit(main())
