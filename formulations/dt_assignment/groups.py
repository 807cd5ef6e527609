"""Cost of a group of twins on a server in one form for every rule of ``cpu_sharing`` (F2).

A twin that joins a group adds ``base + slope * sum(part) + other_slope * sum(other_part)``, sums
over the twins that are there (under ``wspt`` over those that come before it: the rule is
``ordered``). So no matrix of pairs of twins is ever built.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.instance import TwinAssignment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Groups(NamedTuple):
    """M twins, S servers, R resources; server-major arrays for compiled loops.

    Attributes
    ----------
    base : [S, M] q_ms of the pair alone, infinite where it is not open.
    slope, part, other_slope, other_part : [S, M] the pair costs, see the module.
    ordered : whether only the twins before a twin in `position` count for it.
    position : [S, M] place of the twin in the order of the server; 0 unless ordered.
    demand, room : [R, S, M] and [R, S]: what a twin takes, and the limit with its tolerance.
    scale : [R, S] what an excess over the limit is divided by.
    strained : whether backhauls, or deadlines together with a rule, depend on the group.
    transfer_s, own_s, share_s : [S, M] latency of a twin is transfer + own + share * sum(part),
        the sum over the group with the twin itself (ordered: up to it).
    deadline_s : [M] with its tolerance.
    cap : [S, M] largest sum(part) of the group at which the deadline holds, without backhaul.
    delay_weight : [M] cost of one second of the twin's latency.
    devices, largest_bits, s_per_bit : [M], [M], [S]: with a backhaul the upload takes at least
        devices of the group x largest input x seconds per bit.
    """

    base: Floats
    slope: Floats
    part: Floats
    other_slope: Floats
    other_part: Floats
    ordered: bool
    position: Ints
    demand: Floats
    room: Floats
    scale: Floats
    strained: bool
    transfer_s: Floats
    own_s: Floats
    share_s: Floats
    deadline_s: Floats
    cap: Floats
    delay_weight: Floats
    devices: Floats
    largest_bits: Floats
    s_per_bit: Floats

    @classmethod
    def of(cls, instance: TwinAssignment) -> Groups:
        """The groups of an instance."""
        t = instance.tables
        twins, servers, rule = instance.twins, instance.servers, instance.cpu_sharing
        compute = np.ascontiguousarray(t.compute_s.T)
        transfer = np.ascontiguousarray(t.transfer_s.T)
        weight, factor = t.weight[None, :], t.delay_factor
        zero = np.zeros((servers, twins))
        slope, part, other_slope, other_part, own, share = zero, zero, zero, zero, compute, zero
        if rule != "none":
            own = zero
        if rule == "equal":
            work = factor * weight * compute
            slope, part, other_slope, other_part = work, zero + 1.0, zero + 1.0, work
            share = compute
        elif rule == "proportional":
            slope, part = zero + factor * weight, compute
            other_slope, other_part = factor * compute, zero + weight
            share = zero + 1.0
        elif rule == "optimal":
            root = np.sqrt(weight * compute)
            slope, part, share = 2.0 * factor * root, root, np.sqrt(compute / weight)
        elif rule == "wspt":
            slope, part, share = zero + factor * weight, compute, zero + 1.0
        position = np.zeros((servers, twins), dtype=np.int64)
        if rule == "wspt":
            orders = np.broadcast_to(instance.orders, (servers, twins))
            np.put_along_axis(position, orders, np.arange(twins)[None, :], axis=1)
        deadline = t.latest_s
        with np.errstate(divide="ignore", invalid="ignore"):
            cap = (deadline[None, :] - transfer - own) / share
        cap = np.where(share > 0, cap, np.inf)
        limit = np.where(np.isfinite(t.limit), t.limit, 0.0)
        fields = cls(
            base=instance.open_cost.T,
            slope=slope,
            part=part,
            other_slope=other_slope,
            other_part=other_part,
            ordered=rule == "wspt",
            position=position,
            demand=np.ascontiguousarray(t.demand.transpose(0, 2, 1)),
            room=t.most,
            scale=np.where(limit > 0, limit, 1.0),
            strained=bool((t.backhaul_s_per_bit > 0).any())
            or (rule != "none" and bool(np.isfinite(t.deadline_s).any())),
            transfer_s=transfer,
            own_s=own,
            share_s=share,
            deadline_s=deadline,
            cap=cap,
            delay_weight=factor * t.weight,
            devices=t.devices.astype(np.float64),
            largest_bits=t.largest_input_bits,
            s_per_bit=t.backhaul_s_per_bit,
        )
        # Compiled loops are compiled anew for read-only arrays.
        arrays: dict[str, Any] = {
            k: v.copy() for k, v in fields._asdict().items() if isinstance(v, np.ndarray)
        }
        return fields._replace(**arrays)
