"""The instance of dt_assignment (paper 004, DDL)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from formulations.dt_assignment.objective import evaluate
from formulations.dt_assignment.schema import MATRICES, canonical, is_cloud, parse
from formulations.dt_assignment.sharing import smith_orders
from formulations.dt_assignment.tables import Tables, compile_tables, resource_names
from optkit.environment import Environment
from optkit.errors import DecisionError
from optkit.evaluation import BatchEvaluation
from optkit.instance import Instance


class TwinAssignment(Instance):
    """Each digital twin to an edge server or a cloud; x[m] is the server of twin m.

    Attributes
    ----------
    document : the checked file, see ``schema``.
    tables : every number as flat arrays, see ``tables``.
    twins, servers : M and S.
    cpu_sharing : what twins on one server do to each other, see ``sharing``; "none" where the
        whole cost is measured.
    is_cloud : [S] bool.
    resource_names : of the resources that some server limits, the rows of ``tables.demand``.
    measured_cost : whether ``pair_cost`` replaces the formulas.
    """

    problem = "dt_assignment"

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = parse(document)
        self.name = self.document.name
        self.twins, self.servers = self.document.shape
        self.tables: Tables = compile_tables(self.document)
        self.cpu_sharing: str = self.document.cpu_sharing
        self.measured_cost = self.document.pair_cost is not None
        self.resource_names = resource_names(self.document)
        self.is_cloud = is_cloud(self.document)
        self.choices = np.full(self.twins, self.servers, dtype=np.int64)
        for array in (self.is_cloud, self.choices):
            array.setflags(write=False)

    def canonical(self) -> dict[str, Any]:
        """The document with typed numbers and arrays, defaults left out."""
        return canonical(self.document)

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some top-level fields changed, as `Instance.replace` says.

        How many twins and which servers there are stays known when the matrix that tells it goes.
        """
        told = {
            name for name in MATRICES
            if changes.get(name, getattr(self.document, name)) is not None
        }  # fmt: skip
        known: dict[str, dict[str, Any]] = {}
        if not told:
            known["twins"] = {"count": self.twins}
        if told.isdisjoint(("pair_cost", "pair_transfer_s")):
            known["servers"] = {"kind": self.document.servers.kind}
        for part, fields in known.items():
            change = changes.get(part)
            if change is None or isinstance(change, Mapping):
                changes[part] = {**fields, **(change or {})}
        return super().replace(**changes)

    @cached_property
    def couplings(self) -> frozenset[str]:
        """What couples twins or forbids pairs: "limits", "sharing", "backhaul", "deadlines"."""
        tables = self.tables
        found = {
            "limits": bool(self.resource_names),
            "sharing": self.cpu_sharing != "none",
            "backhaul": bool(tables.backhaul_s_per_bit.any()),
            "deadlines": bool(np.isfinite(tables.deadline_s).any()),
        }
        return frozenset(name for name, there in found.items() if there)

    @cached_property
    def has_nulls(self) -> bool:
        """Whether measured data forbid some pair."""
        return not self.tables.allowed.all()

    @cached_property
    def integer_cost(self) -> bool:
        """Whether every decision costs a whole number."""
        cost = self.tables.cost
        return self.measured_cost and bool((cost == np.rint(cost)).all())

    @cached_property
    def open(self) -> NDArray[np.bool_]:
        """Pairs [M, S] that a feasible decision may use: allowed, and the twin alone there keeps
        its deadline, every limit and a finite cost."""
        tables = self.tables
        open_pairs = tables.allowed & np.isfinite(tables.cost)
        open_pairs &= (tables.demand <= tables.most[:, None, :]).all(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            own = (tables.devices * tables.largest_input_bits)[:, None] * tables.backhaul_s_per_bit
            if tables.delay_factor > 0:
                open_pairs &= np.isfinite(tables.delay_factor * tables.weight[:, None] * own)
        if "deadlines" in self.couplings:
            latency = np.maximum(tables.transfer_s, own) + tables.compute_s
            open_pairs &= latency <= tables.latest_s[:, None]
        open_pairs.setflags(write=False)
        return open_pairs

    @property
    def open_cost(self) -> NDArray[np.float64]:
        """Cost [M, S] of every pair alone, infinite where it is not open; a new array."""
        return np.where(self.open, self.tables.cost, np.inf)

    @cached_property
    def orders(self) -> NDArray[np.int64]:
        """Twins as "wspt" serves them: [S, M], or [1, M] where all servers agree."""
        if self.cpu_sharing != "wspt":
            return np.zeros((1, self.twins), dtype=np.int64)
        return smith_orders(self.tables)

    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        """Judge decisions X [B, M]: the objective is Eq. 17, or the sum of measured costs."""
        if parts:
            raise DecisionError(f"dt_assignment has no part {next(iter(parts))!r}")
        return evaluate(self, self.check_decisions(decisions))

    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        """``server``: the server of each twin."""
        return {"server": self.check_decision(x)}

    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """The vector x of a ``server``."""
        if set(decision) != {"server"}:
            raise DecisionError("expected a decision with the one array 'server'")
        return self.check_decision(decision["server"]), {}

    def environment(self) -> Environment[Any]:
        """Twins placed one by one, the heaviest first."""
        from formulations.dt_assignment.environment import TwinEnvironment

        return TwinEnvironment(self)
