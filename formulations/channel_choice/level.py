"""A bound without coalitions: a mixed-integer programme over levels of received power, in Pyomo.

A service gains at most its gain at the lower end of the level that its channel's load is in:

- ``y[c, l]``: the load of channel c is in level l;
- ``x[i, c, l]``: service i is on that channel.

Without ``apart``, c is left out: the channels of a level, whose number is ``y[l]``, are then
one large channel. That has far fewer variables and no symmetry, and the same linear relaxation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from formulations.channel_choice.exact.held import Held
from formulations.channel_choice.exact.shares import share_counts
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.levels import Levels, levels_of, pack
from formulations.channel_choice.objective import qos
from formulations.channel_choice.share_search import search_shares
from optkit.backends.feed import Solution, SolveStatus
from optkit.backends.pyomo import Values, export_pyomo, linear, solve_pyomo
from optkit.run import Run


def applies(instance: ChannelChoice) -> str | None:
    """None where its bound is one on the instance, else why not."""
    return "where heads run is held: nothing is bounded" if instance.balanced else None


def level(
    instance: ChannelChoice,
    run: Run,
    *,
    solver: str = "highs",
    export: str | None = None,
    ratio: float = 1.05,
    apart: bool = False,
) -> None:
    """Bound the total quality of service (Eq. 17) by optimistic gains in levels of power.

    Parameters
    ----------
    instance, run : as for every method.
    solver : "highs", or "scip" or "gurobi" through Pyomo.
    export : a ``.mps`` or ``.lp`` file to write the first model to (that of the largest number
        of offloaders if none has to be solved).
    ratio : between neighbouring levels; nearer to 1 is tighter and larger.
    apart : model each channel apart.
    """
    held = Held(instance, run)
    if not held.offloading.late_at_home.any():
        held.found(np.zeros(instance.services, dtype=np.int64))
    models = _Models(instance, run, held, solver, export, ratio, apart)
    run.built()
    search_shares(held, run, models.leaf, models.relax)
    models.export_now(share_counts(held.offloading)[-1])
    run.note(models=models.solved, levels=models.levels)


class _Models:
    """Builds and solves the models of one run.

    Attributes
    ----------
    solved : models with whole numbers; levels : of the last one.
    """

    def __init__(
        self,
        instance: ChannelChoice,
        run: Run,
        held: Held,
        solver: str,
        export: str | None,
        ratio: float,
        apart: bool,
    ) -> None:
        self.solved = self.levels = 0
        self._instance, self._run, self._held = instance, run, held
        self._o = held.offloading
        self._solver, self._export, self._ratio, self._apart = solver, export, ratio, apart
        self._offset = float(qos(self._o, self._o.local_overhead).sum())

    def relax(self, a: int, b: int) -> tuple[float, float]:
        """The linear relaxation at speed F/a of at most b offloaders, and how many it takes."""
        model = self._model(a, b, True, self._run.stopped)
        if model is None:
            return np.inf, (a + b) / 2
        solution = solve_pyomo(model, self._run, bound_of=None, solver=self._solver, start=False)
        chosen = (a + b) / 2 if solution.values is None else sum(v.value for v in model.x.values())
        return self._gain_bound(solution), chosen

    def leaf(self, k: int) -> float:
        """The programme for at most k offloaders served as k of them."""
        model = self._model(k, k, False, self._run.stopped)
        if model is None:
            return np.inf
        self.solved += 1
        export, self._export = self._export, None
        if export is not None:
            export_pyomo(model, export)

        def decode(values: Values) -> tuple[Any, dict[str, Any]]:
            chosen = [
                index for index, v in zip(model.x, values.array(model.x), strict=True) if v > 0.5
            ]
            return self._held.decision(self._packed(model, values, k, chosen)), {}

        solution = solve_pyomo(
            model,
            self._run,
            bound_of=None if self._o.equal_share else self._instance,
            decode=decode,
            solver=self._solver,
            start=False,
        )
        return self._gain_bound(solution)

    def export_now(self, k: int) -> None:
        """Write the model of k offloaders if one is to be written and none was solved, whether
        or not the run is over."""
        if self._export is not None:
            export_pyomo(self._model(k, k, False, lambda: False), self._export)

    def _model(self, k: int, most: int, relaxed: bool, stopped: Callable[[], bool]) -> Any:
        levels = levels_of(self._o, k, self._ratio)
        self.levels = len(levels.high_w)
        name = self._instance.name
        return level_model(self._o, levels, most, self._offset, self._apart, relaxed, name, stopped)

    def _packed(self, model: Any, values: Values, k: int, chosen: list[Any]) -> Any:
        """Channels near those of a point: each service is wherever its power fits."""
        wished: list[list[int]] = [[] for _ in self._o.power_w]
        first = 1
        of_level: dict[int, list[int]] = {}
        for index, variable in model.y.items():
            if not isinstance(index, tuple):
                number = round(values(variable))
                of_level[index] = list(range(first, first + number))
                first += number
        for i, *place in chosen:
            wished[i] = [place[0] + 1] if len(place) == 2 else of_level[place[0]]
        return pack(self._o, k, wished)

    def _gain_bound(self, solution: Solution) -> float:
        if solution.status is SolveStatus.INFEASIBLE:
            return -np.inf
        return np.inf if solution.bound is None else solution.bound - self._offset


def level_model(
    o: Any,
    levels: Levels,
    most: int,
    offset: float,
    apart: bool,
    relaxed: bool,
    name: str = "",
    stopped: Callable[[], bool] = lambda: False,
) -> Any:
    """The Pyomo model of at most so many offloaders, or None where `stopped` ends the building.

    Parameters
    ----------
    o : the `Offloading`.
    levels : of loads and gains.
    offset : quality of service of all at home.
    apart : whether channels are modelled one by one.
    relaxed : whether variables may be fractions.
    """
    import pyomo.environ as pyo

    model = pyo.ConcreteModel(name or "channel_choice_levels")
    binary = pyo.UnitInterval if relaxed else pyo.Binary
    whole = pyo.NonNegativeReals if relaxed else pyo.NonNegativeIntegers
    groups: list[tuple[int, ...]] = [(c,) for c in range(o.channels)] if apart else [()]
    count = len(levels.high_w)
    # Members of a channel in a level: so many of least power fit, whoever they are.
    possible = np.isfinite(levels.gain)
    fit = [
        int(np.searchsorted(np.cumsum(np.sort(o.power_w[possible[:, rank]])), high, side="right"))
        for rank, high in enumerate(levels.high_w)
    ]
    worth = possible & ((levels.gain > 0) | o.late_at_home[:, None])

    def label(*index: int) -> Any:
        return index if len(index) > 1 else index[0]

    model.y = pyo.Var(
        [label(*group, rank) for group in groups for rank in range(count)],
        domain=binary if apart else whole,
        bounds=(0, 1 if apart else o.channels),
    )
    model.x = pyo.Var(
        [(i, *group, rank) for i, rank in np.argwhere(worth).tolist() for group in groups],
        domain=binary,
    )
    for row in ("one_channel", "one_level", "power", "members", "there", "order"):
        model.add_component(row, pyo.Constraint(pyo.Any))
    for i, late in enumerate(o.late_at_home.tolist()):
        if stopped():
            return None
        places = [
            model.x[i, *group, rank]
            for rank in np.flatnonzero(worth[i]).tolist()
            for group in groups
        ]
        if late:
            model.one_channel[i] = linear([1.0] * len(places), places) == 1
        elif places:
            model.one_channel[i] = linear([1.0] * len(places), places) <= 1
    for group in groups:
        for rank, high in enumerate(levels.high_w.tolist()):
            if stopped():
                return None
            members = np.flatnonzero(worth[:, rank]).tolist()
            if not members:
                continue
            there = [model.x[i, *group, rank] for i in members]
            y = model.y[label(*group, rank)]
            power = (o.power_w[members] / high).tolist()
            model.power[label(*group, rank)] = linear(power, there) <= y
            model.members[label(*group, rank)] = linear([1.0] * len(there), there) <= fit[rank] * y
            for i, x in zip(members, there, strict=True):
                model.there[label(i, *group, rank)] = x <= y
        ys = [model.y[label(*group, rank)] for rank in range(count)]
        if ys:
            model.one_level[label(*group, 0)] = linear([1.0] * count, ys) <= (
                1 if apart else o.channels
            )
    for c in range(o.channels - 1 if apart and count else 0):
        ranks = [rank + 1.0 for rank in range(count)]
        first, second = ([model.y[c + d, rank] for rank in range(count)] for d in (0, 1))
        model.order[c] = linear([*ranks, *(-r for r in ranks)], [*first, *second]) >= 0
    offloaded = list(model.x.values())
    if offloaded:
        model.offloaders = pyo.Constraint(expr=linear([1.0] * len(offloaded), offloaded) <= most)
    gain = [float(levels.gain[index[0], index[-1]]) for index in model.x]
    model.eq17_quality = pyo.Objective(
        expr=linear(gain, offloaded, constant=offset), sense=pyo.maximize
    )
    return model
