"""Compiled loops of ``marginal_greedy``: the best path of one task after another.

A path with at most one change of location is a head, blocks 0..c-1 at one location, and a tail,
blocks c.. at another. As the two load different servers, all that couples tasks is worked out
once for each of the about 2 A M halves; a path is then a sum of two halves and the hop between.
"""

from __future__ import annotations

import numpy as np

from formulations.block_placement.kernels import fill_joules, fill_unit
from formulations.block_placement.load_kernels import (
    SHARING,
    add_path,
    excess,
    lower_caps,
    slowdown,
    total_delay,
)
from optkit.kernels import kernel

_NULL = 1e6  # excess of a null time: worse than everything else that can be broken


@kernel
def fill_halves(t, rules, k, loads, unit, drawn, cost, broken, joules, delay, first_s):  # type: ignore[no-untyped-def]
    """Work out the heads [0, c) and the tails [c, length) of task k at every location.

    Fills, by side (0 head, 1 tail), location and c: cost (increase of the objective), broken
    (excess), joules and delay (seconds, for deadlines of whole tasks). A tail is without the hop
    into block c; first_s [A, c] is how long block c computes in it.
    """
    i, d, s, scale, length = t.model[k], t.device[k], t.slot[k], t.scale[k], t.lengths[t.model[k]]
    timed, counted, measured, bits = t.cycles_timed[i], t.cycles[i], t.measured_s[i], t.bits[i]
    arc_s, size, deadline = t.arc_s[i], t.param_bytes[i], t.deadline_s[k]
    local_hz, server_hz, down = t.device_speed_hz[d], t.server_speed_hz, t.down_s_per_bit[k]
    busy, cycles, users, stored = loads.busy_s[s], loads.cycles[s], loads.users, loads.stored_bytes
    local_cycles, cap, local_limit = loads.device_cycles[d, s], loads.cap[s], rules.device_cycles[d]
    cycle_limit, byte_limit, budget = (
        rules.server_cycles,
        rules.storage_bytes,
        rules.energy_budget_j[d],
    )
    kind, slope, slot_s, hard, beta = rules.kind, rules.slope, rules.slot_s, rules.hard, rules.late
    result_s = rules.result_bits * scale
    scopes = users.shape[0]
    scope = min(s, scopes - 1)
    for side in range(2):
        for j in range(cost.shape[1]):
            speed = local_hz if j == 0 else server_hz[j - 1]
            for c in range(1, length + 1 - side):
                begin, end = (0, c) if side == 0 else (c, length)
                moved, work_s, work_cycles, new_bytes, drawn_j, nulls = 0.0, 0.0, 0.0, 0.0, 0.0, 0
                for m in range(begin, end):
                    seconds = scale * (timed[m] / speed + measured[m, j])
                    if np.isinf(seconds):
                        nulls += 1
                    else:
                        work_s += seconds
                    work_cycles += scale * counted[m]
                    if m > begin or side == 0:
                        a = 0 if m == 0 else j
                        moving = scale * (bits[m] * unit[a, j] + arc_s[m, a, j])
                        if np.isinf(moving):
                            nulls += 1
                        else:
                            moved += moving
                        if budget < np.inf and np.isfinite(drawn[m, a, j]):
                            drawn_j += drawn[m, a, j]
                    if j > 0 and scopes > 0 and users[scope, i, m, j - 1] == 0:
                        new_bytes += size[m]
                if end == length and j > 0:
                    moved += result_s * down[j - 1]
                factor, paid, over = 1.0, work_s, _NULL * nulls
                if j == 0:
                    over += excess(local_cycles, work_cycles, local_limit)
                else:
                    used = busy[j - 1]
                    factor = slowdown((used + work_s) / slot_s, kind, slope)
                    paid = total_delay(used + work_s, slot_s, kind, slope)
                    paid -= total_delay(used, slot_s, kind, slope)
                    full = min(cap[j - 1], 1.0) if kind == SHARING else cap[j - 1]
                    over += excess(used / slot_s, work_s / slot_s, full)
                    over += excess(cycles[j - 1], work_cycles, cycle_limit[j - 1])
                    if scopes > 0:
                        over += excess(stored[scope, j - 1], new_bytes, byte_limit[j - 1])
                late = 0.0
                for m in range(begin, end):
                    if m == begin or deadline[m] < np.inf:
                        seconds = scale * (timed[m] / speed + measured[m, j])
                        taken = seconds * factor if np.isfinite(seconds) else 0.0
                        if m == begin:
                            first_s[j, c] = taken
                        if m > begin or side == 0:
                            a = 0 if m == 0 else j
                            moving = scale * (bits[m] * unit[a, j] + arc_s[m, a, j])
                            taken += moving if np.isfinite(moving) else 0.0
                            late += max(0.0, taken - deadline[m])
                            over += excess(0.0, taken, deadline[m]) if hard else 0.0
                cost[side, j, c] = moved + paid + beta * late
                broken[side, j, c] = over
                joules[side, j, c] = drawn_j
                delay[side, j, c] = moved + work_s * factor


@kernel
def best_path(t, rules, k, loads, work, path):  # type: ignore[no-untyped-def]
    """Write the best path of task k into path [M]; returns its excess, 0 if it is allowed.

    Best is the least excess, then the least increase of the objective, then the first of: the
    whole task at location 0, 1, ..; then by change c, location before and location after.
    """
    cost, broken, joules, delay, first_s, unit, drawn = work
    i, d, scale, length = t.model[k], t.device[k], t.scale[k], t.lengths[t.model[k]]
    bits, arc_s, deadline, task_deadline = (
        t.bits[i],
        t.arc_s[i],
        t.deadline_s[k],
        t.task_deadline_s[k],
    )
    energy, budget, hard, beta = loads.energy_j[d], rules.energy_budget_j[d], rules.hard, rules.late
    fill_unit(t, k, unit)
    if budget < np.inf:
        for m in range(length):
            fill_joules(t, rules.literal, k, m, unit, drawn[m])
    fill_halves(t, rules, k, loads, unit, drawn, cost, broken, joules, delay, first_s)
    least, cheapest, change, before, behind = np.inf, np.inf, length, 0, 0
    for step in range(length):
        c = length if step == 0 else step
        for a in range(cost.shape[1]):
            for b in range(cost.shape[1]):
                if (a == b) != (c == length):
                    continue
                value, over = cost[0, a, c], broken[0, a, c]
                taken, drawn_j = delay[0, a, c], joules[0, a, c]
                if c < length:
                    hop = scale * (bits[c] * unit[a, b] + arc_s[c, a, b])
                    over += broken[1, b, c]
                    if np.isinf(hop):
                        over += _NULL
                        hop = 0.0
                    value += hop + cost[1, b, c]
                    taken += hop + delay[1, b, c]
                    if deadline[c] < np.inf:
                        value += beta * max(0.0, hop + first_s[b, c] - deadline[c])
                        over += excess(0.0, hop + first_s[b, c], deadline[c]) if hard else 0.0
                    if budget < np.inf:
                        drawn_j += joules[1, b, c]
                        drawn_j += drawn[c, a, b] if np.isfinite(drawn[c, a, b]) else 0.0
                if budget < np.inf:
                    over += excess(energy, drawn_j, budget)
                    value += rules.joule[d] * drawn_j
                if task_deadline < np.inf:
                    value += beta * max(0.0, taken - task_deadline)
                    over += excess(0.0, taken, task_deadline) if hard else 0.0
                if over < least or (over == least and value < cheapest):
                    least, cheapest, change, before, behind = over, value, c, a, b
    for m in range(path.shape[0]):
        path[m] = before if m < change else behind
    return least


@kernel
def place_tasks(t, rules, own_cost, own, first, last, again, loads, paths):  # type: ignore[no-untyped-def]
    """Place the tasks first..last-1 in order into paths [K, M]; returns how many changed.

    With `again` they are placed already, and each is taken out first. Where every path with at
    most one change uses a null, the task takes own [K, M], its cheapest path if it were alone, if
    own_cost [K] is finite.
    """
    longest = t.cycles.shape[1]
    locations = len(t.server_speed_hz) + 1
    halves = (2, locations, longest + 1)
    work = (
        np.empty(halves),
        np.empty(halves),
        np.empty(halves),
        np.empty(halves),
        np.empty((locations, longest + 1)),
        np.empty((locations, locations)),
        np.empty((longest, locations, locations)),
    )
    path = np.empty(longest, dtype=np.int64)
    old = np.empty(longest, dtype=np.int64)
    changed = 0
    for k in range(first, last):
        old[:] = paths[k]
        if again:
            add_path(t, rules, k, old, -1, loads)
        over = best_path(t, rules, k, loads, work, path)
        if over >= _NULL and np.isfinite(own_cost[k]):
            path[:] = own[k]
        paths[k] = path
        add_path(t, rules, k, path, 1, loads)
        if rules.capped:
            lower_caps(t, rules, k, k + 1, paths, loads.cap)
        if not again or not np.array_equal(path, old):
            changed += 1
    return changed
