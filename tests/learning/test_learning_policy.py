"""Policies on disk: whole, strict, and without pickle."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import learning_toys
import numpy as np
import pytest
from learning_toys import points

from optkit import MethodUnavailable, Problem, UsageError, registry, solve
from optkit.learning.archive import read_archive, write_archive
from optkit.learning.networks import Networks, Shape, drawn_layers
from optkit.learning.policy import Policy, find_policy

SHAPE = Shape((3,) * 4, 2, (4,), (6,))


def made(**changes: Any) -> Policy:
    networks = Networks(SHAPE, drawn_layers(SHAPE, 2, np.random.default_rng(0)))
    fields = {
        "method": "ddl",
        "problem": "points",
        "network": networks.description(),
        "arrays": networks.arrays(),
        "training": {"family": "line", "seed": 3, "parameters": {}},
        "history": [{"iteration": 0, "gap": None}],
    }
    return Policy(**{**fields, **changes})


def test_a_policy_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    made().save(path)
    again = Policy.load(path)
    assert again.source == str(path)
    assert (again.method, again.problem) == ("ddl", "points")
    assert again.training == made().training
    assert again.history == made().history
    assert again.network == json.loads(json.dumps(made().network))
    for name, array in made().arrays.items():
        assert (again.arrays[name] == array).all() and again.arrays[name].dtype == np.float32
    first = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["p.npz"]


def rewritten(path: Path, **changes: Any) -> None:
    document, arrays = read_archive(path, "p")
    for name, value in changes.items():
        document.pop(name) if value is None else document.update({name: value})
    write_archive(path, document, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "optkit training"}, "is not a policy"),
        ({"format": None}, "is not a policy"),
        ({"version": 2}, "policy version 2, expected 1"),
        ({"network": None}, "has no network"),
        ({"history": {}}, "has no history"),
        ({"problem": "other"}, "is a policy of ddl for other, expected one of ddl for points"),
        ({"method": "dqn"}, "is a policy of dqn for points, expected one of ddl for points"),
    ],
)
def test_another_policy_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "p.npz"
    made().save(path)
    rewritten(path, **change)
    with pytest.raises(UsageError, match=message) as error:
        find_policy("points", "ddl", str(path))
    assert str(error.value).startswith(f"{path}: ")


class Evil:
    def __reduce__(self) -> Any:
        return print, ("run by a pickle",)


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _text(words: str) -> Any:
    return np.frombuffer(words.encode(), np.uint8)


BAD = {
    "empty": b"",
    "text": b"not a policy\n",
    "json": b'{"problem": "points"}',
    "zip that ends": _npz(document=_text("{}"))[:-30],
    "zip header alone": b"PK\x03\x04",
    "array alone": _npy(np.zeros(3)),
    "pickle": pickle.dumps(Evil()),
    "pickle inside": _npz(document=np.array([Evil()], dtype=object)),
    "no document": _npz(weight_0=np.zeros(3)),
    "document is no text": _npz(document=np.zeros(3)),
    "document is no JSON": _npz(document=_text("{nonsense")),
    "document is a list": _npz(document=_text("[1]")),
    "document not UTF-8": _npz(document=np.array([255, 254], dtype=np.uint8)),
    "document is a text array": _npz(document=np.array("{}")),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_policy_is_refused_in_one_line(tmp_path, capfd, name: str) -> None:
    path = tmp_path / "p.npz"
    path.write_bytes(BAD[name])
    with pytest.raises(UsageError) as error:
        Policy.load(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    assert capfd.readouterr().out == ""


def test_every_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    made().save(path)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            policy = Policy.load(path)
        except UsageError as error:
            assert "\n" not in str(error)
            refused += 1
        else:  # a byte that nothing reads, such as a date
            assert policy.network == json.loads(json.dumps(made().network))
            assert all((policy.arrays[k] == v).all() for k, v in made().arrays.items())
    assert refused > 0.7 * len(whole) / 7
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError):
            Policy.load(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none.npz: no such file"):
        Policy.load(tmp_path / "none.npz")
    with pytest.raises(UsageError, match="is a directory"):
        Policy.load(tmp_path)


# --- in solve ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("installed")
def test_the_networks_decide(tmp_path: Path) -> None:
    path, instance = tmp_path / "p.npz", points()
    made().save(path)
    result = solve(instance, "ddl", options={"policy": str(path)})
    networks = Networks.restored(made().network, made().arrays)
    decided = networks.decide(instance.environment().features()[None])[:, 0]
    costs = [instance.evaluate(x).objective for x in decided]
    assert result.objective == min(costs)
    assert result.options == {"policy": str(path)}
    assert result.bound is None and result.status.value == "feasible"
    assert result.details["networks"] == 2
    assert result.details["distinct"] == len(np.unique(decided, axis=0))
    assert result.details["trained_on"] == {"family": "line", "parameters": {}, "seed": 3}
    assert result.details["decision_s"] > 0
    polished = solve(instance, "ddl", options={"policy": str(path), "polish": True})
    assert polished.objective == pytest.approx(0.7)


@pytest.mark.usefixtures("installed")
def test_without_a_policy_it_says_how_to_train_one() -> None:
    with pytest.raises(MethodUnavailable, match="optkit train points --method ddl --family"):
        solve(points(), "ddl")


@pytest.mark.usefixtures("installed")
def test_a_policy_is_shipped_with_a_problem(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "shipping" / "policies"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    made().save(package / "ddl.npz")
    monkeypatch.syspath_prepend(tmp_path)
    fields = {**learning_toys.PROBLEM.__dict__, "policies": {"ddl": "shipping:policies/ddl.npz"}}
    monkeypatch.setitem(registry.problems(), "points", Problem(**fields))
    result = solve(points(), "ddl")
    assert result.details["trained_on"]["family"] == "line"
    with pytest.raises(UsageError, match="^shipping/policies/ddl.npz: trained for 4 positions of "
                       "3 options, this instance has 2 of 3"):  # fmt: skip
        solve(points(place_m=[0.0, 1.0]), "ddl")


@pytest.mark.usefixtures("installed")
def test_where_nothing_can_be_decided_at_once() -> None:
    known = registry.methods("points")["ddl"]
    assert known.why_not_for(points()) is None
    assert known.why_not_for(points(seen=False)) == (
        "the problem describes no features of its positions"
    )
    with pytest.raises(MethodUnavailable, match="no features"):
        solve(points(seen=False), "ddl")


def test_shipped_policies_are_policies_of_their_problem() -> None:
    for name, problem in registry.problems().items():
        for method in problem.policies:
            policy = find_policy(name, method, None)
            assert policy.training["command"].startswith(f"optkit train {name} ")
            networks = Networks.restored(policy.network, policy.arrays)
            assert len(networks) > 0
