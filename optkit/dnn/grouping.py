"""Layers grouped into the blocks that are placed as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from optkit.dnn.layers import Layer, Network


@dataclass(frozen=True)
class Block:
    """Consecutive layers that run in one place.

    Attributes
    ----------
    layers
        Names of the layers, in order.
    cycles
        CPU cycles of all of them.
    output_bits
        Size in bits of what the last one emits.
    param_bytes
        Size in bytes of all their parameters.
    """

    layers: tuple[str, ...]
    cycles: float
    output_bits: int
    param_bytes: int


def blocks(network: Network, count: int, *, cycles_per_mac: float = 1.0) -> list[Block]:
    """Group the layers of a chain into `count` blocks of similar work.

    Starting from one group, the heaviest group (by cycles) that has a cut left is split where its
    halves are most alike. Groupings are therefore nested: every cut of a coarser one is a cut of
    each finer one, and whatever can be placed with few blocks can be placed with more.

    Parameters
    ----------
    network
        A network in which each layer reads the one before it.
    count
        Number of blocks, from 1 to the number of layers.
    cycles_per_mac
        CPU cycles of one multiply-accumulate operation, see `Layer.cycles`.

    Returns
    -------
    list of Block
        The blocks in order, of length `count`.

    Raises
    ------
    ValueError
        If `count` is out of range, `cycles_per_mac` is not a positive finite number, or the
        network branches (the last layer of a block would not be all that it emits).
    """
    layers = network.layers
    if not network.is_chain:
        raise ValueError(f"{network.name} branches, only a chain can be cut into blocks")
    if count not in range(1, len(layers) + 1):
        raise ValueError(
            f"{network.name} has {len(layers)} layers: the number of blocks must be in "
            f"1..{len(layers)}, not {count!r}"
        )
    if not 0 < cycles_per_mac < inf:
        raise ValueError(f"cycles_per_mac must be positive and finite, not {cycles_per_mac!r}")
    cycles = [layer.cycles(cycles_per_mac) for layer in layers]
    bounds = _nested_bounds(cycles, count)
    return [_block(layers[start:stop], cycles[start:stop]) for start, stop in pairwise(bounds)]


def _nested_bounds(cycles: Sequence[float], count: int) -> list[int]:
    """First index of each group, then the end; ties go to the earlier group and the earlier cut."""
    bounds = [0, len(cycles)]
    while len(bounds) <= count:
        splittable = [(start, stop) for start, stop in pairwise(bounds) if stop - start > 1]
        start, stop = max(splittable, key=lambda group: sum(cycles[slice(*group)]))
        cut = min(
            range(start + 1, stop),
            key=lambda cut: max(sum(cycles[start:cut]), sum(cycles[cut:stop])),
        )
        bounds = sorted([*bounds, cut])
    return bounds


def _block(layers: Sequence[Layer], cycles: Sequence[float]) -> Block:
    return Block(
        layers=tuple(layer.name for layer in layers),
        cycles=sum(cycles),
        output_bits=layers[-1].output_bits,
        param_bytes=sum(layer.param_bytes for layer in layers),
    )
