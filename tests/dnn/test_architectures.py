"""Layer tables against published totals."""

import pytest

from optkit.dnn import Network, network, networks


def total(net: Network, field: str) -> int:
    return sum(getattr(layer, field) for layer in net.layers)


@pytest.mark.parametrize(
    ("name", "params"),
    [("alexnet_224", 61_100_840), ("vgg16_224", 138_357_544)],
)
def test_parameters_with_1000_classes_are_the_published_ones(name: str, params: int) -> None:
    assert total(network(name, classes=1000), "params") == params


@pytest.mark.parametrize(
    ("name", "classes", "mega_macs"),
    [
        ("alexnet_224", 1000, 714.19),
        ("vgg16_224", 1000, 15470.26),
        ("alexnet_224", 10, 710.13),
        ("vgg16_224", 10, 15466.21),
    ],
)
def test_macs_at_224(name: str, classes: int, mega_macs: float) -> None:
    assert total(network(name, classes=classes), "macs") / 1e6 == pytest.approx(mega_macs, abs=5e-3)


@pytest.mark.parametrize(
    ("name", "mega_params"),
    [("alexnet_224", 57.04), ("vgg16_224", 134.30), ("resnet32", 0.46), ("nin", 0.97)],
)
def test_parameters_with_10_classes(name: str, mega_params: float) -> None:
    assert total(network(name), "params") / 1e6 == pytest.approx(mega_params, abs=5e-3)


TABLE = {  # units, MMACs, aux M, params M, MB, largest and last cut bits
    "vgg16": (21, 332.11, 0.41, 33.64, 134.6, 2_097_152, 131_072),
    "nin": (12, 222.49, 0.96, 0.967, 3.87, 6_291_456, 20_480),
    "resnet32": (18, 68.86, 0.45, 0.463, 1.85, 524_288, 2_048),
    "alexnet": (11, 62.74, 0.08, 23.27, 93.1, 524_288, 131_072),
}


@pytest.mark.parametrize("name", TABLE)
def test_table_at_32(name: str) -> None:
    units, mega_macs, mega_aux, mega_params, megabytes, largest_bits, last_bits = TABLE[name]
    net = network(name)
    cut_bits = [layer.output_bits for layer in net.layers[:-1]]
    assert len(net.layers) == units
    assert total(net, "macs") / 1e6 == pytest.approx(mega_macs, abs=5e-3)
    assert total(net, "aux_ops") / 1e6 == pytest.approx(mega_aux, abs=5e-3)
    assert total(net, "params") / 1e6 == pytest.approx(mega_params, rel=5e-4)
    assert total(net, "param_bytes") / 1e6 == pytest.approx(megabytes, rel=2e-3)
    assert (max(cut_bits), cut_bits[-1]) == (largest_bits, last_bits)


@pytest.mark.parametrize(
    ("name", "layer", "shape"),
    [
        ("alexnet_224", "pool1", (27, 27, 64)),
        ("alexnet_224", "pool5", (6, 6, 256)),
        ("vgg16_224", "pool5", (7, 7, 512)),
        ("vgg16", "pool5", (1, 1, 512)),
        ("nin", "cccp6", (8, 8, 10)),
        ("resnet32", "block2_1", (16, 16, 32)),
        ("resnet32", "block3_5", (8, 8, 64)),
        ("yolov1", "conv1", (224, 224, 64)),
        ("yolov1", "pool4", (14, 14, 1024)),
        ("yolov1", "conv6_2", (7, 7, 1024)),
        ("yolov1_local", "local1", (7, 7, 256)),
        ("tiny_yolo", "conv8", (7, 7, 256)),
    ],
)
def test_published_shapes(name: str, layer: str, shape: tuple[int, int, int]) -> None:
    assert {row.name: row.shape for row in network(name).layers}[layer] == shape


DETECTION = {  # units, MMACs, M parameters: Redmon 2015 on 448 x 448 images, 20 classes
    "yolov1": (30, 20285.15, 271.68),
    "yolov1_local": (30, 20210.73, 197.26),
    "tiny_yolo": (15, 1608.02, 27.09),
}
#: A detector says boxes (five values each) and classes of each of 7 x 7 cells.
OUTPUTS_OF_7_CLASSES = {"yolov1": 49 * 17, "yolov1_local": 49 * 22, "tiny_yolo": 49 * 17}


@pytest.mark.parametrize("name", DETECTION)
def test_detection_networks(name: str) -> None:
    units, mega_macs, mega_params = DETECTION[name]
    net = network(name, classes=20)
    assert len(net.layers) == units
    assert total(net, "macs") / 1e6 == pytest.approx(mega_macs, abs=5e-3)
    assert total(net, "params") / 1e6 == pytest.approx(mega_params, abs=5e-3)
    assert net.input_bits(bits_per_value=32) == 8 * 2_408_448


@pytest.mark.parametrize("name", networks())
def test_every_network_is_a_chain_that_ends_in_its_classes(name: str) -> None:
    net = network(name, classes=7)
    assert net.name == name
    assert net.is_chain
    assert net.layers[-1].shape == (1, 1, OUTPUTS_OF_7_CLASSES.get(name, 7))
    assert net.reference


def test_raw_input_bits() -> None:
    assert network("vgg16").input_bits() == 24_576
    assert network("vgg16").input_bits(bits_per_value=32) == 98_304
    assert network("vgg16_224").input_bits() == 1_204_224


@pytest.mark.parametrize("name", ["VGG16", "vgg-16", "vg16"])
def test_unknown_name_suggests_the_nearest(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown network '{name}', did you mean 'vgg16'"):
        network(name)


def test_unknown_name_far_from_all_lists_them() -> None:
    with pytest.raises(ValueError, match=r"known: .*nin, resnet32"):
        network("transformer")


def test_classes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="classes must be at least 1, not 0"):
        network("nin", classes=0)
