"""A network as a list of units, and the layer table computed from it."""

from dataclasses import dataclass
from functools import cached_property

from optkit.dnn.units import Shape, Unit

ACTIVATION_BITS = 32
BYTES_PER_PARAM = 4
INPUT_NAME = "input"


@dataclass(frozen=True)
class Layer:
    """One row of a layer table.

    Attributes
    ----------
    name, kind
        Name of the unit, and "conv", "local", "pool", "fc" or "residual".
    inputs
        Names of the layers it reads; "input" is the raw input. These are the edges of the network.
    shape
        Shape of the output.
    macs, aux_ops
        Multiply-accumulate operations, and other operations.
    params
        Number of parameters.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: Shape
    macs: int
    aux_ops: int
    params: int

    @property
    def output_bits(self) -> int:
        """Size of the output in bits, 32 for each value."""
        return ACTIVATION_BITS * self.shape.values

    @property
    def param_bytes(self) -> int:
        """Size of the parameters in bytes, 4 for each."""
        return BYTES_PER_PARAM * self.params

    def cycles(self, cycles_per_mac: float = 1.0) -> float:
        """CPU cycles: `cycles_per_mac` for each MAC and one for each other operation.

        Parameters
        ----------
        cycles_per_mac
            1.0 is a scalar multiply-add per cycle, 0.25 a four-lane vector unit (NEON), 2.0 one
            floating-point operation per cycle.
        """
        return cycles_per_mac * self.macs + self.aux_ops


@dataclass(frozen=True)
class Network:
    """An architecture: units in topological order, on an input of a given shape.

    Parameters
    ----------
    name
        Name it is listed under.
    input_shape
        Height, width and channels of the input.
    units
        The units; each reads the one before it unless it names its inputs.
    reference
        Publication of the architecture.
    """

    name: str
    input_shape: Shape
    units: tuple[Unit, ...]
    reference: str = ""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layer table, one row for each unit in the same order.

        Raises
        ------
        ValueError
            If a name is used twice, an input is not an earlier unit, inputs of different height or
            width meet, or a window does not fit its input.
        """
        shapes = {INPUT_NAME: self.input_shape}
        table: list[Layer] = []
        previous = INPUT_NAME
        for unit in self.units:
            if unit.name in shapes:
                raise ValueError(f"{self.name}: the name {unit.name!r} is used twice")
            inputs = unit.inputs or (previous,)
            for name in inputs:
                if name not in shapes:
                    raise ValueError(f"{self.name}: {unit.name} reads {name!r}, no earlier unit")
            cost = unit.cost(self._concatenate(unit, [shapes[name] for name in inputs]))
            table.append(Layer(unit.name, unit.kind, inputs, *cost))
            shapes[unit.name] = cost.shape
            previous = unit.name
        return tuple(table)

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads the one before it and nothing else."""
        names = [INPUT_NAME, *(layer.name for layer in self.layers)]
        return all(layer.inputs == (name,) for layer, name in zip(self.layers, names, strict=False))

    def input_bits(self, bits_per_value: int = 8) -> int:
        """Size of the raw input in bits.

        Parameters
        ----------
        bits_per_value
            8 for the bytes of an image, 32 for floats.
        """
        return bits_per_value * self.input_shape.values

    def _concatenate(self, unit: Unit, shapes: list[Shape]) -> Shape:
        height, width, _ = shapes[0]
        if any((shape.height, shape.width) != (height, width) for shape in shapes):
            raise ValueError(f"{self.name}: the inputs of {unit.name} differ in height or width")
        return Shape(height, width, sum(shape.channels for shape in shapes))
