"""``marginal_greedy``: each task onto the path that raises the objective least (ours)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.block_placement import load_kernels, marginal_kernels
from formulations.block_placement.instance import BlockPlacement
from formulations.block_placement.pricing import Prices, cheapest
from optkit.run import Run
from optkit.search.batches import at_least

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_CHUNK = 5_000
_PRICES = 16
#: What the compiled loops call each kind of congestion.
KINDS = {"none": load_kernels.NONE, "ps": load_kernels.SHARING, "linear": load_kernels.LINEAR}


class Rules(NamedTuple):
    """What the compiled loops need of an instance beside its tables; no limit is infinite."""

    kind: int  # of congestion: 0 none, 1 processor sharing, 2 linear
    slope: float
    slot_s: float
    result_bits: float
    literal: bool  # the printed reading of Eqs. 7 and 11
    hard: bool  # whether deadlines are constraints
    late: float  # per second beyond a deadline
    capped: bool  # whether loads must leave the deadlines of earlier tasks alone
    joule: Floats  # [D] what a joule of a device with a budget costs, in seconds
    energy_budget_j: Floats  # [D]
    device_cycles: Floats  # [D]
    server_cycles: Floats  # [N]
    storage_bytes: Floats  # [N]

    @classmethod
    def of(cls, instance: BlockPlacement, joule: float = 0.0) -> Rules:
        """Those of an instance, at a price of a joule."""
        options = instance.options
        hard = instance.active_deadlines and options.deadline == "hard"

        def limits(values: Floats | None, count: int) -> Floats:
            if values is None:
                return np.full(count, np.inf)
            return np.where(np.isnan(values), np.inf, values)

        return cls(
            KINDS[options.congestion],
            options.congestion_slope,
            instance.document.slot_s,
            options.result_bits,
            options.energy_transfer == "literal",
            hard,
            options.penalty_weight if options.deadline == "penalty" else 0.0,
            hard and options.deadline_scope == "block" and options.congestion != "none",
            np.full(instance.devices, joule),
            limits(instance.energy_budget_j, instance.devices),
            limits(instance.device_cycles, instance.devices),
            limits(instance.server_cycles, instance.servers),
            limits(instance.storage_bytes, instance.servers),
        )


class Loads(NamedTuple):
    """What the placed tasks use; changed in place by the compiled loops."""

    busy_s: Floats  # [T, N]
    cycles: Floats  # [T, N]
    device_cycles: Floats  # [D, T]
    energy_j: Floats  # [D], of devices with a budget
    users: Ints  # [0, 1 or T, I, M, N] tasks that use a stored block
    stored_bytes: Floats  # [0, 1 or T, N]
    cap: Floats  # [T, N] utilisation up to which hard deadlines hold

    @classmethod
    def empty(cls, instance: BlockPlacement) -> Loads:
        """Those of no task."""
        slots, servers = instance.slots, instance.servers
        scopes = 0
        if instance.storage_bytes is not None:
            scopes = slots if instance.options.storage_scope == "slot" else 1
        return cls(
            np.zeros((slots, servers)),
            np.zeros((slots, servers)),
            np.zeros((instance.devices, slots)),
            np.zeros(instance.devices),
            np.zeros((scopes, *instance.tables.cycles.shape, servers), dtype=np.int64),
            np.zeros((scopes, servers)),
            np.full((slots, servers), np.inf),
        )


def marginal_greedy_locations(
    instance: BlockPlacement, run: Run | None = None, sweeps: int = 0, joule: float = 0.0
) -> Ints:
    """Locations [K, M] of the rule; a padded block is where the last real one is.

    Tasks are placed in order. Each takes, of all paths with at most one change of location, the
    one with the least increase of the objective: its own transfers and local computing, its
    lateness in penalty mode, and h(W + w) - h(W) with h the total compute delay of the work W
    on a server in the slot. Paths that break a limit are avoided; where all do, the one that
    exceeds the limits least, relative to them, is taken.

    Parameters
    ----------
    instance : what is solved.
    run : asked whether to stop; tasks that were not reached then stay on their device.
    sweeps : times that every task is taken out and placed again; ends early without a change.
    joule : price of the energy of devices with a budget, in seconds, so that early tasks leave
        some of it to later ones.
    """
    tables, rules, loads = instance.tables, Rules.of(instance, joule), Loads.empty(instance)
    count = instance.tasks
    paths = np.zeros((count, instance.blocks), dtype=np.int64)
    own_cost, own = np.full(count, np.inf), paths
    if instance.has_nulls:
        own_cost, own = cheapest(instance, Prices.of(instance))
    for sweep in range(sweeps + 1):
        if sweep > 0 and rules.capped:  # what tasks that moved away needed no longer counts
            loads.cap.fill(np.inf)
            load_kernels.lower_caps(tables, rules, 0, count, paths, loads.cap)
        changed = 0
        for first in range(0, count, _CHUNK):
            if run is not None and run.stopped():
                return paths
            changed += marginal_kernels.place_tasks(
                tables, rules, own_cost, own, first, min(first + _CHUNK, count), sweep > 0,
                loads, paths,
            )  # fmt: skip
        if changed == 0:
            break
    return paths


def first_decision(instance: BlockPlacement, run: Run) -> Ints:
    """Locations [K, M] for an exact method to begin with: those of `marginal_greedy`.

    Where they break energy budgets, joules are priced, the same for all devices: the price is
    raised until a decision is feasible, then halved towards the least such price. Reports each
    decision to the run and returns the best.
    """
    best = marginal_greedy_locations(instance, run)
    evaluation = run.found(instance.flat(best))
    if evaluation.feasible or "energy" not in instance.couplings:
        return best
    objective = np.inf
    low, high = 0.0, np.inf
    drawn = float(evaluation.terms["energy_j"].sum())
    price = 0.1 * evaluation.terms["total_delay_s"] / max(drawn, 1e-300)
    price = price if np.isfinite(price) else 1e-3
    for _ in run.steps(range(_PRICES)):
        locations = marginal_greedy_locations(instance, run, joule=price)
        evaluation = run.found(instance.flat(locations))
        if evaluation.feasible:
            high = price
            if evaluation.objective < objective:
                objective, best = evaluation.objective, locations
        else:
            low = price
        price = 4.0 * price if np.isinf(high) else 0.5 * (low + high)
    return best


def marginal_greedy(instance: BlockPlacement, run: Run, *, sweeps: int = 0) -> None:
    """Each task onto the path that raises the objective least, see `marginal_greedy_locations`.

    Parameters
    ----------
    instance : what is solved.
    run : where the decision goes.
    sweeps : times that every task is taken out and placed again.
    """
    at_least(0, sweeps=sweeps)
    run.found(instance.flat(marginal_greedy_locations(instance, run, sweeps)))
