"""References, gaps and cells, on runs that are made up."""

from __future__ import annotations

from typing import Any

import pytest
from gap_runs import GapRun
from gap_tables import GapTable, gain_share_of, gap_of, reference_of, spread


def run(method: str, objective: float | None = None, **changes: Any) -> GapRun:
    facts: dict[str, Any] = {
        "column": "f", "family": "f", "seed": 0, "used": method, "instance": "i",
        "instance_digest": "d", "sense": "minimise", "origin": 0.0, "status": "feasible",
        "seconds": 1.0, "feasible": objective is not None,
    }  # fmt: skip
    return GapRun(method=method, objective=objective, **(facts | changes))


def test_the_reference_is_the_optimum_where_it_is_proved() -> None:
    exact = run("auto", 10.0, bound=9.99999, status="optimal")
    # A heuristic may be below the proving run by its tolerance: no gap is negative.
    reference = reference_of([exact, run("lucky", 9.999995, tolerance=1e-5)])
    assert (reference.value, reference.proven) == (9.999995, True)
    assert gap_of(exact, reference) == pytest.approx(5e-7, rel=1e-3)


def test_the_reference_is_the_best_bound_otherwise() -> None:
    runs = [run("auto", 10.0, bound=8.0), run("other", 11.0, bound=9.0)]
    reference = reference_of(runs)
    assert (reference.value, reference.proven) == (9.0, False)
    assert gap_of(runs[1], reference) == pytest.approx(2 / 9)


def test_gaps_of_a_maximisation_and_around_zero() -> None:
    best = run("auto", 10.0, bound=10.0, status="optimal", sense="maximise", origin=2.0)
    worse = run("greedy", 8.0, sense="maximise", origin=2.0)
    reference = reference_of([best, worse])
    assert gap_of(worse, reference) == pytest.approx(0.2)
    assert gain_share_of(worse, reference) == pytest.approx(0.25)
    negative = reference_of([run("auto", -10.0, status="optimal", bound=-10.0)])
    assert gap_of(run("greedy", -8.0), negative) == pytest.approx(0.2)
    zero = reference_of([run("auto", 0.0, status="optimal", bound=0.0)])
    assert gap_of(run("auto", 0.0), zero) == 0.0
    assert gap_of(run("greedy", 1.0), zero) == float("inf")


def test_figures_count_instead_of_objectives() -> None:
    """A mean over draws is shown, but neither it nor what broke a row is what others meet."""
    facts = {"sense": "maximise", "origin": 2.0}
    best = run("auto", 10.0, bound=10.0, status="optimal", **facts)
    mean = run("bdo", 9.0, figure=6.0, figure_name="mean_objective", **facts)
    belief = run("ecc", 1.0, figure=12.0, figure_name="believed", feasible=False, **facts)
    nothing = run("mtto", 9.0, figure_name="shares_objective", **facts)
    reference = reference_of([best, mean, belief, nothing])
    assert (reference.value, reference.contradictions) == (10.0, ())
    assert gap_of(mean, reference) == pytest.approx(0.4)
    assert gain_share_of(mean, reference) == pytest.approx(0.5)
    assert gain_share_of(belief, reference) == pytest.approx(-0.25)
    assert gap_of(nothing, reference) is None
    table = GapTable([best, mean, belief, nothing], ["f"], ["auto", "bdo", "ecc", "mtto"])
    titles, rows = table.cells("gain")
    assert titles == ["method", "f: gain share"]
    assert [row[1] for row in rows] == ["0 %, 1 s", "50 %, 1 s", "-25 %, feasible 0/1, 1 s", "1 s"]
    assert "bdo: o is its detail mean_objective, even of infeasible decisions" in table.notes()
    assert table.cells("gap")[0] == ["method", "f"] and len(table.cells()[0]) == 3


def test_ends_of_games_are_told() -> None:
    runs = [
        run("auto", 10.0, bound=10.0, status="optimal"),
        run("game", 11.0, equilibrium=True, largest_gain=0.0),
        run("game", 12.0, seed=1, equilibrium=False, largest_gain=0.25),
        run("game", 12.0, column="g", equilibrium=True, largest_gain=0.0),
        run("game", 12.0, seed=2),  # a limit left it open
    ]
    notes = GapTable(runs, ["f", "g"], ["auto", "game"]).notes()
    assert (
        "game ends in an equilibrium: f 1/3 (a player could gain 0.25 alone, 1 not checked), g 1/1"
    ) in notes


def test_instances_of_one_column_have_their_own_references() -> None:
    runs = [
        run("auto", value, bound=value, status="optimal", parameters=f"environment={value}")
        for value in (1.0, 2.0)
    ]
    runs.append(run("greedy", 3.0, parameters="environment=2.0"))
    table = GapTable(runs, ["f"], ["auto", "greedy"])
    assert table.contradictions == [] and len(table.references) == 2
    assert table.cells()[1][1] == ["greedy", "50 %, 1 s"]


def test_nothing_is_invented() -> None:
    lone = run("greedy", 3.0)
    assert gap_of(lone, reference_of([lone])) is None
    broken = run("greedy", 3.0, feasible=False, status="unknown")
    assert gap_of(broken, reference_of([broken, run("auto", 4.0, bound=4.0)])) is None
    assert gain_share_of(lone, reference_of([run("auto", 3.0, bound=3.0)])) is None


@pytest.mark.parametrize(
    "runs",
    [
        [run("auto", 10.0, bound=10.0, status="optimal"), run("greedy", 9.0, tolerance=1e-5)],
        [run("auto", status="infeasible"), run("greedy", 9.0)],
    ],
)
def test_contradictions_are_told(runs: list[GapRun]) -> None:
    table = GapTable(runs, ["f"], ["auto", "greedy"])
    assert len(table.contradictions) == 1


def test_cells() -> None:
    runs = [
        run("auto", 10.0, bound=10.0, status="optimal", used="dp"),
        run("greedy", 11.0),
        run("auto", 10.0, bound=7.5, seed=1, used="dp"),
        run("greedy", status="unknown", seed=1),
        run("auto", status="infeasible", seed=2, used="dp"),
        run("greedy", status="unknown", seed=2),
        run("mip", status="unavailable", note="too big", seconds=None),
    ]
    table = GapTable(runs, ["f"], ["auto", "greedy", "mip"])
    titles, rows = table.cells()
    assert titles == ["method", "f"]
    assert rows == [
        ["auto", "≤ 17 ± 24 %, 1 s"],
        ["greedy", "10 %, feasible 1/2, 1 s"],
        ["mip", "does not apply"],
    ]
    assert table.notes() == [
        "f: 3 instances, optimum proven on 1/2, 1 proven infeasible and left out; auto is dp",
        "mip on f: too big",
    ]
    assert table.contradictions == []
    records = table.records("p")
    assert [record["gap"] for record in records[:2]] == [0.0, pytest.approx(0.1)]
    assert records[-1]["objective"] is None and records[-1]["problem"] == "p"


def test_spread() -> None:
    assert spread([0.0, 0.0]) == "0 %"
    assert spread([0.5]) == "50 %"
    assert spread([0.0123, 0.0127]) == "1.2 ± 0.0 %"
    assert spread([float("inf"), 1.0]) == "infinite"
