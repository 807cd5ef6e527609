"""Compiled local search over channels: moves and swaps of services.

A channel (0 is home) holds a group of services; only the two groups that a move touches are
valued anew, at the number of offloaders k after it. Where the cloud is shared equally, the worths
of all groups are held for k - 1, k and k + 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.channel_choice.overhead_kernels import gain
from optkit.kernels import kernel

#: What counts as better, so that rounding does not keep the search going.
_BETTER = 1e-10

# Literals would be types of their own, see `kernel`.
_NOBODY: Any = np.int64(-1)
_HOME: Any = np.int64(0)


@kernel
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


@kernel
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


@kernel
def _value_group(o, k, group, members, size, penalty, worth):  # type: ignore[no-untyped-def]
    if not o.equal_share:
        worth[:, group] = group_worth(o, k, group, members[group], size[group], penalty)
        return
    for step in range(3):
        at = max(k + step - 1, 1)
        worth[step, group] = group_worth(o, at, group, members[group], size[group], penalty)


@kernel
def _value_groups(o, k, members, size, penalty, worth):  # type: ignore[no-untyped-def]
    """Worths of all groups at k - 1, k and k + 1 offloaders, into worth [3, M + 1]."""
    for group in range(len(size)):
        _value_group(o, k, group, members, size, penalty, worth)


@kernel
def _revalue(o, k, members, size, penalty, worth, before, a, b):  # type: ignore[no-untyped-def]
    """After a change of groups a and b: only these, unless the number of offloaders changed."""
    if o.equal_share and k != before:
        _value_groups(o, k, members, size, penalty, worth)
        return
    for group in (a, b):
        _value_group(o, k, group, members, size, penalty, worth)


@kernel
def _fill_members(channel, members, size):  # type: ignore[no-untyped-def]
    size[:] = 0
    for i in range(len(channel)):
        group = channel[i]
        members[group, size[group]] = i
        size[group] += 1
    return len(channel) - size[0]


@kernel
def _relocate(members, size, i, a, b, trial):  # type: ignore[no-untyped-def]
    count = _with(members[a], size[a], i, _NOBODY, trial)
    members[a, :count] = trial[:count]
    size[a] = count
    members[b, size[b]] = i
    size[b] += 1


@kernel
def climb(o, channel, order, stale, penalty):  # type: ignore[no-untyped-def]
    """Move single services and swap pairs, whatever helps first, until nothing does.

    Pairs of groups are looked at again only after one of them has changed.

    Parameters
    ----------
    channel : [N] changed in place.
    order : the groups in the order in which they are looked at.
    stale : [M + 1] groups that are new; between the others nothing helps.
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
    changed = np.zeros(groups, dtype=np.int64)  # when
    looked = np.zeros((groups, groups), dtype=np.int64)
    changed[stale] = 1
    now = 1
    k = _fill_members(channel, members, size)
    _value_groups(o, k, members, size, penalty, worth)
    again = True
    while again:
        again = False
        for first in range(groups):
            for second in range(groups):
                a, b = order[first], order[second]
                if a == b or max(changed[a], changed[b]) <= looked[a, b]:
                    continue
                looked[a, b] = now
                if b > 0 and size[b] == 0 and b != _first_empty(size, a):
                    continue
                before = k
                k, moved = _between(o, k, channel, members, size, trial, worth, a, b, penalty)
                if moved:
                    again = True
                    now += 1
                    changed[a] = changed[b] = now
                    if o.equal_share and k != before:
                        changed[:] = now
    return worth[1].sum()


@kernel
def _first_empty(size, a):  # type: ignore[no-untyped-def]
    """The first empty channel but `a`, -1 if there is none."""
    for group in range(1, len(size)):
        if group != a and size[group] == 0:
            return group
    return -1


@kernel
def _between(o, k, channel, members, size, trial, worth, a, b, penalty):  # type: ignore[no-untyped-def]
    """Every helpful move from group a to b and, if a < b, every helpful swap."""
    moved = False
    step = 1 + (1 if a == 0 else 0) - (1 if b == 0 else 0)
    place = 0
    while place < size[a]:
        i = members[a, place]
        after = k + step - 1
        count = _with(members[b], size[b], _NOBODY, i, trial)
        change = group_worth(o, after, b, trial, count, penalty) - worth[step, b]
        count = _with(members[a], size[a], i, _NOBODY, trial)
        change += group_worth(o, after, a, trial, count, penalty) - worth[step, a]
        if step != 1 and o.equal_share:
            change += worth[step].sum() - worth[1].sum()
        if change > _BETTER:
            _relocate(members, size, i, a, b, trial)
            channel[i] = b
            _revalue(o, after, members, size, penalty, worth, k, a, b)
            k = after
            moved = True
        else:
            place += 1
    if a > b:
        return k, moved
    place = 0
    while place < size[a]:
        i = members[a, place]
        place += 1
        for other in range(size[b]):
            j = members[b, other]
            count = _with(members[b], size[b], j, i, trial)
            change = group_worth(o, k, b, trial, count, penalty) - worth[1, b]
            count = _with(members[a], size[a], i, j, trial)
            change += group_worth(o, k, a, trial, count, penalty) - worth[1, a]
            if change > _BETTER:
                _relocate(members, size, i, a, b, trial)
                _relocate(members, size, j, b, a, trial)
                channel[i], channel[j] = b, a
                _revalue(o, k, members, size, penalty, worth, k, a, b)
                moved = True
                place -= 1
                break
    return k, moved


@kernel
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
        best, best_i, best_b = _BETTER, _NOBODY, _HOME
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
                    count = _with(members[b], size[b], _NOBODY, i, trial)
                    joined[i, b] = group_worth(o, k + 1, b, trial, count, penalty)
                change = joined[i, b] - worth[2, b] + others
                if late[i]:
                    change += penalty
                if change > best:
                    best, best_i, best_b = change, i, b
        if best_i < 0:
            return worth[1].sum()
        _relocate(members, size, best_i, _HOME, best_b, trial)
        channel[best_i] = best_b
        k += 1
        _revalue(o, k, members, size, penalty, worth, k - 1, _HOME, best_b)
        if o.equal_share:
            joined[:] = np.nan
        else:
            joined[:, best_b] = np.nan
