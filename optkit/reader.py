"""Reading a document field by field, with errors that say where and what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.errors import InstanceError, suggestion
from optkit.wording import shortened, show

_REQUIRED = object()
_KINDS = {str: "a text", int: "an integer", list: "a list", dict: "an object"}


class Reader:
    """Reads the fields of a document by name.

    Parameters
    ----------
    document : the parsed document, or an object inside it.
    source : its file, for errors.
    path : where the object is inside the document, with a full stop at the end.
    """

    def __init__(self, document: Mapping[str, Any], source: str, path: str = "") -> None:
        self.document = document
        self.source = source
        self.path = path

    def error(self, name: str, message: str) -> InstanceError:
        """The error for a field, ready to be raised."""
        return InstanceError(message, self.path + name, self.source)

    def get(self, name: str, kind: type, default: Any = _REQUIRED) -> Any:
        """A value of a JSON type; null counts as missing."""
        value = self.document.get(name)
        if value is None:
            if default is _REQUIRED:
                raise self.error(name, "missing, and it is required")
            return default
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(name, f"found {show(value)}, expected {_KINDS[kind]}")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """One of the allowed texts."""
        value: str = self.get(name, str)
        if value not in allowed:
            names = ", ".join(map(repr, allowed))
            hint = suggestion(value, allowed)
            raise self.error(name, f"found {show(value)}, expected one of {names}{hint}")
        return value

    def number(self, name: str) -> float | None:
        """A finite number or null."""
        value = self.document.get(name)
        if not _is_number_or_null(value):
            raise self.error(name, f"found {show(value)}, expected a finite number or null")
        return None if value is None else float(value)

    def integers(self, name: str) -> NDArray[np.int64] | None:
        """A flat list of integers or null."""
        values = self.get(name, list, None)
        if values is None:
            return None
        for index, value in enumerate(values):
            if type(value) is not int or abs(value) >= 2**62:
                raise self.error(f"{name}[{index}]", f"found {show(value)}, expected an integer")
        return np.array(values, dtype=np.int64)

    def amounts(self, name: str, null: float) -> dict[str, Any]:
        """Numbers and arrays by name; infinities and NaN are null in a file."""
        found = {}
        for key, value in self.get(name, dict, {}).items():
            try:
                numbers = np.array(value, dtype=np.float64)
            except (ValueError, TypeError, OverflowError):
                numbers = None
            if numbers is None or isinstance(value, (str, bool)):
                message = f"found {show(value)}, expected a number or lists of numbers"
                raise self.error(f"{name}.{shortened(key)}", message)
            numbers = np.where(np.isnan(numbers), null, numbers)
            found[key] = numbers if numbers.ndim else numbers.item()
        return found

    def rows(self, name: str, columns: int) -> list[list[float | None]]:
        """Rows of finite numbers or nulls."""
        rows: list[Any] = self.get(name, list, [])
        for index, row in enumerate(rows):
            fits = isinstance(row, list) and len(row) == columns
            if not fits or not all(map(_is_number_or_null, row)):
                raise self.error(f"{name}[{index}]", f"expected {columns} numbers or nulls")
        return rows


def _is_number_or_null(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return value is None
    if isinstance(value, int):
        return value.bit_length() <= 1000
    return isinstance(value, float) and math.isfinite(value)
