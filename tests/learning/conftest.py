"""The toy problem, installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import learning_toys
import pytest

from optkit import registry


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The toy is a problem like any other, here and in processes with this environment."""
    environment = learning_toys.install(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    registry.problems.cache_clear()
    yield environment
    registry.problems.cache_clear()
