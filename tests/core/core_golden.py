"""Golden values: what every method answers on a few small instances of its problem.

    python tests/core/core_golden.py [PROBLEM...]

writes the values of ``tests/<problem>/golden.json`` anew, for all problems by default. The
instances are those that the file lists, each a stored file or a family with a seed; a new problem
begins with ``{"instances": {"some": {"family": "tiny", "seed": 0}}}``. Look at the difference
before it is kept: a value that changed is a method that changed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optkit import (
    Instance,
    Method,
    MethodUnavailable,
    Stop,
    UsageError,
    generate,
    load,
    methods,
    problems,
    solve,
)
from optkit.files import read_document, write_document
from optkit.registry import GENERIC

ROOT = Path(__file__).parents[2]
#: Enough for every heuristic to do what it does, and the same on every machine.
HEURISTIC = Stop(time_s=None, iterations=200)
EXACT = Stop(time_s=None)


def file_of(problem: str) -> Path:
    """Where the golden values of a problem are."""
    return ROOT / "tests" / problem / "golden.json"


def golden_problems() -> list[str]:
    """The problems of this repository, not those of other packages that are installed."""
    return [name for name in problems() if (ROOT / "formulations" / name).is_dir()]


def made(problem: str, source: Mapping[str, Any]) -> Instance:
    """The instance that an entry of ``instances`` describes."""
    if "file" in source:
        return load(ROOT / "instances" / source["file"])
    return generate(problem, source["family"], source["seed"], **source.get("parameters", {}))


def value(instance: Instance, method: Method) -> list[Any]:
    """Status and objective of a method with seed 0, without any limit of time.

    A learned method has no policy for most instances: its status is then "untrained".
    """
    try:
        result = solve(instance, method, stop=EXACT if method.kind == "exact" else HEURISTIC)
    except (MethodUnavailable, UsageError):
        if method.kind != "learned":
            raise
        return ["untrained", None]
    evaluation = result.to_dict()["evaluation"]
    return [result.status.value, evaluation and evaluation["objective"]]


def faults(problem: str, golden: Mapping[str, Any], listed: Mapping[str, Method]) -> list[str]:
    """What is wrong with a golden file, the values themselves aside."""
    found = []
    sources: Mapping[str, Mapping[str, Any]] = golden["instances"]
    instances = {name: made(problem, source) for name, source in sources.items()}
    for name, instance in instances.items():
        if instance.digest != sources[name].get("digest"):
            found.append(f"instance {name} is not the one that the values were made with")
    for name, method in listed.items():
        values = golden["methods"].get(name, {})
        if method in GENERIC and not values and not _fits(method, instances):
            continue  # a game method, say, for a problem without players
        if not any("family" in sources[instance] for instance in values):
            found.append(f"method {name} has no golden value on a generated instance")
        if not method.available:
            continue
        fits = _fits(method, instances)
        if fits != set(values):
            found.append(f"method {name} has values of {sorted(values)}, applies to {sorted(fits)}")
    gone = set(golden["methods"]) - set(listed)
    return found + [f"there is no method {name}" for name in sorted(gone)]


def _fits(method: Method, instances: Mapping[str, Instance]) -> set[str]:
    return {name for name, one in instances.items() if method.why_not_for(one) is None}


def write(problem: str) -> None:
    """Every value of a problem anew."""
    golden = read_document(file_of(problem))
    instances = {name: made(problem, source) for name, source in golden["instances"].items()}
    for name, instance in instances.items():
        golden["instances"][name]["digest"] = instance.digest
    golden["methods"] = {
        name: {
            label: value(instance, method)
            for label, instance in instances.items()
            if method.why_not_for(instance) is None
        }
        for name, method in methods(problem).items()
    }
    write_document(file_of(problem), golden)


if __name__ == "__main__":
    for one in sys.argv[1:] or golden_problems():
        write(one)
