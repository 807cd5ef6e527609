"""Load balance at held channels as a constraint programme (paper 000, module C).

The variables are those of ``balance_mip``. Qualities become whole numbers, 2^30 the largest
difference, so that places are best within N / 2^30 of that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.balance_mip import applies as applies
from formulations.channel_choice.balance_mip import count_options, set_options
from formulations.channel_choice.exact.balance_dp import held_channels
from formulations.channel_choice.exact.balance_values import HeldChannels
from formulations.channel_choice.instance import ChannelChoice
from optkit.backends import cpsat
from optkit.backends.feed import SolveStatus
from optkit.backends.native import cp_model
from optkit.run import Run

Ints = NDArray[np.int64]
#: All rows go into the linear relaxation; without the counts in it, 70 services take minutes
#: instead of a second.
_LINEAR = {"linearization_level": 2}


def balance_cp(instance: ChannelChoice, run: Run) -> None:
    """The best places of the heads, with the warm start's channels (else all at home) held."""
    channel, omega = held_channels(instance, run)
    run.found(np.concatenate([channel, omega]))
    run.note(held="channels")
    held = HeldChannels(instance, channel)
    model = cp_model().CpModel()
    if held.heads.sharing == "count":
        on_nearest, terms = _by_count(model, held, run)
    else:
        on_nearest, terms = _by_set(model, held, run)
    if run.stopped():
        return
    least = min((value for value, _ in terms), default=0.0)
    # Every service, or every server, has exactly one of its literals: one constant for all.
    above = np.array([value - least for value, _ in terms])
    scale = cpsat.IntegerScale.of(above, "maximise")
    literals = [literal for _, literal in terms]
    model.maximize(cp_model().LinearExpr.weighted_sum(literals, scale.whole(above).tolist()))
    if run.stopped():
        return
    run.built()

    def decode(values: cpsat.CpValues) -> tuple[Ints, dict[str, Any]]:
        places = np.zeros(instance.services, dtype=np.int64)
        for i, literal in on_nearest:
            if values(literal):
                places[i] = 1
        return np.concatenate([channel, places]), {}

    solution = cpsat.solve_cp(
        model, run, bound_of=None, decode=decode, scale=scale.scale, parameters=_LINEAR
    )
    run.note(balance="exact" if solution.status is SolveStatus.OPTIMAL else solution.status.value)


Filled = tuple[list[tuple[int, Any]], list[tuple[float, Any]]]


def _by_count(model: Any, held: HeldChannels, run: Run) -> Filled:
    """Fill a model for ``count`` sharing; heads on nearest servers, and the objective's terms."""
    on_nearest, terms = [], []
    of_service: list[list[Any]] = [[] for _ in held.heads.home]
    there: dict[tuple[int, int], list[Any]] = {}
    hosts = [
        [model.new_bool_var(f"hosts[{a},{n}]") for n in range(most + 1)]
        for a, most in enumerate(held.most.tolist())
    ]
    for i, omega, a, n, value in count_options(held):
        if run.stopped():
            break
        head = model.new_bool_var(f"head[{i},{a},{n}]")
        of_service[i].append(head)
        there.setdefault((a, n), []).append(head)
        terms.append((value, head))
        model.add_implication(head, hosts[a][n])
        if omega:
            on_nearest.append((i, head))
    for heads in of_service:
        model.add_exactly_one(heads)
    for a, counts in enumerate(hosts):
        model.add_exactly_one(counts)
        for n in range(1, len(counts)):
            model.add(sum(there.get((a, n), [])) == n * counts[n])
    return on_nearest, terms


def _by_set(model: Any, held: HeldChannels, run: Run) -> Filled:
    """Fill a model for ``work`` sharing; sets with heads away, and the objective's terms."""
    on_nearest, terms = [], []
    of_service: list[list[Any]] = [[] for _ in held.heads.home]
    of_server: list[list[Any]] = [[] for _ in held.nearest]
    hosted, options = set_options(held)
    for a, number, value in options:
        if run.stopped():
            break
        hosts = model.new_bool_var(f"hosts[{a},{number}]")
        terms.append((value, hosts))
        of_server[a].append(hosts)
        for i, away in hosted[a].members(number):
            of_service[i].append(hosts)
            if away:
                on_nearest.append((i, hosts))
    for sets in [*of_service, *of_server]:
        model.add_exactly_one(sets)
    return on_nearest, terms
