"""Compiled search for coalitions of largest reduced gain, level of received power by level.

What a coalition gains depends on its members only through its load W: within a level
``lo < W <= hi`` each service gains at most its gain at ``lo``, and the best coalition is at most
the best packing of these into ``hi``. A packing table over whole units of load bounds every
partial coalition; whatever survives is valued exactly.
"""

from __future__ import annotations

import numpy as np

from formulations.channel_choice.coalition_kernels import coalition_value, dominated
from formulations.channel_choice.overhead_kernels import gain
from optkit.kernels import kernel

#: Of packing units: a load that rounding carries over a unit's edge still counts as below it.
_EDGE = 1e-9
#: A level is halved at most so often.
HALVINGS = 12


@kernel
def order_items(worth, power_w, least, item):  # type: ignore[no-untyped-def]
    """Sort the services that a level admits by worth per watt, into item [N]; their number."""
    count = 0
    for i in range(len(worth)):
        if worth[i] > least:
            item[count] = i
            count += 1
    key = np.empty(count)
    for a in range(count):
        key[a] = -worth[item[a]] / power_w[item[a]]
    item[:count] = item[:count][np.argsort(key)]
    return count


@kernel
def packing_root(worth, power_w, item, count, capacity_w):  # type: ignore[no-untyped-def]
    """Largest worth of a fractional packing of sorted items."""
    total = 0.0
    left_w = capacity_w
    for a in range(count):
        value, load = worth[item[a]], power_w[item[a]]
        if value <= 0.0:
            break
        if load >= left_w:
            return total + value * left_w / load
        total += value
        left_w -= load
    return total


@kernel
def fill_packing(worth, power_w, item, count, unit_w, best):  # type: ignore[no-untyped-def]
    """Largest worth of items a, a+1 ... within c units of load, into best [count + 1, units + 1].

    Loads are rounded down to whole units, so that no real packing is worth more.
    """
    units = best.shape[1] - 1
    best[count] = 0.0
    for a in range(count - 1, -1, -1):
        value = worth[item[a]]
        load = int(power_w[item[a]] / unit_w - _EDGE)
        later, row = best[a + 1], best[a]
        if value <= 0.0 or load > units:
            row[:] = later
            continue
        row[:load] = later[:load]
        for c in range(load, units + 1):
            with_item = value + later[c - load]
            row[c] = max(with_item, later[c])


@kernel
def search_level(  # type: ignore[no-untyped-def]
    o, k, limits, cuts, dual, base, worth, low_w, high_w, item, count, best, floor, keep_all,
    nodes, members, starts, values, reduced, found, walk,
):  # fmt: skip
    """Every coalition of a level with a reduced gain above a floor, or ever better ones.

    Goes on from where `walk` stands, with the floor that an earlier call returned.

    Parameters
    ----------
    limits : [N] thresholds; a coalition's load stays within those of its members.
    cuts : rows over coalitions: see `pricing.Cuts`.
    dual, base : [N] price of each service, and price of a channel.
    worth : [N] gain at the level's lower end less the price.
    item, count : services in the order of the search.
    best : packing table of `fill_packing`.
    floor : reduced gains of no more are left out.
    keep_all : all of them, but for dominated ones; else the floor rises to each one found.
    nodes : how many partial coalitions may be looked at.
    members, starts, values, reduced : found coalitions are appended: members of the j-th at
        starts[j] : starts[j + 1].
    found : how many there are already.
    walk : see `pricing.Walk`.

    Returns
    -------
    found, nodes left (-1 where there were too few, -2 where there is no room), floor
    """
    cut_start, cut_of, cut_weight, cut_unit, cut_price = cuts
    units = best.shape[1] - 1
    unit_w = high_w / units
    power_w = o.power_w
    place, inside, load, least, gained, state, at = walk
    load[0], least[0], gained[0] = 0.0, high_w, -base
    depth, a = at
    while True:
        extended = False
        while a < count:
            c = int((least[depth] - load[depth]) / unit_w + _EDGE)
            if gained[depth] + best[a, c] <= floor:
                break
            i = item[a]
            new_load = load[depth] + power_w[i]
            new_least = min(least[depth], limits[i])
            if new_load <= new_least:
                total = gained[depth] + worth[i]
                for j in range(cut_start[i], cut_start[i + 1]):
                    cut = cut_of[j]
                    if state[cut] % cut_unit[cut] + cut_weight[j] >= cut_unit[cut]:
                        total -= cut_price[cut]
                c = int((new_least - new_load) / unit_w + _EDGE)
                if total + best[a + 1, c] > floor:
                    extended = True
                    break
            a += 1
        if not extended:  # back to the member before, and on without it
            if depth == 0:
                return found, nodes, floor
            depth -= 1
            a = place[depth]
            for j in range(cut_start[item[a]], cut_start[item[a] + 1]):
                state[cut_of[j]] -= cut_weight[j]
            a += 1
            continue
        nodes -= 1
        if nodes < 0:
            at[0], at[1] = depth, a
            return found, nodes, floor
        for j in range(cut_start[i], cut_start[i + 1]):
            state[cut_of[j]] += cut_weight[j]
        place[depth], inside[depth] = a, i
        depth += 1
        load[depth], least[depth], gained[depth] = new_load, new_least, total
        a += 1
        if total <= floor or new_load <= low_w:
            continue
        value = coalition_value(o, k, inside, depth, new_load)
        real = total + value
        for b in range(depth):  # the worth at the level's end gives way to the true gain
            real -= worth[inside[b]] + dual[inside[b]]
        if real <= floor or (keep_all and dominated(o, k, inside, depth, new_load, value)):
            continue
        begin = starts[found]
        if found >= len(values) or begin + depth > len(members):
            return found, -2, floor
        members[begin : begin + depth] = inside[:depth]
        starts[found + 1] = begin + depth
        values[found] = value
        reduced[found] = real
        found += 1
        if not keep_all:
            floor = real


@kernel
def search_levels(  # type: ignore[no-untyped-def]
    o, k, limits, cuts, dual, base, low_w, high_w, table, sequence, least, floor, part, keep_all,
    patience, thorough, units, members, starts, values, reduced, key, walk, search, pause,
):  # fmt: skip
    """Search levels one after another.

    Goes on from where `walk` and `search` stand, and pauses after so many partial coalitions.

    Parameters
    ----------
    low_w, high_w : [L] levels; table : [N, L] gains at their lower ends, -inf where not admitted.
    sequence : levels in the order in which they are searched.
    least : services worth no more than this are left out.
    floor, keep_all, members, starts, values, reduced : as for `search_level`.
    part : where the best is sought, what gains less than this part of the best so far may be
        left out.
    patience : partial coalitions after which a level where the best is sought is given up or, if
        `thorough`, halved: gains at its lower end then say more.
    key : [L] what the next search orders its levels by is written here, the largest first: a
        bound on the reduced gains of a level, or, where it was searched for the best, the best.
    walk, search : see `pricing.Walk` and `pricing.Search`.
    pause : partial coalitions of this call.

    Returns
    -------
    whether the search has ended
    """
    services = table.shape[0]
    item = np.empty(services, dtype=np.int64)
    packing = np.empty((services + 1, units + 1))
    worth = np.empty(services)
    power_w = o.power_w
    number, amount, ends_w = search
    place, parts, found, nodes, left = number
    low, top, upper, part_floor = amount
    while place < len(sequence):
        level = sequence[place]
        if parts == 0:
            key[level] = -base
            low = low_w[level]
            ends_w[0] = high_w[level]  # upper ends of the parts that are left, the lowest last
            parts += 1
        while parts > 0:
            high = ends_w[parts - 1]
            for i in range(services):
                worth[i] = -np.inf
                if table[i, level] > -np.inf and power_w[i] <= high and limits[i] > low:
                    at_low = table[i, level]
                    if low > low_w[level]:
                        at_low = gain(o, i, low, k)
                    worth[i] = at_low - dual[i]
            count = order_items(worth, power_w, least, item)
            bound = packing_root(worth, power_w, item, count, high) - base
            paused = left >= 0
            if not paused:
                part_floor = floor if keep_all else max(floor, part * top)
            searched = True
            if paused or bound > part_floor:
                rows = packing[: count + 1]
                fill_packing(worth, power_w, item, count, high / units, rows)
                bound = min(bound, rows[0, units] - base)
                searched = nodes >= 0
            if paused or (bound > part_floor and searched):
                halving = parts <= HALVINGS and thorough
                if not paused:
                    left = min(nodes, patience) if halving or not (keep_all or thorough) else nodes
                    walk.at[:] = 0
                    walk.state[:] = 0
                now = min(left, pause)
                found, after, part_floor = search_level(
                    o, k, limits, cuts, dual, base, worth, low, high, item, count, rows,
                    part_floor, keep_all, now, members, starts, values, reduced, found, walk,
                )  # fmt: skip
                if after == -1 and now < left:
                    number[0], number[1], number[2] = place, parts, found
                    number[3], number[4] = nodes - now, left - now
                    amount[0], amount[1], amount[2], amount[3] = low, top, upper, part_floor
                    return False
                searched = after >= 0
                spent = now - after if searched else left + 1
                nodes -= spent
                pause = max(pause - spent, 0)
                left = np.int64(-1)
                if not keep_all:
                    top = max(top, part_floor)
                    if searched:
                        bound = part_floor
                    elif halving and nodes >= 0 and found < len(values):
                        ends_w[parts] = np.sqrt(max(low, 0.5 * high) * high)
                        parts += 1
                        continue
            key[level] = max(key[level], bound)
            if not searched:
                upper = max(upper, bound)
            parts -= 1
            low = high
        place += 1
    number[2] = found
    amount[1], amount[2] = top, upper
    return True
