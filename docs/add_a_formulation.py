"""How to add a problem: everything that optkit needs of one, in a single file that runs.

    python docs/add_a_formulation.py

The problem. One edge server offers its processor and its memory to K services that now run on
their own devices. Service k takes ``local_s[k]`` at home. Offloaded, it takes ``upload_s[k]`` plus
``cycles[k] / (share[k] * speed_hz)``, with a share of the processor that is ours to give. Shares
add up to at most 1, and what is offloaded must fit into ``memory_bytes``. Maximise the seconds
saved.

A decision is therefore a vector x of zeros and ones, and beside it a *part*: the shares, which x
does not fix. Read from top to bottom; a real problem has one file for each section.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

import optkit
from optkit.errors import DecisionError, InstanceError
from optkit.fields import NonNegative, Positive, array, convert
from optkit.registry import GENERIC
from optkit.result import relative_gap

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# --- 1. The file ---------------------------------------------------------------------------------
#
# A schema says which fields a file has. `convert` checks it and names the field that is wrong;
# `array` does the same for lists of numbers. Fields carry their unit in their name.


class Server(msgspec.Struct, forbid_unknown_fields=True):
    speed_hz: Positive
    memory_bytes: NonNegative


class Services(msgspec.Struct, forbid_unknown_fields=True):
    local_s: Any
    upload_s: Any
    cycles: Any
    memory_bytes: Any


class Document(msgspec.Struct, forbid_unknown_fields=True):
    problem: Literal["service_offloading"]
    version: Literal[1]
    server: Server
    services: Services
    name: str = ""


# --- 2. The instance -----------------------------------------------------------------------------
#
# One class, frozen after __init__, with one evaluator that judges whole batches of decisions.
# Nothing else in the world computes the objective: not a solver, not a method.


class ServiceOffloading(optkit.Instance):
    """Which services to offload to one server, and which share of it each of them gets."""

    problem = "service_offloading"
    sense = "maximise"
    unit = "s"
    parts = ("share",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        parsed = convert(document, Document)
        given, size = parsed.services, len(np.atleast_1d(parsed.services.local_s))
        if size == 0:  # a check of our own: what was found, what was expected, and the field
            message = "found an empty list, expected at least one service"
            raise InstanceError(message, "services.local_s")
        self.name = parsed.name
        self.server = parsed.server
        self.local_s: Floats = array(given.local_s, "services.local_s", (size,))
        self.upload_s: Floats = array(given.upload_s, "services.upload_s", (size,))
        self.cycles: Floats = array(given.cycles, "services.cycles", (size,), exclusive=True)
        self.memory_bytes: Floats = array(given.memory_bytes, "services.memory_bytes", (size,))
        self.choices = np.full(size, 2)  # stay (0) or go (1): two options at each position of x

    def canonical(self) -> dict[str, Any]:
        """The document again, typed and without defaults: what is saved, and what is hashed."""
        names = ("local_s", "upload_s", "cycles", "memory_bytes")
        document: dict[str, Any] = {
            "problem": self.problem,
            "version": 1,
            "server": {
                "speed_hz": self.server.speed_hz,
                "memory_bytes": self.server.memory_bytes,
            },
            "services": {name: getattr(self, name) for name in names},
        }
        return document | ({"name": self.name} if self.name else {})

    def best_share(self, decisions: Ints) -> Floats:
        """The shares [B, K] that are best for x [B, K]: in proportion to the roots of cycles."""
        roots = np.sqrt(self.cycles) * decisions
        shares: Floats = roots / np.maximum(roots.sum(axis=1, keepdims=True), 1e-300)
        return shares

    def evaluate_batch(self, decisions: Ints, **parts: Any) -> optkit.BatchEvaluation:
        """Judge x [B, K] with the shares given, or else with the best ones."""
        share = parts.pop("share", None)
        if parts:
            raise DecisionError(f"service_offloading has no part {next(iter(parts))!r}")
        decisions = self.check_decisions(decisions)
        share = self.best_share(decisions) if share is None else np.asarray(share, dtype=float)
        if share.shape != decisions.shape or not (share >= 0).all():
            raise DecisionError("share: expected one number >= 0 for each service")
        away = decisions > 0
        speed = np.where(away, share * self.server.speed_hz, 1.0)
        compute_s = np.where(away, np.inf, 0.0)  # a service without a share never ends
        np.divide(self.cycles, speed, where=away & (speed > 0), out=compute_s)
        terms = {
            "local_s": decisions @ self.local_s,
            "upload_s": decisions @ self.upload_s,
            "compute_s": compute_s.sum(axis=1),
        }
        stored = decisions @ self.memory_bytes
        given = np.where(away, share, 0.0).sum(axis=1)
        return optkit.BatchEvaluation(
            objective=terms["local_s"] - terms["upload_s"] - terms["compute_s"],
            scale=terms["local_s"] + terms["upload_s"] + terms["compute_s"],
            terms=terms,
            violations={  # amounts beyond a limit, 0 where it is kept
                "memory": _excess(stored, self.server.memory_bytes),
                "share": _excess(given, 1.0),
            },
        )

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        """The readable form, as result files hold it."""
        offload = self.check_decision(x)
        share = parts.get("share", self.best_share(offload[None])[0])
        return {"offload": offload, "share": np.asarray(share, dtype=float)}

    def from_decision(self, decision: Mapping[str, Any]) -> tuple[Ints, dict[str, Any]]:
        """Back from the readable form."""
        if set(decision) != {"offload", "share"}:
            raise DecisionError("expected a decision with the arrays 'offload' and 'share'")
        share = np.asarray(decision["share"], dtype=float)
        return self.check_decision(decision["offload"]), {"share": share}

    # Optional: what generic methods walk. They choose x, and `decode` completes it with the part.
    # The space is exact, since the best shares belong to every optimum; so `enumerate` proves.
    @property
    def space(self) -> optkit.Space:
        """All x, each with its best shares."""
        return optkit.Space(self.choices, lambda x: (x, {"share": self.best_share(x)}), exact=True)


def _excess(amount: Floats, limit: float) -> Floats:
    return np.where(amount > limit * (1 + 1e-9), amount - limit, 0.0)


# --- 3. A generator ------------------------------------------------------------------------------


def generate(family: str, seed: int, services: int = 14) -> dict[str, Any]:
    """A document of a family; the same arguments give the same one."""
    rng = np.random.default_rng(seed)
    return {
        "problem": "service_offloading",
        "version": 1,
        "name": f"{family}-{seed}",
        "server": {"speed_hz": 1e10, "memory_bytes": 4e8 * services / 10},
        "services": {
            "local_s": rng.uniform(0.2, 1.0, services),
            "upload_s": rng.uniform(0.01, 0.1, services),
            "cycles": rng.uniform(2e7, 1e9, services),
            "memory_bytes": rng.uniform(1e7, 1e8, services),
        },
    }


# --- 4. An exact method --------------------------------------------------------------------------
#
# A method is a function (instance, run, **options) -> None. It hands decisions to `run.found` and
# bounds to `run.bound`; the clock, the interrupt, the trace and the judgement are the run's.
#
# With the best shares the objective is G - A^2, where G adds up g_k = local_s - upload_s over the
# services that go, and A adds up a_k = sqrt(cycles / speed_hz). At a price y per unit of A, every
# choice of the services left open is worth at most
#
#     sum_k max(0, g_k - y a_k)  +  max over A >= A0 of (y (A - A0) - A^2),
#
# which is a number in closed form. It holds for *every* y >= 0: no bound rests on a tolerance.


def branch(instance: ServiceOffloading, run: optkit.Run) -> None:
    """Best-first branch and bound over the services, bounded by prices."""
    gain = instance.local_s - instance.upload_s
    load = np.sqrt(instance.cycles / instance.server.speed_hz)
    order = np.argsort(-gain / load)
    gain, load, size = gain[order], load[order], instance.memory_bytes[order]
    prices = np.append(np.linspace(0.0, 2.0 * load.sum(), 200), np.maximum(gain / load, 0.0))
    worth = np.maximum(0.0, gain[:, None] - prices * load[:, None])
    open_worth = np.vstack([np.cumsum(worth[::-1], axis=0)[::-1], np.zeros_like(prices)])

    def bound(depth: int, gained: float, loaded: float) -> float:
        steep = prices > 2.0 * loaded
        rest = np.where(steep, prices**2 / 4.0 - prices * loaded, -(loaded**2))
        return float((gained + open_worth[depth] + rest).min())

    run.built()
    nodes: list[tuple[float, tuple[int, ...]]] = [(-bound(0, 0.0, 0.0), ())]
    for _ in run.steps():  # ends at a limit, at Ctrl-C, or once the incumbent is proved
        if not nodes:
            break
        least, chosen = heapq.heappop(nodes)
        run.bound(-least)  # of all that is open, nothing is better
        taken = np.array(chosen, dtype=np.int64)
        x = np.zeros(len(gain), dtype=np.int64)
        x[order[: len(taken)]] = taken
        run.found(x, share=instance.best_share(x[None])[0])
        depth = len(taken)
        for option in (0, 1) if depth < len(gain) else ():
            here = np.append(taken, option)
            if here @ size[: depth + 1] <= instance.server.memory_bytes:
                gained, loaded = here @ gain[: depth + 1], here @ load[: depth + 1]
                value = bound(depth + 1, float(gained), float(loaded))
                heapq.heappush(nodes, (-value, (*chosen, option)))


# --- 5. A heuristic ------------------------------------------------------------------------------


def equal_share(instance: ServiceOffloading, run: optkit.Run) -> None:
    """Offload in order of seconds gained, as long as it helps; everyone gets the same share."""
    x = np.zeros(len(instance.choices), dtype=np.int64)
    best = run.found(x, share=np.zeros(len(x)))
    for k in np.argsort(instance.upload_s - instance.local_s):
        trial = x.copy()
        trial[k] = 1
        found = run.found(trial, share=trial / trial.sum())
        if found.feasible and found.objective > best.objective:
            x, best = trial, found


# --- 6. The description --------------------------------------------------------------------------
#
# All by dotted name, so that nothing is imported before it is used. A package of yours registers
# it in its pyproject.toml, and optkit finds it once the package is installed:
#
#     [project.entry-points."optkit.problems"]
#     service_offloading = "service_offloading:PROBLEM"
#
# From then on `optkit generate service_offloading random`, `optkit solve`, `optkit check` and
# `optkit.load` know the problem. The order of the methods is the one in which "auto" tries the
# exact ones.

PROBLEM = optkit.Problem(
    name="service_offloading",
    instance=f"{__name__}:ServiceOffloading",
    generate=f"{__name__}:generate",
    families={"random": "services drawn uniformly, memory for most of them"},
    methods=(
        optkit.Method(
            "branch",
            f"{__name__}:branch",
            "exact",
            "branch and bound over the services with priced bounds",
            proves_bound=True,  # without it, run.bound raises
        ),
        optkit.Method("equal_share", f"{__name__}:equal_share", "heuristic", "equal shares"),
    ),
    summary="services to one server with shares of its processor",
)

# --- 7. Use --------------------------------------------------------------------------------------
#
# Without an entry point `solve` takes a Method instead of a name: one of the problem's, one of
# the generic ones, or a plain function.


def main() -> None:
    instance = ServiceOffloading(generate("random", seed=3))
    generic = {method.name: method for method in GENERIC}
    methods = [generic["enumerate"], generic["local_search"], *PROBLEM.methods]
    results = {method.name: optkit.solve(instance, method) for method in methods}
    bound = results["branch"].bound
    for name, result in results.items():
        gap = relative_gap(result.objective or 0.0, bound or 0.0)
        print(f"{name:12s} {result.objective:.6f} s  gap {100 * gap:.3f} %  {result.status.value}")
    report = optkit.check(instance, results["branch"])
    print("check:", "ok" if report.ok else "; ".join(report.problems))


if __name__ == "__main__":
    main()
