"""The commands, called in this process where that is enough and as a user does where not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_tools import MINI, Command, Outcome, start

from optkit.__main__ import main


@pytest.fixture
def optkit(capsys: pytest.CaptureFixture[str]) -> Command:
    """``optkit WORDS...`` in this process."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def shell() -> Command:
    """``python WORDS...`` as a user types it."""

    def run(*words: object, **settings: Any) -> Outcome:
        process = start(words, **settings)
        out, err = process.communicate(timeout=120)
        return Outcome(process.returncode, out, err)

    return run


@pytest.fixture
def mini() -> dict[str, Any]:
    """A copy of the minimal instance that a test may change."""
    return copy.deepcopy(MINI)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a document (or text, or bytes) to a file."""

    def to_file(content: object, name: str = "some.json") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return to_file


@pytest.fixture
def file(write: Callable[..., Path]) -> Path:
    """The minimal instance."""
    return write(MINI, "mini.json")


@pytest.fixture
def infeasible(write: Callable[..., Path], mini: dict[str, Any]) -> Path:
    """An instance whose deadlines nothing meets."""
    mini["tasks"]["deadline_s"] = [1e-9, 1e-9]
    return write(mini, "infeasible.json")


@pytest.fixture
def result(optkit: Command, file: Path, tmp_path: Path) -> dict[str, Any]:
    """The optimal result of the minimal instance."""
    outcome = optkit("solve", file, "--method", "enumerate", "--json")
    assert outcome.status == 0
    return outcome.documents[0]
