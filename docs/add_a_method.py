"""How to add a method: first as a function of your own, then as a method with a name and options.

    python docs/add_a_method.py

A method never computes the objective. It proposes decisions; the instance's one evaluator judges
them, so that your method and every other one are compared on exactly the same terms, limits
included.
"""

from __future__ import annotations

import numpy as np

import optkit
from formulations.block_placement.instance import BlockPlacement
from optkit.result import relative_gap

# --- 1. A function of your own -------------------------------------------------------------------
#
# Any function (instance, run) will do. `run.found` judges a decision and keeps it if it is the best
# so far; a feasible decision goes before an infeasible one. `run.steps` ends the loop at a limit,
# at Ctrl-C or once the incumbent is proved, so the function can be stopped at any time.
#
# This one moves whole tasks. In block_placement x lists the blocks of task 0, then of task 1 and so
# on; 0 is the task's own device and n is edge server n. `evaluate_batch` judges all locations of
# one task at once, whatever couples it to the others: load, energy, storage, deadlines.


def whole_tasks(instance: BlockPlacement, run: optkit.Run) -> None:
    """Each task in turn, as a whole, to the location that makes the whole plan best."""
    x = np.zeros(len(instance.choices), dtype=np.int64)  # everything on its device
    for task in run.steps(range(instance.tasks)):
        blocks = slice(instance.starts[task], instance.starts[task] + instance.lengths[task])
        trials = np.repeat(x[None], instance.servers + 1, axis=0)
        trials[:, blocks] = np.arange(instance.servers + 1)[:, None]
        x = trials[instance.evaluate_batch(trials).best(instance.sense)]
        run.found(x)


# --- 2. A method with a name ---------------------------------------------------------------------
#
# Keyword arguments become options: `solve(..., options={"sweeps": 5})` and `-o sweeps=5` are
# checked against the names and types here, and a wrong one is refused with a suggestion.
# Random numbers come from `run.rng` and nowhere else, so that a seed repeats a run. The warm start
# of the user, if any, is the incumbent already; `run.x` is where to go on from.


def head_and_tail(instance: BlockPlacement, run: optkit.Run, *, sweeps: int = 3) -> None:
    """Give each task its best head and tail, in random order, a few times over.

    Parameters
    ----------
    instance : what is solved.
    run : where decisions go; one iteration a task.
    sweeps : how often every task is looked at.
    """
    if run.x is None:
        whole_tasks(instance, run)
    x = np.zeros(len(instance.choices), dtype=np.int64) if run.x is None else run.x.copy()
    visits = (task for _ in range(sweeps) for task in run.rng.permutation(instance.tasks))
    for task in run.steps(visits):
        trials = [x]
        for cut in range(instance.lengths[task]):  # blocks before the cut at a, the others at b
            for a, b in np.ndindex(instance.servers + 1, instance.servers + 1):
                trial, first = x.copy(), instance.starts[task]
                trial[first : first + cut] = a
                trial[first + cut : first + instance.lengths[task]] = b
                trials.append(trial)
        x = trials[instance.evaluate_batch(np.array(trials)).best(instance.sense)]
        run.found(x)
    run.note(order="random")  # a fact for the `details` of the result


# `applies` says in advance for which instances the method is no good, in words for the user.
def small_enough(instance: BlockPlacement) -> str | None:
    """None, or why not."""
    if instance.tasks > 2_000:
        return f"{instance.tasks} tasks, each move judges the whole plan: at most 2,000"
    return None


HEAD_AND_TAIL = optkit.Method(
    "head_and_tail",
    head_and_tail,  # in a package: the dotted name "my_package.my_module:head_and_tail"
    "heuristic",
    "each task onto its best path with at most one change, judged by the evaluator",
    applies=small_enough,
)

# To be offered by name, on the command line and in `optkit.methods("block_placement")`, a method
# stands in the `methods` of its problem: `formulations/block_placement/__init__.py`. A method that
# proves bounds says `proves_bound=True` there, and `kind="exact"` if it can close the gap.

# --- 3. How good is it? --------------------------------------------------------------------------


def main() -> None:
    instance = optkit.generate("block_placement", "small", seed=1)
    exact = optkit.solve(instance)  # "auto": the first exact method that applies
    assert exact.bound is not None
    print(f"{exact.method:16s} {exact.objective:.6f} s  {exact.status.value}")
    for method in ("marginal_greedy", whole_tasks, HEAD_AND_TAIL):
        result = optkit.solve(instance, method, seed=0)
        assert optkit.check(instance, result).ok and result.objective is not None
        gap = relative_gap(result.objective, exact.bound)
        print(f"{result.method:16s} {result.objective:.6f} s  gap {100 * gap:.3f} %")

    # The same method again: with an option, with a limit, and from another method's decision.
    once = optkit.solve(instance, HEAD_AND_TAIL, options={"sweeps": 1})
    short = optkit.solve(instance, HEAD_AND_TAIL, stop=optkit.Stop(iterations=5))
    greedy = optkit.solve(instance, "marginal_greedy")
    warm = optkit.solve(instance, HEAD_AND_TAIL, warm_start=greedy)
    print(f"options {dict(once.options)}, stopped by {short.reason.value}")
    print("never worse than its start:", (warm.objective or 0.0) <= (greedy.objective or 0.0))
    large = optkit.generate("block_placement", "paper", slots=40)
    for wrong, options in ((instance, {"sweep": 1}), (large, {})):
        try:
            optkit.solve(wrong, HEAD_AND_TAIL, options=options)
        except (optkit.UsageError, optkit.MethodUnavailable) as error:
            print(error)


if __name__ == "__main__":
    main()
