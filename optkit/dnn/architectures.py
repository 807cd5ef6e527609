"""The networks, as published or as commonly shrunk to 32 x 32 images."""

from optkit.dnn.layers import Network
from optkit.dnn.units import Conv, Dense, Pool, Residual, Shape, Unit

CIFAR = Shape(32, 32, 3)
IMAGENET = Shape(224, 224, 3)


def alexnet(classes: int) -> Network:
    """AlexNet in one tower, with the 3 x 3 kernels and small strides that 32 x 32 images need."""
    units = (
        Conv("conv1", 64, stride=2),
        Pool("pool1", 2),
        Conv("conv2", 192),
        Pool("pool2", 2),
        Conv("conv3", 384),
        Conv("conv4", 256),
        Conv("conv5", 256),
        Pool("pool5", 2),
        *_classifier(classes),
    )
    return Network("alexnet", CIFAR, units, "Krizhevsky 2012; one tower: arXiv:1404.5997")


def alexnet_224(classes: int) -> Network:
    """AlexNet in one tower (61,100,840 parameters with 1000 classes)."""
    units = (
        Conv("conv1", 64, kernel=11, stride=4, padding=2),
        Pool("pool1", 3),
        Conv("conv2", 192, kernel=5),
        Pool("pool2", 3),
        Conv("conv3", 384),
        Conv("conv4", 256),
        Conv("conv5", 256),
        Pool("pool5", 3),
        *_classifier(classes),
    )
    return Network("alexnet_224", IMAGENET, units, "Krizhevsky 2012; one tower: arXiv:1404.5997")


def nin(classes: int) -> Network:
    """Network in Network: 1 x 1 convolutions, and global pooling instead of a classifier."""
    units = (
        Conv("conv1", 192, kernel=5),
        Conv("cccp1", 160, kernel=1),
        Conv("cccp2", 96, kernel=1),
        Pool("pool1", 3, padding=1),
        Conv("conv2", 192, kernel=5),
        Conv("cccp3", 192, kernel=1),
        Conv("cccp4", 192, kernel=1),
        Pool("pool2", 3, padding=1),
        Conv("conv3", 192),
        Conv("cccp5", 192, kernel=1),
        Conv("cccp6", classes, kernel=1),
        Pool("pool3"),
    )
    return Network("nin", CIFAR, units, "Lin 2013, arXiv:1312.4400")


def resnet32(classes: int) -> Network:
    """ResNet with 3 stages of 5 residual blocks, whose shortcuts have no parameters (option A)."""
    units: list[Unit] = [Conv("conv1", 16)]
    for stage, channels in enumerate((16, 32, 64), start=1):
        for index in range(1, 6):
            stride = 2 if stage > 1 and index == 1 else 1
            name = f"block{stage}_{index}"
            body = (Conv(f"{name}a", channels, stride=stride), Conv(f"{name}b", channels))
            units.append(Residual(name, body))
    units += [Pool("pool"), Dense("fc", classes)]
    return Network("resnet32", CIFAR, tuple(units), "He 2015, arXiv:1512.03385, section 4.2")


def vgg16(classes: int) -> Network:
    """VGG, configuration D, on 32 x 32 images: the first fully connected layer reads 512 values."""
    return Network("vgg16", CIFAR, _vgg16_units(classes), "Simonyan 2014, arXiv:1409.1556")


def vgg16_224(classes: int) -> Network:
    """VGG, configuration D (138,357,544 parameters with 1000 classes)."""
    return Network("vgg16_224", IMAGENET, _vgg16_units(classes), "Simonyan 2014, arXiv:1409.1556")


def _vgg16_units(classes: int) -> tuple[Unit, ...]:
    units: list[Unit] = []
    stages = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    for stage, (channels, depth) in enumerate(stages, start=1):
        units += [Conv(f"conv{stage}_{index}", channels) for index in range(1, depth + 1)]
        units.append(Pool(f"pool{stage}", 2))
    return (*units, *_classifier(classes))


def _classifier(classes: int) -> tuple[Unit, ...]:
    return Dense("fc6", 4096), Dense("fc7", 4096), Dense("fc8", classes)
