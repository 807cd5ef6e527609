"""Compiled greedy of ACCO: the pair of service and channel that helps the system most.

`o` is an ``Offloading``; `x` [N] the channels, 0 at home.
"""

from __future__ import annotations

import numpy as np

from formulations.channel_choice.dynamics_kernels import add_loads, worth
from optkit.kernels import kernel

_LATE = 1e6  # what a missed deadline counts in the order in which pairs are looked at


@kernel(error_model="numpy")
def best_pair(o, x, first, stop, equal):  # type: ignore[no-untyped-def]
    """The service at home, of those from first to stop - 1, and the channel that help most.

    A pair with which fewer services are late than before comes first, then the one with the
    largest gain of the system, which must exceed `equal` if as many are late; the first of
    equals. Returns service and channel, or -1 and 0 where no pair helps.
    """
    services, channels = len(x), o.channels
    power_w, late_at_home = o.power_w, o.late_at_home
    load_w = np.zeros(channels)
    k = add_loads(o, x, load_w)
    begin = np.zeros(channels + 1, dtype=np.int64)
    for j in range(services):
        if x[j] > 0:
            begin[x[j]] += 1
    for c in range(channels):
        begin[c + 1] += begin[c]
    members, filled = np.zeros(k, dtype=np.int64), begin.copy()
    # What one more offloader elsewhere costs the services of each channel.
    others, late = np.zeros(channels), np.zeros(channels, dtype=np.int64)
    base, base_late = 0.0, 0
    for j in range(services):
        if x[j] > 0:
            c = x[j] - 1
            members[filled[c]] = j
            filled[c] += 1
            now, now_late = worth(o, j, load_w[c], k)
            then, then_late = now, now_late
            if o.equal_share:
                then, then_late = worth(o, j, load_w[c], k + 1)
            others[c] += then
            late[c] += then_late
            base += then - now
            base_late += then_late - now_late
    order = np.argsort(load_w, kind="mergesort")  # of empty channels the first comes first
    # The most promising first, so that the others need not be looked at closely.
    promise = np.zeros(services)
    for i in range(first, stop):
        if x[i] == 0:
            own, own_late = worth(o, i, load_w[order[0]] + power_w[i], k + 1)
            promise[i] = own - _LATE * (own_late - int(late_at_home[i]))
    best, best_late, service, channel = equal, 0, -1, 0
    for i in first + np.argsort(-promise[first:stop], kind="mergesort"):
        if x[i] > 0:
            continue
        for position in range(channels):
            c = order[position]
            if position > 0 and load_w[c] == 0.0:
                continue  # as empty as the one before
            own, own_late = worth(o, i, load_w[c] + power_w[i], k + 1)
            change = base + own
            change_late = base_late + own_late - int(late_at_home[i])
            # The others on the channel can only lose, and it loses more on fuller channels.
            if change_late > best_late or (change_late == best_late and change <= best):
                break
            change -= others[c]
            change_late -= late[c]
            for a in range(begin[c], begin[c + 1]):
                value, missed = worth(o, members[a], load_w[c] + power_w[i], k + 1)
                change += value
                change_late += missed
            if change_late < best_late or (change_late == best_late and change > best):
                best, best_late, service, channel = change, change_late, i, c + 1
    return service, channel


@kernel(error_model="numpy")
def commit_pairs(o, x, equal, steps):  # type: ignore[no-untyped-def]
    """Offload, in place, the best pair, at most `steps` times; returns whether none is left."""
    for _ in range(steps):
        service, channel = best_pair(o, x, 0, len(x), equal)
        if service < 0:
            return True
        x[service] = channel
    return False


@kernel(error_model="numpy")
def commit_in_order(o, x, first, stop, equal):  # type: ignore[no-untyped-def]
    """Offload, in place, each of the services first to stop - 1 once if that helps."""
    for i in range(first, stop):
        service, channel = best_pair(o, x, i, i + 1, equal)
        if service >= 0:
            x[service] = channel
