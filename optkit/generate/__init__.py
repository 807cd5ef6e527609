"""The verb ``generate``, and the command ``python -m optkit.generate``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optkit.instance import Instance


def generate(problem: str, family: str, seed: int = 0, **generator_parameters: Any) -> Instance:
    """Draw an instance of a family; the same arguments give the same instance.

    Parameters
    ----------
    problem, family : as listed by ``problems()``.
    seed : >= 0.
    generator_parameters : of the problem's generator, such as ``servers=9``.

    Raises
    ------
    UsageError
        Unknown problem, family or parameter, with a suggestion.
    InstanceError
        The parameters describe an instance that is not valid.
    """
    from optkit.errors import UsageError

    draw = drawing(problem, family, **generator_parameters)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"the seed is {seed!r}, expected an integer >= 0")
    return draw(seed)


def drawing(problem: str, family: str, **generator_parameters: Any) -> Callable[[int], Instance]:
    """What draws the instance of a seed, for those who draw many; errors as in `generate`."""
    from optkit.errors import UsageError, suggestion
    from optkit.parameters import check_parameters
    from optkit.registry import problem as find
    from optkit.registry import resolve

    description = find(problem)
    if family not in description.families:
        known = description.families
        raise UsageError(
            f"unknown family {family[:60]!r} of {problem}{suggestion(family, known)}; "
            f"known: {', '.join(known)}"
        )
    function = resolve(description.generate)
    checked = check_parameters(
        function,
        generator_parameters,
        skip=2,
        owner=f"the generator of {problem}",
        noun="parameter",
    )
    made = description.instance_class()
    return lambda seed: made(function(family, seed, **checked))
