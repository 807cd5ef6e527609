"""Compiled merging of set functions over few twins (sets are bit masks)."""

from __future__ import annotations

import numpy as np

from optkit.kernels import kernel


@kernel
def merge(first, second, start, stop, merged):  # type: ignore[no-untyped-def]
    """Least of first[A] + second[U - A] over subsets A, for U = 4 start .. 4 stop - 1.

    The two lowest bits are written out: four sums at once need no more loads than one, which
    makes the 3^M pairs cost about 0.3 ns each.
    """
    for high in range(start, stop):
        best0 = best1 = best2 = best3 = np.inf
        part = high
        while True:
            i, j = 4 * part, 4 * (high ^ part)
            a0, a1, a2, a3 = first[i], first[i + 1], first[i + 2], first[i + 3]
            b0, b1, b2, b3 = second[j], second[j + 1], second[j + 2], second[j + 3]
            best0 = min(best0, a0 + b0)
            best1 = min(best1, min(a0 + b1, a1 + b0))
            best2 = min(best2, min(a0 + b2, a2 + b0))
            best3 = min(best3, min(min(a0 + b3, a3 + b0), min(a1 + b2, a2 + b1)))
            if part == 0:
                break
            part = (part - 1) & high
        merged[4 * high] = best0
        merged[4 * high + 1] = best1
        merged[4 * high + 2] = best2
        merged[4 * high + 3] = best3


@kernel
def split(first, second, whole):  # type: ignore[no-untyped-def]
    """The subset A of a set at which first[A] + second[whole - A] is least."""
    best, at = first[whole] + second[0], whole
    part = whole
    while part != 0:
        part = (part - 1) & whole
        value = first[part] + second[whole ^ part]
        if value < best:
            best, at = value, part
    return at
