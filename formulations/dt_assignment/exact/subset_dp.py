"""Exact method for few twins, whatever couples them: the cost of every group on every server.

Every server is a function of the set of its twins, infinite where limits or deadlines forbid the
set, and all that links servers is that each twin has one. So servers are merged one by one into
the least cost of every set on the servers so far, which takes 3^M sums a server.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.pairs import begin
from formulations.dt_assignment.exact.subset_kernels import merge, split
from formulations.dt_assignment.instance import TwinAssignment
from formulations.dt_assignment.sharing import pair_costs, pair_delays
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: More twins take seconds a server; more sets on all servers take more than 512 MB.
LARGEST_TWINS = 18
_LARGEST_SETS = 2**25
#: Sets merged between two looks at the clock: some 20 ms at the largest size.
_BLOCK = 2**12


def applies(instance: TwinAssignment) -> str | None:
    """None where every subset of the twins can be held for every server."""
    twins, servers = instance.open.shape
    if twins > LARGEST_TWINS:
        return f"{twins} twins, subset_dp takes at most {LARGEST_TWINS}"
    if servers << twins > _LARGEST_SETS:
        return f"{servers} servers are too many for every subset of {twins} twins"
    return None


def subset_dp(instance: TwinAssignment, run: Run) -> None:
    """Merge the servers, the last one at the set of all twins only, and go back."""
    if begin(instance, run) is None:
        return
    servers = instance.open.shape[1]
    groups = []
    for s in range(servers):
        if run.stopped():
            return
        groups.append(group_costs(instance, s))
    run.built()
    whole = len(groups[0]) - 1
    merged = groups[:1]  # least cost of every set on servers 0..s
    for s in run.steps(range(1, servers - 1)):
        sets = np.empty_like(groups[0])
        for start in range(0, len(sets) // 4, _BLOCK):
            if run.stopped():
                return
            merge(merged[-1], groups[s], start, min(start + _BLOCK, len(sets) // 4), sets)
        merged.append(sets)
    if len(merged) < servers - 1:
        return
    server_of = np.zeros(whole.bit_length(), dtype=np.int64)
    left, value = whole, math.nan
    for s in range(servers - 1, 0, -1):
        below = split(merged[s - 1], groups[s], left)
        if s == servers - 1:
            value = float(merged[s - 1][below] + groups[s][left ^ below])
        server_of[_members(left ^ below)] = s
        left = below
    if servers == 1:
        value = float(groups[0][whole])
    if math.isinf(value):
        run.infeasible()
        return
    run.found(server_of[: len(instance.open)])
    run.bound(value)


def group_costs(instance: TwinAssignment, server: int) -> Floats:
    """Cost of every set of twins on a server, infinite where the set is not admitted.

    Parameters
    ----------
    instance : M twins.
    server : which one.

    Returns
    -------
    array of float
        [2^M], or [4] for a single twin, with one more that costs nothing anywhere: bit m of the
        index says that twin m is a member.
    """
    t, s = instance.tables, server
    twins = len(instance.open)
    own = np.where(instance.open[:, s], t.cost[:, s], np.inf)
    pair = np.zeros((twins, twins))
    if "sharing" in instance.couplings:
        pair = pair_costs(instance, s, np.arange(twins))
    cost = np.zeros(1)
    for m in range(twins):
        more = _sums(pair[m, :m])
        cost = np.concatenate([cost, cost + (own[m] + more)])
    for demand, most in zip(t.demand[:, :, s], t.most[:, s], strict=True):
        if np.isfinite(most):
            cost[_sums(demand) > most] = np.inf
    _upload_together(instance, s, cost)
    return cost if twins > 1 else np.tile(cost, 2)


def _upload_together(instance: TwinAssignment, server: int, cost: Floats) -> None:
    """Add to the cost [2^M] what a shared backhaul does, and forbid sets that miss deadlines."""
    t, s = instance.tables, server
    bit = np.arange(len(cost))
    shared = t.backhaul_s_per_bit[s] * t.largest_input_bits
    devices = _sums(t.devices.astype(float)) if shared.any() else np.zeros(1)
    timed = np.isfinite(t.deadline_s)
    delays = np.zeros((len(timed), len(timed)))
    if "sharing" in instance.couplings and timed.any():
        delays = pair_delays(instance, s, np.arange(len(timed)))
    for m in np.flatnonzero(instance.open[:, s] & ((shared > 0) | timed)):
        member = (bit >> m) & 1 == 1
        upload = np.maximum(t.transfer_s[m, s], devices * shared[m])
        waiting = upload - t.transfer_s[m, s]
        if shared[m] > 0:
            cost[member] += (t.delay_factor * t.weight[m] * waiting)[member]
        if timed[m]:
            latency = upload + t.compute_s[m, s] + _sums(delays[m])
            cost[member & (latency > t.latest_s[m])] = np.inf


def _sums(values: Floats) -> Floats:
    """The sum of every subset of values [n], by bit mask [2^n]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def _members(mask: int) -> Ints:
    """The numbers of the bits of a mask that are set."""
    return np.array([m for m in range(mask.bit_length()) if mask >> m & 1], dtype=np.int64)
