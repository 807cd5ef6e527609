"""What a network that decides all twins at once sees of each: its devices (paper 004, DDL)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.dt_assignment.schema import Document, is_cloud

#: Devices of one twin that are shown; of a larger group, those with the largest inputs.
SLOTS = 24
#: The largest input of the paper's devices, 40 MB.
_INPUT_BITS = 3.2e8

Floats = NDArray[np.float64]


def slots(document: Document) -> NDArray[np.float32] | None:
    """Devices of each twin by decreasing input, in slots of (input, x, y, 1), empty ones 0.

    Parameters
    ----------
    document : parsed.

    Returns
    -------
    [M, 4 SLOTS] : inputs over 40 MB; places scaled to [-1, 1] by the extent of all devices and
    edge servers, 0 where none are given. ``None`` for a document without devices.
    """
    devices = document.devices
    if devices is None:
        return None
    owner, input_bits = devices.twin, devices.input_bits
    order = np.lexsort((-input_bits, owner))  # stable: ties in the order of the file
    owner = owner[order]
    start = np.searchsorted(owner, np.arange(document.shape[0]))
    slot = np.arange(len(owner)) - start[owner]
    shown = slot < SLOTS
    found = np.zeros((document.shape[0], SLOTS, 4), dtype=np.float32)
    edge = ~is_cloud(document)
    places = (
        _scaled(devices.x_m, document.servers.x_m, edge),
        _scaled(devices.y_m, document.servers.y_m, edge),
    )
    columns = (input_bits / _INPUT_BITS, *places, np.ones(len(order)))
    for index, column in enumerate(columns):
        if column is not None:
            found[owner[shown], slot[shown], index] = column[order][shown]
    return found.reshape(len(found), 4 * SLOTS)


def _scaled(
    place_m: Floats | None, servers_m: Floats | None, edge: NDArray[np.bool_]
) -> Floats | None:
    """Coordinates as -1 to 1 over the extent of devices and edge servers.

    Clouds do not count: a file may give them a place, but no rate depends on it.
    """
    if place_m is None:
        return None
    low, high = place_m.min(), place_m.max()
    if servers_m is not None and edge.any():
        low, high = min(low, servers_m[edge].min()), max(high, servers_m[edge].max())
    if high == low:
        return np.zeros(len(place_m))
    scaled: Floats = 2.0 * (place_m - low) / (high - low) - 1.0
    return scaled
