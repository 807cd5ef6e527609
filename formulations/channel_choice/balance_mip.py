"""Load balance at held channels as a mixed-integer programme in Pyomo (paper 000, module C).

With ``count`` sharing, variables with the indices of the file:

- ``hosts[a, n]``: server a hosts n heads;
- ``head[i, a, n]``: service i's head is one of them.

A service's quality is then a constant of its variable, so that its logarithm (Eq. 19) needs no
approximation. With ``work`` sharing it depends on who else is there: ``hosts[a, s]`` then says
that server a hosts the heads of set number s of those that it can host.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.exact.balance_dp import held_channels
from formulations.channel_choice.exact.balance_sets import Hosted, hosted_services
from formulations.channel_choice.exact.balance_values import HeldChannels
from formulations.channel_choice.instance import ChannelChoice
from optkit.backends.feed import SolveStatus
from optkit.backends.pyomo import Values, linear, linear_sum, solve_pyomo
from optkit.run import Run

Ints = NDArray[np.int64]
Options = list[tuple[int, int, int, float]]
#: Sets of heads, over all servers, that are enumerated for ``work`` sharing.
MOST_SETS = 20_000


def applies(instance: ChannelChoice) -> str | None:
    """None where heads can be balanced by a linear model, else why not."""
    if not instance.balanced or instance.heads is None:
        return "no load balance"
    if instance.heads.sharing == "count":
        return None
    nearest = np.array([server.nearest for server in instance.document.servers])
    sizes = [len(server.services) for server in hosted_services(instance.heads.home, nearest)]
    sets = sum(2.0**size for size in sizes)
    if sets > MOST_SETS:
        return f"servers that share by work can host {sets:.3g} sets, more than {MOST_SETS:,}"
    return None


def balance_mip(
    instance: ChannelChoice, run: Run, *, solver: str = "highs", export: str | None = None
) -> None:
    """The best places of the heads, with the warm start's channels (else all at home) held.

    Parameters
    ----------
    instance, run : as for every method.
    solver : "highs", or "scip" or "gurobi" through Pyomo.
    export : a ``.mps`` or ``.lp`` file to write the model to.
    """
    import pyomo.environ as pyo

    channel, omega = held_channels(instance, run)
    run.found(np.concatenate([channel, omega]))
    run.note(held="channels")
    held = HeldChannels(instance, channel)
    model = pyo.ConcreteModel(instance.name or "load_balance")
    if held.heads.sharing == "count":
        on_nearest = _by_count(model, held, run)
    else:
        on_nearest = _by_set(model, held, run)
    if run.stopped():
        return
    run.built()

    def decode(values: Values) -> tuple[Ints, dict[str, Any]]:
        places = np.zeros(instance.services, dtype=np.int64)
        for i, variable in on_nearest:
            if values(variable) > 0.5:
                places[i] = 1
        return np.concatenate([channel, places]), {}

    solution = solve_pyomo(
        model, run, bound_of=None, decode=decode, solver=solver, export=export, start=False
    )
    run.note(balance="exact" if solution.status is SolveStatus.OPTIMAL else solution.status.value)


def count_options(held: HeldChannels) -> list[tuple[int, int, int, int, float]]:
    """What service i may do: (i, omega, server, heads there, quality), where it breaks nothing."""
    heads, tables = held.heads, held.count_tables()
    options = []
    for omega, (place, value, broken) in enumerate(
        (
            (heads.home, tables.stay, tables.stay_broken),
            (heads.away, tables.send, tables.send_broken),
        )
    ):
        allowed = (np.arange(value.shape[1]) <= held.most[place][:, None]) & (broken == 0)
        allowed[:, 0] = False
        for i, n in np.argwhere(allowed).tolist():
            options.append((i, omega, int(place[i]), n, float(value[i, n])))
    return options


def set_options(held: HeldChannels) -> tuple[list[Hosted], list[tuple[int, int, float]]]:
    """What servers can host, and (server, set of it, quality) where that breaks nothing."""
    hosted = hosted_services(held.heads.home, held.nearest)
    options = []
    for server, what in enumerate(hosted):
        table = held.set_table(server, what)
        allowed = np.flatnonzero(table.broken == 0).tolist()
        options += [(server, number, float(table.quality[number])) for number in allowed]
    return hosted, options


def _by_count(model: Any, held: HeldChannels, run: Run) -> list[tuple[int, Any]]:
    """Fill a model for ``count`` sharing; services and variables of heads on nearest servers."""
    import pyomo.environ as pyo

    model.hosts = pyo.Var(pyo.Any, dense=False, domain=pyo.Binary)
    model.head = pyo.Var(pyo.Any, dense=False, domain=pyo.Binary)
    for row in ("one_place", "one_count", "counted", "only_there"):
        model.add_component(row, pyo.Constraint(pyo.Any))
    quality, on_nearest = [], []
    of_service: list[list[Any]] = [[] for _ in held.heads.home]
    there: dict[tuple[int, int], list[Any]] = {}
    for i, omega, a, n, value in count_options(held):
        if run.stopped():
            return []
        head = model.head[i, a, n]
        of_service[i].append(head)
        there.setdefault((a, n), []).append(head)
        quality.append((value, head))
        model.only_there[i, a, n] = head <= model.hosts[a, n]
        if omega:
            on_nearest.append((i, head))
    for i, heads in enumerate(of_service):
        if run.stopped():
            return []
        model.one_place[i] = _sum(heads) == 1
    for a, most in enumerate(held.most.tolist()):
        if run.stopped():
            return []
        model.one_count[a] = _sum([model.hosts[a, n] for n in range(most + 1)]) == 1
        for n in range(1, most + 1):
            model.counted[a, n] = _sum(there.get((a, n), [])) == n * model.hosts[a, n]
    model.eq17_quality = pyo.Objective(expr=linear_sum(quality), sense=pyo.maximize)
    return on_nearest


def _by_set(model: Any, held: HeldChannels, run: Run) -> list[tuple[int, Any]]:
    """Fill a model for ``work`` sharing; services and variables of sets with them away."""
    import pyomo.environ as pyo

    model.hosts = pyo.Var(pyo.Any, dense=False, domain=pyo.Binary)
    for row in ("one_place", "one_set"):
        model.add_component(row, pyo.Constraint(pyo.Any))
    quality, on_nearest = [], []
    of_service: list[list[Any]] = [[] for _ in held.heads.home]
    of_server: list[list[Any]] = [[] for _ in held.nearest]
    hosted, options = set_options(held)
    for a, number, value in options:
        if run.stopped():
            return []
        hosts = model.hosts[a, number]
        quality.append((value, hosts))
        of_server[a].append(hosts)
        for i, away in hosted[a].members(number):
            of_service[i].append(hosts)
            if away:
                on_nearest.append((i, hosts))
    for i, sets in enumerate(of_service):
        model.one_place[i] = _sum(sets) == 1
    for a, sets in enumerate(of_server):
        model.one_set[a] = _sum(sets) == 1
    model.eq17_quality = pyo.Objective(expr=linear_sum(quality), sense=pyo.maximize)
    return on_nearest


def _sum(variables: list[Any]) -> Any:
    return linear([1.0] * len(variables), variables)
