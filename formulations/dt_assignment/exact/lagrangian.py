"""Exact method for limits: prices of limits, prices of twins, exchanges and branching.

Two relaxations bound a generalised assignment problem. With prices on limits every twin takes its
cheapest server (the bound of the linear programme). With prices on twins every server solves a
knapsack (the bound of column generation, which is above the other). The first gives the prices by
which exchanges of twins are searched; the second bounds a tree that closes pairs by what their
knapsacks say (Fisher 1981; Posta, Ferland and Michelon 2012). The tree serves twice: on few
servers, to share their twins out anew, and on all of them, with a target between bound and
incumbent. A tree that is done without a decision below its target proves the target.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.exchange import Exchange
from formulations.dt_assignment.exact.limit_kernels import raise_limit_prices
from formulations.dt_assignment.exact.limited import Limited
from formulations.dt_assignment.exact.pairs import begin, others
from formulations.dt_assignment.exact.place_kernels import (
    begin_steps,
    node_of,
    price_servers,
    raise_place_prices,
    settle,
)
from formulations.dt_assignment.exact.regroup import Regroup
from formulations.dt_assignment.exact.tree import KNAPSACK_LIMIT, Tree
from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Steps of prices between two looks at the clock, and how many there are at most.
_LIMIT_STEPS, _LIMIT_CHUNKS = 50, 12
_PLACE_STEPS, _MOST_PLACE_STEPS = 25, 1_500
#: Steps end where they go less than this part of the way.
_LEAST_SHARE = 1e-4
#: What part of the way the first step of prices of twins goes.
_FIRST_SHARE = 0.1
#: Prices of twins are raised again once the gap is this part of what it was then.
_NEARER = 0.4
#: Searches at most before prices of twins, for a decision with a server for each.
_COMPLETING = 40
#: The first target goes this part of the way from the bound; each further one goes so many times
#: as far, and farther where no decision is known.
_FIRST_WINDOW, _GROWTH, _UNKNOWN_GROWTH = 0.1, 1.7, 5.0
#: In each round: kicks of the local search, groups of servers shared out anew, and nodes of the
#: tree besides as many as the groups took.
_KICKS, _GROUPS, _NODES = 30, 3, 50
#: Groups in a row that gain nothing before the best decision is kicked.
_PATIENCE = 15
#: Pairs beyond which a tree over all of them is hopeless.
_LARGEST_TREE = 150_000
#: How much better than the incumbent a decision must be: within what is called optimal, and all
#: but 1 where every cost is a whole number.
_MARGIN, _INTEGER_MARGIN = 2e-7, 0.9999


def applies(instance: TwinAssignment) -> str | None:
    """None where limits couple twins and nothing else does (deadlines then forbid pairs)."""
    if "limits" not in instance.couplings:
        return "no server has a limit"
    return others(instance, "limits", "deadlines")


def lagrangian(instance: TwinAssignment, run: Run) -> None:
    """Bound by both relaxations, then improve and prove in turns."""
    if begin(instance, run) is None:
        return
    search = _Search(instance, run)
    run.built()
    search.price_limits()
    search.complete()
    if not search.begin_places():
        return
    for _ in run.steps():
        search.prove()
        search.improve()
    run.note(
        limit_bound=search.limit_bound,
        place_bound=search.root_bound,
        trees=search.trees,
        nodes=search.nodes,
    )


class _Search:
    """Prices, incumbents and the tree of one instance.

    Attributes
    ----------
    limit_bound, root_bound : of the two relaxations; the second is that of the tree's root.
    trees, nodes : trees that were done, and their nodes.
    """

    def __init__(self, instance: TwinAssignment, run: Run) -> None:
        self._run, self._instance = run, instance
        self._integer = instance.integer_cost
        self._problem = Limited.of(instance)
        resources, twins, servers = self._problem.demand.shape
        self._limit_price = np.zeros((resources, servers))
        self._node = node_of(twins, servers, resources)
        self._place_price = np.zeros(twins)
        self._aimed = math.inf
        cost = instance.tables.cost
        largest = np.where(instance.open, cost, -np.inf).max(axis=1)
        scale = float(np.abs(np.where(instance.open, cost, 0.0)).max(axis=1).sum())
        self._worst = float(largest.sum()) + max(1.0, 1e-6 * scale)  # no decision costs as much
        self._window = 0.0
        self._tree: Tree | None = None
        self._exchange = Exchange(self._problem, self._limit_price, run.rng)
        self._regroup = Regroup(run.rng)
        self._regrouped = self._idle = 0
        self._current = self._exchange.best.copy()
        self._report()
        self.limit_bound = self.root_bound = -math.inf
        self.trees = self.nodes = 0

    # --- bounds ----------------------------------------------------------------------------------

    def _claim(self, bound: float) -> None:
        """No decision costs less."""
        if self._integer:
            bound = math.ceil(bound - 1e-6)
        if math.isfinite(bound):
            self._run.bound(bound)

    def _ceiling(self, bound: float) -> float:
        """What steps of prices aim at: the incumbent, were it complete or not."""
        return max(self._exchange.estimate, bound + 1e-6 * abs(bound) + 1e-9)

    def price_limits(self) -> None:
        """Relax the limits; their best prices weigh the resources from then on."""
        problem, price = self._problem, self._limit_price.copy()
        bound, share = float(problem.cost.min(axis=1).sum()), 1.0
        for _ in range(_LIMIT_CHUNKS):
            if self._run.stopped():
                break
            bound, share = raise_limit_prices(
                problem.cost, problem.demand, price, self._limit_price, self._ceiling(bound),
                bound, share, _LIMIT_STEPS, 15,
            )  # fmt: skip
            if share < _LEAST_SHARE:
                break
        self.limit_bound = bound
        self._claim(bound)
        self._problem = problem.priced(self._limit_price)
        self._exchange.reprice(self._limit_price)

    def begin_places(self) -> bool:
        """Relax that twins have one server, from what each pays at the prices of limits.

        False where twins that have only one server do not fit there.
        """
        is_open = np.isfinite(self._problem.cost)
        if not settle(self._problem, is_open, self._node):
            self._run.infeasible()
            return False
        self._problem = self._problem._replace(cost=np.where(is_open, self._problem.cost, np.inf))
        self._place_price = self._exchange.paid.min(axis=1)
        self.price_places()
        return True

    def price_places(self) -> None:
        """Raise the prices of twins towards the incumbent as it is now."""
        begin_steps(self._place_price, self._node, _FIRST_SHARE)
        self._aimed = self._exchange.estimate
        while self._node.pace[3] < _MOST_PLACE_STEPS:
            if self._run.stopped() or not self._raise_place_prices():
                break
        price_servers(self._problem, self._place_price, self._node, KNAPSACK_LIMIT)
        self._regroup.reprice(
            self._problem, self._exchange.near, self._place_price, self._node.earned
        )

    def _raise_place_prices(self) -> bool:
        """Some more steps; whether further ones may help."""
        start = max(self.root_bound, self.limit_bound)
        self.root_bound = raise_place_prices(
            self._problem, self._place_price, self._node, math.inf, self._ceiling(start),
            _PLACE_STEPS, 20, KNAPSACK_LIMIT,
        )  # fmt: skip
        if self.root_bound < self._worst:
            self._claim(self.root_bound)
        return bool(self._node.pace[1] > _LEAST_SHARE)

    # --- decisions -------------------------------------------------------------------------------

    def complete(self) -> None:
        """Exchange until every twin has a server."""
        for _ in range(_COMPLETING):
            if self._exchange.complete or self._run.stopped():
                break
            self._exchange.search(_KICKS)
        self._current = self._exchange.best.copy()
        self._report()

    def _report(self) -> None:
        """Hand the best decision to the run; what the tree looks for is then less."""
        best = self._run.objective
        if self._exchange.value < (math.inf if best is None else best):
            self._run.found(self._exchange.best)
            if self._tree is not None:
                self._tree.lower(self._below_incumbent())

    def improve(self) -> None:
        """Share twins of some groups of servers out anew; kick the best decision when that ends."""
        exchange, servers = self._exchange, self._problem.cost.shape[1]
        if not exchange.complete:
            exchange.search(_KICKS)
            self._report()
            return
        for _ in range(_GROUPS):
            if self._run.stopped():
                return
            if self._idle >= _PATIENCE or (self._current == servers).any():
                self._current, self._idle = exchange.wander(_KICKS), 0
                self._report()
                if (self._current == servers).any():
                    self._current = exchange.best.copy()
            better = self._regroup.search(self._current, self._margin(), self._run)
            if better is None:
                self._idle += 1
                continue
            self._current, self._idle = better, 0
            exchange.adopt(better)
            self._report()

    # --- proof -----------------------------------------------------------------------------------

    def _margin(self) -> float:
        best = self._run.objective
        return _INTEGER_MARGIN if self._integer else _MARGIN * abs(best or 0.0)

    def _below_incumbent(self) -> float:
        best = self._run.objective
        return self._worst if best is None else best - self._margin()

    def _target(self) -> float:
        """What the next tree looks below."""
        target = min(self.root_bound + self._window, self._worst)
        if self._integer:
            target = math.ceil(target) + 1 - _INTEGER_MARGIN
        return min(target, self._below_incumbent())

    def prove(self) -> None:
        """Go on with the tree, or with a larger one; with prices where a tree is hopeless."""
        if self._run.stopped():
            return
        if self.root_bound >= self._worst:
            self._run.infeasible()  # prices rise for ever where no decision keeps the limits
            return
        gap = self._ceiling(self.root_bound) - self.root_bound
        if self._exchange.complete and gap < _NEARER * (self._aimed - self.root_bound):
            self.price_places()  # they aimed too high, and so did the tree
            self._tree, self._window = None, min(self._window, _FIRST_WINDOW * gap)
        twins, servers = self._problem.cost.shape
        if twins * servers > _LARGEST_TREE or not Tree.fits(twins, servers):
            return
        if self._tree is None:
            if self._window == 0.0:
                self._window = _FIRST_WINDOW * gap
            self._tree = Tree(self._problem, self._place_price, self._target(), self._margin())
        nodes = _NODES + self._regroup.nodes - self._regrouped  # as many as improving took
        self._regrouped = self._regroup.nodes
        if self._tree.search(nodes):
            self._current = self._tree.decision
            self._run.found(self._current)
            self._exchange.adopt(self._current)
            self._tree.lower(self._below_incumbent())
        if not self._tree.done:
            return
        self.trees += 1
        self.nodes += self._tree.nodes
        if self._tree.target >= self._worst:
            self._run.infeasible()
        else:
            self._claim(self._tree.target)
        self._tree = None
        growth = _GROWTH if self._exchange.complete else _UNKNOWN_GROWTH
        self._window = min(growth * self._window, self._worst - self.root_bound)
