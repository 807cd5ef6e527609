"""Compiled local search over channels: moves and swaps of services.

A channel (0 is home) holds a group of services; only the two groups that a move touches are
valued anew, at the number of offloaders k after it. Where the cloud is shared equally, the worths
of all groups are held for k - 1, k and k + 1. A group's worth is how many of its services fail,
which counts first, and what the others gain.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.channel_choice.overhead_kernels import gain
from optkit.kernels import kernel

#: What counts as better, so that rounding does not keep the search going.
_BETTER = 1e-10

# A literal would be a type of its own, see `kernel`.
_NOBODY: Any = np.int64(-1)


@kernel
def group_worth(o, k, group, members, count):  # type: ignore[no-untyped-def]
    """How many services of a group fail (they are late, or must be offloaded and may not be), and
    the gain of the others."""
    late = o.late_at_home
    failed, total = np.int64(0), 0.0
    if group == 0:
        for a in range(count):
            if late[members[a]]:
                failed += 1
        return failed, total
    power_w = o.power_w
    load = 0.0
    for a in range(count):
        load += power_w[members[a]]
    for a in range(count):
        own = gain(o, members[a], load, k)
        if own == -np.inf or (own < -1e-9 and late[members[a]] and o.require_profitable):
            failed += 1
        else:
            total += own
    return failed, total


@kernel(forceinline=True)
def _better(failed, change):  # type: ignore[no-untyped-def]
    """Whether a change helps: fewer fail, or as many and the others gain."""
    return failed < 0 or (failed == 0 and change > _BETTER)


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
def _value_group(o, k, group, members, size, fails, worth):  # type: ignore[no-untyped-def]
    if not o.equal_share:
        failed, total = group_worth(o, k, group, members[group], size[group])
        fails[:, group], worth[:, group] = failed, total
        return
    for step in range(3):
        at = max(k + step - 1, 1)
        failed, total = group_worth(o, at, group, members[group], size[group])
        fails[step, group], worth[step, group] = failed, total


@kernel
def _value_groups(o, k, members, size, fails, worth):  # type: ignore[no-untyped-def]
    """Worths of all groups at k - 1, k and k + 1 offloaders, into fails and worth [3, M + 1]."""
    for group in range(len(size)):
        _value_group(o, k, group, members, size, fails, worth)


@kernel
def _revalue(o, k, members, size, fails, worth, before, a, b):  # type: ignore[no-untyped-def]
    """After a change of groups a and b: only these, unless the number of offloaders changed."""
    if o.equal_share and k != before:
        _value_groups(o, k, members, size, fails, worth)
        return
    for group in (a, b):
        _value_group(o, k, group, members, size, fails, worth)


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
def climb(o, channel, order, stale):  # type: ignore[no-untyped-def]
    """Move single services and swap pairs, whatever helps first, until nothing does.

    Pairs of groups are looked at again only after one of them has changed.

    Parameters
    ----------
    channel : [N] changed in place.
    order : the groups in the order in which they are looked at.
    stale : [M + 1] groups that are new; between the others nothing helps.

    Returns
    -------
    how many services fail, and the total gain of the others
    """
    groups = o.channels + 1
    services = len(channel)
    members = np.empty((groups, services), dtype=np.int64)
    size = np.empty(groups, dtype=np.int64)
    trial = np.empty(services + 1, dtype=np.int64)
    fails, worth = np.empty((3, groups), dtype=np.int64), np.empty((3, groups))
    changed = np.zeros(groups, dtype=np.int64)  # when
    looked = np.zeros((groups, groups), dtype=np.int64)
    changed[stale] = 1
    now = 1
    k = _fill_members(channel, members, size)
    _value_groups(o, k, members, size, fails, worth)
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
                k, moved = _between(o, k, channel, members, size, trial, fails, worth, a, b)
                if moved:
                    again = True
                    now += 1
                    changed[a] = changed[b] = now
                    if o.equal_share and k != before:
                        changed[:] = now
    return fails[1].sum(), worth[1].sum()


@kernel
def _first_empty(size, a):  # type: ignore[no-untyped-def]
    """The first empty channel but `a`, -1 if there is none."""
    for group in range(1, len(size)):
        if group != a and size[group] == 0:
            return group
    return -1


@kernel
def _between(o, k, channel, members, size, trial, fails, worth, a, b):  # type: ignore[no-untyped-def]
    """Every helpful move from group a to b and, if a < b, every helpful swap."""
    moved = False
    step = 1 + (1 if a == 0 else 0) - (1 if b == 0 else 0)
    place = 0
    while place < size[a]:
        i = members[a, place]
        after = k + step - 1
        count = _with(members[b], size[b], _NOBODY, i, trial)
        failed, total = group_worth(o, after, b, trial, count)
        failed, change = failed - fails[step, b], total - worth[step, b]
        count = _with(members[a], size[a], i, _NOBODY, trial)
        left, total = group_worth(o, after, a, trial, count)
        failed += left - fails[step, a]
        change += total - worth[step, a]
        if step != 1 and o.equal_share:
            failed += fails[step].sum() - fails[1].sum()
            change += worth[step].sum() - worth[1].sum()
        if _better(failed, change):
            _relocate(members, size, i, a, b, trial)
            channel[i] = b
            _revalue(o, after, members, size, fails, worth, k, a, b)
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
            failed, total = group_worth(o, k, b, trial, count)
            failed, change = failed - fails[1, b], total - worth[1, b]
            count = _with(members[a], size[a], i, j, trial)
            left, total = group_worth(o, k, a, trial, count)
            failed += left - fails[1, a]
            change += total - worth[1, a]
            if _better(failed, change):
                _relocate(members, size, i, a, b, trial)
                _relocate(members, size, j, b, a, trial)
                channel[i], channel[j] = b, a
                _revalue(o, k, members, size, fails, worth, k, a, b)
                moved = True
                place -= 1
                break
    return k, moved
