"""Exact method for few services: dynamic programme over subsets, channel after channel.

Channels are alike, so a decision is a set of disjoint coalitions and its gain the sum of theirs.
``f_m[T] = max(f_m[T - low], max_{low in S in T} v[S] + f_{m-1}[T - S])`` with low the lowest
service of T: O(M 3^N) for each number of offloaders k. Shares of the cloud at k offloaders
undervalue a decision of fewer, so the best over k is the optimum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.dp_kernels import fill_layer, fill_values
from formulations.channel_choice.exact.held import Held, channels_of
from formulations.channel_choice.exact.shares import alone, best_alone, share_counts
from formulations.channel_choice.instance import ChannelChoice
from formulations.channel_choice.offloading import Offloading
from formulations.channel_choice.overhead_kernels import thresholds
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LARGEST = 18
#: The pieces of a layer between two looks at the clock.
_PIECES = 8


def applies(instance: ChannelChoice) -> str | None:
    """None up to 18 services, else why not."""
    if instance.services > LARGEST:
        return f"{instance.services} services, more than {LARGEST}"
    return None


def dp(instance: ChannelChoice, run: Run) -> None:
    """The best partition for each number of offloaders, the most promising numbers first."""
    held = Held(instance, run)
    o = held.offloading
    run.built()
    if not o.late_at_home.any():
        held.found(np.zeros(len(o.power_w), dtype=np.int64))
    open_counts = {k: best_alone(alone(o, k), o.late_at_home, k) for k in share_counts(o)}
    best = -np.inf if o.late_at_home.any() else 0.0
    held.bound(max(best, *open_counts.values()))
    for k in run.steps(sorted(open_counts, key=lambda k: -open_counts[k])):
        if open_counts[k] > best:
            answer = _best_partition(o, k, run)
            if answer is None:
                break
            total, coalitions = answer
            if total > best:
                best = total
                held.found(channels_of(coalitions, len(o.power_w)))
        del open_counts[k]
        held.bound(max(best, *open_counts.values(), -np.inf))
    if best == -np.inf and not open_counts:
        held.infeasible()


def _best_partition(o: Offloading, k: int, run: Run) -> tuple[float, list[Ints]] | None:
    """Largest gain of at most k offloaders served as k of them, and its coalitions; ``None``
    when the run stopped before."""
    services = len(o.power_w)
    subsets = np.arange(1 << services, dtype=np.int64)
    mandatory = int((1 << np.flatnonzero(o.late_at_home)).sum())
    values = np.empty(len(subsets))
    fill_values(o, k, thresholds(o, k), values)
    before = np.where(subsets & mandatory, -np.inf, 0.0)
    choices: list[Ints] = []
    for _ in range(min(o.channels, k)):
        best, choice = np.empty(len(subsets)), np.zeros(len(subsets), dtype=np.int64)
        for piece in range(_PIECES):
            if run.stopped():
                return None
            begin, end = (len(subsets) * p // _PIECES for p in (piece, piece + 1))
            fill_layer(values, before, mandatory, k, begin, end, best, choice)
        choices.append(choice)
        if np.array_equal(best, before):
            break
        before = best
    # Who is not in a subset is at home; who is in it may be.
    allowed = (subsets & mandatory == mandatory) & (np.bitwise_count(subsets) == min(k, services))
    before = np.where(allowed, before, -np.inf)
    top = int(np.argmax(before))
    if before[top] == -np.inf:
        return -np.inf, []
    return float(before[top]), _coalitions(choices, top)


def _coalitions(choices: list[Ints], subset: int) -> list[Ints]:
    """The coalitions behind the best total of a subset, from the choices of each layer."""
    coalitions = []
    layer = len(choices) - 1
    while subset and layer >= 0:
        coalition = int(choices[layer][subset])
        if coalition:
            coalitions.append(np.flatnonzero([coalition >> i & 1 for i in range(LARGEST)]))
            subset ^= coalition
            layer -= 1
        else:
            subset &= subset - 1  # the lowest one is at home
    return coalitions
