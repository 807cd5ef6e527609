"""Do the claims of paper 000 hold? ``python benchmarks/claims_channel_choice.py --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench_tools import header, seeds, status_line

from optkit.console import SUCCESS, Parser, guarded, non_negative

_DESCRIPTION = """\
Run MP-DOB and the baselines of paper 000 over scales and regimes of its instance family, print
the mean quality of service, and judge every claim on its figures by them."""

_EPILOG = """\
The paper leaves units, the threshold varpi, the cut weights and the geometry open; the regimes
stand for what they can be. ECC, BDO, MTTO and "ACCO whole" offload whole models and are valued
so; MTTO gets optimal shares of the cloud, which no learned allocator beats.

exit status: 0, 2 bad input, 130 after Ctrl-C.

examples:
  python benchmarks/claims_channel_choice.py
  python benchmarks/claims_channel_choice.py --seeds 0-9 --scales 1,4,12 --markdown
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark on the words of a command line and return its exit status."""
    return guarded(_command, arguments)


def _command(words: Sequence[str]) -> int:
    options = _parser().parse(words)
    # Late, so that --help and a typing error load nothing heavy.
    from channel_claims import all_claims
    from channel_measures import CURVES, REGIMES, measure

    found = measure(options.scales, options.seeds, options.orders, status_line)
    claims = all_claims(found, options.seeds)
    for line in header("claims_channel_choice.py", words):
        print(line)
    means = {name: values.mean(axis=2) for name, values in found.curves.items()}
    rows = [
        [regime, str(9 * scale), *(f"{means[name][r, s]:.4g}" for name in CURVES)]
        for r, regime in enumerate(REGIMES)
        for s, scale in enumerate(found.scales)
    ]
    print(f"\nMean quality of service over {len(options.seeds)} seeds:\n")
    _table(["regime", "services", *CURVES], rows, options.markdown)
    words_of = {True: "holds", False: "does not hold", None: "in part"}
    rows = [[c.place, c.text, words_of[c.holds], c.measured] for c in claims]
    print("\nClaims:\n")
    _table(["place", "claim", "verdict", "measured"], rows, options.markdown)
    sys.stdout.flush()
    return SUCCESS


def _table(titles: list[str], rows: list[list[str]], markdown: bool) -> None:
    if markdown:
        lines = [titles, ["---"] * len(titles), *rows]
        print("\n".join("| " + " | ".join(line) + " |" for line in lines))
        return
    widths = [max(len(line[column]) for line in [titles, *rows]) for column in range(len(titles))]
    for line in [titles, *rows]:
        print("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip())


def _parser() -> Parser:
    name = "python benchmarks/claims_channel_choice.py"
    parser = Parser(prog=name, description=_DESCRIPTION, epilog=_EPILOG)
    add = parser.add_argument
    add("--seeds", type=seeds, default=seeds("0-4"), metavar="0-4", help="such as 0-4 or 0,1,7")
    add("--scales", type=_scales, default=(1, 2, 4, 8, 12), metavar="1,2,...",
        help="services at each of the 9 servers, rising; default 1,2,4,8,12")  # fmt: skip
    add("--orders", type=_several, default=20, metavar="N", help="update orders; default 20")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    return parser


def _several(word: str) -> int:
    if (value := non_negative(word)) < 2:
        raise argparse.ArgumentTypeError(f"found {word!r}, expected an integer >= 2")
    return value


def _scales(word: str) -> tuple[int, ...]:
    found = tuple(non_negative(part) for part in word.split(","))
    if len(found) < 2 or found[0] < 1 or list(found) != sorted(set(found)):
        raise argparse.ArgumentTypeError(f"found {word!r}, expected rising scales such as 1,4,12")
    return found


if __name__ == "__main__":
    sys.exit(main())
