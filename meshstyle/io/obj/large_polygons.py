"""Polygons of very many corners as triangles, by Mapbox's earcut, which finds ears by their place along a curve.

That takes time as n·log(n) for most polygons, but as n² for some; what may be spent on a model is limited.
"""

from __future__ import annotations

import mapbox_earcut
import numpy as np
from jaxtyping import Float64, Int64

LARGE = 1000  # corners from which on it takes less time than clipping ears one by one
MAX_WORK = 4_000_000_000  # squares of corners in one model, some seconds at the worst


def triangulate_large(flat: Float64[np.ndarray, "N 2"]) -> Int64[np.ndarray, "T 3"] | None:
    """N − 2 triangles of a counter-clockwise polygon, as indices of its corners; None where that cannot be.

    Corners that lie on an edge between others, which no triangle needs, get triangles without area.
    """
    count = len(flat)
    found = mapbox_earcut.triangulate_float64(np.ascontiguousarray(flat), np.array([count], np.uint32))
    triangles = found.reshape(-1, 3).astype(np.int64)
    left = np.setdiff1d(np.arange(count), triangles)
    flat_ones = np.stack([(left - 1) % count, left, (left + 1) % count], axis=1)
    whole = np.concatenate([_turned(flat, triangles), flat_ones])
    return whole if len(triangles) and len(whole) == count - 2 else None


def _turned(
    flat: Float64[np.ndarray, "N 2"], triangles: Int64[np.ndarray, "T 3"]
) -> Int64[np.ndarray, "T 3"]:
    """All counter-clockwise, as the polygon is."""
    a, b, c = (flat[triangles[:, corner]] for corner in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    clockwise = area < 0
    return np.where(clockwise[:, None], triangles[:, ::-1], triangles)
