"""Compiled loops over tasks: priced arcs, cheapest paths, and what a path uses.

`Tables` are those of an instance; `Prices` say what each unit of time and of each resource costs.
"""

from __future__ import annotations

import numpy as np

from optkit.exact.layered_kernels import cost_to_go, follow, paths_within
from optkit.kernels import kernel

_SLACK = 1e-9  # that of the evaluator


@kernel
def fill_unit(t, k, unit):  # type: ignore[no-untyped-def]
    """Seconds that one bit of task k takes between locations, into unit [A, A]."""
    up, back, wire = t.up_s_per_bit, t.back_s_per_bit, t.wire_s_per_bit
    servers = wire.shape[0]
    unit[0, 0] = 0.0
    for n in range(servers):
        unit[0, n + 1] = up[k, n]
        unit[n + 1, 0] = back[k, n]
        for other in range(servers):
            unit[n + 1, other + 1] = wire[n, other]


@kernel
def fill_joules(t, literal, k, m, unit, drawn):  # type: ignore[no-untyped-def]
    """Energy that block m of task k draws from its device between locations, into drawn [A, A]."""
    i = t.model[k]
    d = t.device[k]
    scale = t.scale[k]
    locations = drawn.shape[1]
    for b in range(locations):
        node = t.measured_j[i, m, b]
        if b == 0:
            node += t.cycles_powered[i, m] * t.joule_per_cycle[d]
        for a in range(locations):
            total = node + t.arc_j[i, m, a, b]
            if b > 0 and t.arc_powered[i, m] and (a == 0 or literal):
                per_bit = unit[a, b] if literal else t.radio_s_per_bit[k, b - 1]
                total += t.tx_power_w[d] * (t.arc_s[i, m, a, b] + t.bits[i, m] * per_bit)
            drawn[a, b] = scale * total


@kernel
def fill_arcs(t, p, k, arc, end, unit, drawn):  # type: ignore[no-untyped-def]
    """Priced arcs of task k into arc [M, A, A] and end [A] (see ``layered_kernels``).

    The fields are read once a task: each read of a field of `t` inside the loops would count
    references to all of its arrays, which costs more than the arithmetic.
    """
    i = t.model[k]
    s = t.slot[k]
    d = t.device[k]
    scale = t.scale[k]
    length = t.lengths[i]
    cycles_timed, counted, measured = t.cycles_timed[i], t.cycles[i], t.measured_s[i]
    bits, arc_s, is_measured, deadline = t.bits[i], t.arc_s[i], t.arc_measured[i], t.deadline_s[k]
    local_hz, server_hz, down = t.device_speed_hz[d], t.server_speed_hz, t.down_s_per_bit[k]
    second, busy, cycle, late_price, hard = p.second, p.busy[s], p.cycle[s], p.late, p.hard
    local_cycle, joule = p.device_cycle[d, s], p.joule[d]
    closed = p.closed[min(s, p.closed.shape[0] - 1), i]
    locations = arc.shape[1]
    limited = hard or late_price > 0.0
    fill_unit(t, k, unit)
    for m in range(length):
        moved = scale * bits[m]
        for b in range(locations):
            speed = local_hz if b == 0 else server_hz[b - 1]
            seconds = scale * (cycles_timed[m] / speed + measured[m, b])
            if np.isinf(seconds) or (b > 0 and closed[m, b - 1]):
                for a in range(locations):
                    arc[m, a, b] = np.inf
                continue
            cycles = scale * counted[m]
            if b == 0:
                node = second * seconds + local_cycle * cycles
            else:
                node = busy[b - 1] * seconds + cycle[b - 1] * cycles
            for a in range(locations if m > 0 else 1):
                moving = moved * unit[a, b]
                if is_measured[m]:
                    moving = scale * arc_s[m, a, b]
                cost = node + second * moving
                if np.isinf(moving):
                    cost = np.inf
                elif limited and moving + seconds > deadline[m]:
                    cost += late_price * (moving + seconds - deadline[m])
                    if hard and moving + seconds > deadline[m] * (1 + _SLACK):
                        cost = np.inf
                arc[m, a, b] = cost
        if joule > 0.0:
            fill_joules(t, p.literal, k, m, unit, drawn)
            for a in range(locations if m > 0 else 1):
                for b in range(locations):
                    arc[m, a, b] += joule * drawn[a, b]
    for a in range(locations):
        end[a] = 0.0 if a == 0 else second * p.result_bits * scale * down[a - 1]


@kernel
def buffers(t):  # type: ignore[no-untyped-def]
    """Work space for one task: arc, end, value, best, unit, drawn."""
    locations = len(t.server_speed_hz) + 1
    longest = t.cycles.shape[1]
    square = (locations, locations)
    return (
        np.empty((longest, locations, locations)),
        np.empty(locations),
        np.empty((longest + 1, locations)),
        np.empty((longest, locations), dtype=np.int64),
        np.empty(square),
        np.empty(square),
    )


@kernel
def cheapest_paths(t, p, tasks, values, paths):  # type: ignore[no-untyped-def]
    """Cheapest path of each of the tasks: values [len(tasks)] (infinite where there is none) and
    paths [len(tasks), M] (a padded block is where the last real one is)."""
    longest = t.cycles.shape[1]
    arc, end, value, best, unit, drawn = buffers(t)
    for row in range(len(tasks)):
        k = tasks[row]
        length = t.lengths[t.model[k]]
        fill_arcs(t, p, k, arc, end, unit, drawn)
        cost_to_go(arc, end, length, value, best)
        values[row] = value[0, 0]
        follow(best, length, paths[row])
        for m in range(length, longest):
            paths[row, m] = paths[row, length - 1]


@kernel
def near_paths(t, p, k, budget, paths, costs):  # type: ignore[no-untyped-def]
    """Every path of task k within the budget of its cheapest; see ``paths_within``."""
    arc, end, value, best, unit, drawn = buffers(t)
    length = t.lengths[t.model[k]]
    fill_arcs(t, p, k, arc, end, unit, drawn)
    cost_to_go(arc, end, length, value, best)
    return paths_within(arc, value, length, budget, paths, costs)


@kernel
def path_usage(t, p, tasks, paths, moved_s, busy_s, cycles, energy_j, late_s):  # type: ignore[no-untyped-def]
    """What each of the paths [P, M] of the tasks [P] uses: transfer seconds with the result [P],
    seconds of work and cycles by location [P, A], joules [P], and seconds beyond block deadlines
    [P], all without congestion. A path beyond a hard deadline, or with a null time, takes infinite
    transfer seconds or work."""
    models, devices, scales, lengths = t.model, t.device, t.scale, t.lengths
    up, radio, back, down = t.up_s_per_bit, t.radio_s_per_bit, t.back_s_per_bit, t.down_s_per_bit
    wire, server_hz, device_hz = t.wire_s_per_bit, t.server_speed_hz, t.device_speed_hz
    timed, node_s, bits, arc_s = t.cycles_timed, t.measured_s, t.bits, t.arc_s
    powered, node_j, arc_j, sends = t.cycles_powered, t.measured_j, t.arc_j, t.arc_powered
    per_cycle, power, counted, limits = t.joule_per_cycle, t.tx_power_w, t.cycles, t.deadline_s
    literal, result_bits, hard = p.literal, p.result_bits, p.hard
    for row in range(len(tasks)):
        k = tasks[row]
        i, d, scale = models[k], devices[k], scales[k]
        a = 0
        for m in range(lengths[i]):
            b = paths[row, m]
            moving = arc_s[i, m, a, b]
            sent = 0.0
            if a == 0 and b > 0:
                sent = moving + bits[i, m] * (up[k, b - 1] if literal else radio[k, b - 1])
                moving += bits[i, m] * up[k, b - 1]
            elif a > 0 and b == 0:
                moving += bits[i, m] * back[k, a - 1]
            elif a != b:
                moving += bits[i, m] * wire[a - 1, b - 1]
            if literal and a > 0 and b > 0:
                sent = moving
            drawn = node_j[i, m, b] + arc_j[i, m, a, b]
            if sends[i, m]:
                drawn += power[d] * sent
            if b == 0:
                drawn += powered[i, m] * per_cycle[d]
            speed = device_hz[d] if b == 0 else server_hz[b - 1]
            seconds = scale * (timed[i, m] / speed + node_s[i, m, b])
            busy_s[row, b] += seconds
            cycles[row, b] += scale * counted[i, m]
            energy_j[row] += scale * drawn
            moved_s[row] += scale * moving
            late = scale * moving + seconds - limits[k, m]
            if 0.0 < late < np.inf:
                late_s[row] += late
                if hard and scale * moving + seconds > limits[k, m] * (1 + _SLACK):
                    moved_s[row] = np.inf
            a = b
        if a > 0:
            moved_s[row] += result_bits * scale * down[k, a - 1]


@kernel
def count_use(t, tasks, paths, counts):  # type: ignore[no-untyped-def]
    """Add to counts [I, M, A] how many of the tasks run each block of each model where."""
    models, lengths = t.model, t.lengths
    for row in range(len(tasks)):
        i = models[tasks[row]]
        for m in range(lengths[i]):
            counts[i, m, paths[row, m]] += 1
