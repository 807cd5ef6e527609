"""Blocks: printed groupings, nestedness, sums, limits."""

from itertools import accumulate

import pytest

from optkit.dnn import Conv, Dense, Network, Shape, blocks, network, networks

SIX_BLOCKS = {  # (Mcycles, output bits, MB) of each block, as printed
    "vgg16": [
        ("58.62", 1_048_576, "0.450"),
        ("37.81", 262_144, "0.590"),
        ("56.66", 524_288, "3.54"),
        ("37.78", 131_072, "2.36"),
        ("56.64", 262_144, "14.16"),
        ("85.01", 320, "113.45"),
    ],
    "alexnet": [
        ("7.58", 98_304, "0.450"),
        ("10.62", 196_608, "2.66"),
        ("14.16", 131_072, "3.54"),
        ("13.64", 131_072, "19.15"),
        ("16.78", 131_072, "67.13"),
        ("0.041", 320, "0.164"),
    ],
    "nin": [
        ("14.94", 6_291_456, "0.058"),
        ("31.62", 5_242_880, "0.124"),
        ("16.05", 786_432, "0.062"),
        ("118.01", 1_572_864, "1.84"),
        ("19.08", 393_216, "0.296"),
        ("23.74", 320, "1.48"),
    ],
    "resnet32": [
        ("14.76", 524_288, "0.057"),
        ("9.54", 524_288, "0.037"),
        ("8.31", 262_144, "0.130"),
        ("17.78", 131_072, "0.444"),
        ("9.46", 131_072, "0.591"),
        ("9.47", 320, "0.593"),
    ],
}


def rounded_like(value: float, printed: str) -> str:
    return f"{value:.{len(printed.partition('.')[2])}f}"


def cuts(net: Network, count: int, cycles_per_mac: float) -> set[int]:
    groups = blocks(net, count, cycles_per_mac=cycles_per_mac)
    return set(accumulate(len(block.layers) for block in groups))


@pytest.mark.parametrize("name", SIX_BLOCKS)
def test_six_blocks_are_the_printed_ones(name: str) -> None:
    found = blocks(network(name), 6)
    printed = SIX_BLOCKS[name]
    assert [
        (
            rounded_like(block.cycles / 1e6, megacycles),
            block.output_bits,
            rounded_like(block.param_bytes / 1e6, megabytes),
        )
        for block, (megacycles, _, megabytes) in zip(found, printed, strict=True)
    ] == printed


@pytest.mark.parametrize("cycles_per_mac", [0.25, 1.0, 2.0])
@pytest.mark.parametrize("name", networks())
def test_groupings_are_nested_and_add_up(name: str, cycles_per_mac: float) -> None:
    net = network(name)
    cycles = cycles_per_mac * sum(layer.macs for layer in net.layers) + sum(
        layer.aux_ops for layer in net.layers
    )
    coarser = {len(net.layers)}
    for count in range(1, len(net.layers) + 1):
        groups = blocks(net, count, cycles_per_mac=cycles_per_mac)
        finer = cuts(net, count, cycles_per_mac)
        assert len(groups) == len(finer) == count
        assert coarser <= finer
        assert [name for block in groups for name in block.layers] == [
            layer.name for layer in net.layers
        ]
        assert sum(block.cycles for block in groups) == cycles
        assert sum(block.param_bytes for block in groups) == 4 * sum(
            layer.params for layer in net.layers
        )
        assert groups[-1].output_bits == net.layers[-1].output_bits
        coarser = finer


def test_finest_grouping_is_the_layer_table() -> None:
    net = network("resnet32")
    assert [
        (block.layers, block.cycles, block.output_bits, block.param_bytes)
        for block in blocks(net, 18)
    ] == [
        ((layer.name,), layer.macs + layer.aux_ops, layer.output_bits, layer.param_bytes)
        for layer in net.layers
    ]


def chain(*outputs: int) -> Network:
    units = tuple(Dense(f"fc{index}", size, bias=False) for index, size in enumerate(outputs))
    return Network("chain", Shape(1, 1, 1), units)


def test_first_split_is_the_best_balanced_one() -> None:
    # Cycles 1*9+9=18, 9*1+1=10, 1*4+4=8, 4*1+1=5: 18 | 23 beats 28 | 13.
    assert [block.cycles for block in blocks(chain(9, 1, 4, 1), 2)] == [18, 23]


def test_a_heavy_single_layer_is_passed_over() -> None:
    # Cycles 2, 2, 100: the heaviest group has one layer, so the light one is split.
    assert [block.cycles for block in blocks(chain(1, 1, 50), 3)] == [2, 2, 100]


def test_cycles_per_mac_leaves_other_operations_alone() -> None:
    whole = {rate: blocks(network("nin"), 1, cycles_per_mac=rate)[0].cycles for rate in (0.25, 2.0)}
    assert whole[2.0] - whole[0.25] == 1.75 * 222_486_528
    assert whole[2.0] == 2 * 222_486_528 + 963_840


@pytest.mark.parametrize("count", [0, -1, 13, 2.5, float("nan")])
def test_counts_out_of_range_name_the_limits(count: int) -> None:
    with pytest.raises(ValueError, match=r"nin has 12 layers: .* in 1\.\.12, not"):
        blocks(network("nin"), count)


@pytest.mark.parametrize("cycles_per_mac", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_cycles_per_mac_is_refused(cycles_per_mac: float) -> None:
    with pytest.raises(ValueError, match="cycles_per_mac must be positive and finite"):
        blocks(network("nin"), 3, cycles_per_mac=cycles_per_mac)


def test_a_branching_network_is_not_grouped() -> None:
    units = (Conv("a", 8), Conv("b", 8, inputs=("input",)), Conv("c", 8, inputs=("a", "b")))
    with pytest.raises(ValueError, match="fork branches, only a chain"):
        blocks(Network("fork", Shape(8, 8, 3), units), 2)
