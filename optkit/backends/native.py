"""The only importer of HiGHS and OR-Tools.

Both wheels bring a HiGHS library, and from highspy 1.15 on the two cannot be loaded into one
process; so every import goes through here, in one order, and a failure names the pin.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

from optkit.errors import MethodUnavailable

HIGHSPY_PIN = 'pip install "highspy>=1.12,<1.14"'
ORTOOLS_PIN = 'pip install "ortools>=9.15,<9.16"'

#: Releases that returned wrong optima on small models whatever the scaling.
_WRONG_HIGHSPY = ("1.14.0",)


@functools.cache
def highspy() -> Any:
    """The module ``highspy``.

    Raises
    ------
    MethodUnavailable
        It is missing, does not load, or is a release known to return wrong optima.
    """
    try:
        module = importlib.import_module("highspy")
        version = str(module.Highs().version())
    except (ImportError, AttributeError) as error:
        raise MethodUnavailable(
            f"highspy does not load ({_first_line(error)}): {HIGHSPY_PIN}"
        ) from error
    if version in _WRONG_HIGHSPY:
        raise MethodUnavailable(f"highspy {version} returns wrong optima: {HIGHSPY_PIN}")
    return module


@functools.cache
def cp_model() -> Any:
    """The module ``ortools.sat.python.cp_model``.

    Raises
    ------
    MethodUnavailable
        It is missing, or cannot be loaded beside the installed highspy.
    """
    highspy()  # first, always: one order of loading
    try:
        return importlib.import_module("ortools.sat.python.cp_model")
    except ImportError as error:
        fix = ORTOOLS_PIN if isinstance(error, ModuleNotFoundError) else HIGHSPY_PIN
        raise MethodUnavailable(f"OR-Tools does not load ({_first_line(error)}): {fix}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
