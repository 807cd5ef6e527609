"""Compiled comparison of candidate cuts at the corners of what can happen to an offloader."""

from __future__ import annotations

from optkit.kernels import kernel


@kernel
def drop_dominated(corners, order, count, kept):  # type: ignore[no-untyped-def]
    """Clear kept [N, C] where another cut of the service costs no more at every corner.

    corners [N, C, 4] are costs, order [N, C] cuts by their sum, count [N] the cuts of each
    service (none for one that keeps all). Of equal cuts the first one stays.
    """
    for i in range(len(count)):
        front = 0
        for position in range(count[i]):
            cut = order[i, position]
            beaten = False
            for other in range(front):
                better = order[i, other]  # those that stay are moved to the front
                beaten = True
                for corner in range(corners.shape[2]):
                    if corners[i, better, corner] > corners[i, cut, corner]:
                        beaten = False
                        break
                if beaten:
                    break
            if beaten:
                kept[i, cut] = False
            else:
                order[i, front] = cut
                front += 1
