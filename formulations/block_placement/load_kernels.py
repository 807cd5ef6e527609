"""Compiled arithmetic of loads: how busy servers slow down, and what limits have left."""

from __future__ import annotations

import numpy as np

from formulations.block_placement.kernels import fill_joules, fill_unit
from optkit.kernels import kernel

_SLACK = 5e-10  # half of the evaluator's: loads that are added and removed again are rounded
_FULL = 0.9999  # utilisation from which processor sharing is continued linearly
NONE, SHARING, LINEAR = 0, 1, 2  # kinds of congestion


@kernel
def slowdown(rho, kind, slope):  # type: ignore[no-untyped-def]
    """The load factor g of 1.4, finite for every utilisation."""
    if kind == NONE:
        return 1.0
    if kind == LINEAR:
        return 1.0 + slope * rho
    if rho <= _FULL:
        return 1.0 / (1.0 - rho)
    return 1.0 / (1.0 - _FULL) + (rho - _FULL) / (1.0 - _FULL) ** 2


@kernel
def total_delay(busy_s, slot_s, kind, slope):  # type: ignore[no-untyped-def]
    """The compute delay h of 1.4 of all work on a server in a slot, finite for every load."""
    rho = busy_s / slot_s
    if kind != SHARING or rho <= _FULL:
        return busy_s * slowdown(rho, kind, slope)
    return slot_s * (_FULL / (1.0 - _FULL) + (rho - _FULL) / (1.0 - _FULL) ** 2)


@kernel
def excess(used, more, limit):  # type: ignore[no-untyped-def]
    """How much further beyond its limit `more` takes a row, relative to what is used then."""
    after = used + more
    if more <= 0.0 or after <= limit * (1.0 + _SLACK):
        return 0.0
    return (after - max(limit, used)) / after


@kernel
def largest_load(seconds, left_s, kind, slope):  # type: ignore[no-untyped-def]
    """The utilisation up to which work of so many seconds is done within left_s."""
    if seconds <= 0.0:
        return np.inf
    factor = left_s / seconds
    if factor < 1.0:
        return -np.inf
    if kind == SHARING:
        return 1.0 - 1.0 / factor
    return (factor - 1.0) / slope if slope > 0.0 else np.inf


@kernel
def lower_caps(t, rules, first, last, paths, cap):  # type: ignore[no-untyped-def]
    """Lower cap [T, N], the utilisation of each server up to which the deadlines of the blocks
    placed there hold, to what the paths of the tasks first..last-1 need."""
    locations = len(t.server_speed_hz) + 1
    unit = np.empty((locations, locations))
    for k in range(first, last):
        i, s, scale = t.model[k], t.slot[k], t.scale[k]
        fill_unit(t, k, unit)
        at = 0
        for m in range(t.lengths[i]):
            b = paths[k, m]
            if b > 0:
                moving = scale * (t.bits[i, m] * unit[at, b] + t.arc_s[i, m, at, b])
                seconds = t.cycles_timed[i, m] / t.server_speed_hz[b - 1] + t.measured_s[i, m, b]
                left = t.deadline_s[k, m] * (1.0 + _SLACK) - moving
                if np.isfinite(seconds) and np.isfinite(moving):
                    load = largest_load(scale * seconds, left, rules.kind, rules.slope)
                    cap[s, b - 1] = min(cap[s, b - 1], load)
            at = b


@kernel
def add_path(t, rules, k, path, sign, loads):  # type: ignore[no-untyped-def]
    """Add (sign 1) what the path of task k uses to the loads, or take it away (sign -1)."""
    i, d, s, scale = t.model[k], t.device[k], t.slot[k], t.scale[k]
    scopes = loads.users.shape[0]
    locations = len(t.server_speed_hz) + 1
    unit = np.empty((locations, locations))
    drawn = np.empty((locations, locations))
    budgeted = rules.energy_budget_j[d] < np.inf
    if budgeted:
        fill_unit(t, k, unit)
    at = 0
    for m in range(t.lengths[i]):
        b = path[m]
        if budgeted:
            fill_joules(t, rules.literal, k, m, unit, drawn)
            if np.isfinite(drawn[at, b]):
                loads.energy_j[d] += sign * drawn[at, b]
        at = b
        cycles = scale * t.cycles[i, m]
        if b == 0:
            loads.device_cycles[d, s] += sign * cycles
            continue
        seconds = scale * (t.cycles_timed[i, m] / t.server_speed_hz[b - 1] + t.measured_s[i, m, b])
        if np.isfinite(seconds):
            loads.busy_s[s, b - 1] += sign * seconds
        loads.cycles[s, b - 1] += sign * cycles
        if scopes > 0:
            scope = min(s, scopes - 1)
            loads.users[scope, i, m, b - 1] += sign
            if loads.users[scope, i, m, b - 1] == (1 if sign > 0 else 0):
                loads.stored_bytes[scope, b - 1] += sign * t.param_bytes[i, m]
