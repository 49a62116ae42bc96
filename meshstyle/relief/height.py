"""The height of paint, and how steep it is."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from jaxtyping import Bool, Float32, Int64, UInt8

from ..srgb import LUMA

FINE, COARSE = 0.8, 9.0  # pixels of a view at viewing size: the band of sizes that strokes have
_BORDER = 2  # texels from the border of a chart that are not looked at


def stroke_height(
    image: UInt8[np.ndarray, "H W C"], covered: Bool[np.ndarray, "H W"], texels: float
) -> Float32[np.ndarray, "H W"]:
    """Lightness (0..1) of strokes above their surroundings; 0 where nothing is covered.

    `texels`: along the side of a pixel at viewing size.
    """
    light = (image[..., :3].astype(np.float32) / 255) @ np.array(LUMA, np.float32)
    fine, coarse = (_blurred(light, covered, max(size * texels, 0.5)) for size in (FINE, COARSE))
    found: Float32[np.ndarray, "H W"] = np.where(covered, fine - coarse, 0).astype(np.float32)
    return found


def slopes_of(
    height: Float32[np.ndarray, "H W"],
    chart: Int64[np.ndarray, "H W"],
) -> tuple[Float32[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
    """How much the height grows from column to column and from row to row: central differences, one-sided where a
    neighbour is of another chart (−1: of none)."""
    found = []
    for axis in (1, 0):
        total, count = np.zeros_like(height), np.zeros_like(height)
        for side in (1, -1):
            near, near_chart = np.roll(height, -side, axis), np.roll(chart, -side, axis)
            same = (near_chart == chart) & (chart >= 0)
            edge = [slice(None), slice(None)]
            edge[axis] = slice(-1, None) if side == 1 else slice(0, 1)
            same[tuple(edge)] = False
            total += np.where(same, (near - height) * side, 0)
            count += same
        found.append((total / np.maximum(count, 1)).astype(np.float32))
    return found[0], found[1]


def from_within(
    slopes: Float32[np.ndarray, "H W 2"], chart: Int64[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W 2"]:
    """Slopes of which those near the borders of charts are the nearest ones from within: on the border itself, texels
    hold what lies beside the chart too. Charts too narrow to have anything within are flat."""
    size = 2 * _BORDER + 1
    low, high = (
        extreme(chart, size) for extreme in (scipy.ndimage.minimum_filter, scipy.ndimage.maximum_filter)
    )
    inside = (low == high) & (chart >= 0)
    if not inside.any():
        return np.zeros_like(slopes)
    distance, near = scipy.ndimage.distance_transform_edt(~inside, return_indices=True)
    found: Float32[np.ndarray, "H W 2"] = slopes[tuple(near)]
    found[(distance > 2 * size) | (chart[tuple(near)] != chart)] = 0
    return found


def _blurred(
    values: Float32[np.ndarray, "H W"], counted: Bool[np.ndarray, "H W"], size: float
) -> Float32[np.ndarray, "H W"]:
    """Gaussian means over what counts."""
    weight = scipy.ndimage.gaussian_filter(counted.astype(np.float32), size, truncate=3)
    total = scipy.ndimage.gaussian_filter(np.where(counted, values, 0).astype(np.float32), size, truncate=3)
    found: Float32[np.ndarray, "H W"] = total / np.maximum(weight, 1e-6)
    return found
