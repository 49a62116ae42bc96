"""Boxes on shelves, the tallest first: charts into an atlas, windows into a picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64


def shelf_pack(
    box: Float64[np.ndarray, "C 2"], side: float, most: float = np.inf
) -> tuple[float, Float64[np.ndarray, "C 2"]]:
    """Boxes (width, height) in rows of at most `side`; the height of all rows, and where each box lies (x, y).

    `most`: height from which it may be given up: that of all rows is infinite then.
    """
    order = np.argsort(-box[:, 1], kind="stable")
    width, height = box[order].T
    ends = np.cumsum(width)
    place = np.empty_like(box)
    top, start = 0.0, 0
    while start < len(box) and top <= most:
        before = ends[start - 1] if start else 0.0
        stop = max(int(np.searchsorted(ends, before + side * (1 + 1e-12), side="right")), start + 1)
        place[start:stop, 0] = ends[start:stop] - width[start:stop] - before
        place[start:stop, 1] = top
        top, start = top + height[start], stop
    if start < len(box):
        return np.inf, place
    out = np.empty_like(place)
    out[order] = place
    return top, out
