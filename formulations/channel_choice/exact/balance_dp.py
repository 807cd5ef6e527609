"""Exact load balance at held channels (paper 000, module C)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.balance_search import improved
from formulations.channel_choice.exact.balance_sets import (
    balance_by_set,
    components,
    hosted_services,
)
from formulations.channel_choice.exact.balance_trees import balance_by_count, forest
from formulations.channel_choice.exact.balance_values import HeldChannels, Worth
from formulations.channel_choice.instance import ChannelChoice
from optkit.run import Run

Ints = NDArray[np.int64]
#: Services that a server may be able to host where every set of them is looked at, ...
_LARGEST_SET = 16
#: ... and the members of all these sets together.
_MEMBERS = 4_000_000


class Balance(NamedTuple):
    """Where heads run, and whether that is the best for the held channels.

    Attributes
    ----------
    omega : [N] 1 on the nearest server.
    searched : services whose place comes from local search, or is that of the start where the
        run stopped before.
    """

    omega: Ints
    searched: int


def applies(instance: ChannelChoice) -> str | None:
    """None where there is load balance, else why not."""
    return None if instance.balanced else "no load balance"


def balance_dp(instance: ChannelChoice, run: Run) -> None:
    """The best places of the heads, with the warm start's channels (else all at home) held.

    With ``work`` sharing the sets that a server may host are enumerated; where there are too
    many of them, local search serves that part of the graph of nearest servers.
    """
    channel, omega = held_channels(instance, run)
    run.found(np.concatenate([channel, omega]))
    if run.stopped():
        return
    balance = balanced(instance, channel, run=run, start=omega)
    run.note(held="channels", balance="local search" if balance.searched else "exact")
    if balance.searched:
        run.note(searched_services=balance.searched)
    run.found(np.concatenate([channel, balance.omega]))


def held_channels(instance: ChannelChoice, run: Run) -> tuple[Ints, Ints]:
    """Channels [N] and omega [N] of the warm start, or zeros."""
    if run.warm_start is None:
        return np.zeros(instance.services, np.int64), np.zeros(instance.services, np.int64)
    x = run.warm_start[0]
    return x[: instance.services], x[instance.services :]


def balanced(
    instance: ChannelChoice, channel: Ints, *, run: Run | None = None, start: Ints | None = None
) -> Balance:
    """The best omega [N] for channels [N] (0 is home).

    Local search, where it is needed, begins at `start` [N], which is also what is left where the
    run stops.
    """
    held = HeldChannels(instance, channel)
    omega = np.zeros(instance.services, dtype=np.int64) if start is None else start.copy()
    if held.heads.sharing == "count":
        stay, send = held.count_tables().penalised()
        best = balance_by_count(held.heads.home, held.nearest, stay, send, run)
        return Balance(omega, instance.services) if best is None else Balance(best, 0)
    solved = _balance_small(held, omega, run)
    free = np.flatnonzero(~solved[held.heads.home])
    if len(free):
        stay, send = held.count_tables().penalised()  # as if all heads were alike
        alike = balance_by_count(held.heads.home, held.nearest, stay, send, run)
        omega = improved(held, omega, omega if alike is None else alike, free, run)
    return Balance(omega, len(free))


def _balance_small(held: HeldChannels, omega: Ints, run: Run | None) -> NDArray[np.bool_]:
    """Fill in omega [N] where sets are few; whether each server [H] is in such a component."""
    graph = forest(held.nearest)
    hosted = hosted_services(held.heads.home, held.nearest, graph)
    component = components(held.nearest, graph)
    sizes = np.array([len(server.services) for server in hosted])
    few = sizes <= _LARGEST_SET
    members = np.where(few, sizes * 2.0 ** np.where(few, sizes, 0), np.inf)
    solved = np.bincount(component, members)[component] <= _MEMBERS
    tables: dict[int, Worth] = {}
    for number in np.unique(component[solved]).tolist():
        servers = np.flatnonzero(component == number).tolist()
        if run is not None and run.stopped():
            solved[servers] = False
            continue
        tables |= {h: held.set_table(h, hosted[h]) for h in servers}
    cost = 1.0 + sum(float(np.ptp(table.quality)) for table in tables.values())
    worth = {h: table.quality - cost * table.broken for h, table in tables.items()}
    balance_by_set(held.nearest, graph, hosted, worth, omega)
    return solved
