"""How methods of a gap table are written, and the tables that have a name."""

from __future__ import annotations

import argparse

import pytest
from gap_presets import PRESETS, preset, quick_columns
from gap_runs import check_methods, figure_of, instance_of
from gap_variants import Step, Variant, variant, variants, with_options

import optkit


def test_lists_of_methods() -> None:
    first, second, third = variants("acco, acco[variant=index],best_response[rule=async,starts=20]")
    assert first == Variant("acco", (Step("acco"),))
    assert second.word == "acco[variant=index]"
    assert second.steps == (Step("acco", (("variant", "index"),)),)
    assert third.steps == (Step("best_response", (("rule", "async"), ("starts", 20))),)
    assert variants("a,b,a") == variants("a,b")


def test_chains_and_figures() -> None:
    asked = variant("cg[rounds=2]+balance_dp:whole/mean_objective")
    assert asked.steps == (Step("cg", (("rounds", 2),)), Step("balance_dp"))
    assert asked.figures == ("whole", "mean_objective")
    assert variant('a[b={"c": [1, 2]}]').steps[0].options == (("b", {"c": [1, 2]}),)


@pytest.mark.parametrize(
    "word", ["", "a,", "a[", "a]", "a[b]", "[b=1]", "a:b:c", "a:", "a+", "a[]"]
)
def test_what_cannot_be_read(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        variants(word)


def test_options_of_a_call() -> None:
    asked = variants("acco,acco[cut=whole],bdo")
    given = [("acco.variant", "index"), ("acco.cut", "given"), ("bdo.draws", 3)]
    options = [dict(each.steps[0].options) for each in with_options(asked, given)]
    assert options == [
        {"variant": "index", "cut": "given"},
        {"variant": "index", "cut": "whole"},
        {"draws": 3},
    ]
    with pytest.raises(optkit.UsageError, match="ecc is not among"):
        with_options(asked, [("ecc.a", 1)])
    with pytest.raises(optkit.UsageError, match="expected METHOD"):
        with_options(asked, [("draws", 1)])


def test_the_first_figure_that_is_there_counts() -> None:
    instance = optkit.generate("channel_choice", "dense", 0, services=4, channels=2)
    bdo = optkit.solve(instance, "bdo", options={"draws": 5})
    name, value = figure_of(bdo, variant("bdo"))
    assert (name, value) == ("mean_objective", bdo.details["mean_objective"])
    # No service of this family can be sent as a whole.
    word = "bdo:whole_model_mean_objective/objective"
    assert figure_of(bdo, variant(word)) == ("objective", bdo.objective)
    assert figure_of(bdo, variant("bdo:nothing")) == ("nothing", None)
    assert figure_of(optkit.solve(instance, "elc"), variant("elc")) == ("", None)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_instances_and_methods(name: str) -> None:
    table = preset(name)
    columns = [column.with_parameters({}) for column in table.columns]
    assert len({column.label for column in columns}) == len(columns)
    firsts = [
        instance_of(table.problem, column.family, parameters, table.seeds[0])
        for column in columns
        for parameters in column.parameters
    ]
    check_methods(table.problem, table.variants(), firsts)


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(optkit.UsageError, match="dt-assignment-paper"):
        preset("dt-asignment-paper")


@pytest.mark.parametrize("problem", ["block_placement", "channel_choice", "dt_assignment"])
def test_quick_columns(problem: str) -> None:
    for column in quick_columns(problem):
        assert instance_of(problem, column.family, column.parameters[0], 0).problem == problem


def test_parameters_of_a_call_go_before_those_of_a_column() -> None:
    column = preset("dt-assignment-paper").columns[1].with_parameters({"delay_weight": 0.3})
    assert [dict(own) for own in column.parameters] == [
        {"delay_weight": 0.3, "environment": number} for number in (7, 8, 9)
    ]
