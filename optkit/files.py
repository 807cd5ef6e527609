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
    source = os.fspath(path)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InstanceError("no such file", source=source) from None
    except IsADirectoryError:
        raise InstanceError("is a directory, expected a JSON file", source=source) from None
    except UnicodeDecodeError as error:
        raise InstanceError(f"not UTF-8 text (byte {error.start})", source=source) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InstanceError(f"cannot be read: {reason}", source=source) from None
    return parse_document(text, source)


def parse_document(text: str, source: str = "") -> dict[str, Any]:
    """Parse the text of one JSON object; errors as in `read_document`."""
    try:
        document = json.loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        if not text.strip():
            raise InstanceError("is empty, expected a JSON object", source=source) from None
        raise InstanceError(
            f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}",
            source=source,
        ) from None
    except RecursionError:
        raise InstanceError("JSON is nested too deeply", source=source) from None
    except ValueError as error:  # our hooks, or an integer with thousands of digits
        raise InstanceError(_first_line(error), source=source) from None
    if not isinstance(document, dict):
        found = type(document).__name__
        raise InstanceError(f"expected a JSON object, found {found}", source=source)
    return document


def _first_line(error: Exception) -> str:
    text = str(error)
    return "an integer has too many digits" if "integer string conversion" in text else text


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key {key[:80]!r}")
            seen.add(key)
    return result


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that JSON allows")


def write_document(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write a JSON object so that a reader sees the old file or the whole new one, never half.

    The bytes go to a temporary file in the same folder, reach the disk, and are renamed over the
    target, with the mode that the umask gives. Temporaries of runs killed an hour ago are swept.

    Raises
    ------
    OSError
        The folder is missing or cannot be written.
    """
    target = Path(path)
    folder = target.parent
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    _sweep(folder)
    handle, temporary = tempfile.mkstemp(prefix=target.name, suffix=_TEMPORARY, dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
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
