"""Generalised assignment files of the OR-Library as documents of dt_assignment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.errors import InstanceError
from optkit.wording import show

Floats = NDArray[np.float64]


def from_gap(
    text: str, name: str = "", *, maximise: bool = False, number: int | None = None
) -> dict[str, Any]:
    """The document of a generalised assignment problem; agents are servers, jobs are twins.

    Parameters
    ----------
    text : ``m n``, then m x n costs, m x n resources and m capacities of agents by jobs,
        separated by white space; or how many such problems there are, and then each of them.
    name : of the instance.
    maximise : the costs are profits, and become negative costs.
    number : which problem of a file with several, from 1.

    Raises
    ------
    InstanceError
        The text is something else, or `number` is needed or out of range.
    """
    words = _numbers(text)
    starts = _starts(words)
    if number is None and len(starts) > 1:
        raise InstanceError(f"holds {len(starts)} problems, choose one by number=1 and so on")
    chosen = 1 if number is None else number
    if not 1 <= chosen <= len(starts):
        raise InstanceError(f"there is no problem {chosen}, the file holds {len(starts)}")
    start = starts[chosen - 1]
    agents, jobs = int(words[start]), int(words[start + 1])
    pairs, begin = agents * jobs, start + 2
    costs = words[begin : begin + pairs].reshape(agents, jobs)
    loads = words[begin + pairs : begin + 2 * pairs].reshape(agents, jobs)
    return {
        "problem": "dt_assignment",
        "version": 1,
        "name": f"{name}-{chosen}" if len(starts) > 1 else name,
        "pair_cost": np.ascontiguousarray(-costs.T if maximise else costs.T),
        "pair_load": np.ascontiguousarray(loads.T),
        "server_capacity": words[begin + 2 * pairs : begin + 2 * pairs + agents],
    }


def _numbers(text: str) -> Floats:
    words = text.split()
    if len(words) < 2:
        raise InstanceError(f"found {len(words)} numbers, expected 'm n' and their problem")
    try:
        numbers = np.array(words, dtype=np.float64)
        bad = ~np.isfinite(numbers)
    except ValueError:
        bad = np.array([not _is_number(word) for word in words])
    if bad.any():
        index = int(np.argmax(bad))
        raise InstanceError(f"word {index + 1} is {show(words[index])}, expected a finite number")
    return numbers


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _starts(numbers: Floats) -> list[int]:
    """Where each problem begins: at the first number, or after a count of problems."""
    end, why = _end(numbers, 0)
    if end == len(numbers):
        return [0]
    starts, at, broken = [], 1, ""
    while at < len(numbers) and not broken:
        starts.append(at)
        after, broken = _end(numbers, at)
        at = at if broken else after
    count = numbers[0]
    if not broken and len(starts) == count:
        return starts
    counted = count >= 1 and count == int(count)
    if counted and at > max(1, end):  # as several problems the text makes more sense
        if not broken:
            raise InstanceError(f"found {len(starts)} problems, expected {count:g}, as word 1 says")
        if len(starts) > count:
            rest = len(numbers) - at
            raise InstanceError(f"found {rest} numbers after problem {count:g}, expected none")
        raise InstanceError(f"problem {len(starts)} of {count:g}: {broken}")
    raise InstanceError(why or f"found {len(numbers)} numbers, expected {end} for one problem")


def _end(numbers: Floats, start: int) -> tuple[int, str]:
    """Where the problem that begins at `start` ends, and why it cannot be one; then -1."""
    for index in (start, start + 1):
        if index >= len(numbers):
            return -1, "ends before 'm n' of a problem"
        value = numbers[index]
        if value < 1 or value != int(value):
            return -1, f"word {index + 1} is {value:g}, expected how many there are, 1 or more"
    agents, jobs = int(numbers[start]), int(numbers[start + 1])
    end = start + 2 + 2 * agents * jobs + agents
    if end > len(numbers):
        wanted = f"{end - start} for {agents} agents and {jobs} jobs"
        return -1, f"found {len(numbers) - start} numbers, expected {wanted}"
    return end, ""
