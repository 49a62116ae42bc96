"""Which triangle owns which texel: UV triangles rasterised into an atlas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from ..io.types import Wrap
from .spans import Grid, wrap_index

__all__ = ["TexelOwners", "layers", "rasterize", "texel_area", "wrap_index"]


@dataclass(frozen=True, eq=False)
class TexelOwners:
    """Which triangle owns each texel.

    Attributes:
        owner: index of the triangle, -1: none.
        barycentric: of the texel's centre in its owner, clamped to the owner where the centre lies outside;
            zeros where there is no owner.
    """

    owner: Int32[np.ndarray, "H W"]
    barycentric: Float32[np.ndarray, "H W 3"]


def rasterize(
    uv: Float64[np.ndarray, "F 3 2"],
    size: tuple[int, int],
    wrap: tuple[Wrap, Wrap] = (Wrap.REPEAT, Wrap.REPEAT),
    conservative: bool = True,
) -> TexelOwners:
    """Give every texel to a triangle.

    A texel belongs to the triangle that holds its centre; the lowest index where there are several. With
    `conservative`, a texel that triangles touch without holding its centre belongs to the nearest of them.

    Args:
        uv: per corner, (0, 0) = top left corner of the atlas. Triangles with UVs not finite own nothing.
        size: height and width in texels.
        wrap: along u and v.
    """
    grid = Grid(uv, size, wrap)
    owner = np.full(size, -1, np.int32)
    barycentric = np.zeros((*size, 3), np.float32)
    flat_owner, flat_barycentric = owner.reshape(-1), barycentric.reshape(-1, 3)
    for triangle, texel, x, y in grid.inside(inset=0.0, taken=flat_owner):
        # Written back to front, so that the first (lowest) triangle is the one that stays.
        flat_owner[texel[::-1]] = triangle[::-1]
        won = flat_owner[texel] == triangle
        flat_barycentric[texel[won]] = grid.barycentric(triangle[won], x[won], y[won])
    if conservative:
        _claim_touched(grid, flat_owner, flat_barycentric)
    return TexelOwners(owner, barycentric)


def layers(
    uv: Float64[np.ndarray, "F 3 2"],
    size: tuple[int, int],
    wrap: tuple[Wrap, Wrap] = (Wrap.REPEAT, Wrap.REPEAT),
    tolerance: float = 0.05,
) -> Int64[np.ndarray, "H W"]:
    """How many triangles hold each texel's centre.

    A centre within `tolerance` texels of an edge is not held, so that neighbours never count as overlapping.
    """
    grid = Grid(uv, size, wrap)
    count = np.zeros(size[0] * size[1], np.int64)
    for _, texel, _, _ in grid.inside(inset=tolerance):
        count += np.bincount(texel, minlength=len(count))
    return count.reshape(size)


def texel_area(uv: Float64[np.ndarray, "F 3 2"], size: tuple[int, int]) -> Float64[np.ndarray, "F"]:
    """Area of each UV triangle in texels."""
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) * (0.5 * size[0] * size[1])


def _claim_touched(
    grid: Grid, owner: Int32[np.ndarray, "T"], barycentric: Float32[np.ndarray, "T 3"]
) -> None:
    """Give texels without an owner to the nearest triangle that touches them; lowest index on a tie."""
    inner = owner.copy()
    nearest = np.full(len(owner), np.inf, np.float32)
    for triangle, texel, x, y in grid.touched(inner):
        distance, weights = _nearest_on_border(grid.points[triangle], x, y)
        # Rounded, so that two triangles sharing the nearest edge tie whatever the order of their corners.
        distance = np.round(distance, 4).astype(np.float32)
        better = np.flatnonzero(distance < nearest[texel])
        order = better[np.lexsort((triangle[better], distance[better], texel[better]))]
        best = order[np.flatnonzero(np.diff(texel[order], prepend=-1))]
        nearest[texel[best]] = distance[best]
        owner[texel[best]] = triangle[best]
        barycentric[texel[best]] = weights[best]


def _nearest_on_border(
    points: Float64[np.ndarray, "N 3 2"], x: Float64[np.ndarray, "N"], y: Float64[np.ndarray, "N"]
) -> tuple[Float64[np.ndarray, "N"], Float64[np.ndarray, "N 3"]]:
    """Distance from (x, y) to the nearest point on the triangle's edges, and that point's barycentrics."""
    best, weights = np.full(len(x), np.inf), np.zeros((len(x), 3))
    for corner in range(3):
        following = (corner + 1) % 3
        p, q = points[:, corner], points[:, following]
        dx, dy = q[:, 0] - p[:, 0], q[:, 1] - p[:, 1]
        length = np.maximum(dx * dx + dy * dy, 1e-30)
        along = np.clip(((x - p[:, 0]) * dx + (y - p[:, 1]) * dy) / length, 0.0, 1.0)
        distance = np.hypot(p[:, 0] + along * dx - x, p[:, 1] + along * dy - y)
        closer = np.flatnonzero(distance < best)
        best[closer] = distance[closer]
        weights[closer] = 0.0
        weights[closer, corner], weights[closer, following] = 1.0 - along[closer], along[closer]
    return best, weights
