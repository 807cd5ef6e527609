"""Descriptions of problems and methods, found through entry points and loaded when used."""

from __future__ import annotations

import importlib
import importlib.util
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal

from optkit.errors import MethodUnavailable, UsageError, suggestion
from optkit.parameters import check_parameters

if TYPE_CHECKING:
    from optkit.instance import Instance

ENTRY_POINTS = "optkit.problems"
Kind = Literal["exact", "bound", "heuristic", "game", "learned"]


def resolve(dotted: Any) -> Any:
    """The object that ``package.module:name`` names; whatever is no text is itself."""
    if not isinstance(dotted, str):
        return dotted
    module, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class Method:
    """One way to solve a problem; nothing it needs is imported before it is used.

    Parameters
    ----------
    name : as typed after ``--method``.
    function : dotted name (or the function) of ``(instance, run, **options) -> None``.
    kind : "exact", "bound", "heuristic", "game" or "learned".
    summary : one line.
    proves_bound : whether it may call ``run.bound``.
    requires : top-level modules that must be installed.
    extra : the extra of optkit that installs them, if the core does not.
    applies : dotted name (or function) of ``instance -> None or why not``.
    outdone : dotted name (or function) of ``instance -> bool``: whether ``auto`` passes the method
        over, though it applies, for a later one that is better there.
    reference : paper and section it comes from.
    train : dotted name of ``(training, *, preset, **options) -> Policy or None``, for a method
        that is trained before it is used (``optkit.learning.training``).
    """

    name: str
    function: str | Callable[..., None]
    kind: Kind
    summary: str = ""
    proves_bound: bool = False
    requires: tuple[str, ...] = ()
    extra: str | None = None
    applies: str | Callable[..., str | None] | None = None
    outdone: str | Callable[..., bool] | None = None
    reference: str = ""
    train: str | None = None

    @property
    def why_not(self) -> str | None:
        """What is missing on this machine, or ``None`` when the method can be used."""
        missing = [name for name in self.requires if importlib.util.find_spec(name) is None]
        if not missing:
            return None
        package = f'"optkit[{self.extra}]"' if self.extra else " ".join(missing)
        return f"needs {', '.join(missing)}: pip install {package}"

    @property
    def available(self) -> bool:
        """Whether all it requires is installed."""
        return self.why_not is None

    def why_not_for(self, instance: Instance) -> str | None:
        """Why the method cannot solve this instance here, or ``None``."""
        if (missing := self.why_not) is not None:
            return missing
        if self.applies is None:
            return None
        reason: str | None = resolve(self.applies)(instance)
        return reason

    def chosen_for(self, instance: Instance) -> bool:
        """Whether ``auto`` takes the method, if none before it."""
        if self.kind != "exact" or self.why_not_for(instance) is not None:
            return False
        return self.outdone is None or not resolve(self.outdone)(instance)

    def load(self) -> Callable[..., None]:
        """The function itself."""
        return typing.cast("Callable[..., None]", resolve(self.function))

    def check_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options checked against the names and types of the function.

        Raises
        ------
        UsageError
            An unknown option (with a suggestion) or a value of the wrong type.
        """
        return check_parameters(
            self.load(), options, skip=2, owner=f"method {self.name}", noun="option"
        )


@dataclass(frozen=True)
class Problem:
    """One problem: its instance class, generator and methods, all by dotted name.

    Parameters
    ----------
    name : as in the ``problem`` field of a file.
    instance : dotted name of the `Instance` subclass.
    generate : dotted name of ``(family, seed, **parameters) -> document``.
    families : name of each instance family and what it is.
    methods : in the order in which ``auto`` tries the exact ones.
    summary, reference : one line each.
    policies : by learned method, ``package:path`` of the trained policy that is shipped.
    converters : by name of a foreign format, dotted name of ``(text, name, **parameters) ->
        document``.
    """

    name: str
    instance: str
    generate: str
    families: Mapping[str, str]
    methods: tuple[Method, ...]
    summary: str = ""
    reference: str = ""
    policies: Mapping[str, str] = field(default_factory=dict)
    converters: Mapping[str, str] = field(default_factory=dict)

    def instance_class(self) -> type[Instance]:
        """The class of its instances."""
        return typing.cast("type[Instance]", resolve(self.instance))


GENERIC = (
    Method(
        "enumerate",
        "optkit.search.enumeration:enumerate_all",
        "exact",
        "every decision, in batches",
        proves_bound=True,
        applies="optkit.search.enumeration:applies",
    ),
    Method("random", "optkit.search.sampling:random", "heuristic", "uniform decisions"),
    Method(
        "greedy",
        "optkit.search.constructive:greedy",
        "heuristic",
        "cheapest next step of the environment",
        applies="optkit.search.constructive:applies",
    ),
    Method(
        "beam",
        "optkit.search.constructive:beam",
        "heuristic",
        "the best partial decisions, step by step",
        applies="optkit.search.constructive:applies",
    ),
    Method(
        "local_search",
        "optkit.search.local:local_search",
        "heuristic",
        "best improvement over one position, with restarts",
    ),
    Method(
        "annealing",
        "optkit.search.local:annealing",
        "heuristic",
        "simulated annealing over one position",
        reference="Kirkpatrick et al. 1983",
    ),
    Method(
        "best_response",
        "optkit.search.best_response:best_response",
        "game",
        "players change to their best responses, one update a slot, until none wants to",
        applies="optkit.search.best_response:applies",
    ),
    Method(
        "equilibria",
        "optkit.search.equilibria:equilibria",
        "game",
        "every profile of a small game: best and worst equilibrium, price of anarchy",
        applies="optkit.search.equilibria:applies",
    ),
    Method(
        "ddl",
        "optkit.learning.ddl:decide",
        "learned",
        "the best of what K trained networks decide at once",
        applies="optkit.learning.ddl:applies",
        reference="paper 004, Algorithm 1",
        train="optkit.learning.ddl_training:train",
    ),
)


@cache
def problems() -> dict[str, Problem]:
    """Every installed problem by name, those of other packages included.

    Raises
    ------
    UsageError
        optkit itself is not installed, so that no entry point can be found.
    """
    found = {entry.name: entry.load() for entry in sorted(entry_points(group=ENTRY_POINTS))}
    if not found:
        raise UsageError(
            "no problem is registered: install optkit first (make demo, or pip install -e .)"
        )
    return found


def problem(name: str) -> Problem:
    """The problem of that name.

    Raises
    ------
    UsageError
        With a suggestion.
    """
    known = problems()
    if name not in known:
        names = ", ".join(known)
        raise UsageError(f"unknown problem {name[:60]!r}{suggestion(name, known)}; known: {names}")
    return known[name]


def methods(problem_name: str) -> dict[str, Method]:
    """The methods of a problem by name: its own, then the generic ones that it does not hide."""
    own = {method.name: method for method in problem(problem_name).methods}
    return own | {method.name: method for method in GENERIC if method.name not in own}


def method(name: str, instance: Instance) -> Method:
    """The method of that name, checked to apply to the instance; ``auto`` chooses one.

    Raises
    ------
    UsageError
        Unknown name, with a suggestion.
    MethodUnavailable
        It does not apply, or a package is missing.
    """
    known = methods(instance.problem)
    if name == "auto":
        for candidate in known.values():
            if candidate.chosen_for(instance):
                return candidate
        raise MethodUnavailable("no exact method applies to this instance")
    if name not in known:
        names = ", ".join(["auto", *known])
        raise UsageError(
            f"unknown method {name[:60]!r} for {instance.problem}{suggestion(name, known)}; "
            f"known: {names}"
        )
    reason = known[name].why_not_for(instance)
    if reason is not None:
        raise MethodUnavailable(f"method {name} cannot solve this instance: {reason}")
    return known[name]
