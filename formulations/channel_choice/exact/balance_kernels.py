"""Compiled loops of the load balance by head counts: one server towards its nearest, and a pair.

A server h has m services of its own, of which o run their heads on its nearest server; s of those
that others send run theirs here, so n = m - o + s do. With both counts given every service's two
values are constants, so that the best o to send are those with the largest differences.
Arrays over counts start at 0, where nothing is hosted and values are 0.
"""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel


@kernel
def sort_differences(send, stay, p, n, order, best):  # type: ignore[no-untyped-def]
    """Sort services by send[i, p] - stay[i, n]; best [m + 1] becomes the value of sending o.

    `order` [m] is a permutation left by an earlier call: counts next to each other have nearly
    the same order, so that inserting is nearly linear.
    """
    m = order.size
    difference = np.empty(m)
    total = 0.0
    for i in range(m):
        total += stay[i, n]
        difference[i] = send[i, p] - stay[i, n]
    for position in range(1, m):
        i = order[position]
        place = position
        while place > 0 and difference[order[place - 1]] < difference[i]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i
    best[0] = total
    for o in range(m):
        best[o + 1] = best[o] + difference[order[o]]


@kernel
def join(arrivals, message, joined, taken):  # type: ignore[no-untyped-def]
    """Max-plus convolution, for every count n at this server, of what its children send.

    arrivals [S + 1, n] and a child's messages [K, m + 1, n] give joined [K, S + m + 1, n], and how
    many of each come from that child, taken [K, S + m + 1, n].
    """
    joined[:] = -np.inf
    for case in range(message.shape[0]):
        for o in range(message.shape[1]):
            for s in range(arrivals.shape[0]):
                for n in range(joined.shape[2]):
                    value = arrivals[s, n] + message[case, o, n]
                    if value > joined[case, s + o, n]:
                        joined[case, s + o, n] = value
                        taken[case, s + o, n] = o


@kernel
def send_up(stay, send, arrivals, there, best, count):  # type: ignore[no-untyped-def]
    """What a server with all that hangs on it is worth to its nearest server.

    Parameters
    ----------
    stay, send : [m, n] and [m, p] values of its services here and there, by the heads there.
    arrivals : [K, S + 1, n] best value of what sends to it where that sends s, in K cases.
    there : the heads p on its nearest server that are looked at.
    best, count : [K, m + 1, p] best value by how many it sends and the heads on its nearest server,
        and the heads here; filled.
    """
    m, counts = stay.shape
    cases, most = arrivals.shape[0], arrivals.shape[1] - 1
    last = best.shape[2] - 1
    best[:] = -np.inf
    order = np.arange(m)
    worth = np.empty(m + 1)
    first_s, last_s = np.empty(cases, dtype=np.int64), np.empty(cases, dtype=np.int64)
    for n in range(counts):
        for case in range(cases):  # few arrivals are possible where the case decides on them
            first_s[case], last_s[case] = most + 1, -1
            for s in range(most + 1):
                if arrivals[case, s, n] > -np.inf:
                    first_s[case] = min(first_s[case], s)
                    last_s[case] = s
        for p in there:
            low = max(0, m - n, p - last + m)
            high = min(m, m - n + most, p)
            if low > high:
                continue
            sort_differences(send, stay, p, n, order, worth)
            for case in range(cases):
                begin = max(low, m - n + first_s[case])
                end = min(high, m - n + last_s[case])
                for o in range(begin, end + 1):
                    value = worth[o] + arrivals[case, n - m + o, n]
                    if value > best[case, o, p]:
                        best[case, o, p] = value
                        count[case, o, p] = n


@kernel
def meet(stay_u, send_u, arrivals_u, stay_v, send_v, arrivals_v, best):  # type: ignore[no-untyped-def]
    """Two servers that are each other's nearest; the best (o_u, n_u, o_v, n_v) goes to best [4]."""
    m_u, counts_u = stay_u.shape
    m_v, counts_v = stay_v.shape
    most_u, most_v = arrivals_u.shape[0] - 1, arrivals_v.shape[0] - 1
    order_u, order_v = np.arange(m_u), np.arange(m_v)
    worth_u, worth_v = np.empty(m_u + 1), np.empty(m_v + 1)
    own = m_u + m_v
    top = -np.inf
    for n_u in range(counts_u):
        for n_v in range(max(0, own - n_u), min(counts_v - 1, own - n_u + most_u + most_v) + 1):
            sort_differences(send_u, stay_u, n_v, n_u, order_u, worth_u)
            sort_differences(send_v, stay_v, n_u, n_v, order_v, worth_v)
            for o_u in range(min(m_u, n_v) + 1):
                # Both 0 <= s <= most, where s is what the other trees of a server send to it.
                low = max(0, n_u - m_u + o_u - most_u, m_v - n_v + o_u)
                high = min(m_v, n_u, n_u - m_u + o_u, m_v - n_v + o_u + most_v)
                for o_v in range(low, high + 1):
                    value = (
                        worth_u[o_u]
                        + worth_v[o_v]
                        + arrivals_u[n_u - m_u + o_u - o_v, n_u]
                        + arrivals_v[n_v - m_v + o_v - o_u, n_v]
                    )
                    if value > top:
                        top = value
                        best[0], best[1], best[2], best[3] = o_u, n_u, o_v, n_v
    return top
