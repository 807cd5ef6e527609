"""Compiled local search over channels: moves and swaps of services.

A channel (0 is home) holds a group of services; only the two groups that a move touches are
valued anew, at the number of offloaders k after it. Where the cloud is shared equally, the worths
of all groups are held for k - 1, k and k + 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from formulations.channel_choice.overhead_kernels import gain

#: What counts as better, so that rounding does not keep the search going.
_BETTER = 1e-10


@njit(cache=True)
def group_worth(o, k, group, members, count, penalty):  # type: ignore[no-untyped-def]
    """Gain of a group; each service that misses its deadline costs a penalty."""
    late = o.late_at_home
    total = 0.0
    if group == 0:
        for a in range(count):
            if late[members[a]]:
                total -= penalty
        return total
    power_w = o.power_w
    load = 0.0
    for a in range(count):
        load += power_w[members[a]]
    for a in range(count):
        own = gain(o, members[a], load, k)
        if own == -np.inf or (own < -1e-9 and late[members[a]] and o.require_profitable):
            total -= penalty
        else:
            total += own
    return total


@njit(cache=True)
def _with(members, count, out, joins, trial):  # type: ignore[no-untyped-def]
    """Members without `out` and with `joins` (-1 for nobody), into trial; their number."""
    kept = 0
    for a in range(count):
        if members[a] != out:
            trial[kept] = members[a]
            kept += 1
    if joins >= 0:
        trial[kept] = joins
        kept += 1
    return kept


@njit(cache=True)
def _value_group(o, k, group, members, size, penalty, worth):  # type: ignore[no-untyped-def]
    if not o.equal_share:
        worth[:, group] = group_worth(o, k, group, members[group], size[group], penalty)
        return
    for step in range(3):
        at = max(k + step - 1, 1)
        worth[step, group] = group_worth(o, at, group, members[group], size[group], penalty)


@njit(cache=True)
def _value_groups(o, k, members, size, penalty, worth):  # type: ignore[no-untyped-def]
    """Worths of all groups at k - 1, k and k + 1 offloaders, into worth [3, M + 1]."""
    for group in range(len(size)):
        _value_group(o, k, group, members, size, penalty, worth)


@njit(cache=True)
def _revalue(o, k, members, size, penalty, worth, before, a, b):  # type: ignore[no-untyped-def]
    """After a change of groups a and b: only these, unless the number of offloaders changed."""
    if o.equal_share and k != before:
        _value_groups(o, k, members, size, penalty, worth)
        return
    for group in (a, b):
        _value_group(o, k, group, members, size, penalty, worth)


@njit(cache=True)
def _fill_members(channel, members, size):  # type: ignore[no-untyped-def]
    size[:] = 0
    for i in range(len(channel)):
        group = channel[i]
        members[group, size[group]] = i
        size[group] += 1
    return len(channel) - size[0]


@njit(cache=True)
def _relocate(members, size, i, a, b, trial):  # type: ignore[no-untyped-def]
    count = _with(members[a], size[a], i, -1, trial)
    members[a, :count] = trial[:count]
    size[a] = count
    members[b, size[b]] = i
    size[b] += 1


@njit(cache=True)
def climb(o, channel, order, swaps, penalty):  # type: ignore[no-untyped-def]
    """Move single services, then swap pairs, whatever helps first, until nothing does.

    Parameters
    ----------
    channel : [N] changed in place.
    order : services in the order in which they are looked at.
    swaps : whether pairs are swapped.
    penalty : cost of a missed deadline, more than anything could gain.

    Returns
    -------
    total gain less penalties
    """
    groups = o.channels + 1
    services = len(channel)
    members = np.empty((groups, services), dtype=np.int64)
    size = np.empty(groups, dtype=np.int64)
    trial = np.empty(services + 1, dtype=np.int64)
    worth = np.empty((3, groups))
    k = _fill_members(channel, members, size)
    _value_groups(o, k, members, size, penalty, worth)
    while True:
        moved = False
        for i in order:
            a = channel[i]
            tried_empty = False
            for b in range(groups):
                if b == a:
                    continue
                if b > 0 and size[b] == 0:
                    if tried_empty:
                        continue
                    tried_empty = True
                step = 1 + (1 if a == 0 else 0) - (1 if b == 0 else 0)
                after = k + step - 1
                count = _with(members[a], size[a], i, -1, trial)
                change = group_worth(o, after, a, trial, count, penalty) - worth[step, a]
                count = _with(members[b], size[b], -1, i, trial)
                change += group_worth(o, after, b, trial, count, penalty) - worth[step, b]
                if step != 1 and o.equal_share:
                    change += worth[step].sum() - worth[1].sum()
                if change > _BETTER:
                    _relocate(members, size, i, a, b, trial)
                    channel[i] = b
                    _revalue(o, after, members, size, penalty, worth, k, a, b)
                    k = after
                    a = b
                    moved = True
                    tried_empty = False
        if moved:
            continue
        if not swaps:
            break
        for i in order:
            for j in range(services):
                a, b = channel[i], channel[j]
                if a == b or a == 0:
                    continue
                count = _with(members[a], size[a], i, j, trial)
                change = group_worth(o, k, a, trial, count, penalty) - worth[1, a]
                count = _with(members[b], size[b], j, i, trial)
                change += group_worth(o, k, b, trial, count, penalty) - worth[1, b]
                if change > _BETTER:
                    _relocate(members, size, i, a, b, trial)
                    _relocate(members, size, j, b, a, trial)
                    channel[i], channel[j] = b, a
                    _revalue(o, k, members, size, penalty, worth, k, a, b)
                    moved = True
        if not moved:
            break
    return worth[1].sum()


@njit(cache=True)
def grow(o, channel, penalty):  # type: ignore[no-untyped-def]
    """Offload one service after another, always the pair of service and channel that gains most
    for all; channel [N] is changed in place."""
    groups = o.channels + 1
    services = len(channel)
    members = np.empty((groups, services), dtype=np.int64)
    size = np.empty(groups, dtype=np.int64)
    trial = np.empty(services + 1, dtype=np.int64)
    worth = np.empty((3, groups))
    k = _fill_members(channel, members, size)
    _value_groups(o, k, members, size, penalty, worth)
    joined = np.full((services, groups), np.nan)  # worth of a group with a service, if known
    late = o.late_at_home
    while True:
        best, best_i, best_b = _BETTER, -1, 0
        others = worth[2].sum() - worth[1].sum()
        empty = 0
        for b in range(1, groups):
            if size[b] == 0:
                if empty:
                    continue
                empty = b
            for i in range(services):
                if channel[i] != 0:
                    continue
                if np.isnan(joined[i, b]):
                    count = _with(members[b], size[b], -1, i, trial)
                    joined[i, b] = group_worth(o, k + 1, b, trial, count, penalty)
                change = joined[i, b] - worth[2, b] + others
                if late[i]:
                    change += penalty
                if change > best:
                    best, best_i, best_b = change, i, b
        if best_i < 0:
            return worth[1].sum()
        _relocate(members, size, best_i, 0, best_b, trial)
        channel[best_i] = best_b
        k += 1
        _revalue(o, k, members, size, penalty, worth, k - 1, 0, best_b)
        if o.equal_share:
            joined[:] = np.nan
        else:
            joined[:, best_b] = np.nan
