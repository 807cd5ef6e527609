"""Files that are not what they should be: one line with the file and the field, status 2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_tools import MINI, Command

DROP = object()
BLOCK = "models[0].blocks[1]"
SQUARE = [[0.0] * 3] * 3


def changed(document: Any, path: str, value: Any) -> Any:
    """A copy with the value at a path such as ``models[0].name`` replaced (or dropped)."""
    document = json.loads(json.dumps(document))
    steps = [int(s) if s.isdigit() else s for s in re.findall(r"[^.\[\]]+", path)]
    place = document
    for step in steps[:-1]:
        place = place[step]
    if value is DROP:
        del place[steps[-1]]
    else:
        place[steps[-1]] = value
    return document


# Each row: the field that is changed, its value, the message, and the field that is named
# where that is another one.
WRONG: list[tuple[Any, ...]] = [
    # required, one by one
    *((field, DROP, "missing, and it is required") for field in (
        "version", "slot_s", "devices", "servers", "wired_rate_bps", "models", "tasks",
        "devices.speed_hz", "devices.kappa", "devices.tx_power_w", "servers.speed_hz",
        "models[0].blocks", f"{BLOCK}.param_bytes",
        "tasks.model", "tasks.device", "tasks.slot", "tasks.uplink_rate_bps",
    )),
    ("devices", {"kappa": [1e-28]}, "missing, and it is required, as is tx_power_w",
     "devices.speed_hz"),
    ("problem", DROP, "missing, expected one of: block_placement"),
    ("models[0].input_bits", DROP, "missing, and block 0 has no transfer_s"),
    ("models[0].blocks[0].output_bits", DROP, "missing, and the next block has no transfer_s"),
    (f"{BLOCK}.cycles", DROP, "missing, and there are no measurements"),
    # which document it is
    ("problem", "block_placment", "(did you mean 'block_placement'?)"),
    ("problem", 5, "found '5'"),
    ("problem", "a\nb", "found 'a\\nb'"),
    ("version", 2, "found 2, expected 1"),
    ("version", "1", "found '1', expected an integer"),
    ("version", 1.0, "found 1.0, expected an integer"),
    ("version", 10**400, "more than 60 digits, expected 1"),
    ("name", 5, "found 5, expected a text"),
    ("name", None, "found null, expected a text"),
    # types
    ("slot_s", "1", "found '1', expected a number"),
    ("slot_s", True, "found true, expected a number"),
    ("slot_s", [1.0], "found a list of 1, expected a number"),
    ("slot_s", {}, "found an object, expected a number"),
    ("slot_s", None, "found null, expected a number"),
    ("slot_s", "long" * 1000, "found 'longlong"),
    ("devices", [], "found a list of 0, expected an object"),
    ("devices", "all", "found 'all', expected an object"),
    ("servers", None, "found null, expected an object"),
    ("models", {}, "found an object, expected a list"),
    ("models[0]", 7, "found 7, expected an object"),
    ("models[0].name", 7, "found 7, expected a text"),
    ("models[0].blocks", "two", "found 'two', expected a list"),
    (BLOCK, None, "found null, expected an object"),
    (f"{BLOCK}.cycles", "1e8", "found '1e8', expected a number or null"),
    (f"{BLOCK}.param_bytes", False, "found false, expected a number"),
    ("tasks", [], "found a list of 0, expected an object"),
    ("options", "hard", "found 'hard', expected an object"),
    ("options.return_transfer", 1, "found 1, expected true or false"),
    ("options.return_transfer", "yes", "found 'yes', expected true or false"),
    ("options.penalty_weight", "1", "found '1', expected a number"),
    ("options.congestion", 1, "found 1, expected a text"),
    ("devices.speed_hz", 1e9, "found 1000000000.0, expected a list"),
    ("devices.speed_hz", "1e9", "found '1e9', expected a list"),
    ("devices.speed_hz", {}, "found an object, expected a list"),
    ("devices.speed_hz[0]", "1e9", "found '1e9', expected a finite number > 0"),
    ("devices.speed_hz[0]", True, "found true, expected a finite number > 0"),
    ("devices.speed_hz[0]", [1e9], "found a list of 1, expected a finite number > 0"),
    ("servers.speed_hz", None, "found null, expected a list"),
    ("wired_rate_bps", "fast", "found 'fast', expected a finite number > 0"),
    ("wired_rate_bps", None, "found null, expected a finite number > 0"),
    ("tasks.model", 0, "found 0, expected a list"),
    ("tasks.model[1]", 0.0, "found 0.0, expected an integer from 0 to 0"),
    ("tasks.model[1]", 0.5, "found 0.5, expected an integer from 0 to 0"),
    ("tasks.slot[0]", "0", "found '0', expected an integer from 0 to 999999"),
    # values
    ("slot_s", 0, "found 0, expected a number > 0"),
    ("slot_s", -1.0, "found -1.0, expected a number > 0"),
    ("slot_s", 10**400, "more than 60 digits, expected a finite number"),
    ("devices.speed_hz[0]", 0, "found 0.0, expected a finite number > 0"),
    ("devices.speed_hz[0]", 10**400, "more than 60 digits, expected a finite number > 0"),
    ("devices.kappa[0]", -1e-26, "found -1e-26, expected a finite number >= 0"),
    ("devices.energy_budget_j[0]", -1, "found -1.0, expected a finite number >= 0 or null"),
    ("servers.speed_hz[1]", 0.0, "found 0.0, expected a finite number > 0"),
    ("servers.storage_bytes[0]", -64e6, "expected a finite number >= 0 or null"),
    ("wired_rate_bps", 0, "found 0.0, expected a finite number > 0"),
    ("models[0].input_bits", -1, "found -1, expected a number >= 0"),
    (f"{BLOCK}.cycles", -1e8, "found -100000000.0, expected a number >= 0"),
    (f"{BLOCK}.param_bytes", -1, "found -1, expected a number >= 0"),
    ("tasks.uplink_rate_bps[1][0]", 0, "found 0.0, expected a finite number > 0"),
    ("tasks.deadline_s[1]", -1, "found -1.0, expected a finite number >= 0"),
    ("tasks.scale", [1, 0], "found 0.0, expected a finite number > 0", "tasks.scale[1]"),
    ("options.penalty_weight", -1, "found -1, expected a number >= 0"),
    ("options.result_bits", -8, "found -8, expected a number >= 0"),
    # indices
    ("tasks.model[1]", 1, "found 1, expected an integer from 0 to 0"),
    ("tasks.model[1]", -1, "found -1, expected an integer from 0 to 0"),
    ("tasks.model[1]", 10**400, "more than 60 digits, expected an integer from 0 to 0"),
    ("tasks.device[0]", 1, "found 1, expected an integer from 0 to 0"),
    ("tasks.slot[0]", 1_000_000, "found 1000000, expected an integer from 0 to 999999"),
    ("tasks.slot[0]", 2**63, "expected an integer from 0 to 999999"),
    ("tasks.associated_es", [0, 2], "integer from 0 to 1", "tasks.associated_es[1]"),
    # lengths and shapes
    *((field, [], "found an empty list, expected at least one entry") for field in (
        "devices.speed_hz", "servers.speed_hz", "tasks.model",
    )),
    ("models", [], "found an empty list, expected at least one model"),
    ("models[0].blocks", [], "found an empty list, expected at least one block"),
    *((field, [], "found 0 entries, expected") for field in (
        "devices.kappa", "devices.energy_budget_j", "servers.storage_bytes", "wired_rate_bps",
        "tasks.device", "tasks.uplink_rate_bps", "tasks.deadline_s",
    )),
    ("devices.kappa", [1e-26] * 2, "found 2 entries, expected 1"),
    ("devices.tx_power_w", [0.1] * 2, "found 2 entries, expected 1"),
    ("devices.cycles_per_slot", [1e9] * 2, "found 2 entries, expected 1"),
    ("servers.cycles_per_slot", [1e9], "found 1 entries, expected 2"),
    ("servers.storage_bytes", [1e6] * 3, "found 3 entries, expected 2"),
    ("tasks.device", [0], "found 1 entries, expected 2"),
    ("tasks.slot", [0, 0, 0], "found 3 entries, expected 2"),
    ("tasks.associated_es", [0], "found 1 entries, expected 2"),
    ("tasks.scale", [1.0], "found 1 entries, expected 2"),
    ("tasks.uplink_rate_bps", [[1e6, 1e6]], "found 1 entries, expected 2"),
    ("tasks.uplink_rate_bps[1]", [1e6], "found 1 entries, expected 2"),
    ("tasks.uplink_rate_bps[1]", 1e6, "found 1000000.0, expected a list of 2"),
    ("tasks.uplink_rate_bps", [1e6, [1e6]], "found a list of 1", "tasks.uplink_rate_bps[1]"),
    ("tasks.downlink_rate_bps", [1e6, 1e6], "expected a list of 2", "tasks.downlink_rate_bps[0]"),
    ("wired_rate_bps", [[None, 1e9]], "found 1 entries, expected 2"),
    ("wired_rate_bps", [[None, 1e9], [1e9]], "found 1 entries", "wired_rate_bps[1]"),
    ("wired_rate_bps", [[None] + [1e9] * 2] * 2, "found 3 entries", "wired_rate_bps[0]"),
    ("wired_rate_bps", [1e9, 1e9], "expected a list of 2", "wired_rate_bps[0]"),
    ("wired_rate_bps", [[None, 0], [1e9, None]], "found 0.0", "wired_rate_bps[0][1]"),
    ("wired_rate_bps", [[None, None], [1, 1]], "found null", "wired_rate_bps[0][1]"),
    # null
    ("devices.speed_hz[0]", None, "found null, expected a finite number > 0"),
    ("devices.kappa[0]", None, "found null, expected a finite number >= 0"),
    ("servers.speed_hz[1]", None, "found null, expected a finite number > 0"),
    ("tasks.model[0]", None, "found null, expected an integer from 0 to 0"),
    ("tasks.uplink_rate_bps", None, "found null, expected a list of 2"),
    ("tasks.uplink_rate_bps[0][0]", None, "found null, expected a finite number > 0"),
    ("tasks.deadline_s[0]", None, "found null, expected a finite number >= 0"),
    ("tasks.slot", None, "found null, expected a list of 2"),
    # unknown fields
    ("slots", 1, "unknown field (did you mean 'slot_s'?)"),
    ("congestion", "ps", "unknown field (did you mean 'options.congestion'?)"),
    ("zzz", 1, "unknown field"),
    ("devices.speed", [1], "unknown field (did you mean 'speed_hz'?)"),
    ("devices.kapa", [1], "unknown field (did you mean 'kappa'?)"),
    ("servers.storage", [1], "unknown field (did you mean 'storage_bytes'?)"),
    (f"{BLOCK}.cyles", 1, "unknown field (did you mean 'cycles'?)"),
    ("tasks.deadline", 1, "unknown field (did you mean 'deadline_s'?)"),
    ("options.storage", "off", "unknown field (did you mean 'storage_scope'?)"),
    ("a\nb\x1b", 1, "unknown field", "a\\nb\\x1b"),
    ("x" * 10_000, 1, "unknown field", "x" * 57 + "..."),
    # options
    ("options.deadline", "hrad", "(did you mean 'hard'?)"),
    ("options.congestion", "pss", "(did you mean 'ps'?)"),
    ("options.storage_scope", "Horizon", "(did you mean 'horizon'?)"),
    ("options.deadline_scope", "tasks", "(did you mean 'task'?)"),
    ("options.energy_transfer", "x", "expected one of 'literal', 'uplink'"),
    ("options.deadline", None, "found null, expected a text"),
    # deadlines
    ("tasks.deadline_s", [[1.0, 1.0]], "found 1 entries, expected 2"),
    ("tasks.deadline_s", [[1.0, 1.0], [1.0]], "expected 2", "tasks.deadline_s[1]"),
    ("tasks.deadline_s", [[1.0, 1.0], 1.0], "expected a list of 2", "tasks.deadline_s[1]"),
    ("tasks.deadline_s", [1.0, [1.0, 1.0]], "found a list of 2", "tasks.deadline_s[1]"),
    ("tasks.deadline_s", 1.0, "expected a list of 2"),
    # measured data
    (f"{BLOCK}.compute_s", [1.0], "found 1 entries, expected 3"),
    (f"{BLOCK}.compute_s", 1.0, "expected a list of 3"),
    (f"{BLOCK}.compute_s", [1.0, -1.0, 1.0], "or null", f"{BLOCK}.compute_s[1]"),
    (f"{BLOCK}.compute_energy_j", [1.0, None, 1.0], "found null beside a compute_s that is not",
     f"{BLOCK}.compute_energy_j[1]"),
    (f"{BLOCK}.transfer_s", SQUARE[:2], "found 2 entries, expected 3"),
    (f"{BLOCK}.transfer_s", [*SQUARE[:2], [0.0]], "expected 3", f"{BLOCK}.transfer_s[2]"),
    (f"{BLOCK}.transfer_energy_j", [[None] * 3] * 3, "found null beside a transfer_s",
     f"{BLOCK}.transfer_energy_j[0][0]"),
]  # fmt: skip


def identities() -> Iterator[Any]:
    seen: dict[str, int] = {}
    for row in WRONG:
        field, value, message, *named = row
        kind = "dropped" if value is DROP else type(value).__name__
        name = f"{field[:30]}-{kind}".encode("unicode_escape").decode()
        seen[name] = seen.get(name, 0) + 1
        identity = f"{name}-{seen[name]}"
        yield pytest.param(field, value, message, named[0] if named else field, id=identity)


@pytest.mark.parametrize(("field", "value", "message", "named"), list(identities()))
def test_a_wrong_field(optkit: Command, write, field, value, message, named) -> None:
    path = write(changed(MINI, field, value), "wrong.json")
    outcome = optkit("solve", path, "--method", "random")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.error.startswith(f"{path}: {named}: ")
    assert message in outcome.error
    assert len(outcome.error) < 500


def test_deadlines_a_block_need_the_scope_block(optkit: Command, write) -> None:
    document = changed(MINI, "tasks.deadline_s", [[1.0, 1.0]] * 2)
    path = write(changed(document, "options.deadline_scope", "task"))
    error = optkit("solve", path).error
    assert error == f'{path}: tasks.deadline_s: deadline_scope "task" needs one number a task'


def test_counted_cycles_are_needed_beside_measurements(optkit: Command, write) -> None:
    document = changed(MINI, f"{BLOCK}.compute_s", [1.0, 1.0, 1.0])
    document = changed(document, f"{BLOCK}.compute_energy_j", [1.0, 1.0, 1.0])
    path = write(changed(document, f"{BLOCK}.cycles", DROP))
    error = optkit("solve", path).error
    assert error == f"{path}: {BLOCK}.cycles: missing, and a cycles_per_slot counts it"
    document = changed(document, "servers.cycles_per_slot", None)
    path = write(changed(document, f"{BLOCK}.cycles", DROP))
    assert optkit("solve", path, "--method", "random").status in (0, 1)


# --- text that is not a document -----------------------------------------------------------

TEXT = json.dumps(MINI)


def with_token(field: str, token: str) -> str:
    """The document with a raw token where a field's value was."""
    return json.dumps(changed(MINI, field, "TOKEN")).replace('"TOKEN"', token)


TEXTS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty, expected a JSON object"),
    "blank": (" \n\t ", "is empty, expected a JSON object"),
    "truncated": (TEXT[:200], "not valid JSON at line 1, column"),
    "truncated by one": (TEXT[:-1], "not valid JSON at line 1, column"),
    "two documents": (TEXT + TEXT, "not valid JSON at line 1, column"),
    "not JSON": ("slot_s: 1\n", "not valid JSON at line 1, column 1"),
    "single quotes": ("{'problem': 1}", "not valid JSON at line 1, column 2"),
    "trailing comma": ('{"problem": 1,}', "not valid JSON at line 1, column"),
    "comment": ("// mine\n{}", "not valid JSON at line 1, column 1"),
    "control character": ('{"a": "x\ny"}', "not valid JSON at line 1, column"),
    "list": ("[1, 2]", "found a list, expected a JSON object"),
    "number": ("5", "found a number, expected a JSON object"),
    "text": ('"a"', "found a text, expected a JSON object"),
    "null": ("null", "found null, expected a JSON object"),
    "NaN alone": ("NaN", "found NaN, which JSON does not allow"),
    "empty object": ("{}", "problem: missing, expected one of"),
    "NaN": (with_token("slot_s", "NaN"), "slot_s: found NaN, which JSON does not allow"),
    "NaN in a list": (with_token("tasks.deadline_s[1]", "NaN"), "tasks.deadline_s[1]: found NaN"),
    "Infinity": (with_token("devices.kappa[0]", "Infinity"), "devices.kappa[0]: found Infinity"),
    "-Infinity": (with_token(f"{BLOCK}.cycles", "-Infinity"), f"{BLOCK}.cycles: found -Infinity"),
    "1e999": (with_token("slot_s", "1e999"), "slot_s: found an infinite number, expected a finite"),
    "1e999 in a list": (
        with_token("tasks.uplink_rate_bps[0][1]", "1e999"),
        "tasks.uplink_rate_bps[0][1]: found an infinite number, expected a finite number > 0",
    ),
    "-1e999": (with_token("slot_s", "-1e999"), "slot_s: found an infinite number"),
    "5,000 digits": (with_token("slot_s", "9" * 5000), "slot_s: found an integer of more than 60"),
    "5,000 digits in a list": (
        with_token("tasks.slot[1]", "-" + "9" * 5000),
        "tasks.slot[1]: found an integer of more than 60 digits, expected an integer from 0 to",
    ),
    "duplicate key": (TEXT[:-1] + ', "slot_s": 2}', "slot_s: appears twice in the same object"),
    "nested duplicate key": (
        TEXT.replace('"cycles": 100000000.0', '"cycles": 1, "cycles": 2'),
        f"{BLOCK}.cycles: appears twice in the same object",
    ),
    "invalid UTF-8": (TEXT.replace("two_blocks", "caf\xe9").encode("latin-1"), "not UTF-8 text"),
    "UTF-16": (TEXT.encode("utf-16"), "not UTF-8 text (byte 0)"),
    "UTF-16 without mark": (TEXT.encode("utf-16-le"), "not valid JSON at line 1, column 2"),
    "binary": (bytes(range(256)), "not UTF-8 text (byte 128)"),
    "nested deeply": ('{"a":' * 100_000, "JSON is nested too deeply"),
    "nested lists in a field": (
        with_token("devices.kappa", "[" * 400 + "]" * 400),
        "devices.kappa[0]: found a list of 1, expected a finite number >= 0",
    ),
}


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=TEXTS)
def test_a_wrong_text(optkit: Command, write: Callable[..., Path], text, message) -> None:
    path = write(text, "wrong.json")
    outcome = optkit("solve", path, "--method", "random")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.error.startswith(f"{path}: {message}")


def test_a_byte_order_mark_is_accepted(optkit: Command, write) -> None:
    path = write(TEXT.encode("utf-8-sig"))
    assert optkit("solve", path, "--method", "random").status == 0


def test_a_hundred_megabytes_of_brackets(optkit: Command, tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    with path.open("wb") as stream:
        for _ in range(100):
            stream.write(b"[" * 1_000_000)
    outcome = optkit("solve", path)
    path.unlink()
    assert outcome.status == 2
    assert outcome.error == f"{path}: JSON is nested too deeply"


def test_no_such_file_and_others(optkit: Command, tmp_path: Path, result, write) -> None:
    outcome = optkit("solve", tmp_path / "no.json")
    assert (outcome.status, outcome.error) == (2, f"{tmp_path}/no.json: no such file")
    error = optkit("solve", tmp_path).error
    assert error == f"{tmp_path}: is a directory, expected a JSON file"
    assert "cannot be read: File name too long" in optkit("solve", "x" * 5000).error
    assert "a\\nb.json: no such file" in optkit("solve", tmp_path / "a\nb.json").error
    assert "\\udcff: no such file" in optkit("solve", tmp_path / "\udcff").error
    path = write(result, "result.json")
    assert optkit("solve", path).error == f"{path}: is a result, expected an instance"


@pytest.mark.parametrize(
    "name", ["truncated", "invalid UTF-8", "NaN", "5,000 digits", "1e999 in a list"]
)
def test_as_a_user_sees_it(shell: Command, write: Callable[..., Path], name: str) -> None:
    text, message = TEXTS[name]
    path = write(text, "wrong.json")
    outcome = shell("-m", "optkit.solve", path)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.error.startswith(f"{path}: {message}")


# --- results -------------------------------------------------------------------------------

WRONG_RESULT: list[tuple[str, Any, str]] = [
    *((field, DROP, f"{field}: missing, and it is required") for field in (
        "problem", "instance_digest", "sense", "method", "status", "reason",
    )),
    ("problem", 1, "problem: found 1, expected a text"),
    ("instance_digest", 5, "instance_digest: found 5, expected a text"),
    ("status", "optimum", "status: found 'optimum', expected one of"),
    ("status", "optimall", "(did you mean 'optimal'?)"),
    ("reason", "tired", "reason: found 'tired', expected one of"),
    ("sense", "min", "sense: found 'min', expected one of 'minimise', 'maximise'"),
    ("seed", "0", "seed: found '0', expected an integer"),
    ("seed", True, "seed: found true, expected an integer"),
    ("x", "0,1", "x: found '0,1', expected a list"),
    ("x[1]", 0.5, "x[1]: found 0.5, expected an integer"),
    ("x[1]", True, "x[1]: found true, expected an integer"),
    ("x[1]", None, "x[1]: found null, expected an integer"),
    ("x[1]", 2**80, "x[1]: found 1208925819614629174706176, expected an integer"),
    ("decision", [1], "decision: found a list of 1, expected an object"),
    ("evaluation", [], "evaluation: found a list of 0, expected an object"),
    ("evaluation.objective", "low", "evaluation.objective: found 'low', expected a finite number"),
    ("evaluation.scale", True, "evaluation.scale: found true, expected a finite number or null"),
    ("evaluation.terms", 5, "evaluation.terms: found 5, expected an object"),
    ("evaluation.terms.up_s", "a", "evaluation.terms.up_s: found 'a', expected a number or lists"),
    ("evaluation.terms.rho", [[1], [1, 2]], "evaluation.terms.rho: found a list of 2, expected"),
    ("evaluation.violations.energy", {}, "evaluation.violations.energy: found an object, expected"),
    ("evaluation.violations.energy", True, "evaluation.violations.energy: found true, expected"),
    ("bound", "none", "bound: found 'none', expected a finite number or null"),
    ("bound", 10**400, "bound: found an integer of more than 60 digits, expected a finite number"),
    ("details", 1, "details: found 1, expected an object"),
    ("options", [], "options: found a list of 0, expected an object"),
    ("trace", 1, "trace: found 1, expected a list"),
    ("trace[0]", [1.0], "trace[0]: expected 3 numbers or nulls"),
    ("trace[0]", [1.0, "a", None], "trace[0]: expected 3 numbers or nulls"),
    ("versions", "1", "versions: found '1', expected an object"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "message"), WRONG_RESULT)
def test_a_wrong_result(optkit: Command, file, write, result, field, value, message) -> None:
    path = write(changed(result, field, value), "wrong.json")
    for words in (
        ("check", file, path),
        ("solve", file, "--method", "random", "--warm-start", path),
    ):
        outcome = optkit(*words)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.error.startswith(f"{path}: ")
        assert message in outcome.error


@pytest.mark.parametrize(
    ("decision", "x", "message"),
    [
        ({"location": [2, 2, 2]}, None, "decision: the decision has 3 entries, expected 4"),
        ({"location": [2, 2, 2, 0.5]}, None, "decision: the decision holds float64 values"),
        ({"location": [2, 2, 2, None]}, None, "decision: the decision holds object values"),
        ({"location": [2, 2, 2, [2]]}, None, "decision: the decision is not a flat list"),
        ({"location": [2, 2, 2, 10**30]}, None, "decision: the decision holds object values"),
        ({"location": {}}, None, "decision: the decision has no entries"),
        ({"place": [2, 2, 2, 2]}, None, "decision: expected a decision with the one array"),
        (None, [2, 2, 2], "x: the decision has 3 entries, expected 4 integers"),
        (None, [2, 2, 2, 3], "x: x[3] is 3, expected an integer from 0 to 2"),
        (None, [2, 2, -1, 2], "x: x[2] is -1, expected an integer from 0 to 2"),
        (None, [], "x: the decision has 0 entries, expected 4 integers"),
        (None, None, "x: the result given as warm start holds no decision"),
    ],
)
def test_a_warm_start_that_fits_nothing(optkit, file, write, result, decision, x, message) -> None:
    path = write(result | {"decision": decision, "x": x}, "wrong.json")
    outcome = optkit("solve", file, "--method", "random", "--warm-start", path)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.error.startswith(f"{path}: {message}")


def test_other_documents_as_results(optkit: Command, file, write, result, tmp_path) -> None:
    def error(path: Path) -> str:
        outcome = optkit("check", file, path)
        assert outcome.status == 2
        assert optkit("solve", file, "--warm-start", path).status == 2
        return outcome.error

    assert error(file) == f"{file}: instance_digest: missing, and it is required"
    assert error(tmp_path / "no.json").endswith("no.json: no such file")
    assert "not valid JSON" in error(write(json.dumps(result)[:-9], "cut.json"))
    assert "found NaN" in error(write(json.dumps(result | {"bound": float("nan")}), "nan.json"))
    other = write(result | {"problem": "other"}, "other.json")
    outcome = optkit("solve", file, "--warm-start", other)
    assert outcome.error == f"{other}: problem: found 'other', expected 'block_placement'"
    false = write(result | {"bound": 1.0}, "false.json")
    outcome = optkit("solve", file, "--warm-start", false)
    assert outcome.status == 2
    assert outcome.error.startswith(f"{false}: bound: ")
