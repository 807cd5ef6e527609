"""Channels as a constraint programme (paper 000, Eqs. 8-19): over coalitions, or compact.

Gains become whole numbers that are rounded up, so that the bound is valid, and too high by at
most M (over coalitions) or N (compact) units of scale.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from formulations.channel_choice.exact.coalitions import coalitions
from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.levels import levels_of, pack
from formulations.channel_choice.objective import qos
from formulations.channel_choice.share_search import search_shares
from optkit.backends import cpsat
from optkit.backends.feed import SolveStatus
from optkit.backends.native import cp_model
from optkit.errors import UsageError
from optkit.run import Run

#: Units of load per least received power, in the compact model.
_UNITS = 1_000
#: And of the largest load at most: sums over all services have to fit into 64 bits.
_MOST_UNITS = 2**40


def cp(
    instance: ChannelChoice,
    run: Run,
    *,
    compact: bool = False,
    ratio: float = 1.2,
    limit: int = 60_000,
) -> None:
    """Maximise the total quality of service (Eq. 17) by constraint programming.

    With an equally shared cloud there is one model for each number of offloaders that is left.

    Parameters
    ----------
    instance, run : as for every method.
    compact : services on channels, and optimistic gains in levels of received power, instead of
        coalitions: a bound, and decisions, whatever the number of coalitions.
    ratio : between neighbouring levels of the compact model.
    limit : coalitions that a model may have; beyond, only simple bounds are reported.
    """
    if limit < 1:
        raise UsageError(f"option limit is {limit}, expected an integer of at least 1")
    held = Held(instance, run)
    if not held.offloading.late_at_home.any():
        held.found(np.zeros(instance.services, dtype=np.int64))
    models = _Models(instance, run, held, limit, ratio)
    run.built()
    search_shares(held, run, models.compact if compact else models.columns)
    run.note(models=models.solved)
    run.note(**({"levels": models.levels} if compact else {"coalitions": models.largest}))
    if models.skipped:
        run.note(skipped=f"{models.skipped} models of more than {limit:,} coalitions")


class _Models:
    """Builds and solves the models of one run, one for each number of offloaders.

    Attributes
    ----------
    solved : number of models, largest : coalitions of the largest.
    skipped : models that were too large.
    levels : of the last compact model.
    """

    def __init__(
        self, instance: ChannelChoice, run: Run, held: Held, limit: int, ratio: float
    ) -> None:
        self.solved = self.largest = self.skipped = self.levels = 0
        self._run, self._held, self._limit, self._ratio = run, held, limit, ratio
        self._o = held.offloading
        self._origin = float(qos(self._o, self._o.local_overhead).sum())
        # Another model's bound is one on its number of offloaders alone.
        alone = not self._o.equal_share and not instance.balanced
        self._bound_of = instance if alone else None

    def columns(self, k: int) -> float:
        """The best channels of at most k offloaders, served as k of them, over coalitions."""
        o = self._o
        sets = coalitions(o, k, k, self._run, self._limit)
        if sets is None:
            self.skipped += not self._run.stopped()
            return np.inf
        self.largest = max(self.largest, len(sets))
        if not len(sets):
            return -np.inf if o.late_at_home.any() else 0.0
        model = cp_model().CpModel()
        z = [model.new_bool_var(f"z[{number}]") for number in range(len(sets))]
        of_service: list[list[Any]] = [[] for _ in o.power_w]
        for number, literal in enumerate(z):
            for i in sets[number].tolist():
                of_service[i].append(literal)
        for literals, late in zip(of_service, o.late_at_home.tolist(), strict=True):
            if late:
                model.add_exactly_one(literals)
            elif literals:
                model.add_at_most_one(literals)
        model.add(sum(z) <= o.channels)
        if o.equal_share:
            sizes = np.diff(sets.start).tolist()
            model.add(cp_model().LinearExpr.weighted_sum(z, sizes) <= k)

        def decode(values: cpsat.CpValues) -> tuple[Any, dict[str, Any]]:
            chosen = [sets[int(number)] for number in np.flatnonzero(values.array(z))]
            return self._held.decision(channels_of(chosen, len(of_service))), {}

        scale = cpsat.IntegerScale.of(sets.value, "maximise")
        gain = cp_model().LinearExpr.weighted_sum(z, scale.whole(sets.value).tolist())
        return self._solve(model, gain, scale.scale, 0, decode)

    def compact(self, k: int) -> float:
        """Services on channels whose loads are in levels, at most k of them, served as k."""
        o = self._o
        levels = levels_of(o, k, self._ratio)
        possible = np.isfinite(levels.gain)
        usable = np.flatnonzero(possible.any(axis=1)).tolist()
        if not usable:
            return -np.inf if o.late_at_home.any() else 0.0
        self.levels = len(levels.high_w)
        # All roundings are optimistic: loads down, room up, gains up.
        largest_w = float(levels.high_w[-1])
        unit = max(float(o.power_w[usable].min()) / _UNITS, largest_w / _MOST_UNITS)
        load = np.floor(np.minimum(o.power_w, 2 * largest_w) / unit).astype(np.int64)
        room = np.ceil(levels.high_w / unit).astype(np.int64).tolist()
        gain = np.where(possible, levels.gain, 0.0)
        scale = cpsat.IntegerScale.of(gain, "maximise")
        whole = scale.whole(gain)
        model = cp_model().CpModel()
        ranks = range(len(room))
        x = {(i, c): model.new_bool_var(f"x[{i},{c}]") for i in usable for c in range(o.channels)}
        y = [[model.new_bool_var(f"y[{c},{rank}]") for rank in ranks] for c in range(o.channels)]
        linear = cp_model().LinearExpr
        for c, rows in enumerate(y):
            there = [x[i, c] for i in usable]
            model.add_at_most_one(rows)
            powers = load[usable].tolist()
            model.add(linear.weighted_sum(there, powers) <= linear.weighted_sum(rows, room))
            for i in usable:
                model.add_bool_or(
                    [x[i, c].negated(), *(rows[rank] for rank in np.flatnonzero(possible[i]))]
                )
            if c:  # channels are alike
                before, here = (
                    linear.weighted_sum(y[d], [rank + 1 for rank in ranks]) for d in (c - 1, c)
                )
                model.add(before >= here)
        model.add(sum(x.values()) <= k)
        rewards, shift = [], 0
        for i, late in enumerate(o.late_at_home.tolist()):
            places = [x[i, c] for c in range(o.channels)] if i in set(usable) else []
            if late:
                model.add_exactly_one(places)
            else:
                model.add_at_most_one(places)
            if not places:
                continue
            least, most = int(whole[i][possible[i]].min()), int(whole[i][possible[i]].max())
            # Whoever must be offloaded may lose by it: rewards count from its largest loss.
            base = min(least, 0) if late else 0
            shift += base
            reward = model.new_int_var(0, max(most - base, 0), f"gain[{i}]")
            rewards.append(reward)
            model.add(reward <= max(most - base, 0) * sum(places))
            for c, rank in itertools.product(
                range(o.channels), np.flatnonzero(possible[i]).tolist()
            ):
                here = max(int(whole[i, rank]) - base, 0)
                model.add(reward <= here).only_enforce_if([x[i, c], y[c][rank]])

        def decode(values: cpsat.CpValues) -> tuple[Any, dict[str, Any]]:
            wished = [
                [c + 1 for c in range(o.channels) if (i, c) in x and values(x[i, c])]
                for i in range(len(o.power_w))
            ]
            return self._held.decision(pack(o, k, wished)), {}

        return self._solve(model, sum(rewards), scale.scale, shift, decode)

    def _solve(
        self, model: Any, objective: Any, scale: float, shift: int, decode: cpsat.CpDecode
    ) -> float:
        """Maximise; returns a bound on the gain, no less than that of the incumbent.

        Parameters
        ----------
        objective : scaled gain less `shift`.
        """
        run, best = self._run, None
        if self._bound_of is None and run.objective is not None:
            best = run.objective - self._origin  # decisions of no more do not matter
            model.add(objective + shift >= math.floor(best * scale))
        model.maximize(objective)
        self.solved += 1
        solution = cpsat.solve_cp(
            model,
            run,
            bound_of=self._bound_of,
            decode=decode,
            scale=scale,
            offset=self._origin + shift / scale,
        )
        if solution.status is SolveStatus.INFEASIBLE:
            return -np.inf if best is None else best
        if solution.bound is None:
            return np.inf
        gain = solution.bound - self._origin
        return gain if best is None else max(gain, best)
