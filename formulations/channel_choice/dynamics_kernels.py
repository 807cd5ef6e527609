"""Compiled best responses of services over channels (paper 000, Algorithm 2).

`o` is an ``Offloading``; `x` [N] the channels, 0 at home; `load_w` [M] the received power on each
channel; `k` the number of offloaders.
"""

from __future__ import annotations

import math

import numpy as np

from formulations.channel_choice.overhead_kernels import best_offload, gain
from optkit.kernels import kernel

OWN, SYSTEM, SYSTEM_STOP, ASYNC = range(4)


@kernel(error_model="numpy")
def add_loads(o, x, load_w):  # type: ignore[no-untyped-def]
    """Set the loads, added up from nothing so that no residue is left; returns k."""
    power_w = o.power_w
    load_w[:] = 0.0
    k = 0
    for i in range(len(x)):
        if x[i] > 0:
            load_w[x[i] - 1] += power_w[i]
            k += 1
    return k


@kernel(error_model="numpy", forceinline=True)
def worth(o, i, load_w, k):  # type: ignore[no-untyped-def]
    """QoS that offloading adds to home, and whether (0 or 1) the deadline is missed."""
    overhead, _, _, _, _, late = best_offload(o, i, load_w, k)
    return math.log2((o.threshold + o.local_overhead[i]) / (o.threshold + overhead)), int(late)


@kernel(error_model="numpy")
def respond(o, x, load_w, k, equal, response, improvement):  # type: ignore[no-untyped-def]
    """Best channel of every service that gains by changing alone, into response [N], and what it
    gains, into improvement [N] (0 of the others); returns how many there are.

    The best channel is the one of least interference, as every gain falls with it.
    """
    count = 0
    power_w, late_at_home = o.power_w, o.late_at_home
    for i in range(len(x)):
        own, w = x[i], power_w[i]
        least, chosen = np.inf, 0
        for c in range(len(load_w)):
            others_w = max(load_w[c] - w, 0.0) if own == c + 1 else load_w[c]
            if others_w < least:
                least, chosen = others_w, c + 1
        home = -np.inf if late_at_home[i] else 0.0
        now = gain(o, i, load_w[own - 1], k) if own > 0 else home
        response[i], improvement[i] = own, 0.0
        best, best_worth = 0, home
        if own != chosen:
            offloaded = gain(o, i, load_w[chosen - 1] + w, k if own > 0 else k + 1)
            if offloaded > home + equal:
                best, best_worth = chosen, offloaded
        elif now > home + equal:
            continue
        if best != own and best_worth > now and best_worth - now > equal:
            response[i], improvement[i] = best, best_worth - now
            count += 1
    return count


@kernel(error_model="numpy")
def channel_sums(o, x, load_w, k, sums):  # type: ignore[no-untyped-def]
    """What the services of each channel gain at home-relative QoS as k offload, into sums [M];
    returns the total."""
    sums[:] = 0.0
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            sums[x[i] - 1] += worth(o, i, load_w[x[i] - 1], k)[0]
    for c in range(len(sums)):
        total += sums[c]
    return total


@kernel(error_model="numpy")
def members_worth(o, x, channel, leaving, load_w, k):  # type: ignore[no-untyped-def]
    """What the services of a channel but `leaving` gain when its load is `load_w`."""
    total = 0.0
    for j in range(len(x)):
        if x[j] == channel and j != leaving:
            total += worth(o, j, load_w, k)[0]
    return total


@kernel(error_model="numpy")
def system_change(o, x, i, target, load_w, k, sums, totals):  # type: ignore[no-untyped-def]
    """What the system gains when service i alone changes to `target`.

    Parameters
    ----------
    sums : [3, M] from `channel_sums` for k - 1, k and k + 1 offloaders; totals : [3].
    """
    own = x[i]
    after = k
    if own == 0:
        after += 1
    elif target == 0:
        after -= 1
    row = after - k + 1
    total = totals[row]
    w = o.power_w[i]
    if own > 0:
        left_w = 0.0  # added up anew: no residue
        for j in range(len(x)):
            if x[j] == own and j != i:
                left_w += o.power_w[j]
        total += members_worth(o, x, own, i, left_w, after) - sums[row, own - 1]
    if target > 0:
        joined_w = load_w[target - 1] + w
        total += members_worth(o, x, target, i, joined_w, after) - sums[row, target - 1]
        total += worth(o, i, joined_w, after)[0]
    return total - totals[1]


@kernel(error_model="numpy")
def play(o, x, rule, equal, draws, moves):  # type: ignore[no-untyped-def]
    """Change x [N] in place by one request a slot, for at most len(moves) slots.

    Parameters
    ----------
    rule : OWN, SYSTEM, SYSTEM_STOP or ASYNC.
    equal : gains up to this are none.
    draws : [slots] uniform numbers in [0, 1), for ASYNC.
    moves : [slots, 2] service and channel of each update.

    Returns
    -------
    How many slots passed, and whether the rule had nothing left to do.
    """
    services, channels = len(x), o.channels
    load_w, sums, totals = np.zeros(channels), np.zeros((3, channels)), np.zeros(3)
    response, improvement = np.zeros(services, dtype=np.int64), np.zeros(services)
    for slot in range(len(moves)):
        k = add_loads(o, x, load_w)
        requests = respond(o, x, load_w, k, equal, response, improvement)
        if requests == 0:
            return slot, True
        chosen = -1
        if rule == OWN:
            chosen = int(np.argmax(improvement))
        elif rule == ASYNC:
            left = int(draws[slot] * requests)
            for i in range(services):
                if improvement[i] > 0.0:
                    if left == 0:
                        chosen = i
                        break
                    left -= 1
        else:
            for row in range(3):
                totals[row] = channel_sums(o, x, load_w, k - 1 + row, sums[row])
            most = -np.inf
            for i in range(services):
                if improvement[i] > 0.0:
                    change = system_change(o, x, i, response[i], load_w, k, sums, totals)
                    if change > most:
                        most, chosen = change, i
            if rule == SYSTEM_STOP and most <= equal:
                return slot, True
        moves[slot, 0], moves[slot, 1] = chosen, response[chosen]
        x[chosen] = response[chosen]
    return len(moves), False
