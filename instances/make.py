"""Writes the stored instances, MANIFEST.json and best_known.json.

    python instances/make.py            every file anew, then every proof
    python instances/make.py PREFIX     those whose names begin so, such as dt_assignment/tiny
    python instances/make.py --check    nothing is written; exit status 1 if a file differs

The files are the contract: generators may change, a stored file does not.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optkit
from optkit.files import read_document, write_document

HERE = Path(__file__).parent
#: Two exact methods of different kinds must agree before a value is stored as optimal.
AGREE = 1e-6


def _family(
    problem: str, family: str, seed: int = 0, **parameters: Any
) -> Callable[[], optkit.Instance]:
    return lambda: optkit.generate(problem, family, seed, **parameters)


_blocks = functools.partial(_family, "block_placement")
_twins = functools.partial(_family, "dt_assignment")
_channels = functools.partial(_family, "channel_choice")


def _cycles() -> optkit.Instance:
    """A slot of the paper whose servers take 0.6 of the cycles they could run."""
    free = optkit.generate("block_placement", "paper", 0, slots=1)
    speed = free.canonical()["servers"]["speed_hz"]
    return free.replace(name="vgg16-cycles-slot", servers={"cycles_per_slot": 0.6 * speed})


#: File name: how it is made, and the exact methods that must agree on it.
_BLOCKS: dict[str, tuple[Callable[[], optkit.Instance], tuple[str, ...]]] = {
    **{f"tiny-{seed}": (_blocks("tiny", seed), ("auto", "enumerate")) for seed in range(8)},
    **{f"small-{seed}": (_blocks("small", seed), ("cg",)) for seed in range(3)},
    "vgg16-slot": (_blocks("paper", slots=1), ("dp", "mip", "cp")),
    "alexnet-slot": (_blocks("paper", slots=1, network="alexnet"), ("dp", "mip")),
    "nin-slot": (_blocks("paper", slots=1, network="nin"), ("dp", "mip")),
    "resnet32-slot": (_blocks("paper", slots=1, network="resnet32"), ("dp", "mip")),
    "vgg16-batch": (_blocks("paper-batch", slots=20), ("dp", "mip")),
    "vgg16-ps-slot": (_blocks("paper-ps", 1, slots=1), ("cg",)),
    "vgg16-ps-two-servers": (_blocks("paper-ps", 1, slots=1, servers=2), ("cg",)),
    "resnet32-ps-slot": (_blocks("paper-ps", 1, slots=1, network="resnet32"), ("cg",)),
    "vgg16-cycles-slot": (_cycles, ("cg",)),
    "vgg16-storage": (
        _blocks("paper-storage", slots=2, blocks=18, storage_mb=128.0), ("storage", "mip"),
    ),
    "vgg16-storage-tight": (
        _blocks("paper-storage", slots=2, blocks=18, storage_mb=64.0), ("storage", "mip"),
    ),
    "alexnet224-energy": (_blocks("energy", slots=2), ("lagrangian", "mip")),
}  # fmt: skip
_TWINS = {
    **{f"tiny-{seed}": (_twins("tiny", seed), ("auto", "enumerate", "mip")) for seed in range(8)},
    "paper": (_twins("paper"), ("argmin", "mip", "subset_dp")),
    "paper-delay": (_twins("paper", delay_weight=1.0), ("argmin", "mip", "subset_dp")),
    "paper-equal": (_twins("paper", couplings="equal"), ("counts", "subset_dp", "mip", "cg")),
    **{
        f"paper-{word}": (_twins("paper", couplings=word), ("subset_dp", "cg", "mip"))
        for word in ("load", "memory", "count", "deadline")
    },
    **{
        f"paper-{word}": (_twins("paper", couplings=word), ("subset_dp", "cg"))
        for word in ("proportional", "optimal", "wspt", "load,wspt,deadline")
    },
    "paper-backhaul": (_twins("paper", couplings="backhaul"), ("backhaul", "subset_dp", "mip")),
    "4x-load": (_twins("4x", couplings="load"), ("cg", "mip")),
    "4x-equal": (_twins("4x", couplings="equal"), ("cg",)),
    "10x-count": (_twins("10x", couplings="count"), ("assignment", "cg")),
    "10x-equal": (_twins("10x", couplings="equal"), ("cg",)),
    "10x-load": (_twins("10x", couplings="load"), ("cg", "lagrangian")),
    "gap-c-10x50": (_twins("gap-c", servers=10, twins=50), ("lagrangian", "mip")),
    "gap-d-5x20": (_twins("gap-d", servers=5, twins=20), ("lagrangian", "mip")),
    "gap-e-5x30": (_twins("gap-e", servers=5, twins=30), ("lagrangian", "mip")),
}
_CHANNELS = {
    **{
        f"tiny-{seed}": (_channels("tiny", seed, balanced=False), ("auto", "enumerate", "mip"))
        for seed in range(6)
    },
    **{
        f"tiny-heads-{seed}": (_channels("tiny", seed, balanced=True), ("joint", "enumerate"))
        for seed in range(4)
    },
    "yolov1-9": (_channels("paper"), ("sort", "dp", "cg")),
    "yolov1-36": (_channels("paper", per_server=4), ("cg", "mip")),
    "yolov1-36-optimal-cuts": (
        _channels("paper", per_server=4, cut_choice="optimal"), ("cg", "mip"),
    ),
    "yolov1-heads-9": (_channels("joint"), ("joint",)),
    "dense-hard": (_channels("dense", services=30, channels=5, regime="hard"), ("cg", "mip", "cp")),
    "dense-mid": (_channels("dense", services=30, channels=5, regime="mid"), ("cg", "mip", "cp")),
    "dense-soft": (_channels("dense", services=30, channels=5, regime="soft"), ("cg", "mip")),
    "dense-mid-equal": (
        _channels("dense", services=30, channels=5, regime="mid", sharing="equal"), ("cg", "mip"),
    ),
    "dense-mid-100": (_channels("dense", services=100, channels=15, regime="mid"), ("cg", "mip")),
}  # fmt: skip
INSTANCES = {
    f"{problem}/{name.replace(',', '-')}": entry
    for problem, entries in (
        ("block_placement", _BLOCKS), ("channel_choice", _CHANNELS), ("dt_assignment", _TWINS),
    )
    for name, entry in entries.items()
}  # fmt: skip
#: Written by hand, to be checked with pencil and paper.
BY_HAND = {
    "block_placement/two-blocks": ("enumerate", "mip"),
    "channel_choice/three-services": ("enumerate", "cg"),
    "dt_assignment/three-twins": ("enumerate", "subset_dp"),
}


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("prefix", nargs="?", default="", help="of the files to write; default all")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    parser.add_argument("--time-limit-s", type=float, default=120.0)
    arguments = parser.parse_args()
    if arguments.check:
        return _check()
    manifest, best = (read_document(HERE / f"{name}.json") for name in ("MANIFEST", "best_known"))
    wanted = {name: (make, methods) for name, (make, methods) in INSTANCES.items()}
    wanted |= {name: (None, methods) for name, methods in BY_HAND.items()}
    for name, (make, methods) in wanted.items():
        if not name.startswith(arguments.prefix):
            continue
        path = HERE / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        if make is not None:
            make().save(path)
        instance = optkit.load(path)
        manifest[f"{name}.json"] = {
            "name": instance.name,
            "digest": instance.digest,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        best[f"{name}.json"] = _prove(instance, methods, arguments.time_limit_s)
        print(name, best[f"{name}.json"], flush=True)
    kept = {f"{name}.json" for name in wanted}
    for file, document in (("MANIFEST", manifest), ("best_known", best)):
        listed = {name: document[name] for name in sorted(document) if name in kept}
        write_document(HERE / f"{file}.json", listed)
    return 0


def _prove(instance: optkit.Instance, methods: tuple[str, ...], time_s: float) -> dict[str, Any]:
    """The best decision and bound over the methods; optimal values must agree."""
    results = [
        optkit.solve(instance, method, stop=optkit.Stop(time_s=time_s)) for method in methods
    ]
    known = [r for r in results if r.feasible]
    if any(r.status == "infeasible" for r in results):
        if known:
            raise SystemExit(f"{instance.name}: the methods disagree on feasibility")
        return {"status": "infeasible", "methods": [r.method for r in results]}
    sign = 1.0 if instance.sense == "minimise" else -1.0
    best = min(known, key=lambda r: sign * r.objective)
    slack = AGREE * abs(best.objective) + 1e-9 * best.evaluation.scale
    bound = max(sign * r.bound for r in results if r.bound is not None)
    for result in known:
        if result.status == "optimal" and abs(result.objective - best.objective) > slack:
            raise SystemExit(f"{instance.name}: {result.method} is not optimal")
        if result.bound is not None and sign * (result.bound - best.objective) > slack:
            raise SystemExit(f"{instance.name}: {result.method} has a false bound")
    proved = [r.method for r in results if r.status == "optimal"]
    return {
        "status": "optimal" if proved else "feasible",
        "objective": best.objective,
        "bound": sign * min(bound, sign * best.objective),
        "methods": proved,
        "versions": dict(best.versions),
    }


def _check() -> int:
    manifest = read_document(HERE / "MANIFEST.json")
    wrong = 0
    for file, entry in manifest.items():
        found = hashlib.sha256((HERE / file).read_bytes()).hexdigest()
        if found != entry["sha256"] or optkit.load(HERE / file).digest != entry["digest"]:
            print(f"{file} differs from the manifest")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
