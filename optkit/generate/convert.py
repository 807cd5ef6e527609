"""Instances made from files in a foreign format, by the converters of their problem."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optkit.instance import Instance


def convert(problem: str, kind: str, path: str | os.PathLike[str], **parameters: Any) -> Instance:
    """Read an instance from a file in a foreign format; its name is that of the file.

    Parameters
    ----------
    problem : as listed by ``problems()``.
    kind : name of the format, one of the problem's ``converters``.
    path : the file.
    parameters : of the converter, such as ``maximise=True``.

    Raises
    ------
    UsageError
        Unknown problem, format or parameter, with a suggestion.
    InstanceError
        The file cannot be read or says something else than its format; names the file.
    """
    from optkit.errors import InstanceError, UsageError, suggestion
    from optkit.files import read_text
    from optkit.parameters import check_parameters
    from optkit.registry import problem as find
    from optkit.registry import resolve

    description = find(problem)
    known = description.converters
    if kind not in known:
        names = ", ".join(known) or "none"
        hint = suggestion(kind, known)
        raise UsageError(f"{problem} reads no format {kind[:60]!r}{hint}; known: {names}")
    function = resolve(known[kind])
    owner = f"the {kind} format of {problem}"
    checked = check_parameters(function, parameters, skip=2, owner=owner, noun="parameter")
    text = read_text(path)
    try:
        document = function(text, Path(path).stem, **checked)
        return description.instance_class()(document)
    except InstanceError as error:
        raise InstanceError(error.message, error.field, os.fspath(path)) from None
