"""The verb ``load``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optkit.errors import InstanceError, suggestion
from optkit.files import read_document
from optkit.registry import problem, problems

if TYPE_CHECKING:
    from optkit.instance import Instance


def load(source: str | os.PathLike[str] | Mapping[str, Any]) -> Instance:
    """Read an instance of any problem from a JSON file or from a document in memory.

    Raises
    ------
    InstanceError
        One line with the file, the path of the field, what was found and what was expected.
    """
    document = source if isinstance(source, Mapping) else read_document(source)
    file = "" if isinstance(source, Mapping) else os.fspath(source)
    if "instance_digest" in document and "version" not in document:
        raise InstanceError("is a result, expected an instance", source=file)
    name = document.get("problem")
    if name not in problems() if isinstance(name, str) else True:
        hint = suggestion(name, problems()) if isinstance(name, str) else ""
        found = "missing" if name is None else f"found {str(name)[:60]!r}"
        known = ", ".join(problems())
        raise InstanceError(f"{found}, expected one of: {known}{hint}", "problem", file)
    try:
        return problem(str(name)).instance_class()(document)
    except InstanceError as error:
        raise InstanceError(error.message, error.field, error.source or file) from None
