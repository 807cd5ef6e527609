"""The gradient step of all K networks, in JAX; needs the extra ``learn``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from optkit.learning.archive import Arrays
from optkit.learning.codes import code_bits
from optkit.learning.ddl_memory import Memory
from optkit.learning.ddl_settings import DdlSettings
from optkit.learning.networks import Layers, Shape, forward


def cross_entropy(shape: Shape, layers: Layers, features: Any, labels: Any) -> Any:
    """Loss of one network (Eq. 20 of paper 004): sum over outputs, mean over scenarios.

    Parameters
    ----------
    shape : of the network.
    layers : its weights [inputs, outputs] and biases [1, outputs].
    features, labels : [U, n, f] and [U, n].
    """
    logits = forward(shape, layers, features)
    if shape.output == "binary":
        bits = jnp.asarray(code_bits(max(shape.choices)))[labels]
        losses = optax.sigmoid_binary_cross_entropy(logits, bits)
    else:
        possible = np.arange(max(shape.choices)) < np.array(shape.choices)[:, None]
        likely = jnp.where(possible, logits, -jnp.inf)
        losses = optax.softmax_cross_entropy_with_integer_labels(likely, labels)
    return jnp.sum(losses) / len(labels)


class Learner:
    """The weights of K networks and the state of their optimiser.

    Parameters
    ----------
    shape : of each network.
    layers : first weights [K, inputs, outputs] and biases [K, 1, outputs].
    settings : learning rate, its decay and the number of steps.
    """

    def __init__(self, shape: Shape, layers: Layers, settings: DdlSettings) -> None:
        steps = max(1, settings.iterations) if settings.decay == "cosine" else None
        begin, self._step = _compiled(shape, settings.learning_rate, steps)
        self.layers: Layers = [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in layers]
        self._state = begin(self.layers)

    def learn(self, memory: Memory, rows: NDArray[np.int64], order: NDArray[np.int64]) -> float:
        """One step of Adam; the mean loss of the networks before it.

        Parameters
        ----------
        memory : what is learned.
        rows : [K, U] of the memory, a batch for each network.
        order : [K, U, n] the positions of each row in the order in which they are shown.
        """
        arrays = (memory.features, memory.labels, rows.astype(np.int32), order.astype(np.int32))
        self.layers, self._state, loss = self._step(self.layers, self._state, *arrays)
        return float(loss)

    def host_layers(self) -> Layers:
        """The layers as arrays of NumPy."""
        return [(np.asarray(weight), np.asarray(bias)) for weight, bias in self.layers]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """State of the optimiser: what `restore` takes beside the layers."""
        leaves = jax.tree_util.tree_leaves(self._state)
        return {f"optimiser_{index}": np.asarray(leaf) for index, leaf in enumerate(leaves)}

    def restore(self, layers: Layers, arrays: Arrays) -> None:
        """Back to the state of `layers` and `arrays`.

        Raises
        ------
        KeyError, ValueError
            The arrays are those of another optimiser.
        """
        leaves, structure = jax.tree_util.tree_flatten(self._state)
        saved = [jnp.asarray(arrays[f"optimiser_{index}"]) for index in range(len(leaves))]
        for index, (leaf, array) in enumerate(zip(leaves, saved, strict=True)):
            if leaf.shape != array.shape:
                raise ValueError(f"optimiser_{index} is {array.shape}, expected {leaf.shape}")
        self._state = jax.tree_util.tree_unflatten(structure, saved)
        self.layers = [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in layers]


@cache
def _compiled(
    shape: Shape, learning_rate: float, decay_steps: int | None
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The first state of Adam and its step, compiled once for all trainings of a process."""
    rate: Any = learning_rate
    if decay_steps is not None:
        rate = optax.cosine_decay_schedule(rate, decay_steps)
    optimiser = optax.adam(rate)

    def gradient(_: None, one: Any) -> Any:
        layers, features, labels = one
        value = jax.value_and_grad(lambda weights: cross_entropy(shape, weights, features, labels))
        return None, value(layers)

    def step(layers: Any, state: Any, features: Any, labels: Any, rows: Any, order: Any) -> Any:
        # One network after the other: plain matrix products are faster on a processor than
        # batched ones (8.6 against 11.8 ms a step with vmap, one thread, paper sizes).
        picked = (layers, features[rows[..., None], order], labels[rows[..., None], order])
        _, (losses, gradients) = jax.lax.scan(gradient, None, picked)
        updates, state = optimiser.update(gradients, state)
        return optax.apply_updates(layers, updates), state, jnp.mean(losses)

    return jax.jit(optimiser.init), jax.jit(step)
