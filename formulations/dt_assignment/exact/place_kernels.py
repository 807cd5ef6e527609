"""Compiled knapsacks of all servers at prices of twins, and what they say of every pair.

The rule that each twin has one server is relaxed: a server earns the price of every twin that it
takes, less the cost of the pair, and takes what earns most within its limits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optkit.kernels import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Least and largest weight of the last answer in the mean of all.
_MEMORY = (0.01, 0.1)
#: Candidates that knapsacks look at in some tenths of a second: then steps of prices end, and the
#: further pairs are judged by the first bounds of their knapsacks.
WORK = 50_000_000.0
#: More candidates than this are not sorted by insertion.
_FEW = 40


class Pack(NamedTuple):
    """Candidates of one knapsack by falling gain per size; room for M."""

    gain: Floats  # [M]
    size: Floats  # [M] in weighted shares
    twin: Ints  # [M]
    need: Floats  # [R, M]
    taken: Mask  # [M] on the way
    best: Mask  # [M] the best choice


class Node(NamedTuple):
    """What pricing knows of a node: pairs that are open, and the last answer."""

    open_servers: Ints  # [M] how many
    forced: Ints  # [M] the only open server of a twin, or -1
    items: Ints  # [S, M] twins with a choice, for which the server is open and has room
    item_count: Ints  # [S]
    left: Floats  # [R, S] shares that forced twins leave
    earned: Floats  # [S] by the twins with a choice
    chosen: Mask  # [M, S] by the server, of the items
    takers: Ints  # [M] servers that take the twin
    pack: Pack
    other: Pack  # the same without one item
    left_of_one: Floats  # [R]
    taken: Floats  # [M] mean of count over the steps of prices
    best_price: Floats  # [M]
    pace: Floats  # [4] best bound, share of the way of a step, steps without a better one, steps
    work: Floats  # [1] candidates that knapsacks looked at so far


def node_of(twins: int, servers: int, resources: int) -> Node:
    """Empty arrays of these sizes."""

    def pack() -> Pack:
        return Pack(
            np.empty(twins),
            np.empty(twins),
            np.empty(twins, dtype=np.int64),
            np.empty((resources, twins)),
            np.empty(twins, dtype=np.bool_),
            np.empty(twins, dtype=np.bool_),
        )

    return Node(
        np.empty(twins, dtype=np.int64),
        np.empty(twins, dtype=np.int64),
        np.empty((servers, twins), dtype=np.int64),
        np.empty(servers, dtype=np.int64),
        np.empty((resources, servers)),
        np.empty(servers),
        np.zeros((twins, servers), dtype=np.bool_),
        np.empty(twins, dtype=np.int64),
        pack(),
        pack(),
        np.empty(resources),
        np.empty(twins),
        np.empty(twins),
        np.empty(4),
        np.zeros(1),
    )


@kernel
def knapsack(count, pack, room, weight, s, floor, limit, work):  # type: ignore[no-untyped-def]
    """Most that candidates can gain within shares `room` [R] of server s, by branch and bound.

    The bound is that of the sum of the limits with weights [R, S]. Gains of at most `floor` are
    not looked for: it is returned where there are none. The room is used up on the way.

    Returns
    -------
    An upper bound of the gain, exact unless bounds that look at `limit` candidates did not
    suffice; ``pack.best`` is the choice that was found. `work` [1] grows by what was looked at.
    """
    gain, size, need, taken, best = pack.gain, pack.size, pack.need, pack.taken, pack.best
    resources = len(room)
    free = 0.0
    for r in range(resources):
        free += weight[r, s] * room[r]
    for k in range(count):
        taken[k] = best[k] = False
    most, first = max(floor, 0.0), 0.0
    so_far, seen, i = 0.0, 0.0, 0
    skipped = True  # a bound changes only where a candidate was left out
    while True:
        hopeless = False
        if skipped:
            bound, fits, j = so_far, free, i
            while j < count and size[j] <= fits:
                bound += gain[j]
                fits -= size[j]
                j += 1
            if j < count and fits > 0.0:
                bound += gain[j] * fits / size[j]
            if seen == 0.0:
                first = bound
            elif seen > limit:
                work[0] += seen
                return max(first, most)
            seen += j - i + 1.0
            hopeless = bound <= most + 1e-12 * abs(most)
        if not hopeless and i < count:
            takes = True
            for r in range(resources):
                takes = takes and need[r, i] <= room[r]
            if takes:
                taken[i], skipped = True, False
                so_far += gain[i]
                free -= size[i]
                for r in range(resources):
                    room[r] -= need[r, i]
                if so_far > most:
                    most = so_far
                    for k in range(count):
                        best[k] = taken[k] and k <= i
            else:
                taken[i], skipped = False, True
            i += 1
            if i < count:
                continue
        k = i - 1
        while k >= 0 and not taken[k]:
            k -= 1
        if k < 0:
            work[0] += seen
            return most
        taken[k], skipped = False, True
        so_far -= gain[k]
        free += size[k]
        for r in range(resources):
            room[r] += need[r, k]
        i = k + 1


@kernel
def settle(problem, is_open, node):  # type: ignore[no-untyped-def]
    """Forced twins, room and items of a node; False if a twin or a limit cannot be satisfied.

    Closes pairs [M, S] for which forced twins leave no room.
    """
    demand = problem.demand
    resources, twins, servers = demand.shape
    open_servers, forced, items = node.open_servers, node.forced, node.items
    item_count, left = node.item_count, node.left
    again = True
    while again:
        again = False
        for s in range(servers):
            item_count[s] = 0
            for r in range(resources):
                left[r, s] = 1.0
        for m in range(twins):
            number, last = 0, -1
            for s in range(servers):
                if is_open[m, s]:
                    number, last = number + 1, s
            if number == 0:
                return False
            open_servers[m], forced[m] = number, -1
            if number == 1:
                forced[m] = last
                for r in range(resources):
                    left[r, last] -= demand[r, m, last]
                    if left[r, last] < 0.0:
                        return False
        for m in range(twins):
            if forced[m] >= 0:
                continue
            for s in range(servers):
                if not is_open[m, s]:
                    continue
                fits = True
                for r in range(resources):
                    fits = fits and demand[r, m, s] <= left[r, s]
                if fits:
                    items[s, item_count[s]] = m
                    item_count[s] += 1
                else:
                    is_open[m, s] = False
                    again = True
    return True


@kernel
def _sort(count, pack):  # type: ignore[no-untyped-def]
    """Order the first candidates by falling gain per size, equal ones as they come."""
    gain, size, twin = pack.gain, pack.size, pack.twin
    if count > _FEW:
        key = np.empty(count)
        for k in range(count):
            key[k] = -gain[k] / size[k] if size[k] > 0.0 else -np.inf
        order = np.argsort(key, kind="mergesort")
        gain[:count], size[:count], twin[:count] = gain[order], size[order], twin[order]
        return
    for i in range(1, count):
        earns, takes, m, k = gain[i], size[i], twin[i], i
        while k > 0 and gain[k - 1] * takes < earns * size[k - 1]:
            gain[k], size[k], twin[k] = gain[k - 1], size[k - 1], twin[k - 1]
            k -= 1
        gain[k], size[k], twin[k] = earns, takes, m


@kernel
def gather(problem, place_price, node, s):  # type: ignore[no-untyped-def]
    """Fill ``node.pack`` with the items of a server that earn something, sorted; how many."""
    cost, demand, weight = problem.cost, problem.demand, problem.weight
    resources = demand.shape[0]
    pack, items = node.pack, node.items
    gain, size, twin, need = pack.gain, pack.size, pack.twin, pack.need
    count = 0
    for j in range(node.item_count[s]):
        m = items[s, j]
        earns = place_price[m] - cost[m, s]
        if earns <= 0.0:
            continue
        takes = 0.0
        for r in range(resources):
            takes += weight[r, s] * demand[r, m, s]
        gain[count], size[count], twin[count] = earns, takes, m
        count += 1
    _sort(count, pack)
    for k in range(count):
        for r in range(resources):
            need[r, k] = demand[r, twin[k], s]
    return count


@kernel
def price_servers(problem, place_price, node, limit):  # type: ignore[no-untyped-def]
    """The bound at prices [M] of twins; the answer of every server goes into the node."""
    cost, weight = problem.cost, problem.weight
    twins, servers = cost.shape
    forced, items, chosen, count = node.forced, node.items, node.chosen, node.takers
    item_count, left = node.item_count, node.left
    earned, left_of_one = node.earned, node.left_of_one
    best, twin = node.pack.best, node.pack.twin
    total = 0.0
    for m in range(twins):
        count[m] = 0
        if forced[m] >= 0:
            total += cost[m, forced[m]]
            count[m] = 1
        else:
            total += place_price[m]
    for s in range(servers):
        number = gather(problem, place_price, node, s)
        for r in range(len(left_of_one)):
            left_of_one[r] = left[r, s]
        earned[s] = knapsack(number, node.pack, left_of_one, weight, s, 0.0, limit, node.work)
        total -= earned[s]
        for j in range(item_count[s]):
            chosen[items[s, j], s] = False
        for k in range(number):
            if best[k]:
                chosen[twin[k], s] = True
                count[twin[k]] += 1
    return total


@kernel
def begin_steps(place_price, node, share):  # type: ignore[no-untyped-def]
    """Forget earlier steps: the next ones begin at these prices [M] and go so far."""
    for m in range(len(place_price)):
        node.best_price[m] = place_price[m]
    node.pace[0], node.pace[1], node.pace[2], node.pace[3] = -np.inf, share, 0.0, 0.0


@kernel
def raise_place_prices(problem, place_price, node, target, ceiling, steps, patience, limit):  # type: ignore[no-untyped-def]
    """Volume steps on prices [M] of twins towards a ceiling, until the target is reached.

    A step leads from the best prices along the mean of how often twins were taken, in which the
    last answer weighs what makes the step shortest (Barahona and Anbil 2000). Steps go on where
    they ended, since `begin_steps`; they also end once knapsacks took `WORK`.

    Parameters
    ----------
    place_price : [M] written: the best prices.
    patience : steps without a better bound before they go less far.

    Returns
    -------
    The best bound; ``node.pace[1]`` is 0 where no prices are better, since each twin is taken
    once on average.
    """
    twins = len(place_price)
    count, taken, best_price, pace = node.takers, node.taken, node.best_price, node.pace
    best, share, stalled = pace[0], pace[1], pace[2]
    until = node.work[0] + WORK
    for _ in range(steps):
        if node.work[0] > until:
            break
        norm = 0.0
        if best > -np.inf:
            for m in range(twins):
                norm += (1.0 - taken[m]) ** 2
            if norm < 1e-12:
                share = 0.0
                break
            length = share * (ceiling - best) / norm
            for m in range(twins):
                place_price[m] = best_price[m] + length * (1.0 - taken[m])
        value = price_servers(problem, place_price, node, limit)
        pace[3] += 1.0
        along = inner = square = 0.0
        for m in range(twins):
            if norm == 0.0:
                taken[m] = count[m]
            along += (1.0 - taken[m]) * (1.0 - count[m])
            inner += (1.0 - taken[m]) * (count[m] - taken[m])
            square += (count[m] - taken[m]) ** 2
        new = min(max(inner / square, _MEMORY[0]), _MEMORY[1]) if square > 0.0 else 0.0
        for m in range(twins):
            taken[m] += new * (count[m] - taken[m])
        if value > best:
            if along > 0.0 and norm > 0.0:
                share = min(1.1 * share, 1.0)
            best, stalled = value, 0.0
            for m in range(twins):
                best_price[m] = place_price[m]
            if best >= target:
                break
        else:
            stalled += 1.0
            if stalled >= patience:
                share *= 0.7
                stalled = 0.0
    for m in range(twins):
        place_price[m] = best_price[m]
    pace[0], pace[1], pace[2] = best, share, stalled
    return best


@kernel
def without_one(pack, other, count, skip):  # type: ignore[no-untyped-def]
    """Copy candidates but one; how many."""
    resources = pack.need.shape[0]
    number = 0
    for k in range(count):
        if k == skip:
            continue
        other.gain[number], other.size[number] = pack.gain[k], pack.size[k]
        for r in range(resources):
            other.need[r, number] = pack.need[r, k]
        number += 1
    return number


@kernel
def fix_pairs(problem, place_price, node, bound, target, is_open, rise, limit):  # type: ignore[no-untyped-def]
    """Raise the bound for every open pair of the node, and close pairs that reach the target.

    A pair that is used changes the knapsack of its server, and those of other servers that take
    the twin; the changes add up.

    Parameters
    ----------
    bound : of `price_servers` at these prices, whose answer the node holds.
    is_open : [M, S] pairs; those whose bound reaches the target are closed.
    rise : [M, S] written for the open pairs of twins with a choice.
    limit : as for `knapsack`, until all took `WORK`; then first bounds do.

    Returns how many were closed."""
    cost, demand, weight = problem.cost, problem.demand, problem.weight
    resources, twins, servers = demand.shape
    pack, other, left, left_of_one = node.pack, node.other, node.left, node.left_of_one
    items, item_count, earned, chosen = node.items, node.item_count, node.earned, node.chosen
    until = node.work[0] + WORK
    lost = np.zeros(twins)  # where all servers that take the twin do without it
    for s in range(servers):
        number = gather(problem, place_price, node, s)
        for k in range(number):
            m = pack.twin[k]
            if chosen[m, s]:
                rest = without_one(pack, other, number, k)
                node.work[0] += number
                for r in range(resources):
                    left_of_one[r] = left[r, s]
                most = limit if node.work[0] < until else 0.0
                best = knapsack(rest, other, left_of_one, weight, s, 0.0, most, node.work)
                rise[m, s] = max(earned[s] - best, 0.0)
                lost[m] += rise[m, s]
    closed = 0
    for s in range(servers):
        number = gather(problem, place_price, node, s)
        for j in range(item_count[s]):
            m = items[s, j]
            if chosen[m, s]:
                rise[m, s] = lost[m] - rise[m, s]
            else:
                for r in range(resources):
                    left_of_one[r] = left[r, s] - demand[r, m, s]
                skip = -1
                for k in range(number):
                    if pack.twin[k] == m:
                        skip = k
                rest = without_one(pack, other, number, skip)
                node.work[0] += number
                loss = earned[s] - (place_price[m] - cost[m, s]) + lost[m]
                floor = loss + bound - target
                most = limit if node.work[0] < until else 0.0
                best = knapsack(rest, other, left_of_one, weight, s, floor, most, node.work)
                rise[m, s] = loss - best
            if bound + rise[m, s] >= target - 1e-12 * abs(target):
                is_open[m, s] = False
                closed += 1
    return closed
