"""Training: it learns, it is the same every time, and it goes on where it was stopped."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_toys import QUICK, Points, points

import optkit
from optkit import MethodUnavailable, UsageError, generate, solve
from optkit.generate import drawing
from optkit.learning import ddl_training
from optkit.learning.archive import read_archive, write_archive
from optkit.learning.ddl_memory import Memory
from optkit.learning.ddl_metrics import TestSet, convergence
from optkit.learning.ddl_settings import PRESETS, DdlSettings, ddl_settings
from optkit.learning.networks import Networks, Shape
from optkit.learning.policy import Policy
from optkit.learning.training import TRAINED_FROM, Training, TrainingProgress

pytest.importorskip("jax")
pytest.importorskip("optax")
pytestmark = pytest.mark.usefixtures("installed")


def trained(seed: int = 0, family: str = "line", **options: Any) -> Policy:
    return optkit.train("points", family=family, seed=seed, options={**QUICK, **options})


def same(one: Policy, other: Policy) -> bool:
    assert set(one.arrays) == set(other.arrays)
    weights = all((one.arrays[name] == other.arrays[name]).all() for name in one.arrays)
    return weights and one.history == other.history and one.training == other.training


# --- metrics -------------------------------------------------------------------------------------


def test_convergence_by_hand() -> None:
    assert convergence(np.array([2.0, 4.0, 5.0]), np.array([1.0, 5.0, 5.0])) == pytest.approx(
        (0.5 + 0.8 + 1.0) / 3
    )
    assert convergence(np.array([-2.0, -1.0, 0.0]), np.array([-4.0, 1.0, 0.0])) == pytest.approx(
        (0.5 + 0.0 + 1.0) / 3
    )
    nan = math.nan
    assert convergence(np.array([nan, nan, 1.0]), np.array([nan, 2.0, nan])) == pytest.approx(1 / 3)
    frozen = np.array([7.0, 9.0])
    assert convergence(frozen, frozen) == 1, "whatever it is worth"


def constant(option: int, shape: Shape) -> Networks:
    """One network that takes the same option everywhere."""
    bias = np.zeros((1, 1, shape.positions * shape.outputs), dtype=np.float32)
    bias[0, 0] = np.tile([2 * (option >> 1) - 1, 2 * (option & 1) - 1], shape.positions)
    sizes = shape.sizes[0]
    return Networks(shape, [(np.zeros((1, *sizes), dtype=np.float32), bias)])


def test_measurements_by_hand() -> None:
    instances = [points(), points(place_m=[-1.0, -1.0, 0.9, 0.9]), points(limit=0)]
    features = np.stack([one.environment().features() for one in instances])
    tests = TestSet(instances, features)
    tests.optimum[:2] = 0.7, 0.0
    tests.optimal[:2] = [0, 1, 1, 2], [0, 0, 2, 2]
    shape = Shape((3,) * 4, 2, (), ())
    first = tests.measure(constant(1, shape))  # |x| each: 1.8, 3.8, 1.8
    assert first == pytest.approx(
        {"mean_cost": 7.4 / 3, "feasible": 1.0, "convergence": None, "compared": 2,
         "gap": ((1.8 - 0.7) / 0.7 + 3.8) / 2, "hits": (2 / 4 + 0) / 2},
    )  # fmt: skip
    second = tests.measure(constant(0, shape))  # |x + 1|: 3.6, 3.8, infeasible
    assert second == pytest.approx(
        {"mean_cost": (3.6 + 3.8) / 2, "feasible": 2 / 3, "convergence": (0.5 + 1.0 + 0) / 3,
         "compared": 2, "gap": ((3.6 - 0.7) / 0.7 + 3.8) / 2, "hits": (1 / 4 + 2 / 4) / 2},
    )  # fmt: skip


def test_optima_are_those_of_the_exact_method() -> None:
    policy = trained(iterations=0, tests=8)
    assert policy.history[0]["compared"] == 8
    assert "gap" in policy.history[0] and policy.history[0]["loss"] is None
    policy = trained(iterations=0, tests=8, reference_s=0.0)
    assert policy.history[0]["compared"] == 0
    assert policy.history[0]["gap"] is None and policy.history[0]["hits"] is None
    assert policy.history[0]["mean_cost"] > 0


def test_the_memory_is_a_ring() -> None:
    memory = Memory(5, 1, 2)
    for number in range(4):
        memory.add(np.full((2, 1, 2), number), np.array([[2 * number], [2 * number + 1]]))
        assert memory.missing == max(0, 5 - 2 * (number + 1))
    assert memory.labels.ravel().tolist() == [5, 6, 7, 3, 4]
    assert memory.features[:, 0, 0].tolist() == [2, 3, 3, 1, 2]
    again = Memory(5, 1, 2)
    again.restore({k: v.copy() for k, v in memory.arrays().items()}, memory.added)
    memory.add(np.ones((1, 1, 2)), np.array([[9]]))
    again.add(np.ones((1, 1, 2)), np.array([[9]]))
    assert (again.labels == memory.labels).all() and again.labels[3] == 9


# --- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "gap"),
    [
        ({"label": "exact", "new": 8}, 0.02),
        ({"label": "one_opt", "new": 8, "output": "softmax", "permute": True}, 0.02),
        ({"explore": True, "decay": "cosine"}, 0.6),
    ],
    ids=["exact", "one_opt", "explore"],
)
def test_it_learns(options: dict[str, Any], gap: float) -> None:
    wanted = {"networks": 6, "iterations": 300, "learning_rate": 0.01, "tests": 64}
    policy = trained(extractor=[16, 8], hidden=[32], measure=100, **wanted, **options)
    gaps = [entry["gap"] for entry in policy.history]
    assert [entry["iteration"] for entry in policy.history] == [0, 100, 200, 300]
    assert gaps[0] > 1.0
    assert gaps[-1] < gap
    assert policy.history[-1]["hits"] > policy.history[0]["hits"] + 0.1
    assert policy.history[-1]["loss"] < policy.history[1]["loss"]


def test_a_policy_decides_what_it_never_saw(tmp_path: Path) -> None:
    out = tmp_path / "p.npz"
    options = {**QUICK, "label": "exact", "new": 8, "iterations": 300, "learning_rate": 0.01}
    policy = optkit.train("points", family="line", seed=5, options=options, out=out)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["p.npz"]
    assert same(Policy.load(out), policy)
    gaps = []
    for seed in range(1000, 1040):
        instance = generate("points", "line", seed, environment=5)
        best = solve(instance, "nearest").objective
        gaps.append(solve(instance, "ddl", options={"policy": str(out)}).objective / best - 1)
    assert np.mean(gaps) < 0.1


def test_one_seed_one_policy() -> None:
    first = trained(explore=True, permute=True)
    assert same(first, trained(explore=True, permute=True))
    assert not same(first, trained(seed=1, explore=True, permute=True))


def test_half_precision_is_what_the_policy_holds() -> None:
    whole, half = trained(iterations=3), trained(iterations=3, precision="float16")
    assert {array.dtype for array in half.arrays.values()} == {np.dtype(np.float16)}
    for name, array in whole.arrays.items():
        assert (half.arrays[name] == array.astype(np.float16)).all()


def test_labels_are_the_best_of_all_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, Any]] = []
    monkeypatch.setattr(
        ddl_training.Memory, "add",
        lambda self, features, labels, add=Memory.add: (
            seen.append((features, labels)), add(self, features, labels))[1],
    )  # fmt: skip
    chosen: list[np.ndarray] = []
    decide = Networks.decide
    monkeypatch.setattr(
        Networks, "decide",
        lambda self, *words: (chosen.append(decide(self, *words)), chosen[-1])[1],
    )  # fmt: skip
    trained(iterations=0, tests=0, networks=5)
    (features, labels), (decisions,) = seen[0], chosen
    for row in range(64):
        instance = generate("points", "line", TRAINED_FROM + row, environment=0)
        assert (features[row] == instance.environment().features()).all()
        costs = instance.evaluate_batch(decisions[:, row]).objective
        assert instance.evaluate(labels[row]).objective == costs.min()


def test_seeds_below_a_million_are_never_trained_on() -> None:
    asked: list[int] = []
    draw = drawing("points", "line", environment=0)

    def watched(seed: int) -> Any:
        asked.append(seed)
        return draw(seed)

    ddl_training.train(Training("ddl", "points", "line", {}, 2, watched), **QUICK)
    tests = [seed for seed in asked if seed < TRAINED_FROM]
    others = [seed for seed in asked if seed >= TRAINED_FROM]
    assert sorted(set(tests)) == list(range(32))
    assert others == list(range(3 * TRAINED_FROM, 3 * TRAINED_FROM + 64 + 40))


def test_the_environment_is_the_seed_unless_given() -> None:
    assert trained(seed=3, iterations=0).training["parameters"] == {"environment": 3}
    given = optkit.train("points", family="line", parameters={"environment": 8, "centres": 5},
                         options={**QUICK, "iterations": 0})  # fmt: skip
    assert given.training["parameters"] == {"environment": 8, "centres": 5}
    assert given.network["choices"] == (5,) * 4
    assert given.training["command"] == (
        "optkit train points --method ddl --family line --seed 0 --preset paper "
        "-p environment=8 -p centres=5 -o networks=3 -o 'extractor=[8, 4]' -o 'hidden=[16]' "
        "-o memory=64 -o batch=16 -o iterations=0 -o measure=10 -o tests=32"
    )


def test_what_training_never_saw_changing_is_named(tmp_path: Path) -> None:
    out = tmp_path / "p.npz"
    policy = optkit.train("points", family="line", out=out, options={**QUICK, "iterations": 1})
    shared = policy.training["shared"]
    assert shared["place_m"] is None and len(shared["centre_m"]) == 64

    def changed(instance: Points) -> list[str]:
        found = solve(instance, "ddl", options={"policy": str(out)})
        return found.details["changed_since_training"]

    here = generate("points", "line", 77, environment=0)
    assert changed(here) == []
    assert changed(here.replace(place_m=[0.1, 0.2, 0.3, 0.4], name="other")) == []
    assert changed(generate("points", "line", 77, environment=1)) == ["centre_m"]
    assert changed(here.replace(limit=3)) == ["limit"]


# --- interrupted and resumed ---------------------------------------------------------------------

OPTIONS = {**QUICK, "explore": True, "permute": True, "decay": "cosine", "label": "one_opt"}


def session(path: Path, stop: Callable[[TrainingProgress], bool] | None = None) -> Policy | None:
    """One call of the trainer, interrupted when the progress says so."""
    interrupt = threading.Event()

    def watch(now: TrainingProgress) -> None:
        if stop is not None and stop(now):
            interrupt.set()

    parameters = {"environment": 0}
    training = Training(
        "ddl", "points", "line", parameters, 0, drawing("points", "line", **parameters),
        interrupt=interrupt, policy_path=path.with_suffix(""), resume=True, on_progress=watch,
    )  # fmt: skip
    return ddl_training.train(training, preset="paper", **OPTIONS)


def test_interrupted_anywhere_it_ends_the_same(tmp_path: Path) -> None:
    whole = session(tmp_path / "whole.state")
    assert whole is not None
    assert not (tmp_path / "whole.state").exists()
    path = tmp_path / "parts.state"
    stops: list[Callable[[TrainingProgress], bool]] = [
        lambda now: "test scenarios" in now.facts.get("preparing", ""),
        lambda now: "memory" in now.facts.get("preparing", ""),
        lambda now: now.iteration == 7,
        lambda now: now.iteration == 8,
        lambda now: now.iteration == 30,
        lambda now: now.iteration == 39,
    ]
    for stop in stops:
        assert session(path, stop) is None
    parts = session(path)
    assert parts is not None and same(whole, parts)


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    assert session(path, lambda now: now.iteration == 5) is None
    draw = drawing("points", "line")

    def again(seed: int = 0, **changes: Any) -> None:
        training = Training("ddl", "points", "line", {"environment": 0}, seed, draw,
                            policy_path=path.with_suffix(""), resume=True)  # fmt: skip
        ddl_training.train(training, **{**OPTIONS, **changes})

    with pytest.raises(UsageError, match="batch was 16, and is now 17"):
        again(batch=17)
    with pytest.raises(UsageError, match=r"hidden was \[16\], and is now \[20\]"):
        again(hidden=[20])
    with pytest.raises(UsageError, match="seed was 0, and is now 4"):
        again(seed=4)
    document, arrays = read_archive(path, "a")
    short = {**arrays, "memory_labels": arrays["memory_labels"][:, :1]}
    for wrong in (short, {name: array for name, array in arrays.items() if "optim" not in name}):
        write_archive(path, document, wrong)
        with pytest.raises(UsageError, match="the state of the training is damaged, or of other"):
            again()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UsageError, match=r"a\.state: not an NPZ file that optkit wrote"):
        again()
    Policy("ddl", "points", {}, {}).save(path)
    with pytest.raises(UsageError, match="is not the state of a training"):
        again()


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    training = Training(
        "ddl", "points", "line", {}, 0, drawing("points", "line", environment=0),
        policy_path=tmp_path / "gone" / "a", every_s=0.0,
        on_progress=lambda now: told.append(now.facts.get("unwritten", "")),
    )  # fmt: skip
    assert ddl_training.train(training, **QUICK) is not None
    assert "cannot be written: No such file or directory" in told[-1]


def test_a_loss_that_is_not_finite_ends_it() -> None:
    with pytest.raises(UsageError, match="the loss is nan in iteration .*lower learning_rate"):
        trained(learning_rate=1e30)


# --- what cannot be trained ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bach": 3}, r"training ddl has no option 'bach' \(did you mean 'batch'\?\)"),
        ({"batch": "many"}, "option batch of training ddl: found 'many', expected an integer"),
        ({"batch": 0}, "option batch of training ddl is 0, expected an integer of at least 1"),
        ({"hidden": [0]}, "option hidden of training ddl"),
        ({"label_s": float("inf")}, "option label_s of training ddl is inf"),
        ({"learning_rate": 0}, "option learning_rate of training ddl is 0"),
        ({"label": "worst"}, "one of 'best', 'exact', 'one_opt'"),
        ({"new": 65}, "option new of training ddl is 65, expected at most memory"),
        ({"sign": "literal", "output": "softmax"}, "whose outputs are no bits"),
        ({"reference_s": math.nan}, "option reference_s"),
    ],
)
def test_wrong_options_are_refused_first(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        trained(**options)


def test_what_cannot_be_trained() -> None:
    with pytest.raises(UsageError, match="the scenarios differ in size: trained for 4 positions "
                       "of 3 options, this instance has 5 of 3"):  # fmt: skip
        trained(family="sizes")
    with pytest.raises(MethodUnavailable, match="describes no features"):
        optkit.train("points", family="line", options=QUICK, parameters={"seen": False})
    with pytest.raises(MethodUnavailable, match="no exact method applies"):
        optkit.train("points", family="line", parameters={"limit": 1, "count": 20},
                     options={**QUICK, "label": "exact"})  # fmt: skip
    with pytest.raises(UsageError, match="method nearest is not trained; trained ones: ddl"):
        optkit.train("points", "nearest", family="line")
    with pytest.raises(UsageError, match="unknown method 'dll' .*did you mean 'ddl'"):
        optkit.train("points", "dll", family="line")
    with pytest.raises(UsageError, match="unknown preset 'strnog'.*did you mean 'strong'"):
        optkit.train("points", family="line", preset="strnog")
    with pytest.raises(UsageError, match="unknown family"):
        optkit.train("points", family="lines")
    with pytest.raises(UsageError, match="has no parameter 'cuont'"):
        optkit.train("points", family="line", parameters={"cuont": 3})
    with pytest.raises(UsageError, match="the seed is -1"):
        optkit.train("points", family="line", seed=-1)


def test_without_jax_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("jax", "optax") else find(name)
    )
    with pytest.raises(MethodUnavailable, match=r'needs jax, optax: pip install "optkit\[learn\]"'):
        trained()


def test_presets() -> None:
    assert ddl_settings("paper", {}) == DdlSettings()
    assert DdlSettings().networks == 12 and DdlSettings().iterations == 1000
    assert DdlSettings().label == "best" and not DdlSettings().explore
    strong = ddl_settings("strong", {"batch": 7})
    assert strong.batch == 7
    for name, value in PRESETS["strong"].items():
        assert getattr(strong, name) == value != getattr(DdlSettings(), name)
    assert not optkit.methods("points")["nearest"].train
