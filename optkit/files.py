"""Reading documents strictly and writing them atomically."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optkit.errors import InstanceError

_TEMPORARY = ".optkit-tmp"
_STALE_S = 3600.0


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read one JSON object from a file.

    Raises
    ------
    InstanceError
        One line naming the file: missing, a directory, not UTF-8, not JSON (with line and column),
        duplicate keys, NaN or infinity, nested too deeply, or not an object.
    """
    return parse_document(read_text(path, "a JSON file"), os.fspath(path))


def read_text(path: str | os.PathLike[str], expected: str = "a text file") -> str:
    """The text of a file.

    Raises
    ------
    InstanceError
        One line naming the file: missing, a directory, not UTF-8, or it cannot be read.
    """
    source = os.fspath(path)
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InstanceError("no such file", source=source) from None
    except IsADirectoryError:
        raise InstanceError(f"is a directory, expected {expected}", source=source) from None
    except UnicodeDecodeError as error:
        raise InstanceError(f"not UTF-8 text (byte {error.start})", source=source) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InstanceError(f"cannot be read: {reason}", source=source) from None


def parse_document(text: str, source: str = "") -> dict[str, Any]:
    """Parse the text of one JSON object; errors as in `read_document`."""
    try:
        document = _parse(text, source)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise InstanceError("is empty, expected a JSON object", source=source) from None
        raise InstanceError(
            f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}",
            source=source,
        ) from None
    except RecursionError:
        raise InstanceError("JSON is nested too deeply", source=source) from None
    if not isinstance(document, dict):
        names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
        found = names.get(type(document), "a number")
        raise InstanceError(f"found {found}, expected a JSON object", source=source)
    return document


class _Refused:
    """Stands in a parsed document where the text holds something that no document may."""

    def __init__(self, message: str) -> None:
        self.message = message


def _parse(text: str, source: str) -> Any:
    refused: list[_Refused] = []

    def refuse(message: str) -> _Refused:
        refused.append(_Refused(message))
        return refused[-1]

    def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    result[key] = refuse("appears twice in the same object")
                seen.add(key)
        return result

    def constant(name: str) -> _Refused:
        return refuse(f"found {name}, which JSON does not allow")

    hooks: dict[str, Any] = {"object_pairs_hook": unique_keys, "parse_constant": constant}
    try:
        document = json.loads(text, **hooks)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer with thousands of digits
        document = json.loads(text, parse_int=_integer, **hooks)
    if refused:
        path, found = _first_refused(document)
        raise InstanceError(found, path, source)
    return document


def _integer(text: str) -> int:
    """The integer, or one that every field finds too large where Python refuses to read it."""
    try:
        return int(text)
    except ValueError:
        return -(10**400) if text.startswith("-") else 10**400


def _first_refused(document: Any) -> tuple[str, str]:
    """Path and message of the first refused value, found without recursion."""
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Refused):
            return path, value.message
        if isinstance(value, dict):
            dot = "." if path else ""
            inner = [(f"{path}{dot}{k[:60]}", v) for k, v in value.items() if _nested(v)]
        else:
            inner = [(f"{path}[{i}]", v) for i, v in enumerate(value) if _nested(v)]
        waiting += reversed(inner)
    return "", "holds what JSON does not allow"


def _nested(value: Any) -> bool:
    return isinstance(value, (dict, list, _Refused))


def write_document(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write a JSON object as `write_bytes` does.

    Raises
    ------
    OSError
        The folder is missing or cannot be written.
    """
    write_bytes(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that a reader sees the old one or the whole new one, never half.

    The bytes go to a temporary file in the same folder, reach the disk, and are renamed over the
    target, with the mode that the umask gives. Temporaries of runs killed an hour ago are swept.

    Raises
    ------
    OSError
        The folder is missing or cannot be written.
    """
    target = Path(path)
    folder = target.parent
    _sweep(folder)
    handle, temporary = tempfile.mkstemp(prefix=target.name, suffix=_TEMPORARY, dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sweep(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for leftover in folder.glob("*" + _TEMPORARY):
            if time.time() - leftover.stat().st_mtime > _STALE_S:
                leftover.unlink()
