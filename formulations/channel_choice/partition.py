"""Where each network is cut (paper 000, Algorithm 1), and the cuts of known networks."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from formulations.channel_choice.schema import Document, Service
from optkit.dnn import network
from optkit.dnn.layers import ACTIVATION_BITS
from optkit.errors import InstanceError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEAD, TAIL, BITS, PARAM_BYTES = range(4)
_FLOP_PER_MAC = 2.0
_VOC_CLASSES = 20  # what paper 000's networks are trained on


@cache
def network_cuts(name: str) -> Floats:
    """Every cut [L + 1, 4] of a network in ``optkit.dnn``, entry 0 before its first layer.

    Columns: FLOP before the cut (2 for each multiply-accumulate operation; nothing else is
    counted), FLOP after it, bits across it (float32), bytes of the parameters after it.
    """
    net = network(name, classes=_VOC_CLASSES)
    flop = _FLOP_PER_MAC * np.array([0] + [layer.macs for layer in net.layers], dtype=float)
    stored = np.array([0] + [layer.param_bytes for layer in net.layers], dtype=float)
    head, stored = np.cumsum(flop), np.cumsum(stored)
    bits = [net.input_bits(ACTIVATION_BITS)] + [layer.output_bits for layer in net.layers]
    rows = np.stack([head, head[-1] - head, np.array(bits, float), stored[-1] - stored], axis=1)
    rows.setflags(write=False)
    return rows


def service_cuts(service: Service) -> Floats:
    """The cuts [L, 4] of a service, columns as in `network_cuts`.

    The input scale of a named network multiplies FLOP and bits, but not the parameters.
    """
    if service.cuts is not None:
        rows = [(c.head_flop, c.tail_flop, c.transfer_bits, c.tail_param_bytes)
                for c in service.cuts]  # fmt: skip
        return np.array(rows, dtype=np.float64)
    assert service.model is not None and service.input_scale is not None
    scale = service.input_scale
    cuts: Floats = network_cuts(service.model) * np.array([scale, scale, scale, 1.0])
    return cuts


def profit_rates(cuts: Floats, weights: tuple[float, float], revenue: str) -> Floats:
    """Revenue over cost of every cut [L]: (kappa1 chi_com + kappa2 chi_mem) / chi_trans.

    Parameters
    ----------
    cuts : [L, 4] as in `network_cuts`, entry 0 the input; every entry sends something.
    weights : kappa1 and kappa2.
    revenue : "tail" for what is left behind the cut, "layer" for the layer before it alone.

    Notes
    -----
    Paper 000, Eqs. 4-6: its square root changes no argmax and is left out. Shares of nothing
    (a network without parameters) are 0.
    """
    total = cuts[0, HEAD] + cuts[0, TAIL]
    stored = cuts[:, PARAM_BYTES]
    shares = [cuts[:, TAIL] / total, stored / stored[0] if stored[0] > 0 else 0.0 * stored]
    if revenue == "layer":
        shares = [-np.diff(share, prepend=share[0]) for share in shares]
    rates: Floats = (weights[0] * shares[0] + weights[1] * shares[1]) / (
        cuts[:, BITS] / cuts[0, BITS]
    )
    return rates


def rate_cut(cuts: Floats, weights: tuple[float, float], revenue: str) -> int:
    """The cut of the largest profit rate that leaves FLOP behind it, the first of equals."""
    rates = profit_rates(cuts, weights, revenue)
    return int(np.argmax(np.where(cuts[:, TAIL] > 0, rates, -np.inf)))


def candidate_cuts(document: Document) -> tuple[list[Floats], list[Ints]]:
    """The cuts [C_i, 4] that each service may have, and their numbers [C_i] in the file.

    One each, but all where ``cut_choice`` is "optimal".

    Raises
    ------
    InstanceError
        A `cut` beyond the layers of a named network.
    """
    tables, numbers = [], []
    for index, service in enumerate(document.services):
        cuts = service_cuts(service)
        if service.cut is not None and service.cut >= len(cuts):
            message = f"found {service.cut}, expected an integer from 0 to {len(cuts) - 1}"
            raise InstanceError(message, f"services[{index}].cut")
        chosen = np.arange(len(cuts))
        if document.cut_choice != "optimal":
            chosen = np.array([_chosen(document, service, cuts)])
        tables.append(cuts[chosen])
        numbers.append(chosen.astype(np.int64))
    return tables, numbers


def _chosen(document: Document, service: Service, cuts: Floats) -> int:
    if document.cut_choice == "rate":
        return rate_cut(cuts, document.cut_weights, document.cut_revenue)
    if document.cut_choice == "input":
        return 0
    assert service.cut is not None  # the schema asks for it
    return service.cut
