"""The forward pass: plain loops, NumPy and JAX agree; gradients are those of the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from learning_toys import points

from optkit.errors import UsageError
from optkit.learning.networks import Networks, Shape, drawn_layers, forward

jax = pytest.importorskip("jax")
pytest.importorskip("optax")

SHAPES = [
    Shape((4, 4, 4), 5, (7, 3), (6, 5)),
    Shape((4, 4, 4), 5, (), (6,)),
    Shape((3, 3, 3), 5, (7,), (), output="softmax"),
    Shape((2, 5, 3), 5, (4, 2), (6,), output="softmax"),
    Shape((2, 5, 3), 5, (4, 2), (6,)),
]


def drawn(shape: Shape, networks: int = 3, seed: int = 0) -> list[tuple[Any, Any]]:
    """Layers whose biases are not 0 either."""
    rng = np.random.default_rng(seed)
    layers = drawn_layers(shape, networks, rng)
    return [(w, rng.normal(0, 0.5, b.shape).astype(np.float32)) for w, b in layers]


def seen(shape: Shape, batch: int = 4) -> np.ndarray:
    rng = np.random.default_rng(9)
    return rng.uniform(-1, 1, (batch, shape.positions, shape.features)).astype(np.float32)


def plain(shape: Shape, layers: list[tuple[Any, Any]], network: int, scenario: Any) -> list[float]:
    """One network on one scenario, number by number."""

    def layer(index: int, values: list[float]) -> list[float]:
        weight, bias = layers[index][0][network], layers[index][1][network, 0]
        sums = [
            float(bias[j]) + sum(v * float(weight[i, j]) for i, v in enumerate(values))
            for j in range(weight.shape[1])
        ]
        return sums if index == len(layers) - 1 else [max(0.0, value) for value in sums]

    values: list[float] = []
    for position in scenario:
        alone = [float(value) for value in position]
        for index in range(len(shape.extractor)):
            alone = layer(index, alone)
        values += alone
    for index in range(len(shape.extractor), len(layers)):
        values = layer(index, values)
    return values


@pytest.mark.parametrize("shape", SHAPES)
def test_numpy_plain_loops_and_jax_agree(shape: Shape) -> None:
    layers, features = drawn(shape), seen(shape)
    logits = forward(shape, layers, features)
    assert logits.shape == (3, 4, shape.positions, shape.outputs)
    assert logits.dtype == np.float32
    for k in range(3):
        for b in range(4):
            wanted = plain(shape, layers, k, features[b])
            assert logits[k, b].ravel() == pytest.approx(wanted, rel=1e-4, abs=1e-5)
        alone = [(jax.numpy.asarray(w[k]), jax.numpy.asarray(b[k])) for w, b in layers]
        ours = jax.jit(lambda layers: forward(shape, layers, features))(alone)
        assert np.asarray(ours) == pytest.approx(logits[k], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_that_of_the_loss(shape: Shape) -> None:
    from optkit.learning.ddl_steps import cross_entropy

    with jax.enable_x64():
        layers = [(w[0].astype(float), b[0].astype(float)) for w, b in drawn(shape)]
        features = seen(shape).astype(float)
        labels = np.random.default_rng(3).integers(0, shape.choices, (4, shape.positions))

        def loss(changed: Any) -> float:
            return float(cross_entropy(shape, changed, features, labels))

        gradient = jax.grad(lambda some: cross_entropy(shape, some, features, labels))(layers)
        step = 1e-6
        for index, layer in enumerate(layers):
            for kind in (0, 1):
                for place in list(np.ndindex(layer[kind].shape))[::3]:
                    sides = []
                    for sign in (1, -1):
                        moved = [[w.copy(), b.copy()] for w, b in layers]
                        moved[index][kind][place] += sign * step
                        sides.append(loss(moved))
                    slope = (sides[0] - sides[1]) / (2 * step)
                    assert float(gradient[index][kind][place]) == pytest.approx(slope, abs=1e-5)


def test_the_loss_is_the_cross_entropy_as_printed() -> None:
    from optkit.learning.ddl_steps import cross_entropy

    shape = SHAPES[0]
    layers, features = [(w[0], b[0]) for w, b in drawn(shape)], seen(shape)
    labels = np.array([[0, 1, 2], [3, 2, 1], [1, 1, 1], [0, 3, 3]])
    logits, total = forward(shape, layers, features), 0.0
    for b in range(4):
        for i in range(3):
            for bit in range(2):
                output = 1 / (1 + math.exp(-float(logits[b, i, bit])))
                wanted = labels[b, i] >> (1 - bit) & 1
                total -= math.log(output if wanted else 1 - output)
    loss = float(cross_entropy(shape, layers, features, labels))
    assert loss == pytest.approx(total / 4, rel=1e-5)


def test_first_weights_differ_and_have_the_deviation() -> None:
    shape = Shape((4,) * 10, 50, (40, 8), (60,))
    layers = drawn_layers(shape, 6, np.random.default_rng(0))
    for (weight, bias), (inputs, width) in zip(layers, shape.sizes, strict=True):
        assert weight.shape == (6, inputs, width) and not bias.any()
        assert weight.std() == pytest.approx(math.sqrt(2 / inputs), rel=0.1)
        assert len(np.unique(weight[:, 0, 0])) == 6
    wide = drawn_layers(shape, 6, np.random.default_rng(0), deviation=0.1)
    assert wide[0][0].std() == pytest.approx(0.1, rel=0.05)


def test_noise_adds_a_decision_of_each_network() -> None:
    shape = SHAPES[0]
    networks = Networks(shape, drawn(shape))
    features = seen(shape)
    plain_ones = networks.decide(features)
    both = networks.decide(features, np.random.default_rng(0))
    assert len(networks) == 3 and plain_ones.shape == (3, 4, 3) and both.shape == (6, 4, 3)
    assert (both[:3] == plain_ones).all() and (both[3:] != plain_ones).any()


def test_other_sizes_are_refused_in_words() -> None:
    instance = points()
    features = instance.environment().features()
    made = Networks(Shape((4,) * 15, 2), [])
    with pytest.raises(UsageError, match="^trained for 15 positions of 4 options, this instance "
                       "has 4 of 3$"):  # fmt: skip
        made.check(instance, features)
    made = Networks(Shape((2, 3, 3, 3), 2), [])
    with pytest.raises(UsageError, match="4 positions of 2 to 3 options, this .* has 4 of 3$"):
        made.check(instance, features)
    made = Networks(Shape((3,) * 4, 96), [])
    with pytest.raises(UsageError, match="96 features of a position, this instance has 2"):
        made.check(instance, features)
    Networks(Shape((3,) * 4, 2), []).check(instance, features)


def test_networks_are_restored_from_what_a_file_holds() -> None:
    shape = SHAPES[0]
    made = Networks(shape, drawn(shape))
    again = Networks.restored(made.description(), made.arrays())
    assert again.shape == shape
    assert (again.decide(seen(shape)) == made.decide(seen(shape))).all()
    half = {name: array.astype(np.float16) for name, array in made.arrays().items()}
    assert Networks.restored(made.description(), half).layers[0][0].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "arrays", "message"),
    [
        ({"choices": []}, {}, "does not describe"),
        ({"features": "5"}, {}, "does not describe"),
        ({"output": "ternary"}, {}, "does not describe"),
        ({"hidden": [6, 5, 5]}, {}, "does not describe"),
        ({"features": 6}, {}, "other sizes"),
        ({}, {"weight_0": np.zeros(3)}, "other sizes"),
        ({}, {"weight_0": np.array("text")}, "does not describe"),
        ({}, {"bias_1": np.full((3, 1, 3), np.nan)}, "not finite"),
    ],
)
def test_what_is_no_network_is_refused(
    change: dict[str, Any], arrays: dict[str, Any], message: str
) -> None:
    made = Networks(SHAPES[0], drawn(SHAPES[0]))
    with pytest.raises(UsageError, match=message):
        Networks.restored(made.description() | change, made.arrays() | arrays)
