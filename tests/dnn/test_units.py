"""The description language: costs worked out by hand, branches, bad descriptions."""

import subprocess
import sys

import pytest

from optkit.dnn import Conv, Dense, Local, Network, Pool, Residual, Shape, Unit


@pytest.mark.parametrize(
    ("unit", "shape", "macs", "aux_ops", "params"),
    [
        (Conv("c", 4), (6, 8, 4), 48 * 4 * 27, 192, 4 * 28),
        (Conv("c", 4, bias=False), (6, 8, 4), 48 * 4 * 27, 192, 4 * 27),
        (Conv("c", 4, kernel=5, stride=2), (3, 4, 4), 12 * 4 * 75, 48, 4 * 76),
        (Conv("c", 4, padding=0), (4, 6, 4), 24 * 4 * 27, 96, 4 * 28),
        (Local("l", 4), (6, 8, 4), 48 * 4 * 27, 192, 48 * 4 * 28),
        (Local("l", 4, stride=2, bias=False), (3, 4, 4), 12 * 4 * 27, 48, 12 * 4 * 27),
        (Pool("p", 2), (3, 4, 3), 0, 36 * 4, 0),
        (Pool("p", 3, stride=1, padding=1), (6, 8, 3), 0, 144 * 9, 0),
        (Pool("p"), (1, 1, 3), 0, 144, 0),
        (Dense("d", 5), (1, 1, 5), 144 * 5, 5, 145 * 5),
        (Dense("d", 5, bias=False), (1, 1, 5), 144 * 5, 5, 144 * 5),
        (
            Residual("r", (Conv("a", 4, stride=2), Conv("b", 4))),
            (3, 4, 4),
            12 * 4 * 27 + 12 * 4 * 36,
            3 * 48,
            4 * 28 + 4 * 37,
        ),
    ],
)
def test_cost_on_a_6_by_8_map_of_3_channels(
    unit: Unit, shape: tuple[int, int, int], macs: int, aux_ops: int, params: int
) -> None:
    assert unit.cost(Shape(6, 8, 3)) == (shape, macs, aux_ops, params)


def test_inception_3a_has_its_published_size() -> None:
    """Szegedy 2014 (arXiv:1409.4842), table 1: 28x28x256, 159 K parameters, 128 M operations."""
    units = (
        Conv("1x1", 64, kernel=1, bias=False),
        Conv("3x3_reduce", 96, kernel=1, bias=False, inputs=("input",)),
        Conv("3x3", 128, bias=False),
        Conv("5x5_reduce", 16, kernel=1, bias=False, inputs=("input",)),
        Conv("5x5", 32, kernel=5, bias=False),
        Pool("pool", 3, stride=1, padding=1, inputs=("input",)),
        Conv("pool_proj", 32, kernel=1, bias=False),
        Pool("next", 3, padding=1, inputs=("1x1", "3x3", "5x5", "pool_proj")),
    )
    net = Network("inception_3a", Shape(28, 28, 192), units)
    assert sum(layer.params for layer in net.layers) // 1024 == 159
    assert sum(layer.macs for layer in net.layers) // 10**6 == 128
    assert net.layers[-1].shape == (14, 14, 256)
    assert net.layers[2].inputs == ("3x3_reduce",)
    assert net.layers[3].inputs == ("input",)
    assert not net.is_chain


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ((Conv("a", 4), Conv("a", 4)), "'a' is used twice"),
        ((Conv("input", 4),), "'input' is used twice"),
        ((Conv("a", 4, inputs=("b",)), Conv("b", 4)), "a reads 'b', no earlier unit"),
        ((Pool("a", 2), Conv("b", 4, inputs=("input", "a"))), "inputs of b differ in height"),
        ((Pool("a"), Pool("b", 2)), "b: a window of 2x2 does not fit an input of 1x1"),
        (
            (Pool("a"), Residual("b", (Conv("c", 4, padding=0),))),
            "c: a window of 3x3 does not fit an input of 1x1 padded by 0",
        ),
    ],
)
def test_bad_descriptions_are_refused(units: tuple[Unit, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _ = Network("bad", Shape(8, 8, 3), units).layers


def test_import_needs_no_numpy() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from optkit.dnn import blocks, network\n"
        "assert len(blocks(network('vgg16'), 6)) == 6"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
