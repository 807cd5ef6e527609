"""K networks side by side that decide all positions of an instance at once: NumPy only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from optkit.errors import UsageError
from optkit.instance import Instance
from optkit.learning.codes import Output, Sign, decode, noise, outputs

Layers = Sequence[tuple[Any, Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shape:
    """The sizes of one network (paper 004, Fig. 2).

    Parameters
    ----------
    choices : options of each of the n positions.
    features : what each position is described by.
    extractor : widths of the layers that every position goes through alone, with the same
        weights; empty where the raw features are concatenated.
    hidden : widths of the layers that all positions go through together.
    output, sign : how the outputs stand for options (`codes.decode`).
    """

    choices: tuple[int, ...]
    features: int
    extractor: tuple[int, ...] = (32, 8)
    hidden: tuple[int, ...] = (120, 80)
    output: Output = "binary"
    sign: Sign = "fixed"

    @property
    def positions(self) -> int:
        """How many positions are decided."""
        return len(self.choices)

    @property
    def outputs(self) -> int:
        """Logits of one position."""
        return outputs(max(self.choices), self.output)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each layer, the extractor's first."""
        alone = (self.features, *self.extractor)
        together = (self.positions * alone[-1], *self.hidden, self.positions * self.outputs)
        return [*zip(alone[:-1], alone[1:], strict=True),
                *zip(together[:-1], together[1:], strict=True)]  # fmt: skip


def forward(shape: Shape, layers: Layers, features: Any) -> Any:
    """Logits of scenarios, on arrays of NumPy and of JAX alike.

    Parameters
    ----------
    shape : of the networks.
    layers : weights [..., inputs, outputs] and biases [..., 1, outputs] of each layer.
    features : [B, n, f].

    Returns
    -------
    Logits [..., B, n, outputs], with the leading axes of the layers.
    """
    batch = features.shape[0]
    values = features.reshape(batch * shape.positions, shape.features)
    for index, (weight, bias) in enumerate(layers):
        if index == len(shape.extractor):
            values = values.reshape(*values.shape[:-2], batch, -1)
        values = values @ weight + bias
        if index < len(layers) - 1:
            values = values * (values > 0)
    return values.reshape(*values.shape[:-1], shape.positions, shape.outputs)


def drawn_layers(
    shape: Shape, networks: int, rng: np.random.Generator, deviation: float | None = None
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Normal weights for each network, of variance 2 / inputs unless a deviation is given."""
    layers = []
    for inputs, width in shape.sizes:
        scale = math.sqrt(2.0 / inputs) if deviation is None else deviation
        weight = rng.normal(0.0, scale, (networks, inputs, width)).astype(np.float32)
        layers.append((weight, np.zeros((networks, 1, width), dtype=np.float32)))
    return layers


@dataclass(frozen=True)
class Networks:
    """K networks of one shape.

    Parameters
    ----------
    shape : their sizes.
    layers : weights [K, inputs, outputs] and biases [K, 1, outputs] of each layer.
    """

    shape: Shape
    layers: Layers

    def __len__(self) -> int:
        return len(self.layers[0][0])

    def decide(self, features: NDArray[np.float32], rng: np.random.Generator | None = None) -> Ints:
        """Decisions [K, B, n] on the features [B, n, f] of B scenarios.

        With a generator of random numbers, each network's noisy decision follows its plain one:
        [2 K, B, n].
        """
        shape, choices = self.shape, np.array(self.shape.choices)
        # Weights of a training that diverges overflow: its loss will tell.
        with np.errstate(over="ignore", invalid="ignore"):
            logits = forward(shape, self.layers, features)
        plain = decode(logits, choices, shape.output, shape.sign)
        if rng is None:
            return plain
        noisy = logits + noise(rng, logits.shape, shape.output)
        return np.concatenate([plain, decode(noisy, choices, shape.output, shape.sign)])

    def check(self, instance: Instance, features: NDArray[np.float32]) -> None:
        """Raise where the networks were made for another size.

        Raises
        ------
        UsageError
            Says both sizes.
        """
        shape, choices = self.shape, tuple(map(int, instance.choices))
        if choices != shape.choices:
            raise UsageError(
                f"trained for {sizes(shape.choices)}, this instance has {sizes(choices, '')}"
            )
        if features.shape != (shape.positions, shape.features):
            raise UsageError(
                f"trained on {shape.features} features of a position, this instance has "
                f"{features.shape[-1]}"
            )

    def arrays(self) -> dict[str, NDArray[np.floating]]:
        """The layers by name, as a file holds them."""
        return {
            f"{kind}_{index}": np.asarray(values)
            for index, layer in enumerate(self.layers)
            for kind, values in zip(("weight", "bias"), layer, strict=True)
        }

    def description(self) -> dict[str, Any]:
        """The shape, as a file holds it."""
        return asdict(self.shape)

    @classmethod
    def restored(
        cls, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> Networks:
        """From `description` and `arrays`; half precision becomes single.

        Raises
        ------
        UsageError
            They do not describe networks.
        """
        try:
            shape = msgspec.convert(description, Shape)
            layers = [
                (
                    arrays[f"weight_{index}"].astype(np.float32),
                    arrays[f"bias_{index}"].astype(np.float32),
                )
                for index in range(len(shape.sizes))
            ]
            networks = len(layers[0][0])
        except (msgspec.ValidationError, LookupError, ValueError, TypeError):
            raise UsageError("does not describe networks of ddl") from None
        for (weight, bias), size in zip(layers, shape.sizes, strict=True):
            if weight.shape != (networks, *size) or bias.shape != (networks, 1, size[1]):
                raise UsageError("holds weights of other sizes than it says")
            if not (networks and np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise UsageError("holds no weights, or some that are not finite")
        return cls(shape, layers)


def sizes(choices: Sequence[int], noun: str = "positions ") -> str:
    """``15 positions of 4 options``."""
    least, most = min(choices, default=0), max(choices, default=0)
    options = str(most) if least == most else f"{least} to {most}"
    return f"{len(choices)} {noun}of {options}" + (" options" if noun else "")
