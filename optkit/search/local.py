"""Local search and simulated annealing over one position of a vector at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from optkit.errors import UsageError
from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance
from optkit.run import Run
from optkit.search.batches import at_least, budget, chunk_rows, judge, uniform
from optkit.search.chains import Chains, warm_position
from optkit.search.neighbourhood import Excess, Neighbourhood

_EQUAL = 1e-12  # one decision judged in two batches may differ by rounding
_PROBES = 8  # changes of each chain that measure the scale of the temperature
_COOLING = 1e-3  # end temperature over start temperature

Key = tuple[float, ...]


def local_search(
    instance: Instance, run: Run, *, restarts: int | None = 10, neighbours: int | None = None
) -> None:
    """Best improvement over single-position changes, from several starts.

    The first start is the warm start where vectors are decisions themselves, all others are
    random. Decisions are ordered as everywhere (`BatchEvaluation.rank`), but infeasible ones
    that break equally many rows by their total relative violation before the objective, so
    that the search can walk towards feasibility. Where neighbours are sampled, a descent ends
    after as many samples without improvement as would hold the whole neighbourhood.

    Parameters
    ----------
    instance : what is solved.
    run : where decisions go; one iteration a move (or a failed attempt).
    restarts : starts after the first; ``None`` for ever, until a limit of the run.
    neighbours : how many are judged for one move; ``None`` means all where they fit in 1e7
        integers, else as many as fit.
    """
    at_least(0, restarts=restarts)
    at_least(1, neighbours=neighbours)
    space, around, excess = instance.space, Neighbourhood(instance.space), Excess()
    sample = min(around.size, neighbours or budget(instance, space))
    steps = run.steps()  # one for all starts: a descent left early still counts its last step
    for start in itertools.count() if restarts is None else range(restarts + 1):
        warm = warm_position(space, run) if start == 0 else None
        if run.stopped():
            return
        z = uniform(space, run.rng, 1)[0] if warm is None else warm
        if not sample:  # a single vector
            judge(instance, space, z[None]).report(run, 0)
            return
        _descend(instance, run, steps, z, around, sample, excess)


def _descend(
    instance: Instance,
    run: Run,
    steps: Iterator[int],
    z: NDArray[np.int64],
    around: Neighbourhood,
    sample: int,
    excess: Excess,
) -> None:
    """Improve z, in place, until no neighbour is better or the run stops."""
    space, sense = instance.space, instance.sense
    batch = judge(instance, space, z[None])
    batch.report(run, 0)
    current = _best_key(batch.evaluation, sense, excess)[1]
    patience, failures = math.ceil(around.size / sample), 0
    rows = chunk_rows(instance, space)
    for _ in steps:
        if sample == around.size:
            numbers = np.arange(sample)
        else:
            numbers = run.rng.choice(around.size, sample, replace=False, shuffle=False)
        move = None
        for first in range(0, sample, rows):
            if run.stopped():
                break
            positions, options = around.moves(z, numbers[first : first + rows])
            vectors = np.repeat(z[None], len(positions), axis=0)
            vectors[np.arange(len(positions)), positions] = options
            batch = judge(instance, space, vectors)
            row, key = _best_key(batch.evaluation, sense, excess)
            if _better(key, current):
                current, move = key, (positions[row], options[row])
                batch.report(run, row)
        if move is not None:
            z[move[0]], failures = move[1], 0
            continue
        failures += 1
        if failures == patience:
            return


def _best_key(evaluation: BatchEvaluation, sense: str, excess: Excess) -> tuple[int, Key]:
    """Row and key of the best decision of a batch; a smaller key is better."""
    infeasible, broken, objective = evaluation.rank(sense)
    keys = (infeasible, broken, excess(evaluation), objective)
    row = int(np.lexsort(keys[::-1])[0])
    return row, tuple(float(values[row]) for values in keys)


def _better(new: Key, old: Key) -> bool:
    for a, b in zip(new, old, strict=True):
        if not math.isclose(a, b, rel_tol=_EQUAL):
            return a < b
    return False


def annealing(
    instance: Instance,
    run: Run,
    *,
    steps: int = 10_000,
    start_temperature: float | None = None,
    end_temperature: float | None = None,
    chains: int = 32,
) -> None:
    """Simulated annealing over one position at a time, several chains judged as one batch.

    Every step changes one position of every chain and takes the change with the probability
    of Metropolis; the temperature falls geometrically. Broken rows and their relative
    violation cost as much as the sampled objectives spread, and ever more as it gets colder.

    Parameters
    ----------
    instance : what is solved.
    run : where decisions go; one iteration a step.
    steps : changes proposed to each chain.
    start_temperature : in the unit of the objective; ``None`` for the mean difference that a
        random change makes.
    end_temperature : ``None`` for a thousandth of the start.
    chains : how many; fewer where their positions exceed 1e7 integers. The first one begins
        at the warm start where vectors are decisions themselves.

    References
    ----------
    Kirkpatrick, Gelatt, Vecchi: Optimization by simulated annealing, Science 220, 1983.
    """
    at_least(1, steps=steps, chains=chains)
    _positive(start_temperature=start_temperature, end_temperature=end_temperature)
    if run.stopped():
        return
    walk = Chains(instance, run, min(chains, chunk_rows(instance, instance.space)))
    if not walk.movable:
        return
    differences, spread = walk.probe(_PROBES, most=steps)
    start = start_temperature or differences or 1.0
    end = end_temperature or start * _COOLING
    if end > start:
        raise UsageError(f"end_temperature {end:g} is above start_temperature {start:g}")
    run.note(start_temperature=start, end_temperature=end)
    walk.restart()
    for step in run.steps(range(steps)):
        temperature = start * (end / start) ** (step / max(1, steps - 1))
        walk.step(temperature, penalty=(spread or 1.0) * start / temperature)


def _positive(**temperatures: float | None) -> None:
    for name, value in temperatures.items():
        if value is not None and not (0 < value < math.inf):
            raise UsageError(f"option {name} is {value}, expected a number above 0")
