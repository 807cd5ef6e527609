"""YOLO, version 1: one pass from a 448 x 448 image to boxes and classes of a 7 x 7 grid.

Weights only: these networks are listed without biases (some 0.01 % of their parameters).
"""

from optkit.dnn.layers import Network
from optkit.dnn.units import Conv, Dense, Local, Pool, Shape, Unit

PASCAL = Shape(448, 448, 3)
_GRID_CELLS = 7 * 7
_BOX_VALUES = 5  # position, size, confidence
_REFERENCE = "Redmon 2015, arXiv:1506.02640"


def yolov1(classes: int) -> Network:
    """YOLO as published: 24 convolutions, then fully connected layers of 4096 and of the boxes."""
    head = (Dense("fc1", 4096, bias=False), _boxes("fc2", 2, classes))
    return Network("yolov1", PASCAL, (*_yolov1_body(), *head), _REFERENCE)


def yolov1_local(classes: int) -> Network:
    """YOLO as its authors later trained it: a locally connected layer instead of fc 4096."""
    head = (Local("local1", 256, bias=False), _boxes("fc1", 3, classes))
    return Network("yolov1_local", PASCAL, (*_yolov1_body(), *head), f"{_REFERENCE}; darknet")


def tiny_yolo(classes: int) -> Network:
    """Fast YOLO with 8 convolutions."""
    units: list[Unit] = []
    for index, channels in enumerate((16, 32, 64, 128, 256, 512), start=1):
        units += [_conv(f"conv{index}", channels), Pool(f"pool{index}", 2)]
    units += [_conv("conv7", 1024), _conv("conv8", 256), _boxes("fc1", 2, classes)]
    return Network("tiny_yolo", PASCAL, tuple(units), f"{_REFERENCE}; darknet")


def _yolov1_body() -> list[Unit]:
    units: list[Unit] = [_conv("conv1", 64, 7, 2), Pool("pool1", 2), _conv("conv2", 192)]
    units.append(Pool("pool2", 2))
    stages = (
        ((128, 1), (256, 3), (256, 1), (512, 3)),
        ((256, 1), (512, 3)) * 4 + ((512, 1), (1024, 3)),
        ((512, 1), (1024, 3)) * 2 + ((1024, 3),),
    )
    for stage, convolutions in enumerate(stages, start=3):
        units += [
            _conv(f"conv{stage}_{index}", channels, kernel)
            for index, (channels, kernel) in enumerate(convolutions, start=1)
        ]
        if stage < 5:
            units.append(Pool(f"pool{stage}", 2))
    units.append(_conv("conv5_6", 1024, 3, 2))
    return [*units, _conv("conv6_1", 1024), _conv("conv6_2", 1024)]


def _conv(name: str, channels: int, kernel: int = 3, stride: int = 1) -> Conv:
    return Conv(name, channels, kernel=kernel, stride=stride, bias=False)


def _boxes(name: str, boxes: int, classes: int) -> Dense:
    return Dense(name, _GRID_CELLS * (boxes * _BOX_VALUES + classes), bias=False)
