"""Compiled local search over channels: moves and swaps of services.

A channel (0 is home) holds a group of services; only the two groups that a move touches are
valued anew, at the number of offloaders k after it. Where the cloud is shared equally, the worths
of all groups are held for k - 1, k and k + 1. A group's worth is how many of its services fail,
which counts first, and what the others gain.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.overhead_kernels import gain
from optkit.kernels import kernel

Ints = NDArray[np.int64]

#: What counts as better, so that rounding does not keep the search going.
_BETTER = 1e-10

# A literal would be a type of its own, see `kernel`.
_NOBODY: Any = np.int64(-1)


class Climbing(NamedTuple):
    """Where a climb stands, so that it can be gone on with."""

    members: Ints  # [M + 1, N] services of each group, in the order in which they came
    size: Ints  # [M + 1]
    changed: Ints  # [M + 1] when each group changed last
    looked: Ints  # [M + 1, M + 1] when each pair of groups was looked at last
    at: Ints  # [3] the time, the next pair of the sweep, and whether the sweep moved anything

    @classmethod
    def begin(cls, channel: Ints, stale: NDArray[np.bool_]) -> Climbing:
        """From channels [N] and the groups [M + 1] that are new; between others nothing helps."""
        groups = len(stale)
        members = np.zeros((groups, len(channel)), dtype=np.int64)
        size = np.bincount(channel, minlength=groups)
        for group in np.flatnonzero(size):
            members[group, : size[group]] = np.flatnonzero(channel == group)
        looked = np.zeros((groups, groups), dtype=np.int64)
        return cls(members, size, stale.astype(np.int64), looked, np.array([1, 0, 0]))


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
def _relocate(members, size, i, a, b, trial):  # type: ignore[no-untyped-def]
    count = _with(members[a], size[a], i, _NOBODY, trial)
    members[a, :count] = trial[:count]
    size[a] = count
    members[b, size[b]] = i
    size[b] += 1


@kernel
def climb(o, channel, order, climbing, budget):  # type: ignore[no-untyped-def]
    """Move single services and swap pairs, whatever helps first, until nothing does.

    Pairs of groups are looked at again only after one of them has changed.

    Parameters
    ----------
    channel : [N] changed in place.
    order : the groups in the order in which they are looked at.
    climbing : where it stands, changed in place; see `Climbing`.
    budget : about so many moves and swaps are valued, then the next call goes on.

    Returns
    -------
    how many services fail, the total gain of the others, and whether nothing helps any more
    """
    groups = o.channels + 1
    services = len(channel)
    members, size = climbing.members, climbing.size
    trial = np.empty(services + 1, dtype=np.int64)
    fails, worth = np.empty((3, groups), dtype=np.int64), np.empty((3, groups))
    changed, looked, at = climbing.changed, climbing.looked, climbing.at
    k = services - size[0]
    _value_groups(o, k, members, size, fails, worth)
    while budget > 0:
        if at[1] == groups * groups:
            if at[2] == 0:
                return fails[1].sum(), worth[1].sum(), True
            at[1] = at[2] = 0
        a, b = order[at[1] // groups], order[at[1] % groups]
        at[1] += 1
        if a == b or max(changed[a], changed[b]) <= looked[a, b]:
            continue
        looked[a, b] = at[0]
        if b > 0 and size[b] == 0 and b != _first_empty(size, a):
            continue
        budget -= 1 + size[a] * (1 + size[b])
        before = k
        k, moved = _between(o, k, channel, members, size, trial, fails, worth, a, b)
        if moved:
            at[2] = 1
            at[0] += 1
            changed[a] = changed[b] = at[0]
            if o.equal_share and k != before:
                changed[:] = at[0]
    return fails[1].sum(), worth[1].sum(), False


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
