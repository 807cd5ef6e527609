"""Compiled loops of the evaluator. The tests hold them to a plain reading of the formulas."""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel

EQUAL, PROPORTIONAL, OPTIMAL, WSPT = 1, 2, 3, 4  # as in sharing.RULES


@kernel
def add_up(  # type: ignore[no-untyped-def]
    decisions, allowed, transfer_s, compute_s, energy_j, weight, devices, largest_input_bits,
    backhaul_s_per_bit, demand, rule, orders, latency, sums, load,
):  # fmt: skip
    """Latency [B, M] of every twin, weighted uploads, weighted computing times and energy [B, 3],
    and loads [B, R, S].

    A twin on a server that cannot host it counts as if it were nowhere; `orders` is read for
    "wspt" alone. The outputs come filled with 0.
    """
    batch, twins = decisions.shape
    servers = allowed.shape[1]
    together = np.zeros(servers)  # twins, or what their computing times sum up to
    behind = np.zeros(servers)  # devices behind each server
    computing = np.zeros(twins)
    for b in range(batch):
        together[:] = 0.0
        behind[:] = 0.0
        for m in range(twins):
            s = decisions[b, m]
            if not allowed[m, s]:
                continue
            behind[s] += devices[m]
            for r in range(demand.shape[0]):
                load[b, r, s] += demand[r, m, s]
            if rule == EQUAL:
                together[s] += 1.0
            elif rule == PROPORTIONAL:
                together[s] += compute_s[m, s]
            elif rule == OPTIMAL:
                together[s] += np.sqrt(weight[m] * compute_s[m, s])
        for m in range(twins):
            s = decisions[b, m]
            alone = compute_s[m, s]
            if rule == EQUAL:
                computing[m] = together[s] * alone
            elif rule == PROPORTIONAL:
                computing[m] = together[s]
            elif rule == OPTIMAL:
                computing[m] = np.sqrt(alone / weight[m]) * together[s]
            elif rule != WSPT:
                computing[m] = alone
        if rule == WSPT:
            for row in range(orders.shape[0]):  # one row serves all servers, or one for each
                for m in orders[row]:
                    s = decisions[b, m]
                    if allowed[m, s] and (orders.shape[0] == 1 or s == row):
                        together[s] += compute_s[m, s]
                        computing[m] = together[s]
        for m in range(twins):  # in one fixed order: a decision costs the same in every batch
            s = decisions[b, m]
            if allowed[m, s]:
                waited = behind[s] * (largest_input_bits[m] * backhaul_s_per_bit[s])
                upload = max(transfer_s[m, s], waited)
                latency[b, m] = upload + computing[m]
                sums[b, 0] += weight[m] * upload
                sums[b, 1] += weight[m] * computing[m]
                sums[b, 2] += energy_j[m, s]
