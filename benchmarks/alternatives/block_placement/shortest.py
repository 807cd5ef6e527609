"""Uncoupled placement as a shortest path of each task: networkx, and plain Python."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from alternatives.block_placement.costs import TaskCosts, plain, task_costs


def networkx_paths(document: Mapping[str, Any]) -> dict[str, Any]:
    """Sum of the tasks' least delays, by Dijkstra on one layered graph a task."""
    import networkx as nx

    return _each(document, lambda costs: float(nx.dijkstra_path_length(_graph(costs), "s", "t")))


def plain_dp(document: Mapping[str, Any]) -> dict[str, Any]:
    """Sum of the tasks' least delays, by a forward recursion over lists."""
    return _each(document, _recursion)


def _each(document: Mapping[str, Any], solve: Any) -> dict[str, Any]:
    listed = plain(document)
    start = time.perf_counter()
    total = sum(solve(task_costs(listed, k)) for k in range(len(listed["tasks"]["model"])))
    return {"objective": total, "bound": total, "build_s": 0.0,
            "solve_s": time.perf_counter() - start}  # fmt: skip


def _graph(costs: TaskCosts) -> Any:
    import networkx as nx

    graph = nx.DiGraph()
    places = range(len(costs.compute[0]))
    for m, (compute, move) in enumerate(zip(costs.compute, costs.moves, strict=True)):
        for j in places:
            for i in places if m else (0,):
                tail = (m - 1, i) if m else "s"
                graph.add_edge(tail, (m, j), weight=move[i][j] + compute[j])
    for j in places:
        graph.add_edge((len(costs.compute) - 1, j), "t", weight=0.0)
    return graph


def _recursion(costs: TaskCosts) -> float:
    least = [move + c for move, c in zip(costs.moves[0][0], costs.compute[0], strict=True)]
    places = range(len(least))
    for compute, move in zip(costs.compute[1:], costs.moves[1:], strict=True):
        least = [min(least[i] + move[i][j] for i in places) + compute[j] for j in places]
    return min(least)
