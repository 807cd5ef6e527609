"""Search over the number of offloaders, on which the shares of the cloud depend.

With ``z(k)`` the largest gain of at most k offloaders that are served as k of them, the optimum
is the largest z(k): whoever is served as one of more than there are is undervalued, never
overvalued. At the speed F/a, at most b offloaders bound every k from a to b.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from formulations.channel_choice.exact.held import Held
from formulations.channel_choice.exact.shares import alone, best_alone, share_counts
from formulations.channel_choice.offloading import Offloading
from optkit.run import Run

#: Bounds the gains of at most b offloaders served as a of them, and says how many it chose.
Relax = Callable[[int, int], tuple[float, float]]
#: Bounds the gains of at most k offloaders served as k of them as well as the model can.
Leaf = Callable[[int], float]


def search_shares(held: Held, run: Run, leaf: Leaf, relax: Relax | None = None) -> None:
    """Solve leaves in the order of their bounds, until none can be better than the best.

    Parameters
    ----------
    held : where bounds go.
    run : ends the search.
    leaf : solves a model for one number k, reports decisions, and returns a bound.
    relax : bounds a range of numbers; without it, each number is bounded by its best services,
        as if each had a channel.
    """
    o = held.offloading
    counts = share_counts(o)
    first, last = counts[0], counts[-1]
    waiting: list[tuple[float, int, int, bool]] = []

    def push(upper: float, a: int, b: int, solved: bool = False) -> None:
        heapq.heappush(waiting, (-upper, a, b, solved))

    if relax is None:
        for k in counts:
            push(_at_best(o, k, k), k, k)
    else:
        push(_at_best(o, first, last), first, last)
    reached = -np.inf if o.late_at_home.any() else 0.0
    while waiting:
        held.bound(max(-waiting[0][0], reached))
        upper, a, b, solved = waiting[0]
        upper = -upper
        if solved or run.stopped():
            break
        if upper == -np.inf:
            held.infeasible()
            break
        heapq.heappop(waiting)
        run.iterations += 1
        if a == b:
            push(min(upper, leaf(a)), a, b, solved=not run.stopped())
            continue
        assert relax is not None
        bound, chosen = relax(a, b)
        upper = min(upper, bound)
        middle = int(np.clip(np.floor((a + chosen) / 2), a, b - 1)) if chosen > a + 1 else a
        for low, high in ((a, middle), (middle + 1, b)):
            push(min(upper, _at_best(o, low, high)), low, high)


def _at_best(o: Offloading, k: int, most: int) -> float:
    """At most so many offloaders, each alone on a channel and served as one of k."""
    return best_alone(alone(o, k), o.late_at_home, most)
