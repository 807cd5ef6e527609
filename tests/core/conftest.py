"""A clock that only the test moves, and a problem from another distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from core_toys import STORED

import optkit.run
from optkit import Instance, load, registry


class Clock:
    """The clock of a run; seconds pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_s(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(optkit.run, "now_s", made.now_s)
    return made


@pytest.fixture
def two_blocks() -> Instance:
    """The minimal instance of block_placement."""
    return load(STORED)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a distribution that brings problems, as pip would leave it on the disk."""
    folder = tmp_path / "site"

    def put(**problems: str) -> None:
        metadata = folder / "toyplace-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toyplace\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in problems.items()]
        text = "\n".join([f"[{registry.ENTRY_POINTS}]", *lines, ""])
        (metadata / "entry_points.txt").write_text(text)
        monkeypatch.syspath_prepend(folder)
        registry.problems.cache_clear()

    yield put
    registry.problems.cache_clear()


@pytest.fixture
def toy_problem(install: Callable[..., None]) -> None:
    """The toy is a problem like any other."""
    install(toy="core_toys:PROBLEM")
