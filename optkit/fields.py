"""Validation of document fields: structure by msgspec, arrays by shape, errors by path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from optkit.errors import InstanceError
from optkit.wording import LARGEST, invalid
from optkit.wording import show as show

#: Up to here an integer passes through float64 unchanged.
_LARGEST_INTEGER = 2.0**53

_JSON_SCALARS = {int, float, str, bool, type(None)}

#: Finite numbers of a schema. NaN never gets here: files refuse it and arrays are checked.
NonNegative = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]

Schema = TypeVar("Schema", bound=msgspec.Struct)


def convert(document: Mapping[str, Any], schema: type[Schema]) -> Schema:
    """Check a parsed document against a schema.

    Raises
    ------
    InstanceError
        With the path of the field, what was found and what was expected.
    """
    try:
        document = _without_numpy_scalars(document)
        structure = msgspec.convert(document, schema, strict=True)
    except msgspec.ValidationError as error:
        raise invalid(str(error), document, schema) from None
    except RecursionError:
        raise InstanceError("nested too deeply") from None
    _refuse_nan(structure, "")
    return structure


def _without_numpy_scalars(value: Any) -> Any:
    """A document made in memory as one from a file would be; only whole arrays stay."""
    if isinstance(value, Mapping):
        return {name: _without_numpy_scalars(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        if set(map(type, value)) <= _JSON_SCALARS:
            return value
        rows = (item.tolist() if isinstance(item, np.ndarray) else item for item in value)
        return [_without_numpy_scalars(item) for item in rows]
    scalar = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return value.item() if scalar else value


def _refuse_nan(value: Any, path: str) -> None:
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _refuse_nan(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], msgspec.Struct):
        for index, item in enumerate(value):
            _refuse_nan(item, f"{path}[{index}]")
    elif isinstance(value, float) and math.isnan(value):
        raise InstanceError("found NaN, expected a finite number", path)


# --- arrays ------------------------------------------------------------------------------------


def length(value: Any, path: str) -> int:
    """How many entries a list or an array has, at least one.

    Raises
    ------
    InstanceError
        It is something else, or empty.
    """
    if not isinstance(value, (list, tuple, np.ndarray)):
        raise InstanceError(f"found {show(value)}, expected a list", path)
    if len(value) == 0:
        raise InstanceError("found an empty list, expected at least one entry", path)
    return len(value)


def array(
    value: Any,
    path: str,
    shape: Sequence[int],
    *,
    minimum: float = 0.0,
    exclusive: bool = False,
    maximum: float = LARGEST,
    integer: bool = False,
    null: float | None = None,
    free_diagonal: bool = False,
) -> NDArray[Any]:
    """A read-only array of the given shape from nested lists (or from an array).

    Parameters
    ----------
    value : nested lists of numbers, or an array of that shape.
    path : path of the field, for errors.
    shape : expected lengths, outermost first.
    minimum, exclusive, maximum : every number is >= minimum (> if exclusive) and <= maximum.
    integer : int64 instead of float64; fractions are refused.
    null : what a null entry becomes; without it null is refused.
    free_diagonal : the diagonal of a square matrix is not read (a null there becomes 0).

    Raises
    ------
    InstanceError
        Naming the entry, what was found and what was expected.
    """
    if integer:
        maximum = min(maximum, _LARGEST_INTEGER)
    wanted = _wanted(minimum, exclusive, maximum, integer, null)
    if isinstance(value, np.ndarray):
        numbers = _from_array(value, path, shape, integer, wanted)
    else:
        _check_nested(value, path, shape, integer, null is not None, free_diagonal, wanted)
        try:
            numbers = np.array(value, dtype=np.float64)  # null becomes NaN
        except OverflowError:
            where, culprit = _too_large(value, path)
            raise InstanceError(f"found {show(culprit)}, expected {wanted}", where) from None
    if numbers.ndim == len(shape) and numbers.shape != tuple(shape) and numbers.size == 0:
        numbers = numbers.reshape(tuple(shape))
    if free_diagonal:
        numbers = np.where(np.isnan(numbers) & np.eye(shape[0], dtype=bool), 0.0, numbers)
    absent = np.isnan(numbers)
    low = numbers <= minimum if exclusive else numbers < minimum
    bad = low | (numbers > maximum)
    if free_diagonal and exclusive:
        bad &= ~np.eye(shape[0], dtype=bool) | (numbers < minimum)
    if null is None:
        bad |= absent
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        where = path + "".join(f"[{i}]" for i in index)
        number = float(numbers[index])
        found = show(int(number)) if integer and math.isfinite(number) else show(number)
        raise InstanceError(f"found {found}, expected {wanted}", where)
    if null is not None:
        numbers = np.where(absent, null, numbers)
    if integer:
        numbers = numbers.astype(np.int64)
    elif numbers is value:
        numbers = numbers.copy()
    numbers = numbers + 0 if not integer else numbers  # -0.0 and 0.0 are one number
    numbers.setflags(write=False)
    return numbers


def _too_large(value: Any, path: str) -> tuple[str, int]:
    """Path and value of the first integer in nested lists that no float64 holds."""
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        if isinstance(item, (list, tuple)):
            try:
                np.array(item, dtype=np.float64)
            except OverflowError:
                return _too_large(item, where)
        elif isinstance(item, int) and item.bit_length() > 1024:
            return where, item
    return path, 2**1024


def _wanted(low: float, exclusive: bool, high: float, integer: bool, null: float | None) -> str:
    if low <= -LARGEST and not integer:
        return "a finite number" + (" or null" if null is not None else "")
    if integer and high < _LARGEST_INTEGER:
        text = f"an integer from {low:g} to {int(high)}"
        return text + (" or null" if null is not None else "")
    kind = "an integer" if integer else "a finite number"
    text = f"{kind} {'>' if exclusive else '>='} {low:g}"
    if high < LARGEST:
        text += f" and <= {high:g}"
    return text + (" or null" if null is not None else "")


def _from_array(
    value: NDArray[Any], path: str, shape: Sequence[int], integer: bool, wanted: str
) -> NDArray[np.float64]:
    if value.dtype.kind not in ("iu" if integer else "iuf"):
        raise InstanceError(f"found an array of {value.dtype}, each expected {wanted}", path)
    if value.shape != tuple(shape):
        expected = "x".join(map(str, shape))
        found = "x".join(map(str, value.shape))
        raise InstanceError(f"found an array of shape {found}, expected {expected}", path)
    return np.asarray(value, dtype=np.float64)


def _check_nested(
    value: Any,
    path: str,
    shape: Sequence[int],
    integer: bool,
    null: bool,
    free_diagonal: bool,
    wanted: str,
    unread: int | None = None,
) -> None:
    if not isinstance(value, (list, tuple)):
        raise InstanceError(f"found {show(value)}, expected a list of {shape[0]}", path)
    if len(value) != shape[0]:
        raise InstanceError(f"found {len(value)} entries, expected {shape[0]}", path)
    if len(shape) > 1:
        for index, row in enumerate(value):
            diagonal = index if free_diagonal else None
            inner = (f"{path}[{index}]", shape[1:], integer, null, False, wanted)
            _check_nested(row, *inner, unread=diagonal)
        return
    allowed: set[type] = {int} if integer else {int, float}
    if null:
        allowed.add(type(None))
    if not set(map(type, value)) <= allowed:
        for index, item in enumerate(value):
            if type(item) not in allowed and not (index == unread and item is None):
                raise InstanceError(f"found {show(item)}, expected {wanted}", f"{path}[{index}]")


def plain(structure: msgspec.Struct) -> dict[str, Any]:
    """A checked structure as nested mappings, with its arrays, without defaults and without
    parts that would be empty."""

    def inner(value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return plain(value)
        return [inner(item) for item in value] if isinstance(value, list) else value

    items = {}
    for item in msgspec.structs.fields(structure):
        content = getattr(structure, item.name)
        if isinstance(content, (np.ndarray, msgspec.Struct, list)):
            content = inner(content)
        elif content is None or content == item.default:
            continue
        if not isinstance(content, dict) or content:
            items[item.name] = content
    return items


def jsonable(value: Any) -> Any:
    """Arrays, NumPy scalars and infinities as what JSON holds; infinite and NaN become null."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            finite = np.isfinite(value)
            if not finite.all():
                holes = value.astype(object)
                holes[~finite] = None
                return holes.tolist()
        return value.tolist()
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value
