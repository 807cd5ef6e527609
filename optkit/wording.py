"""What errors say of a wrong value: what was found and what was expected, in plain words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from optkit.errors import InstanceError, suggestion

#: The largest number that a field takes: beyond it, products of two overflow at once.
LARGEST = 1e300

_LONGEST = 60
_PATH = re.compile(r" - at `(?:key in )?\$((?:(?! - at `).)*)`$", re.DOTALL)
_FIELD = re.compile(r"(unknown|required) field `(.*)`", re.DOTALL)
_TYPES = {
    "int": "an integer",
    "float": "a number",
    "str": "a text",
    "object": "an object",
    "array": "a list",
    "bool": "true or false",
    "null": "null",
}


def show(value: Any) -> str:
    """A short, one-line picture of a value for an error message."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0:
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 200:
        return "an integer of more than 60 digits"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "an infinite number"
    if isinstance(value, str):
        return repr(shortened(value))
    return shortened(repr(value))


def shortened(text: str) -> str:
    """The text, cut where it is long enough to drown a message."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def expectation(message: str, found: Any, kind: Any) -> str:
    """``found ..., expected ...`` from a message of msgspec about a value.

    Parameters
    ----------
    message : without its path.
    found : the value.
    kind : what msgspec knows of the expected type (``msgspec.inspect.type_info``).
    """
    if message.startswith("Invalid enum value"):
        wanted = "expected " + _allowed(kind, found)
    elif message.startswith("Number out of range"):
        wanted = "expected a finite number"
    else:
        wanted = re.sub(r"`([^`]*)`", _plain_types, message.split(", got ")[0])
        wanted = wanted.replace(f"a number <= {LARGEST}", "a finite number")
        wanted = re.sub(r"(\d)\.0\b", r"\1", wanted[:1].lower() + wanted[1:])
    return f"found {show(found)}, {wanted}"


def _plain_types(types: re.Match[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in types[1].split(" | "))


def _allowed(kind: Any, found: Any) -> str:
    """The values of a literal type, with a suggestion."""
    values = [v for option in _options(kind) for v in getattr(option, "values", ())]
    if len(values) == 1:
        return repr(values[0])
    hint = suggestion(found, map(str, values)) if isinstance(found, str) else ""
    return f"one of {', '.join(map(repr, values))}{hint}" if values else "another value"


def invalid(message: str, document: Any, schema: type[msgspec.Struct]) -> InstanceError:
    """The error for a document of which msgspec says that it does not follow its schema."""
    path = ""
    if match := _PATH.search(message):
        path = match.group(1).lstrip(".")
        message = message[: match.start()]
    if match := _FIELD.search(message):
        kind, name = match.groups()
        field = f"{path}.{shortened(name)}" if path else shortened(name)
        if kind == "required":
            also = _also_missing(name, _lookup(document, path), path, schema)
            return InstanceError(f"missing, and it is required{also}", field)
        return InstanceError(f"unknown field{_misplaced(name, path, schema)}", field)
    kinds = list(_descend(schema, path))
    return InstanceError(expectation(message, _lookup(document, path), kinds[-1]), path)


def _also_missing(name: str, found: Any, path: str, schema: type[msgspec.Struct]) -> str:
    """The other required fields that the object lacks, so that nobody meets them one by one."""
    others = [m.encode_name for m in _members(path, schema)
              if m.required and m.encode_name != name and m.encode_name not in found]  # fmt: skip
    return f", as {'are' if len(others) > 1 else 'is'} {', '.join(others)}" if others else ""


def _misplaced(name: str, path: str, schema: type[msgspec.Struct]) -> str:
    """A suggestion: a field of the same object before one that belongs elsewhere."""
    if hint := suggestion(name, [member.encode_name for member in _members(path, schema)]):
        return hint
    elsewhere = {field.rpartition(".")[2]: field for field in _fields(schema)}
    hint = suggestion(name, elsewhere)
    for leaf, field in elsewhere.items():
        hint = hint.replace(repr(leaf), repr(field))
    return hint


def _members(path: str, schema: type[msgspec.Struct]) -> list[Any]:
    """The fields that an object at a path may have."""
    options = _options(list(_descend(schema, path))[-1])
    return [member for option in options for member in getattr(option, "fields", ())]


def _options(kind: Any) -> list[Any]:
    return list(getattr(kind, "types", None) or [kind])


def _descend(schema: type[msgspec.Struct], path: str) -> Iterator[Any]:
    """The type at every step of a path, the schema's own first."""
    kind: Any = msgspec.inspect.type_info(schema)
    yield kind
    for step in re.findall(r"[^.\[\]]+|\[\d+\]|\.\.\.", path):
        for option in _options(kind):
            if step.startswith("[") and hasattr(option, "item_type"):
                kind = option.item_type
            for member in getattr(option, "fields", ()):
                if member.encode_name == step:
                    kind = member.type
        yield kind


def _fields(schema: type[msgspec.Struct]) -> list[str]:
    """The paths of all fields of a schema and of the structures inside it."""
    paths: list[str] = []

    def walk(kind: Any, path: str) -> None:
        for option in _options(kind):
            for member in getattr(option, "fields", ()):
                paths.append(f"{path}{member.encode_name}")
                walk(member.type, f"{paths[-1]}.")
            if hasattr(option, "item_type"):
                walk(option.item_type, f"{path[:-1]}[].")

    walk(msgspec.inspect.type_info(schema), "")
    return paths


def _lookup(document: Any, path: str) -> Any:
    value = document
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            value = value[int(index)] if index else value[key]
        except (LookupError, TypeError):  # a key that msgspec does not print, such as [...]
            return value
    return value
