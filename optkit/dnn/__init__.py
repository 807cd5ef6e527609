"""Real networks as layer tables, computed: what each layer costs, emits and stores."""

from optkit.dnn.catalogue import network, networks
from optkit.dnn.grouping import Block, blocks
from optkit.dnn.layers import Layer, Network
from optkit.dnn.units import Conv, Dense, Local, Pool, Residual, Shape, Unit

__all__ = [
    "Block",
    "Conv",
    "Dense",
    "Layer",
    "Local",
    "Network",
    "Pool",
    "Residual",
    "Shape",
    "Unit",
    "blocks",
    "network",
    "networks",
]
