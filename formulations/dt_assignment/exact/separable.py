"""Exact method where nothing couples twins: the cheapest server of each (paper 004 as printed)."""

from __future__ import annotations

from formulations.dt_assignment.exact.pairs import begin
from formulations.dt_assignment.instance import TwinAssignment
from optkit.run import Run


def applies(instance: TwinAssignment) -> str | None:
    """None where nothing but deadlines is asked, which then only forbid pairs."""
    coupling = sorted(instance.couplings - {"deadlines"})
    return f"twins are coupled by {', '.join(coupling)}" if coupling else None


def argmin(instance: TwinAssignment, run: Run) -> None:
    """Give every twin its cheapest server: Eq. 17 is a sum over twins."""
    run.built()
    begin(instance, run)
