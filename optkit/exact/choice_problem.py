"""The choice problem: one column per group, linear costs, convex costs of the shared loads.

Groups k = 1..K choose one column each. Column c costs ``cost[c]`` and loads resource r by
``load[c, r] >= 0``; the objective is

    sum of the chosen cost[c] + sum_r phi_r(W_r),   W_r = base_r + sum of the chosen load[c, r],

with phi_r convex and non-decreasing. Tasks that share processor-sharing servers are one such
problem per slot: groups are tasks, columns are location paths, W is the utilisation.

For every price y >= 0 the Lagrangian function

    D(y) = sum_k min_c (cost_c + y . load_c) + y . base + sum_r min_W (phi_r(W) - y_r W)

is a lower bound in closed form; no bound here rests on the tolerance of an iterative method.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.errors import UsageError
from optkit.exact.choice_kernels import (
    CAPACITY,
    LINEAR,
    RELATIVE_SLACK,
    SHARING,
    cheapest,
    dual_value,
    evaluate_choice,
    interior,
    load_cost,
    marginal,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

KINDS = {"capacity": CAPACITY, "ps": SHARING, "linear": LINEAR}
TOLERANCE = 1e-10
"""Relative duality gap at which `dual` stops."""


@dataclass(frozen=True)
class ChoiceProblem:
    """A choice problem as arrays.

    Parameters
    ----------
    starts : int64 [K+1]; the columns of group k are ``starts[k]:starts[k+1]``, at least one.
    cost : [C], linear cost of each column, in the unit of the objective (s).
    load : [C, R], load of each column, >= 0; utilisation (work in s / slot in s) for ``ps`` and
        ``linear``, the unit of the capacity for ``capacity``.
    kind : R names out of ``ps``, ``linear`` and ``capacity``: ``size * W / (1 - W)`` (infinite for
        W >= 1), ``size * W * (1 + slope * W)``, or 0 up to ``size`` (with a relative slack of
        1e-9) and infinite above.
    size : [R], slot length in s, > 0, or the capacity, >= 0.
    slope : [R], > 0 for ``linear``, else ignored (default 0).
    base : [R], load that is there anyway, >= 0 (default 0).
    """

    starts: Integers
    cost: Floats
    load: Floats
    kind: Any
    size: Floats
    slope: Floats = field(default_factory=lambda: np.zeros(0))
    base: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        resources = len(self.kind)
        codes = [KINDS.get(str(name), name) for name in self.kind]
        if not set(codes) <= set(KINDS.values()):
            raise UsageError(f"kinds of load cost: found {list(self.kind)}, expected {list(KINDS)}")

        def vector(values: ArrayLike) -> Floats:
            given = np.asarray(values, dtype=np.float64)
            return np.zeros(resources) if given.size == 0 else np.ascontiguousarray(given)

        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("kind", np.array(codes, dtype=np.int64))
        put("starts", np.ascontiguousarray(self.starts, dtype=np.int64))
        put("cost", np.ascontiguousarray(self.cost, dtype=np.float64))
        put("load", np.ascontiguousarray(self.load, dtype=np.float64).reshape(-1, resources))
        put("size", vector(self.size))
        put("slope", vector(self.slope))
        put("base", vector(self.base))
        shapes = {self.size.shape, self.slope.shape, self.base.shape}
        if shapes != {(resources,)} or self.load.shape[0] != self.cost.size:
            raise UsageError("choice problem: arrays of different lengths")
        if self.starts[0] != 0 or self.starts[-1] != self.cost.size or (self.sizes < 1).any():
            raise UsageError("choice problem: every group needs at least one column")
        if not (np.isfinite(self.cost).all() and np.isfinite(self.load).all()):
            raise UsageError("choice problem: costs and loads must be finite")
        if (self.load < 0).any() or (self.base < 0).any() or (self.size < 0).any():
            raise UsageError("choice problem: loads, base loads and sizes must be >= 0")
        if (self.slope[self.kind == LINEAR] <= 0).any():
            raise UsageError("choice problem: a linear cost needs a slope > 0, else it is a cost")
        if (self.size[self.kind != CAPACITY] <= 0).any():
            raise UsageError("choice problem: a slot length must be > 0")

    @property
    def groups(self) -> int:
        """Number of groups, K."""
        return len(self.starts) - 1

    @property
    def resources(self) -> int:
        """Number of resources, R."""
        return len(self.base)

    @property
    def sizes(self) -> Integers:
        """Number of columns of each group, [K]."""
        return np.diff(self.starts)

    @property
    def owner(self) -> Integers:
        """Group of each column, [C]."""
        return np.repeat(np.arange(self.groups), self.sizes)

    @property
    def columns(self) -> tuple[Integers, Floats, Floats]:
        """The leading arguments of the kernels: starts, cost, load."""
        return self.starts, self.cost, self.load

    @property
    def costs(self) -> tuple[Integers, Floats, Floats, Floats]:
        """The load-cost arguments of the kernels: kind, size, slope, base."""
        return self.kind, self.size, self.slope, self.base

    def value(self, choice: Integers) -> float:
        """Objective of a choice (int64 [K], column numbers); infinite if a limit is broken."""
        return float(evaluate_choice(self.cost, self.load, *self.costs, choice)[0])

    def dual(self, price: Floats) -> tuple[float, Floats, Integers]:
        """D(price), its supergradient [R] and the cheapest column of each group, int64 [K]."""
        choice = np.empty(self.groups, dtype=np.int64)
        bound, gradient = dual_value(*self.columns, *self.costs, price, choice)
        return float(bound), gradient, choice

    def reduced_costs(self, price: Floats) -> Floats:
        """Cost of each column above the cheapest of its group at ``price``, [C]."""
        priced = self.cost + self.load @ price
        cheapest_of_group = np.minimum.reduceat(priced, self.starts[:-1])
        return np.asarray(priced - np.repeat(cheapest_of_group, self.sizes))

    def restrict(self, kept: Integers) -> ChoiceProblem:
        """The problem on the columns ``kept`` (sorted column numbers, some of every group)."""
        starts = np.searchsorted(kept, self.starts)
        return ChoiceProblem(
            starts, self.cost[kept], self.load[kept], self.kind, self.size, self.slope, self.base
        )


@dataclass(frozen=True)
class DualSolution:
    """A maximiser of the dual function.

    ``price`` [R], ``bound`` = D(price), and ``share`` [C], the weights of an optimal fractional
    choice (each group's add up to 1, up to the tolerance).
    """

    price: Floats
    bound: float
    share: Floats


def dual(
    problem: ChoiceProblem,
    price: Floats | None = None,
    *,
    tolerance: float = TOLERANCE,
    cutoff: float = np.inf,
) -> DualSolution:
    """Maximise the dual function over prices.

    Interior point on a few cheap columns per group; columns that the new price makes cheaper
    than those join until there are none, as in column generation.

    Parameters
    ----------
    price : [R], first guess.
    tolerance : relative gap to stop at.
    cutoff : a bound above it ends the ascent at once. If no choice keeps all limits, D has no
        maximum and the bound returned is very large or exceeds the cutoff.
    """
    limit = np.where(problem.kind == CAPACITY, problem.size * (1.0 + RELATIVE_SLACK), np.inf)
    full = problem.base >= np.where(problem.kind == SHARING, 1.0, np.inf)
    if (problem.base > limit).any() or full.any():
        nowhere = np.zeros(len(problem.cost))
        return DualSolution(np.zeros(problem.resources), np.inf, nowhere)
    used = np.flatnonzero(problem.load.max(axis=0) > 0.0)
    if len(used) == problem.resources:
        return _ascend(problem, price, tolerance, cutoff)
    # A resource that nothing loads has a known price, and may have no interior.
    rest = np.array(
        [marginal(*costs) for costs in zip(*problem.costs, strict=True)], dtype=np.float64
    )
    idle = float(np.sum([load_cost(*costs) for costs in zip(*problem.costs, strict=True)]))
    if len(used):
        part = ChoiceProblem(
            problem.starts, problem.cost, problem.load[:, used], problem.kind[used],
            problem.size[used], problem.slope[used], problem.base[used],
        )  # fmt: skip
        idle -= float(np.sum([load_cost(*costs) for costs in zip(*part.costs, strict=True)]))
        inner = _ascend(part, None if price is None else price[used], tolerance, cutoff - idle)
        rest[used] = inner.price
        share = inner.share
    else:
        share = np.zeros(len(problem.cost))
        share[problem.dual(rest)[2]] = 1.0
    return DualSolution(rest, problem.dual(rest)[0], share)


def _ascend(
    problem: ChoiceProblem, price: Floats | None, tolerance: float, cutoff: float
) -> DualSolution:
    """`dual` where every resource is loaded by some column."""
    first = _first_price(problem) if price is None else price
    barrier = 1e-2 * float(priced_spread(problem, first).mean())
    least = max(1e-6 * float(np.abs(problem.cost).mean()), 1e-12 * float(problem.size.max()))
    barrier = max(barrier, least) or 1.0
    best = DualSolution(first, problem.dual(first)[0], np.zeros(len(problem.cost)))
    # Above this, the columns in use are likely to have no choice within the limits at all.
    ceiling = min(cutoff, _generous_value(problem) + barrier)
    chosen, starts = cheapest(*problem.columns, first, PER_GROUP)
    for _ in range(60):
        found, inner, share = interior(
            starts, problem.cost[chosen], problem.load[chosen], *problem.costs, first, barrier,
            0.1 * tolerance, ceiling, 80,
        )  # fmt: skip
        bound = problem.dual(found)[0]
        weights = np.zeros(len(problem.cost))
        weights[chosen] = np.clip(np.nan_to_num(share), 0.0, 1.0)
        if bound > best.bound:
            best = DualSolution(found, bound, weights)
        else:
            best = DualSolution(best.price, best.bound, weights)
        if inner > ceiling and _impossible(problem, found):
            return DualSolution(found, np.inf, best.share)
        if best.bound > cutoff or (
            inner <= ceiling and inner - best.bound <= tolerance * abs(best.bound)
        ):
            break
        more, _ = cheapest(*problem.columns, found, PER_GROUP)
        mask = np.zeros(len(problem.cost), dtype=np.bool_)
        mask[chosen] = True
        mask[more] = True
        joined = np.flatnonzero(mask)
        if joined.size > chosen.size:
            chosen, starts = joined, np.searchsorted(joined, problem.starts)
        elif inner > ceiling and ceiling < 1e9 * abs(cutoff) and ceiling < cutoff:
            ceiling = min(cutoff, 100.0 * ceiling)
        else:
            break
        if inner <= ceiling:
            first = found
    return best


def _impossible(problem: ChoiceProblem, price: Floats) -> bool:
    """Whether the loads priced at ``price`` exceed the priced limits whatever is chosen.

    Then no choice, not even a fractional one, keeps the limits (Farkas).
    """
    limit = np.where(problem.kind == CAPACITY, problem.size * (1.0 + RELATIVE_SLACK), 1.0)
    weight = np.where(problem.kind == LINEAR, 0.0, price)
    if not weight.any() or not np.isfinite(weight).all():
        return False
    weight = weight / weight.max()
    least = np.minimum.reduceat(problem.load @ weight, problem.starts[:-1]).sum()
    return bool(least + weight @ problem.base > (weight @ limit) * (1.0 + 1e-12))


def priced_spread(problem: ChoiceProblem, price: Floats) -> Floats:
    """Range of the priced costs of each group, [K]."""
    priced = problem.cost + problem.load @ price
    first = problem.starts[:-1]
    return np.asarray(np.maximum.reduceat(priced, first) - np.minimum.reduceat(priced, first))


def _generous_value(problem: ChoiceProblem) -> float:
    """A value that choices on lightly loaded resources do not exceed."""
    value = float(np.abs(np.maximum.reduceat(problem.cost, problem.starts[:-1])).sum())
    value += float(np.abs(problem.cost).max())
    for r, code in enumerate(problem.kind):
        if code == SHARING:
            value += 50.0 * problem.size[r]
        elif code == LINEAR:
            most = np.maximum.reduceat(problem.load[:, r], problem.starts[:-1])
            load = problem.base[r] + most.sum()
            value += problem.size[r] * load * (1.0 + problem.slope[r] * load)
    return value


PER_GROUP = 12
"""Columns per group that join a round of `dual`."""


def _first_price(problem: ChoiceProblem) -> Floats:
    """Marginal costs at the loads of uniform shares, and guesses for capacities, [R]."""
    weights = np.repeat(1.0 / problem.sizes, problem.sizes)
    total = problem.base + weights @ problem.load
    price = np.array(
        [
            marginal(kind, size, slope, min(load, 0.8) if kind == SHARING else load)
            for kind, size, slope, load in zip(*problem.costs[:3], total, strict=True)
        ]
    )
    spread = float(priced_spread(problem, price).mean()) or 1.0
    bounded = problem.kind == CAPACITY
    price[bounded] = spread / problem.load[:, bounded].mean(axis=0)
    return price
