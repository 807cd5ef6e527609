"""The best division of the cloud among given offloaders (what MTTO trains a network for)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def best_shares(rest: Floats, work: Floats, most: Floats, speed: float) -> Floats:
    """Speeds f that maximise the sum of -log2(rest + work / f) with a sum of at most `speed`.

    Each term is concave in f, so that one multiplier mu of the sum decides (Karush, Kuhn,
    Tucker): f = (-b + sqrt(b^2 + 4 A b / mu)) / (2 A) with A = rest and b = work, at most `most`.

    Parameters
    ----------
    rest : [n] the part of varpi + Gamma that no share of the cloud changes; positive.
    work : [n] weighted FLOP, 0 where no share is needed.
    most : [n] the speed beyond which a service gains nothing more; may be infinite.
    speed : of the whole cloud in FLOP/s.

    Returns
    -------
    [n] in FLOP/s; less than `speed` in all only where nobody gains by more.
    """
    from scipy.optimize import brentq

    needing = work > 0
    if not needing.any():
        return np.zeros(len(work))
    a, b, cap = rest[needing], work[needing], most[needing]

    def shares(log_mu: float) -> Floats:
        # The formula above without its cancellation.
        ratio = b * math.exp(-log_mu)
        wanted: Floats = 2.0 * ratio / (b + np.sqrt(b * b + 4.0 * a * ratio))
        return np.minimum(wanted, cap)

    def log_mu(f: Floats | float) -> Floats:
        found: Floats = np.log(b) - np.log(f) - np.log(a * f + b)
        return found

    result = np.zeros(len(work))
    if cap.sum() <= speed:
        result[needing] = cap
        return result
    low, high = float(log_mu(speed).min()) - 1.0, float(log_mu(speed / len(b)).max()) + 1.0
    while shares(low).sum() < speed:  # where caps bind
        low -= 1.0
    best = brentq(lambda t: float(shares(t).sum()) - speed, low, high, xtol=1e-13, rtol=1e-15)
    found = shares(best)
    result[needing] = np.minimum(found * (speed / found.sum()), cap)
    return result
