"""What channels are chosen for, once it is held where the heads run (paper 000, Eqs. 8-19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.heads import Heads, head_times
from formulations.channel_choice.partition import (
    BITS,
    HEAD,
    TAIL,
    candidate_cuts,
)
from formulations.channel_choice.schema import Document

if TYPE_CHECKING:
    from formulations.channel_choice.instance import ChannelChoice

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Offloading(NamedTuple):
    """N services with up to C candidate cuts each; all arrays read-only.

    With a fixed cut (``cut_choice`` other than "optimal") C is 1. Columns beyond `cuts[i]` repeat
    the last cut. Everything here is a constant of the instance and of where heads run (omega).

    Attributes
    ----------
    channels, bandwidth_hz, noise_w, threshold : M, B, sigma0 and varpi.
    cloud_speed_flop_per_s, equal_share : F, and whether it is divided by the number of
        offloaders k.
    parallel, scaled, fraction : ``delay_model`` "parallel", ``transfer`` "scaled", and the fixed
        delta (NaN where it is optimised).
    power_w : [N] received power w_i = p_i g_i.
    time_weight_per_s, energy_weight_per_j, tx_power_w, hold_energy_j : [N] alpha, beta, p, zeta.
    deadline_s : [N] infinite where there is none.
    cuts : [N] number of candidate cuts.
    cut_index : [N, C] their numbers in the file.
    head_s, head_j : [N, C] time and energy of the head part where it runs.
    tail_s, tail_j : [N, C] time t = psi2 / f_i and energy of the whole tail at the home server.
    tail_flop, cloud_j : [N, C] psi2, and its energy at the cloud.
    transfer_bits : [N, C] d_med.
    local_overhead : [N] Gamma^e at home (Eqs. 9-11), least over cuts where those are optimised.
    local_s, local_j : [N] delay and energy of that.
    late_at_home : [N] whether `local_s` misses the deadline.
    require_profitable : whether offloading must not cost more than home (Eq. 18).
    local_cut : [N] the candidate cut at home (0 where all are alike there).
    """

    channels: int
    bandwidth_hz: float
    noise_w: float
    threshold: float
    cloud_speed_flop_per_s: float
    equal_share: bool
    parallel: bool
    scaled: bool
    fraction: float
    power_w: Floats
    time_weight_per_s: Floats
    energy_weight_per_j: Floats
    tx_power_w: Floats
    hold_energy_j: Floats
    deadline_s: Floats
    cuts: Ints
    cut_index: Ints
    head_s: Floats
    head_j: Floats
    tail_s: Floats
    tail_j: Floats
    tail_flop: Floats
    cloud_j: Floats
    transfer_bits: Floats
    local_overhead: Floats
    local_s: Floats
    local_j: Floats
    late_at_home: NDArray[np.bool_]
    require_profitable: bool
    local_cut: Ints


class AtHome(NamedTuple):
    """What services [B, N] cost at home: Gamma^e, delay, energy, candidate cut, FLOP behind it."""

    overhead: Floats
    delay_s: Floats
    energy_j: Floats
    cut: Ints


#: A deadline is missed, and offloading unprofitable, beyond this fraction.
SLACK = 1e-9
#: Cuts whose overheads at home differ by rounding alone are alike, and the first is taken.
_TIE = 1e-13


def at_home(o: Offloading, head_s: Floats, head_j: Floats, choose: bool) -> AtHome:
    """Overhead of services at home (Eqs. 9-11), heads [B, N, C] running where they run.

    Parameters
    ----------
    o : whose own heads are not read.
    head_s, head_j : [B, N, C] times and energies of the head parts.
    choose : whether the cut matters at home: then it is the one of least overhead, of those
        that meet the deadline if any does. Otherwise it is the first candidate.
    """
    if not choose:
        head_s, head_j = head_s[:, :, :1], head_j[:, :, :1]
    width = head_s.shape[2]
    delay, energy = head_s + o.tail_s[:, :width], head_j + o.tail_j[:, :width]
    alpha, beta = o.time_weight_per_s[:, None], o.energy_weight_per_j[:, None]
    overhead = alpha * delay + beta * energy
    if width == 1:
        cut = np.zeros(overhead.shape[:2], dtype=np.int64)
        return AtHome(overhead[:, :, 0], delay[:, :, 0], energy[:, :, 0], cut)
    late = delay > o.deadline_s[:, None] * (1 + SLACK)
    late &= ~late.all(axis=2, keepdims=True)
    allowed = np.where(late, np.inf, overhead)
    least = allowed.min(axis=2, keepdims=True)
    cut = np.argmax(allowed <= least * (1 + _TIE), axis=2)

    def pick(values: Floats) -> Floats:
        return np.take_along_axis(values, cut[:, :, None], axis=2)[:, :, 0]

    return AtHome(pick(overhead), pick(delay), pick(energy), cut)


def home_rows(o: Offloading, service: Ints) -> Offloading:
    """An Offloading of which `at_home` reads one row for each entry of service, repeats allowed."""
    return o._replace(
        tail_s=o.tail_s[service],
        tail_j=o.tail_j[service],
        time_weight_per_s=o.time_weight_per_s[service],
        energy_weight_per_j=o.energy_weight_per_j[service],
        deadline_s=o.deadline_s[service],
    )


def compile_heads(document: Document) -> Heads | None:
    """Data of the load balance, or None without it."""
    if document.load_balance is None:
        return None
    servers = document.servers
    home = np.array([service.server for service in document.services], dtype=np.int64)
    nearest = np.array([server.nearest for server in servers], dtype=np.int64)
    cuts, _, _ = _padded(document)
    heads = Heads(
        sharing=document.load_balance.sharing,
        home=home,
        away=nearest[home],
        head_flop=np.ascontiguousarray(cuts[:, :, HEAD]),
        speed=np.array([server.speed_flop_per_s for server in servers]),
        backlog_flop=np.array([server.backlog_flop for server in servers]),
        energy_j_per_flop=np.array([server.energy_j_per_flop for server in servers]),
    )
    _freeze(heads)
    return heads


def compile_offloading(document: Document) -> Offloading:
    """The problem with every head at home (or elsewhere: see `with_heads`), without load balance.

    Raises
    ------
    InstanceError
        A cut beyond the layers of a named network.
    """
    cuts, index, counts = _padded(document)
    services, servers = document.services, document.servers

    def column(name: str) -> Floats:
        return np.array([getattr(service, name) for service in services], dtype=np.float64)

    home = np.array([service.server for service in services], dtype=np.int64)
    speed = np.array([server.speed_flop_per_s for server in servers])[home]
    if document.edge_sharing == "count":
        speed = speed / np.bincount(home)[home]
    joule = np.array([server.energy_j_per_flop for server in servers])[home]
    flop = np.ascontiguousarray(cuts[:, :, TAIL])
    deadlines = [np.inf if s.deadline_s is None else s.deadline_s for s in services]
    segmentation = document.segmentation
    nothing = np.zeros(len(services))
    o = Offloading(
        channels=document.channels,
        bandwidth_hz=document.bandwidth_hz,
        noise_w=document.noise_w,
        threshold=document.qos_threshold,
        cloud_speed_flop_per_s=document.cloud.speed_flop_per_s,
        equal_share=document.cloud.sharing == "equal",
        parallel=document.delay_model == "parallel",
        scaled=document.transfer == "scaled",
        fraction=np.nan if segmentation == "optimal" else float(segmentation),
        power_w=column("tx_power_w") * column("channel_gain"),
        time_weight_per_s=column("time_weight_per_s"),
        energy_weight_per_j=column("energy_weight_per_j"),
        tx_power_w=column("tx_power_w"),
        hold_energy_j=column("hold_energy_j"),
        deadline_s=np.array(deadlines, dtype=np.float64),
        cuts=counts,
        cut_index=index,
        head_s=cuts[:, :, HEAD] / speed[:, None],
        head_j=cuts[:, :, HEAD] * joule[:, None],
        tail_s=flop / speed[:, None],
        tail_j=flop * joule[:, None],
        tail_flop=flop,
        cloud_j=flop * column("cloud_energy_j_per_flop")[:, None],
        transfer_bits=np.ascontiguousarray(cuts[:, :, BITS]),
        local_overhead=nothing,
        local_s=nothing,
        local_j=nothing,
        late_at_home=nothing > 0,
        require_profitable=document.require_profitable,
        local_cut=np.zeros(len(services), dtype=np.int64),
    )
    return with_heads(o, o.head_s, o.head_j, choose=False)


def with_heads(o: Offloading, head_s: Floats, head_j: Floats, choose: bool) -> Offloading:
    """The same services with other head parts [N, C]; see `at_home` for `choose`."""
    home = at_home(o, head_s[None], head_j[None], choose)
    changed = o._replace(
        head_s=np.ascontiguousarray(head_s),
        head_j=np.ascontiguousarray(head_j),
        local_overhead=home.overhead[0],
        local_s=home.delay_s[0],
        local_j=home.energy_j[0],
        late_at_home=home.delay_s[0] > o.deadline_s * (1 + SLACK),
        local_cut=home.cut[0],
    )
    _freeze(changed)
    return changed


def offloading(instance: ChannelChoice, omega: NDArray[np.int64] | None) -> Offloading:
    """The channel choice of an instance once it is held where the heads run.

    Parameters
    ----------
    instance : with or without load balance.
    omega : [N], 1 where the head runs on the nearest server; None for all at home.
    """
    if instance.heads is None:
        return instance.static
    if omega is None:
        omega = np.zeros(instance.services, dtype=np.int64)
    head_s, head_j = head_times(instance, np.asarray(omega)[None])
    return with_heads(instance.static, head_s[0], head_j[0], choose=True)


def _padded(document: Document) -> tuple[Floats, Ints, Ints]:
    """Candidate cuts [N, C, 4] and their numbers [N, C], the last one repeated; how many [N]."""
    tables, numbers = candidate_cuts(document)
    counts = np.array([len(rows) for rows in tables], dtype=np.int64)
    columns = np.minimum(np.arange(counts.max()), counts[:, None] - 1)
    cuts = np.stack([rows[column] for rows, column in zip(tables, columns, strict=True)])
    index = np.stack([own[column] for own, column in zip(numbers, columns, strict=True)])
    return cuts, index, counts


def _freeze(arrays: NamedTuple) -> None:
    for value in arrays:
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
