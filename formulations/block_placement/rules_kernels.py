"""Compiled loops of the rules that place one block after another."""

from __future__ import annotations

import numpy as np

from formulations.block_placement.kernels import fill_unit
from formulations.block_placement.load_kernels import slowdown
from optkit.kernels import kernel


@kernel
def least_loaded(t, device, first, last, busy_s, local_s, room, held, paths):  # type: ignore[no-untyped-def]
    """Each block of the tasks first..last-1 to the location with the least work in the slot.

    Ties go to the lowest location; the device is offered only where `device` is set, or where
    no server has room for the block. Adds to busy_s [T, N], local_s [D, T] and held
    [1 or T, I, M, N], takes from room [1 or T, N] in bytes, and fills paths [K, M].
    """
    locations = len(t.server_speed_hz) + 1
    lengths, models, devices, slots, scales = t.lengths, t.model, t.device, t.slot, t.scale
    timed, measured, arc_s, size = t.cycles_timed, t.measured_s, t.arc_s, t.param_bytes
    device_hz, server_hz = t.device_speed_hz, t.server_speed_hz
    for k in range(first, last):
        i, d, s = models[k], devices[k], slots[k]
        scope = min(s, room.shape[0] - 1)
        at = 0
        for m in range(paths.shape[1]):
            if m >= lengths[i]:
                paths[k, m] = at
                continue
            least, choice, fits = np.inf, -1, False
            for j in range(0 if device else 1, locations):
                if j > 0 and not held[scope, i, m, j - 1] and size[i, m] > room[scope, j - 1]:
                    continue
                fits = fits or j > 0
                load = local_s[d, s] if j == 0 else busy_s[s, j - 1]
                if load < least and np.isfinite(arc_s[i, m, at, j] + measured[i, m, j]):
                    least, choice = load, j
            if choice < 0:  # no room anywhere, or every time is null
                choice = 1 if fits and not device else 0
            if choice > 0 and not held[scope, i, m, choice - 1]:
                held[scope, i, m, choice - 1] = True
                room[scope, choice - 1] -= size[i, m]
            speed = device_hz[d] if choice == 0 else server_hz[choice - 1]
            seconds = scales[k] * (timed[i, m] / speed + measured[i, m, choice])
            if np.isfinite(seconds) and choice == 0:
                local_s[d, s] += seconds
            elif np.isfinite(seconds):
                busy_s[s, choice - 1] += seconds
            paths[k, m] = at = choice


@kernel
def least_delay(t, kind, slope, slot_s, first, last, busy_s, paths):  # type: ignore[no-untyped-def]
    """Each block of the tasks first..last-1 to the location that finishes it soonest.

    Its delay is that of Eqs. 8 and 9 from where the block before it is, at the utilisation that
    the server has with it. Ties go to the lowest location. Adds to busy_s [T, N]; fills paths
    [K, M].
    """
    locations = len(t.server_speed_hz) + 1
    lengths, models, devices, slots, scales = t.lengths, t.model, t.device, t.slot, t.scale
    timed, measured, arc_s, bits = t.cycles_timed, t.measured_s, t.arc_s, t.bits
    device_hz, server_hz = t.device_speed_hz, t.server_speed_hz
    unit = np.empty((locations, locations))
    for k in range(first, last):
        i, d, s, scale = models[k], devices[k], slots[k], scales[k]
        fill_unit(t, k, unit)
        at = 0
        for m in range(paths.shape[1]):
            if m >= lengths[i]:
                paths[k, m] = at
                continue
            least, choice, work_s = np.inf, 0, 0.0
            for j in range(locations):
                speed = device_hz[d] if j == 0 else server_hz[j - 1]
                seconds = scale * (timed[i, m] / speed + measured[i, m, j])
                delay = scale * (bits[i, m] * unit[at, j] + arc_s[i, m, at, j]) + seconds
                if j > 0 and np.isfinite(delay):
                    rho = (busy_s[s, j - 1] + seconds) / slot_s
                    delay += seconds * (slowdown(rho, kind, slope) - 1.0)
                if delay < least:
                    least, choice, work_s = delay, j, seconds
            if choice > 0:
                busy_s[s, choice - 1] += work_s
            paths[k, m] = at = choice
