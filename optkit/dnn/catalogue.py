"""The networks by name."""

from optkit.dnn import architectures, detection
from optkit.dnn.layers import Network

_BUILDERS = {
    "alexnet": architectures.alexnet,
    "alexnet_224": architectures.alexnet_224,
    "nin": architectures.nin,
    "resnet32": architectures.resnet32,
    "vgg16": architectures.vgg16,
    "vgg16_224": architectures.vgg16_224,
    "yolov1": detection.yolov1,
    "yolov1_local": detection.yolov1_local,
    "tiny_yolo": detection.tiny_yolo,
}


def networks() -> list[str]:
    """Names that `network` knows; inputs have a side of 32, 224 as a suffix says, or 448 (YOLO)."""
    return list(_BUILDERS)


def network(name: str, *, classes: int = 10) -> Network:
    """Look up a network.

    Parameters
    ----------
    name
        One of `networks()`.
    classes
        Number of outputs of the classifier; of classes told apart by a detector (YOLO).

    Returns
    -------
    Network
        With its units, its publication in `reference`, and its layer table in `layers`.

    Raises
    ------
    ValueError
        If the name is unknown (the message suggests the nearest one) or `classes` is below 1.

    Examples
    --------
    >>> sum(layer.params for layer in network("vgg16_224", classes=1000).layers)
    138357544
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown network {name!r}{_suggestion(name)}")
    if classes < 1:
        raise ValueError(f"classes must be at least 1, not {classes!r}")
    return _BUILDERS[name](classes)


def _suggestion(name: str) -> str:
    from difflib import get_close_matches  # only on the way to an error

    near = get_close_matches(name.casefold(), _BUILDERS, n=1)
    return f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(_BUILDERS)}"
