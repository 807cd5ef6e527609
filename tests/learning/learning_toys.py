"""A problem whose best decision is plain from its features: each point to the nearest centre."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance
from optkit.registry import Method, Problem
from optkit.run import Run

HERE = Path(__file__).parent


class Points(Instance):
    """Point i at place[i] takes centre k for |place[i] - centre[k]| metres.

    With a limit, at most so many points take centre 0.
    """

    problem = "points"
    unit = "m"

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.name = document.get("name", "")
        self.place_m = np.array(document["place_m"], dtype=float)
        self.centre_m = np.array(document["centre_m"], dtype=float)
        self.limit = document.get("limit")
        self.seen = document.get("seen", True)
        self.choices = np.full(len(self.place_m), len(self.centre_m))

    def canonical(self) -> dict[str, Any]:
        return {
            "problem": self.problem,
            "version": 1,
            "name": self.name,
            "place_m": self.place_m,
            "centre_m": self.centre_m,
            "limit": self.limit,
            "seen": self.seen,
        }

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        away = np.abs(self.place_m - self.centre_m[decisions])
        total, violations = away.sum(axis=1), {}
        if self.limit is not None:
            violations["limit"] = np.maximum((decisions == 0).sum(axis=1) - self.limit, 0)
        return BatchEvaluation(total, total, {"away_m": away}, violations)

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        return {"centre": self.check_decision(x)}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        return self.check_decision(decision["centre"]), {}

    def environment(self) -> Any:
        seen = np.stack([self.place_m, np.ones_like(self.place_m)], axis=1).astype(np.float32)
        return SimpleNamespace(features=lambda: seen if self.seen else None)


class Gains(Points):
    """The same, as a gain to be made large."""

    problem = "gains"
    sense = "maximise"

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        judged = super().evaluate_batch(decisions)
        return BatchEvaluation(-judged.objective, judged.scale, {}, judged.violations)


def points(**changes: Any) -> Points:
    """Four points among three centres; best [0, 1, 1, 2] at 0.7 m."""
    document = {"place_m": [-0.9, 0.1, -0.2, 0.6], "centre_m": [-1.0, 0.0, 0.9]}
    return Points({"problem": "points"} | document | changes)


def generate(
    family: str,
    seed: int,
    environment: int | None = None,
    count: int = 4,
    centres: int = 3,
    limit: int | None = None,
    seen: bool = True,
) -> dict[str, Any]:
    """Points drawn by the seed, centres by the environment."""
    rng = np.random.default_rng(seed)
    place = rng if environment is None else np.random.default_rng(environment)
    count += seed % 2 if family == "sizes" else 0
    return {
        "problem": "points",
        "name": f"{family}-{seed}",
        "place_m": rng.uniform(-1, 1, count).tolist(),
        "centre_m": np.sort(place.uniform(-1, 1, centres)).tolist(),
        "limit": limit,
        "seen": seen,
    }


def nearest(instance: Points, run: Run) -> None:
    """Each point to its nearest centre."""
    away = np.abs(instance.place_m[:, None] - instance.centre_m)
    run.bound(run.found(np.argmin(away, axis=1)).objective)


def unlimited(instance: Points) -> str | None:
    """Why `nearest` may be wrong, or None."""
    return None if instance.limit is None else "a limit couples the points"


PROBLEM = Problem(
    name="points",
    instance="learning_toys:Points",
    generate="learning_toys:generate",
    families={"line": "points on a line", "sizes": "four or five of them"},
    methods=(Method("nearest", nearest, "exact", proves_bound=True, applies=unlimited),),
    policies={},
)


def install(folder: Path) -> dict[str, str]:
    """Make the toy an installed problem for processes started with this environment."""
    metadata = folder / "toypoints-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toypoints\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[optkit.problems]\npoints = learning_toys:PROBLEM\n"
    )
    path = os.pathsep.join([str(folder), str(HERE)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


#: A training of about a second, most of it compilation.
QUICK: dict[str, Any] = {
    "networks": 3, "extractor": [8, 4], "hidden": [16], "memory": 64, "batch": 16,
    "iterations": 40, "measure": 10, "tests": 32,
}  # fmt: skip


def words(**options: Any) -> list[str]:
    """Options as on a command line."""
    return [
        word
        for name, value in {**QUICK, **options}.items()
        for word in ("-o", f"{name}={value}".replace("'", '"'))
    ]


PYTHON = sys.executable
