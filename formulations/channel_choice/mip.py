"""Channels as a mixed-integer programme over coalitions, in Pyomo (paper 000, Eqs. 8-19).

A coalition is a set of services on one channel. What its members gain together depends on them
alone, and on the number of offloaders k where these share the cloud; so with the logarithm of
Eq. 8 and the interference of Eq. 28 in the coefficients, what is left is linear:

- ``z[s]`` (or ``z[s, k]``): coalition number s has a channel (as some of k offloaders);
- ``b[k]``: there are at most k offloaders, served as k of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.coalition_models import linear_model
from formulations.channel_choice.exact.coalitions import coalitions
from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.exact.pricing import Coalitions
from formulations.channel_choice.exact.shares import share_counts
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.objective import qos
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.share_search import search_shares
from optkit.backends.feed import Solution, SolveStatus
from optkit.backends.highs import solve_model
from optkit.backends.pyomo import Values, export_pyomo, linear, solve_pyomo
from optkit.errors import UsageError
from optkit.run import Run

Sets = dict[int, Coalitions]
#: Up to so many services, one model holds every number of offloaders.
_ONE_MODEL = 12
#: Above so many coalitions the arrays are built without Pyomo.
_PYOMO = 20_000


def mip(
    instance: ChannelChoice,
    run: Run,
    *,
    solver: str = "highs",
    export: str | None = None,
    arrays: bool | None = None,
    limit: int = 60_000,
) -> None:
    """Maximise the total quality of service (Eq. 17) over all coalitions that could matter.

    With an equally shared cloud, one model holds every number of offloaders, up to 12 of them;
    beyond that, or beyond the limit, they are searched by the linear relaxations of ranges of
    them, with one model for each that is left.

    Parameters
    ----------
    instance, run : as for every method.
    solver : "highs", or "scip" or "gurobi" through Pyomo.
    export : a ``.mps`` or ``.lp`` file to write the first model to (that of the largest number
        of offloaders if none has to be solved).
    arrays : build the same model without Pyomo; by default where there are many coalitions, if
        `solver` and `export` do not ask for Pyomo.
    limit : coalitions that a model may have; beyond, only simple bounds are reported.
    """
    if limit < 1:
        raise UsageError(f"option limit is {limit}, expected an integer of at least 1")
    plain = export is None and solver == "highs"
    if arrays and not plain:
        raise UsageError("option arrays does not go with solver or export, which need Pyomo")
    held = Held(instance, run)
    if not held.offloading.late_at_home.any():
        held.found(np.zeros(instance.services, dtype=np.int64))
    models = _Models(instance, run, held, solver, export, arrays if plain else False, limit)
    counts = share_counts(held.offloading)
    one_model = 1 < len(counts) <= _ONE_MODEL and not arrays
    if not one_model or not models.all_counts(counts):
        run.built()
        search_shares(held, run, models.leaf, models.relax if len(counts) > 1 else None)
    models.export_now(counts[-1])
    run.note(coalitions=models.largest, models=models.solved)
    if models.skipped:
        run.note(skipped=f"{models.skipped} models of more than {limit:,} coalitions")


class _Models:
    """Builds and solves the models of one run.

    Attributes
    ----------
    largest : coalitions of the largest model.
    solved : number of models, skipped : of those that were too large.
    """

    def __init__(
        self,
        instance: ChannelChoice,
        run: Run,
        held: Held,
        solver: str,
        export: str | None,
        arrays: bool | None,
        limit: int,
    ) -> None:
        self.largest = self.solved = self.skipped = 0
        self._instance, self._run, self._held = instance, run, held
        self._o: Offloading = held.offloading
        self._solver, self._export, self._arrays, self._limit = solver, export, arrays, limit
        self._offset = float(qos(self._o, self._o.local_overhead).sum())

    def relax(self, a: int, b: int) -> tuple[float, float]:
        """The linear relaxation at speed F/a of at most b offloaders, and how many it takes."""
        sets = self._enumerated(a, b)
        if sets is None:
            return np.inf, (a + b) / 2
        model = linear_model(self._o, sets, b, self._offset, relaxed=True)
        solution = solve_model(model, self._run, bound_of=None)
        chosen = 0.0
        if solution.values is not None:
            chosen = float(np.diff(sets.start) @ solution.values)
        return self._gain_bound(solution), chosen

    def leaf(self, k: int) -> float:
        """The best channels of at most k offloaders served as k of them."""
        sets = self._enumerated(k, k)
        if sets is None:
            return np.inf
        self.solved += 1
        arrays = self._arrays
        if arrays is None:
            arrays = len(sets) > _PYOMO
        if not arrays:
            model = coalition_model(self._o, {k: sets}, self._offset, self._instance.name)
            return self._gain_bound(self._solve(model, {k: sets}, bounds=not self._o.equal_share))
        solution = solve_model(
            linear_model(self._o, sets, k, self._offset, relaxed=False),
            self._run,
            bound_of=self._claim(not self._o.equal_share),
            decode=lambda values: self._decision({k: sets}, values),
        )
        return self._gain_bound(solution)

    def all_counts(self, counts: Iterable[int]) -> bool:
        """One model for every number of offloaders; False where it would be too large."""
        sets: Sets = {}
        total = 0
        for k in counts:
            found = coalitions(self._o, k, k, self._run, self._limit - total)
            if found is None:
                return False
            sets[k] = found
            total += len(found)
        self.largest = total
        model = coalition_model(self._o, sets, self._offset, self._instance.name)
        self._run.built()
        self.solved += 1
        if self._solve(model, sets, bounds=True).status is SolveStatus.INFEASIBLE:
            self._held.infeasible()
        return True

    def export_now(self, k: int) -> None:
        """Write the model of k offloaders if one is to be written and none was solved, whether
        or not the run is over.

        Raises
        ------
        UsageError
            It would be too large.
        """
        if self._export is None:
            return
        sets = coalitions(self._o, k, k, Run(self._instance), self._limit)
        if sets is None:
            raise UsageError("option export: no model was built, nothing was exported")
        model = coalition_model(self._o, {k: sets}, self._offset, self._instance.name)
        export_pyomo(model, self._export)

    def _enumerated(self, k: int, most: int) -> Coalitions | None:
        sets = coalitions(self._o, k, most, self._run, self._limit)
        if sets is None:
            self.skipped += not self._run.stopped()
        else:
            self.largest = max(self.largest, len(sets))
        return sets

    def _solve(self, model: Any, sets: Sets, bounds: bool) -> Solution:
        export, self._export = self._export, None
        if export is not None:
            export_pyomo(model, export)

        def decode(values: Values) -> tuple[Any, dict[str, Any]]:
            return self._decision(sets, values.array(model.z))

        return solve_pyomo(
            model, self._run, bound_of=self._claim(bounds), decode=decode, solver=self._solver
        )

    def _decision(self, sets: Sets, values: NDArray[np.float64]) -> tuple[Any, dict[str, Any]]:
        """The decision of the coalitions at whose variables, one after another, there is a 1."""
        members = [found[number] for found in sets.values() for number in range(len(found))]
        chosen = [members[number] for number in np.flatnonzero(values > 0.5)]
        return self._held.decision(channels_of(chosen, len(self._o.power_w))), {}

    def _claim(self, bounds: bool) -> ChannelChoice | None:
        """Whose bound a model's is: the instance's, unless it holds something of it."""
        return self._instance if bounds and not self._instance.balanced else None

    def _gain_bound(self, solution: Solution) -> float:
        if solution.status is SolveStatus.INFEASIBLE:
            return -np.inf
        return np.inf if solution.bound is None else solution.bound - self._offset


def coalition_model(o: Offloading, sets: Sets, offset: float, name: str = "") -> Any:
    """The Pyomo model over coalitions, for one number of offloaders or for several.

    Parameters
    ----------
    sets : coalitions for each number of offloaders.
    offset : quality of service of all at home.
    """
    import pyomo.environ as pyo

    model = pyo.ConcreteModel(name or "channel_choice")
    services = len(o.power_w)
    several = len(sets) > 1
    index = [
        (number, k) if several else number
        for k, found in sets.items()
        for number in range(len(found))
    ]
    model.z = pyo.Var(index, domain=pyo.Binary)
    variables = list(model.z.values())
    model.one_channel = pyo.Constraint(pyo.Any)
    model.channels = pyo.Constraint(pyo.Any)
    model.offloaders = pyo.Constraint(pyo.Any)
    of_service: list[list[Any]] = [[] for _ in range(services)]
    values: list[float] = []
    model.b = pyo.Var(list(sets) if several else [], domain=pyo.Binary)
    first = 0
    for k, found in sets.items():
        columns = variables[first : first + len(found)]
        first += len(found)
        values += found.value.tolist()
        sizes = np.diff(found.start)
        for column, i in zip(np.repeat(np.arange(len(found)), sizes), found.member, strict=True):
            of_service[i].append(columns[column])
        if not columns:
            continue
        count, members = linear([1.0] * len(columns), columns), linear(sizes.tolist(), columns)
        label = k if several else 0
        model.channels[label] = count <= o.channels * (model.b[k] if several else 1)
        model.offloaders[label] = members <= k * (model.b[k] if several else 1)
    for i, columns in enumerate(of_service):
        if o.late_at_home[i]:
            model.one_channel[i] = linear([1.0] * len(columns), columns) == 1
        elif columns:
            model.one_channel[i] = linear([1.0] * len(columns), columns) <= 1
    if several:
        model.one_share = pyo.Constraint(expr=sum(model.b[k] for k in sets) <= 1)
    model.eq17_quality = pyo.Objective(
        expr=linear(values, variables, constant=offset), sense=pyo.maximize
    )
    return model
