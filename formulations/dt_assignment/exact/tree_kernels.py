"""Compiled branching on the server of a twin, bounded by the knapsacks of all servers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.exact.place_kernels import (
    WORK,
    begin_steps,
    fix_pairs,
    price_servers,
    raise_place_prices,
    settle,
)
from optkit.kernels import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: What became of a node.
DEAD, ANSWERED, OPEN = 0, 1, 2
#: Steps of prices at the root and at other nodes, and how far they go at first.
_ROOT_STEPS, _STEPS = 150, 20
_PATIENCE, _SHARE = 8, 0.3
#: Prices are tried again while they close more than this part of the pairs with a choice.
_WORTHWHILE = 0.1
#: How much harder a child is to close the farther its bound is from the target.
_DECAY = 4.0
#: A call ends after so many times the `WORK` of knapsacks.
_WORKS = 3.0


class Branch(NamedTuple):
    """A depth-first tree: one open node with its untried children a level.

    Attributes
    ----------
    depth : [1] of the node to go on with; -1 where the tree is done.
    is_open : [D, M, S] pairs.
    place_price : [D, M] the prices that a node begins with, and its best ones later.
    child : [D, S] servers of the children, the most promising first.
    twin, children, tried : [D] whose servers they are, how many, how many were entered; -1 tried
        where the node was not bounded yet.
    limits : [2] the target, below which decisions are looked for, and by how much a decision
        must be better than the last one.
    decision : [M] the last one that was found; value : [1] of it.
    nodes : [1] bounded so far.
    """

    depth: Ints
    is_open: Mask
    place_price: Floats
    child: Ints
    twin: Ints
    children: Ints
    tried: Ints
    limits: Floats
    decision: Ints
    value: Floats
    nodes: Ints


@kernel
def _keeps_limits(problem, decision):  # type: ignore[no-untyped-def]
    """Whether a decision [M] keeps every limit, added up as by the evaluator."""
    amount, most = problem.amount, problem.most
    resources, twins, servers = amount.shape
    use = np.empty(servers)
    for r in range(resources):
        use[:] = 0.0
        for m in range(twins):
            use[decision[m]] += amount[r, m, decision[m]]
        for s in range(servers):
            if use[s] > most[r, s]:
                return False
    return True


@kernel
def _take_answer(problem, is_open, node, branch):  # type: ignore[no-untyped-def]
    """Keep the decision that the knapsacks are, if every twin is taken once and it is better.

    False where they are none, or one that misses a limit by rounding.
    """
    cost = problem.cost
    twins, servers = cost.shape
    forced, chosen, count = node.forced, node.chosen, node.takers
    for m in range(twins):
        if count[m] != 1:
            return False
    total = 0.0
    decision = np.empty(twins, dtype=np.int64)
    for m in range(twins):
        at = forced[m]
        if at < 0:
            for s in range(servers):
                if is_open[m, s] and chosen[m, s]:
                    at = s
        total += cost[m, at]
        decision[m] = at
    if not _keeps_limits(problem, decision):
        return False
    if total < branch.value[0]:
        branch.value[0] = total
        branch.decision[:] = decision
        branch.limits[0] = min(branch.limits[0], total - branch.limits[1])
    return True


@kernel
def _bound_node(problem, node, branch, depth, rise, limit):  # type: ignore[no-untyped-def]
    """Raise prices and close pairs, in turns; what became of the node, and its bound."""
    is_open, price = branch.is_open[depth], branch.place_price[depth]
    limits = branch.limits
    twins = len(price)
    steps = _ROOT_STEPS if depth == 0 else _STEPS
    while True:
        if not settle(problem, is_open, node):
            return DEAD, np.inf
        target = limits[0]
        begin_steps(price, node, _SHARE)
        best = raise_place_prices(problem, price, node, target, target, steps, _PATIENCE, limit)
        if best >= target:
            return DEAD, best
        bound = price_servers(problem, price, node, limit)
        if _take_answer(problem, is_open, node, branch) and bound >= limits[0]:
            return ANSWERED, bound
        choices = 0
        for m in range(twins):
            if node.forced[m] < 0:
                choices += node.open_servers[m]
        if choices == 0:
            return ANSWERED, bound
        closed = fix_pairs(problem, price, node, bound, limits[0], is_open, rise, limit)
        steps = _STEPS
        if closed <= _WORTHWHILE * choices:
            return OPEN, bound


@kernel
def _twin_to_branch(is_open, node, rise, gap):  # type: ignore[no-untyped-def]
    """The twin whose servers promise the smallest trees together; -1 where one has none left."""
    twins, servers = is_open.shape
    least, at, single = np.inf, -1, -1
    for m in range(twins):
        if node.forced[m] >= 0:
            continue
        size, number = 0.0, 0
        for s in range(servers):
            if is_open[m, s]:
                size += np.exp(-_DECAY * rise[m, s] / gap)
                number += 1
        if number == 0:
            return -1
        if number == 1:
            single = m
        elif size < least:
            least, at = size, m
    return at if at >= 0 else single


@kernel
def _branch_node(branch, depth, node, rise, gap):  # type: ignore[no-untyped-def]
    """Order the children of a node; False if it has none."""
    is_open, child = branch.is_open[depth], branch.child[depth]
    m = _twin_to_branch(is_open, node, rise, gap)
    if m < 0:
        return False
    count = 0
    for s in range(is_open.shape[1]):
        if is_open[m, s]:
            k = count
            while k > 0 and rise[m, child[k - 1]] > rise[m, s]:
                child[k] = child[k - 1]
                k -= 1
            child[k] = s
            count += 1
    branch.twin[depth], branch.children[depth], branch.tried[depth] = m, count, 0
    return True


@kernel
def search(problem, node, branch, budget, limit):  # type: ignore[no-untyped-def]
    """Go on with a tree for so many nodes, fewer if they are dear; True once it is done.

    A tree that is done has met a decision below each target that one is below, and
    ``branch.limits[0]`` is then a bound on all others.
    """
    twins, servers = problem.cost.shape
    rise = np.zeros((twins, servers))
    depth_of, tried, limits = branch.depth, branch.tried, branch.limits
    used, until = 0, node.work[0] + _WORKS * WORK
    while depth_of[0] >= 0:
        depth = depth_of[0]
        if tried[depth] < 0:
            if used >= budget or node.work[0] > until:
                return False
            used += 1
            branch.nodes[0] += 1
            state, bound = _bound_node(problem, node, branch, depth, rise, limit)
            if state != OPEN or not _branch_node(branch, depth, node, rise, limits[0] - bound):
                depth_of[0] -= 1
                continue
        if tried[depth] >= branch.children[depth]:
            depth_of[0] -= 1
            continue
        m, s = branch.twin[depth], branch.child[depth, tried[depth]]
        tried[depth] += 1
        for n in range(twins):
            branch.place_price[depth + 1, n] = branch.place_price[depth, n]
            for to in range(servers):
                stays = to == s if n == m else branch.is_open[depth, n, to]
                branch.is_open[depth + 1, n, to] = stays
        tried[depth + 1] = -1
        depth_of[0] = depth + 1
    return True
