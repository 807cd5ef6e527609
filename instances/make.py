"""Writes the stored instances, MANIFEST.json and best_known.json.

    python instances/make.py            every file anew, then every proof
    python instances/make.py --check    nothing is written; exit status 1 if a file differs

The files are the contract: generators may change, a stored file does not.
"""

from __future__ import annotations

import argparse
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


def _family(family: str, seed: int = 0, **parameters: Any) -> Callable[[], optkit.Instance]:
    return lambda: optkit.generate("block_placement", family, seed, **parameters)


def _cycles() -> optkit.Instance:
    """A slot of the paper whose servers take 0.6 of the cycles they could run."""
    free = optkit.generate("block_placement", "paper", 0, slots=1)
    speed = free.canonical()["servers"]["speed_hz"]
    return free.replace(name="vgg16-cycles-slot", servers={"cycles_per_slot": 0.6 * speed})


#: File name: how it is made, and the exact methods that must agree on it.
INSTANCES: dict[str, tuple[Callable[[], optkit.Instance], tuple[str, ...]]] = {
    **{f"tiny-{seed}": (_family("tiny", seed), ("auto", "enumerate")) for seed in range(8)},
    **{f"small-{seed}": (_family("small", seed), ("cg",)) for seed in range(3)},
    "vgg16-slot": (_family("paper", slots=1), ("dp", "mip", "cp")),
    "alexnet-slot": (_family("paper", slots=1, network="alexnet"), ("dp", "mip")),
    "nin-slot": (_family("paper", slots=1, network="nin"), ("dp", "mip")),
    "resnet32-slot": (_family("paper", slots=1, network="resnet32"), ("dp", "mip")),
    "vgg16-batch": (_family("paper-batch", slots=20), ("dp", "mip")),
    "vgg16-ps-slot": (_family("paper-ps", 1, slots=1), ("cg",)),
    "vgg16-ps-two-servers": (_family("paper-ps", 1, slots=1, servers=2), ("cg",)),
    "resnet32-ps-slot": (_family("paper-ps", 1, slots=1, network="resnet32"), ("cg",)),
    "vgg16-cycles-slot": (_cycles, ("cg",)),
    "vgg16-storage": (
        _family("paper-storage", slots=2, blocks=18, storage_mb=128.0), ("storage", "mip"),
    ),
    "vgg16-storage-tight": (
        _family("paper-storage", slots=2, blocks=18, storage_mb=64.0), ("storage", "mip"),
    ),
    "alexnet224-energy": (_family("energy", slots=2), ("lagrangian", "mip")),
}  # fmt: skip


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    parser.add_argument("--time-limit-s", type=float, default=120.0)
    arguments = parser.parse_args()
    if arguments.check:
        return _check()
    folder = HERE / "block_placement"
    folder.mkdir(exist_ok=True)
    manifest, best = {}, {}
    for name, (make, methods) in INSTANCES.items():
        path = folder / f"{name}.json"
        instance = make()
        instance.save(path)
        manifest[f"block_placement/{name}.json"] = {
            "name": instance.name,
            "digest": instance.digest,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        best[f"block_placement/{name}.json"] = _prove(
            optkit.load(path), methods, arguments.time_limit_s
        )
        print(name, best[f"block_placement/{name}.json"], flush=True)
    by_hand = folder / "two-blocks.json"
    instance = optkit.load(by_hand)
    manifest["block_placement/two-blocks.json"] = {
        "name": instance.name,
        "digest": instance.digest,
        "sha256": hashlib.sha256(by_hand.read_bytes()).hexdigest(),
    }
    best["block_placement/two-blocks.json"] = _prove(
        instance, ("enumerate", "mip"), arguments.time_limit_s
    )
    write_document(HERE / "MANIFEST.json", manifest)
    write_document(HERE / "best_known.json", best)
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
    best = min(known, key=lambda r: r.objective)
    bound = max(r.bound for r in results if r.bound is not None)
    for result in known:
        if result.status == "optimal" and result.objective > best.objective * (1 + AGREE):
            raise SystemExit(f"{instance.name}: {result.method} is not optimal")
        if result.bound is not None and result.bound > best.objective * (1 + AGREE):
            raise SystemExit(f"{instance.name}: {result.method} has a false bound")
    return {
        "status": best.status.value,
        "objective": best.objective,
        "bound": min(bound, best.objective),
        "methods": [r.method for r in results if r.status == "optimal"],
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
