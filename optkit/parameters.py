"""Values given by name, checked against the names and annotations of a function."""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from optkit.errors import UsageError, suggestion


def check_parameters(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    *,
    skip: int,
    owner: str,
    noun: str,
) -> dict[str, Any]:
    """The given values, converted to the annotated types.

    Parameters
    ----------
    function : what the values are for; without annotation, any value will do.
    given : value by name, of plain types or NumPy scalars.
    skip : how many leading parameters are not the caller's to give.
    owner, noun : for messages: ``method mip``, ``option``.

    Raises
    ------
    UsageError
        An unknown name (with a suggestion) or a value of the wrong type.
    """
    if not given:
        return {}
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    known = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    hints = _hints(function, [p for p in parameters if p.name in given])
    checked = {}
    for name, value in given.items():
        if name in known:
            checked[name] = _converted(value, hints.get(name, Any), f"{noun} {name} of {owner}")
        elif anything:
            checked[name] = value
        else:
            choices = ", ".join(sorted(known)) or "none"
            raise UsageError(
                f"{owner} has no {noun} {name[:60]!r}{suggestion(name, known)}; "
                f"its {noun}s: {choices}"
            )
    return checked


def _hints(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> dict[str, Any]:
    """The annotated types; one that is imported for type checkers alone is left out."""
    inner: Any = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    inner = inspect.unwrap(inner if inspect.isroutine(inner) else type(inner).__call__)
    scope = getattr(inner, "__globals__", {})
    hints: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.annotation is not parameter.empty:
            alone = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
            with contextlib.suppress(NameError, AttributeError):
                hints |= typing.get_type_hints(alone, scope)
    return hints


def _converted(value: Any, hint: Any, label: str) -> Any:
    import msgspec
    import numpy as np

    from optkit.wording import expectation

    plain = value.item() if isinstance(value, np.generic) else value
    try:
        return msgspec.convert(plain, hint)
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at `")[0]
        kind = msgspec.inspect.type_info(hint)
        raise UsageError(f"{label}: {expectation(message, value, kind)}") from None
