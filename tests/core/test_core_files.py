"""Files are whole or untouched, whatever happens while they are written."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from core_toys import costs

from optkit import Result, solve
from optkit.files import write_document


@pytest.fixture
def mask() -> Iterator[int]:
    """A umask under which others may read nothing."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_saved_result_leaves_one_file(tmp_path: Path) -> None:
    result = solve(costs(), lambda instance, run: None)
    for _ in range(2):
        result.save(tmp_path / "r.json")
        assert names(tmp_path) == ["r.json"]
    assert Result.load(tmp_path / "r.json").to_dict() == result.to_dict()
    assert (tmp_path / "r.json").read_text().endswith("}\n")


@pytest.mark.usefixtures("mask")
def test_the_mode_is_that_of_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_document(path, {})
    assert mode(path) == 0o640
    path.chmod(0o600)
    write_document(path, {})
    assert mode(path) == 0o640
    assert os.umask(0o027) == 0o027, "writing does not change it"


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    path = tmp_path / "r.json"
    write_document(path, {"old": 1})

    def fail(*arguments: Any, **keywords: Any) -> None:
        raise error

    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(os, step, fail)
        write_document(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert names(tmp_path) == ["r.json"], "the temporary file is gone"


@pytest.mark.parametrize("value", [object(), float("nan")])
def test_what_json_cannot_hold_leaves_the_old_file(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "r.json"
    write_document(path, {"old": 1})
    with pytest.raises((TypeError, ValueError)):
        write_document(path, {"new": value})
    assert json.loads(path.read_text()) == {"old": 1}
    assert names(tmp_path) == ["r.json"]


def test_the_bytes_are_on_the_disk_before_the_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.json"
    order = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        order.append(("fsync", os.fstat(handle).st_size))
        fsync(handle)

    def renamed(source: str, target: Path) -> None:
        order.append(("replace", os.path.getsize(source)))
        assert Path(source).parent == target.parent, "a rename within one file system"
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write_document(path, {"some": "text"})
    size = path.stat().st_size
    assert order == [("fsync", size), ("replace", size)]


def test_what_killed_runs_left_is_swept(tmp_path: Path) -> None:
    old, fresh = tmp_path / "r.jsonabc.optkit-tmp", tmp_path / "r.jsondef.optkit-tmp"
    mine = tmp_path / "notes.tmp"
    for path in (old, fresh, mine):
        path.write_text("{")
    two_hours_ago = time.time() - 7200
    for path in (old, mine):
        os.utime(path, (two_hours_ago, two_hours_ago))
    write_document(tmp_path / "r.json", {})
    assert names(tmp_path) == ["notes.tmp", "r.json", fresh.name], "another run may use the new one"


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_document(tmp_path / "no" / "r.json", {})
