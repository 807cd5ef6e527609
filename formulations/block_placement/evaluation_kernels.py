"""Compiled loops of the evaluator. The tests hold them to a plain reading of the formulas."""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel

_SLACK = 1e-9


@kernel
def add_usage(t, starts, literal, result_bits, decisions, u):  # type: ignore[no-untyped-def]
    """Add to the fields of `u` (a ``Usage``) what each of the decisions [B, n] uses."""
    lengths, models, devices, slots = t.lengths, t.model, t.device, t.slot
    counted, timed, powered = t.cycles, t.cycles_timed, t.cycles_powered
    node_s, node_j, bits = t.measured_s, t.measured_j, t.bits
    arc_s, arc_j, arc_powered = t.arc_s, t.arc_j, t.arc_powered
    up, radio, down, back = t.up_s_per_bit, t.radio_s_per_bit, t.down_s_per_bit, t.back_s_per_bit
    wire, local_hz, server_hz = t.wire_s_per_bit, t.device_speed_hz, t.server_speed_hz
    joule_per_cycle, power, scales = t.joule_per_cycle, t.tx_power_w, t.scale
    busy, cycles, device_cycles, energy = u.busy_s, u.cycles, u.device_cycles, u.energy_j
    local_s, up_s, down_s, wired_s = u.local_compute_s, u.up_s, u.down_s, u.wired_s
    impossible, held = u.impossible, u.held
    scopes = held.shape[1]
    for row in range(decisions.shape[0]):
        for k in range(len(models)):
            i, d, s, scale = models[k], devices[k], slots[k], scales[k]
            a = 0
            for m in range(lengths[i]):
                b = decisions[row, starts[k] + m]
                moving = arc_s[i, m, a, b]
                sent_s = 0.0  # what the transmit power is charged for
                if a == 0 and b > 0:
                    sent_s = moving + bits[i, m] * (up[k, b - 1] if literal else radio[k, b - 1])
                    moving += bits[i, m] * up[k, b - 1]
                elif a > 0 and b == 0:
                    moving += bits[i, m] * back[k, a - 1]
                elif a != b:
                    moving += bits[i, m] * wire[a - 1, b - 1]
                if a > 0 and b > 0 and literal:
                    sent_s = moving
                moving *= scale
                speed = local_hz[d] if b == 0 else server_hz[b - 1]
                seconds = scale * (timed[i, m] / speed + node_s[i, m, b])
                drawn = node_j[i, m, b] + arc_j[i, m, a, b]
                if b == 0:
                    drawn += powered[i, m] * joule_per_cycle[d]
                if arc_powered[i, m] and sent_s < np.inf:
                    drawn += power[d] * sent_s
                energy[row, d] += scale * drawn
                if moving == np.inf:
                    impossible[row] += 1
                    moving = 0.0
                if seconds == np.inf:
                    impossible[row] += 1
                    seconds = 0.0
                if b == 0:
                    down_s[row] += moving
                    local_s[row] += seconds
                    device_cycles[row, d, s] += scale * counted[i, m]
                else:
                    if a == 0:
                        up_s[row] += moving
                    else:
                        wired_s[row] += moving
                    busy[row, s, b - 1] += seconds
                    cycles[row, s, b - 1] += scale * counted[i, m]
                    if scopes > 0:
                        held[row, min(s, scopes - 1), i, m, b - 1] = True
                a = b
            if a > 0:
                down_s[row] += result_bits * scale * down[k, a - 1]


@kernel
def add_lateness(t, starts, by_task, result_bits, decisions, slowdown, psi, late):  # type: ignore[no-untyped-def]
    """Add to psi [B] every second beyond a deadline (Eq. 13), and to late [B] those of the rows
    that are broken, with server times multiplied by slowdown [B, T, N]."""
    for row in range(decisions.shape[0]):
        for k in range(len(t.model)):
            i = t.model[k]
            scale = t.scale[k]
            slot = t.slot[k]
            whole = 0.0
            a = 0
            for m in range(t.lengths[i]):
                b = decisions[row, starts[k] + m]
                moving = t.arc_s[i, m, a, b]
                if a == 0 and b > 0:
                    moving += t.bits[i, m] * t.up_s_per_bit[k, b - 1]
                elif a > 0 and b == 0:
                    moving += t.bits[i, m] * t.back_s_per_bit[k, a - 1]
                elif a != b:
                    moving += t.bits[i, m] * t.wire_s_per_bit[a - 1, b - 1]
                speed = t.device_speed_hz[t.device[k]] if b == 0 else t.server_speed_hz[b - 1]
                seconds = scale * (t.cycles_timed[i, m] / speed + t.measured_s[i, m, b])
                delay = scale * moving if moving < np.inf else 0.0
                if 0.0 < seconds < np.inf:
                    delay += seconds * (slowdown[row, slot, b - 1] if b > 0 else 1.0)
                whole += delay
                limit = t.deadline_s[k, m]
                if not by_task and delay > limit:
                    psi[row] += delay - limit
                    if delay > limit * (1 + _SLACK):
                        late[row] += delay - limit
                a = b
            if by_task:
                if a > 0:
                    whole += result_bits * scale * t.down_s_per_bit[k, a - 1]
                limit = t.task_deadline_s[k]
                if whole > limit:
                    psi[row] += whole - limit
                    if whole > limit * (1 + _SLACK):
                        late[row] += whole - limit
