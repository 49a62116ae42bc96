"""Charts into a square: turned, and their boxes put on shelves."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from .shelf_pack import shelf_pack

GUTTERS = (8.0, 4.0, 2.0, 1.0, 0.5, 0.0)
"""Free texels around a chart (at 1024²): the most that leave the charts WORTH of the size they could have."""
WORTH = 0.7
ANGLES = 8  # turns that are tried for each chart, within a right angle


def pack_charts(
    flat: Float64[np.ndarray, "F 3 2"], chart: Int64[np.ndarray, "F"], side: int
) -> Float64[np.ndarray, "F 3 2"]:
    """Lay charts out in 0..1 without overlap, all at the same scale.

    Args:
        flat: the triangles, flattened: each chart in a plane of its own, in the same unit of length.
        chart: number of each triangle's chart, 0..C-1, every number used.
        side: of the atlas in texels.
    """
    points = _turned(flat, chart)
    low, high = _bounds(points, chart)
    points -= low[chart][:, None]
    size = high - low
    tall = np.flatnonzero(size[:, 1] > size[:, 0])
    size[tall] = size[tall, ::-1]
    turn = np.isin(chart, tall)
    points[turn] = points[turn][..., ::-1]
    scale, gutter, place = _fit(size, side)
    return np.clip((points * scale + gutter + place[chart][:, None]) / side, 0.0, 1.0)


def _turned(
    flat: Float64[np.ndarray, "F 3 2"], chart: Int64[np.ndarray, "F"]
) -> Float64[np.ndarray, "F 3 2"]:
    """Every chart turned so that its box is small."""
    best = np.full(int(chart.max()) + 1, np.inf)
    angle = np.zeros(len(best))
    for candidate in np.arange(ANGLES) * (np.pi / 2 / ANGLES):
        low, high = _bounds(flat @ _rotation(candidate), chart)
        area = (high - low).prod(axis=1)
        better = area < best * 0.999
        best[better], angle[better] = area[better], candidate
    turn = np.moveaxis(_rotation(angle), -1, 0)[chart]  # (F, 2, 2)
    return flat @ turn


def _rotation(angle: np.ndarray | float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


def _bounds(
    points: Float64[np.ndarray, "F 3 2"], chart: Int64[np.ndarray, "F"]
) -> tuple[Float64[np.ndarray, "C 2"], Float64[np.ndarray, "C 2"]]:
    order = np.argsort(chart, kind="stable")
    starts = np.flatnonzero(np.diff(chart[order], prepend=-1))
    low = np.minimum.reduceat(points.min(axis=1)[order], starts)
    return low, np.maximum.reduceat(points.max(axis=1)[order], starts)


def _fit(size: Float64[np.ndarray, "C 2"], side: int) -> tuple[float, float, Float64[np.ndarray, "C 2"]]:
    """Texels per unit of length, gutter in texels, and each box's corner in texels."""
    tightest, place = _largest_scale(size, side, 0.0)
    for gutter in GUTTERS[:-1]:
        width = gutter * side / 1024
        scale, found = _largest_scale(size, side, width)
        if scale >= WORTH * tightest and scale > 0:
            return scale, width, found
    return tightest, 0.0, place


def _largest_scale(
    size: Float64[np.ndarray, "C 2"], side: int, gutter: float
) -> tuple[float, Float64[np.ndarray, "C 2"]]:
    """The largest scale (to 1 in 1000) at which all boxes fit; 0 where none does."""
    longest = size.max()
    room = side - 2 * gutter
    if longest <= 0:  # nothing but points
        height, place = shelf_pack(np.full_like(size, 2 * gutter), side, side)
        return (1.0 if height <= side else 0.0), place
    low, high = 0.0, room / longest
    best = np.zeros_like(size)
    for _ in range(40):
        middle = 0.5 * (low + high)
        height, place = shelf_pack(size * middle + 2 * gutter, side, side)
        if height <= side:
            low, best = middle, place
        else:
            high = middle
        if low > 0.999 * high:
            break
    return low, best
