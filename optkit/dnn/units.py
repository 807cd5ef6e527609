"""The units that networks are described with, and what one unit costs on a given input.

Batch normalisation is folded into the weights and bias before it, as every inference engine does,
and a ReLU belongs to the convolution or fully connected layer before it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple


class Shape(NamedTuple):
    """Size of one activation map; a vector is 1 x 1 x channels."""

    height: int
    width: int
    channels: int

    @property
    def values(self) -> int:
        """Number of values in the map."""
        return self.height * self.width * self.channels


class Cost(NamedTuple):
    """What a unit turns its input into, and at what cost.

    Attributes
    ----------
    shape
        Shape of the output.
    macs
        Multiply-accumulate operations.
    aux_ops
        Other operations: 1 per activation, one per element of the window of a pooled output
        (k^2), 1 per residual addition.
    params
        Weights and biases.
    """

    shape: Shape
    macs: int
    aux_ops: int
    params: int


@dataclass(frozen=True)
class Unit(ABC):
    """One unit of a network, the finest piece that can be placed on its own.

    Parameters
    ----------
    name
        Name, unique in the network.
    inputs
        Names of the units (or "input") it reads, concatenated along the channels. Left out: the
        unit listed before it.
    """

    kind: ClassVar[str]
    name: str
    inputs: tuple[str, ...] = field(default=(), kw_only=True)

    @abstractmethod
    def cost(self, source: Shape) -> Cost:
        """Cost of this unit on an input of shape `source`.

        Raises
        ------
        ValueError
            If the unit's window does not fit the input.
        """


@dataclass(frozen=True)
class Conv(Unit):
    """Convolution and activation: Ho Wo Co Ci k^2 MACs, Co (Ci k^2 + 1) parameters.

    Parameters
    ----------
    channels
        Output channels Co.
    kernel, stride
        Side k of the square window and its step.
    padding
        Zeros added at each border; k // 2 (the same size at stride 1) if left out.
    bias
        Whether each output channel has one.
    """

    kind = "conv"
    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int | None = None
    bias: bool = True

    def cost(self, source: Shape) -> Cost:
        """See `Unit.cost`."""
        shape = self._slid(source)
        weights = self.channels * source.channels * self.kernel**2
        biases = self.channels * self.bias
        return Cost(shape, shape.height * shape.width * weights, shape.values, weights + biases)

    def _slid(self, source: Shape) -> Shape:
        padding = self.kernel // 2 if self.padding is None else self.padding
        return _slide(self, source, self.channels, self.kernel, self.stride, padding)


@dataclass(frozen=True)
class Local(Conv):
    """Locally connected layer and activation: a convolution with own weights at every output.

    Its parameters are those of `Conv`, but each output value has a bias.
    """

    kind = "local"

    def cost(self, source: Shape) -> Cost:
        """See `Unit.cost`."""
        shape = self._slid(source)
        weights = shape.values * source.channels * self.kernel**2
        return Cost(shape, weights, shape.values, weights + shape.values * self.bias)


@dataclass(frozen=True)
class Pool(Unit):
    """Maximum or average over windows: as many operations per output as the window has elements.

    Parameters
    ----------
    kernel, stride
        Side of the square window and its step; without a kernel the whole map is one window.
    padding
        Border added on each side.
    """

    kind = "pool"
    kernel: int | None = None
    stride: int = 2
    padding: int = 0

    def cost(self, source: Shape) -> Cost:
        """See `Unit.cost`."""
        if self.kernel is None:
            return Cost(Shape(1, 1, source.channels), 0, source.values, 0)
        shape = _slide(self, source, source.channels, self.kernel, self.stride, self.padding)
        return Cost(shape, 0, shape.values * self.kernel**2, 0)


@dataclass(frozen=True)
class Dense(Unit):
    """Fully connected layer and activation on the flattened input.

    Parameters
    ----------
    outputs
        Number of output values.
    bias
        Whether each output value has one.
    """

    kind = "fc"
    outputs: int
    bias: bool = True

    def cost(self, source: Shape) -> Cost:
        """See `Unit.cost`."""
        weights = source.values * self.outputs
        biases = self.outputs * self.bias
        return Cost(Shape(1, 1, self.outputs), weights, self.outputs, weights + biases)


@dataclass(frozen=True)
class Residual(Unit):
    """Units in a row whose result is added to their input: one unit, as its inside has two paths.

    The shortcut has no parameters (option A of He 2015): it is subsampled and padded with zero
    channels where the body changes the shape. The last activation comes after the addition.

    Parameters
    ----------
    body
        The units between input and addition, in order.
    """

    kind = "residual"
    body: tuple[Unit, ...]

    def cost(self, source: Shape) -> Cost:
        """See `Unit.cost`."""
        macs = aux_ops = params = 0
        shape = source
        for unit in self.body:
            part = unit.cost(shape)
            shape = part.shape
            macs += part.macs
            aux_ops += part.aux_ops
            params += part.params
        return Cost(shape, macs, aux_ops + shape.values, params)


def _slide(
    unit: Unit, source: Shape, channels: int, kernel: int, stride: int, padding: int
) -> Shape:
    """Shape after a square window has slid over the padded input."""
    height = (source.height + 2 * padding - kernel) // stride + 1
    width = (source.width + 2 * padding - kernel) // stride + 1
    if min(height, width) < 1:
        raise ValueError(
            f"{unit.name}: a window of {kernel}x{kernel} does not fit an input of "
            f"{source.height}x{source.width} padded by {padding}"
        )
    return Shape(height, width, channels)
