"""Instances: one digest for one content, frozen, judged alike one by one and in batches."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from core_toys import STORED, TWO_BLOCKS, Costs, costs, shop

from formulations.block_placement.instance import BlockPlacement
from optkit import DecisionError, Instance, InstanceError, generate, load

TINY = [generate("block_placement", "tiny", seed) for seed in range(12)]


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document that is no list or object."""
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*way, key))
    else:
        yield way


def at(document: Any, way: tuple[Any, ...]) -> Any:
    for step in way:
        document = document[step]
    return document


def mapped(document: Any, change: Any) -> Any:
    if isinstance(document, dict):
        return {key: mapped(value, change) for key, value in document.items()}
    if isinstance(document, list):
        return [mapped(value, change) for value in document]
    return change(document)


# --- digest --------------------------------------------------------------------------------------


def test_the_digest_is_that_of_the_content(two_blocks: Instance) -> None:
    def reverse(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reverse(value[key]) for key in reversed(value)}
        return [reverse(item) for item in value] if isinstance(value, list) else value

    def whole(value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value

    floats = {"slot_s", "speed_hz", "cycles", "output_bits", "param_bytes", "energy_budget_j"}

    def real(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: real(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [real(inner, key) for inner in value]
        return float(value) if key in floats and value is not None else value

    for same in (reverse(TWO_BLOCKS), mapped(TWO_BLOCKS, whole), real(TWO_BLOCKS)):
        assert load(same).digest == two_blocks.digest
    arrays = copy.deepcopy(TWO_BLOCKS)
    arrays["devices"]["speed_hz"] = np.array([1_000_000_000])
    arrays["tasks"]["uplink_rate_bps"] = np.array([[12e6, 8e6], [6.4e6, 16e6]], order="F")
    assert load(arrays).digest == two_blocks.digest


def test_documents_made_in_memory_may_hold_numpy_scalars_and_rows(two_blocks: Instance) -> None:
    made = copy.deepcopy(TWO_BLOCKS)
    made["slot_s"] = np.float64(1)
    made["wired_rate_bps"] = np.int64(10**9)
    made["devices"]["speed_hz"] = [np.int32(10**9)]
    made["models"][0]["blocks"][0]["cycles"] = np.array(2e8)
    made["tasks"]["model"] = list(np.array([0, 0]))
    made["tasks"]["uplink_rate_bps"] = list(np.array([[12e6, 8e6], [6.4e6, 16e6]]))
    assert load(made) == two_blocks
    assert two_blocks.replace(slot_s=np.float32(1)) == two_blocks
    for wrong in (np.array([0.0, 0.0]), np.array([False, False])):
        with pytest.raises(InstanceError, match=r"tasks\.model\[0\]: found (0.0|false), expected"):
            load(made | {"tasks": made["tasks"] | {"model": list(wrong)}})


def test_a_default_may_be_given_or_left_out(two_blocks: Instance) -> None:
    given = copy.deepcopy(TWO_BLOCKS)
    given["options"] |= {
        "return_transfer": True,
        "energy_transfer": "uplink",
        "penalty_weight": 1,
        "deadline_scope": "block",
        "congestion_slope": 1.0,
        "result_bits": -0.0,
    }
    given["devices"]["cycles_per_slot"] = [None]
    given["tasks"]["scale"] = None
    assert load(given).digest == two_blocks.digest
    without = copy.deepcopy(TWO_BLOCKS)
    del without["options"]["deadline"]  # "hard"
    assert load(without).digest == two_blocks.digest


def test_the_digest_changes_with_every_value(two_blocks: Instance) -> None:
    seen = {two_blocks.digest}
    texts = {"hard": "off", "ps": "linear", "horizon": "slot", "toy": "toys", "two_blocks": "x"}
    for count, way in enumerate(leaves(TWO_BLOCKS), 1):
        document = copy.deepcopy(TWO_BLOCKS)
        value = at(document, way)
        if way[0] in ("problem", "version") or way[:2] in (("tasks", "model"), ("tasks", "device")):
            seen.add(f"the only value there can be: {count}")
            continue
        new = texts[value] if isinstance(value, str) else 7 if not value else value * (1 + 1e-15)
        if way[:2] == ("tasks", "slot"):
            new = value + 1
        at(document, way[:-1])[way[-1]] = new
        seen.add(load(document).digest)
        assert len(seen) == count + 1, way


def test_the_digest_of_a_copy_is_its_own(two_blocks: Instance) -> None:
    before = two_blocks.digest
    assert two_blocks.replace(slot_s=2.0).digest != before
    assert two_blocks.replace(slot_s=2.0).replace(slot_s=1).digest == before


def test_numbers_are_not_texts_and_rows_are_not_columns() -> None:
    digests = {
        costs(cost=cost, name=name).digest
        for cost in ([[1, 2, 3]], [[1], [2], [3]], [[12, 3]], [[1, 23]])
        for name in ("", "1", "[1, 2, 3]")
    }
    assert len(digests) == 12
    assert costs(cost=[[1, 2]]).digest == costs(cost=[[1.0, 2.0]]).digest
    assert costs(cost=[[0.0]]).digest == costs(cost=[[-0.0]]).digest
    assert costs(limit=0.0).digest == costs(limit=-0.0).digest


def test_the_digest_does_not_depend_on_how_a_class_orders_its_document() -> None:
    class Reversed(Costs):
        def canonical(self) -> dict[str, Any]:
            return dict(reversed(super().canonical().items()))

    assert Reversed(costs().to_dict()).digest == costs().digest


# --- equality, round trip ------------------------------------------------------------------------


def test_equal_content_is_equal(two_blocks: Instance) -> None:
    twin, other = load(TWO_BLOCKS), two_blocks.replace(name="other")
    assert twin == two_blocks
    assert hash(twin) == hash(two_blocks)
    assert other != two_blocks
    assert two_blocks != TWO_BLOCKS
    assert len({twin, two_blocks, other}) == 2


@pytest.mark.parametrize("instance", TINY, ids=lambda instance: instance.name)
def test_an_instance_survives_the_disk(instance: Instance, tmp_path: Path) -> None:
    instance.save(tmp_path / "some.json")
    for read in (load(tmp_path / "some.json"), BlockPlacement.from_file(tmp_path / "some.json")):
        assert read == instance
        assert read.to_dict() == instance.to_dict()
    assert load(instance.to_dict()) == instance
    assert load(json.loads(json.dumps(instance.to_dict()))) == instance


def test_the_document_is_plain_and_ones_own(two_blocks: Instance) -> None:
    document = two_blocks.to_dict()
    assert document["problem"] == "block_placement"
    assert document["servers"]["cycles_per_slot"] == [None, 5e9]
    document["servers"]["speed_hz"][0] = 1.0
    document["options"].clear()
    assert two_blocks.to_dict()["servers"]["speed_hz"][0] == 8e9
    assert two_blocks == load(TWO_BLOCKS)


def test_a_changed_document_changes_no_instance() -> None:
    document = copy.deepcopy(TWO_BLOCKS)
    document["devices"]["speed_hz"] = speed = np.array([1e9])
    instance = load(document)
    speed[0] = 5.0
    document["options"]["congestion"] = "none"
    assert instance == load(TWO_BLOCKS)
    assert instance.evaluate([0, 0, 0, 0]).objective == pytest.approx(0.6)


# --- frozen --------------------------------------------------------------------------------------


def arrays(value: Any, seen: set[int]) -> Iterator[np.ndarray]:
    if id(value) in seen or isinstance(value, (str, int, float, type(None))):
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays(item, seen)
    elif isinstance(value, dict):
        yield from arrays(list(value.values()), seen)
    elif hasattr(value, "__struct_fields__"):
        yield from arrays([getattr(value, name) for name in value.__struct_fields__], seen)
    elif hasattr(value, "__dict__"):
        yield from arrays(list(vars(value).values()), seen)


@pytest.mark.parametrize("instance", TINY[:6], ids=lambda instance: instance.name)
def test_nothing_can_be_written_into_an_instance(instance: Instance) -> None:
    before = instance.digest
    found = list(arrays(instance, set()))
    assert len(found) > 10
    for array in found:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert instance.choices.flags.writeable is False
    instance.__dict__.pop("_digest")
    assert instance.digest == before


# --- replace -------------------------------------------------------------------------------------


def test_replace_merges_and_leaves_the_original(two_blocks: Instance) -> None:
    changed = two_blocks.replace(options={"congestion": "none"}, name="free")
    assert changed.to_dict()["options"] == {"storage_scope": "horizon"}
    assert changed.name == "free"
    assert type(changed) is type(two_blocks)
    assert two_blocks == load(TWO_BLOCKS)
    assert changed.evaluate([1] * 4).objective < two_blocks.evaluate([1] * 4).objective


def test_replace_removes_what_is_none(two_blocks: Instance) -> None:
    changed = two_blocks.replace(servers={"storage_bytes": None}, options=None)
    assert "storage_bytes" not in changed.to_dict()["servers"]
    assert "options" not in changed.to_dict()
    assert changed.to_dict()["servers"]["cycles_per_slot"] == [None, 5e9]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slot_s": -1}, "slot_s"),
        ({"slot_s": None}, "slot_s"),
        ({"servers": {"speed_hz": [8e9]}}, "servers.cycles_per_slot"),
        ({"options": {"congestion": "much"}}, "options.congestion"),
        ({"option": {"congestion": "ps"}}, "option"),
    ],
    ids=str,
)
def test_replace_checks_what_it_makes(two_blocks: Instance, changes: Any, field: str) -> None:
    with pytest.raises(InstanceError) as caught:
        two_blocks.replace(**changes)
    assert caught.value.field == field


# --- evaluation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", [load(STORED), *TINY], ids=lambda instance: instance.name)
def test_one_decision_is_judged_as_in_a_batch(instance: Instance) -> None:
    rng = np.random.default_rng(0)
    decisions = rng.integers(0, instance.choices, (20, len(instance.choices)))
    batch = instance.evaluate_batch(decisions)
    assert len(batch) == 20
    for row, x in enumerate(decisions):
        one, of_batch = instance.evaluate(x), batch[row]
        assert (one.objective, one.scale) == (of_batch.objective, of_batch.scale)
        for kind in ("terms", "violations"):
            ours, theirs = getattr(one, kind), getattr(of_batch, kind)
            assert list(ours) == list(theirs)
            for name, value in ours.items():
                assert np.array_equal(value, theirs[name]), name
        assert one.feasible == batch.feasible[row]


def test_parts_of_one_decision_are_a_row_of_a_batch() -> None:
    instance, price = shop(), np.array([[1.0, 2.0, 9.0], [3.0, 4.0, 5.0]])
    x = np.array([[1, 0, 1], [1, 1, 1]])
    batch = instance.evaluate_batch(x, price=price)
    for row in range(2):
        one = instance.evaluate(x[row].tolist(), price=price[row].tolist())
        assert one.objective == batch.objective[row] == [10, 12][row]
        assert one.violations["too_dear"].tolist() == batch.violations["too_dear"][row].tolist()
    assert batch.feasible.tolist() == [False, True]


def test_the_origin_is_what_doing_nothing_costs(two_blocks: Instance) -> None:
    assert costs().origin == 14
    assert two_blocks.origin == two_blocks.replace(name="x").origin


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([0, 0, 0], "the decision has 3 entries, expected 4 integers"),
        ([0] * 5, "the decision has 5 entries, expected 4 integers"),
        ([], "the decision has 0 entries, expected 4 integers"),
        (0, "the decision has no entries, expected 4 integers"),
        (None, "the decision has no entries, expected 4 integers"),
        ([[0, 0, 0, 0]], "the decision has 1x4 entries, expected 4 integers"),
        ([0, [0], 0, 0], "the decision is not a flat list of integers"),
        ([0, 0, 0, 3], "x[3] is 3, expected an integer from 0 to 2"),
        ([0, -1, 0, 0], "x[1] is -1, expected an integer from 0 to 2"),
        (np.array([0, 0, 2**64 - 1, 0], dtype=np.uint64), "x[2] is 18446744073709551615, expected"),
        ([0.0, 0, 0, 0], "the decision holds float64 values, expected integers"),
        ([0, 0, 0.5, 0], "the decision holds float64 values, expected integers"),
        ([True, False, True, True], "the decision holds bool values, expected integers"),
        (["0", "1", "2", "0"], "values, expected integers"),
        ([0, None, 0, 0], "the decision holds object values, expected integers"),
        ([0, 10**30, 0, 0], "the decision holds object values, expected integers"),
    ],
    ids=str,
)
def test_what_is_no_decision(two_blocks: Instance, x: Any, message: str) -> None:
    for judge in (two_blocks.check_decision, two_blocks.evaluate, two_blocks.decision):
        with pytest.raises(DecisionError) as caught:
            judge(x)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0] * 4, "the decisions have shape (4,), expected (B, 4)"),
        ([[0] * 5], "the decisions have shape (1, 5), expected (B, 4)"),
        ([[0.0] * 4], "the decisions hold float64 values, expected integers"),
        ([[0] * 4, [0, 0, 0, 3]], "row 1: x[3] is 3, expected an integer from 0 to 2"),
        ([[0] * 4, [-1, 0, 0, 0]], "row 1: x[0] is -1, expected an integer from 0 to 2"),
    ],
    ids=str,
)
def test_batches_are_checked_before_kernels_see_them(
    two_blocks: Instance, rows: Any, message: str
) -> None:
    with pytest.raises(DecisionError) as caught:
        two_blocks.evaluate_batch(np.array(rows))
    assert str(caught.value) == message


def test_a_decision_is_copied_and_typed(two_blocks: Instance) -> None:
    given = np.array([0, 1, 2, 0], dtype=np.uint8)
    checked = two_blocks.check_decision(given)
    assert checked.dtype == np.int64
    given[:] = 2
    assert checked.tolist() == [0, 1, 2, 0]
    same = np.array([0, 1, 2, 0])
    assert two_blocks.check_decision(same) is not same


# --- errors of files -----------------------------------------------------------------------------


def test_errors_of_a_file_carry_its_name(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(TWO_BLOCKS | {"slot_s": -1}))
    for read in (load, BlockPlacement.from_file):
        with pytest.raises(InstanceError) as caught:
            read(path)
        assert str(caught.value) == f"{path}: slot_s: found -1, expected a number > 0"
        assert (caught.value.source, caught.value.field) == (str(path), "slot_s")
        with pytest.raises(InstanceError, match=r"none\.json: no such file"):
            read(tmp_path / "none.json")
    path.write_text('{"problem": "block_placement",')
    with pytest.raises(InstanceError, match=r"wrong\.json: not valid JSON at line 1"):
        BlockPlacement.from_file(path)
    with pytest.raises(InstanceError) as caught:
        load(TWO_BLOCKS | {"slot_s": -1})
    assert str(caught.value) == "slot_s: found -1, expected a number > 0"
