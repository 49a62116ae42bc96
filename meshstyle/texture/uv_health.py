"""How fit a model's own UVs are for painting."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from ..io.types import Wrap
from .normals import face_normals, weld
from .rasterize import layers, texel_area
from .spans import usable_uv
from .types import UVHealth

MEASURED_SIZE = 1024  # longer side of the atlas the layers are counted in
WORK_LIMIT = 2e7  # texels × layers: deep stacks are counted in a smaller atlas
_SPREAD = 8  # points along a triangle where its place in the image is looked at
POINT = 1e-3
"""Texels (at 1024²): a UV triangle with less area than this is a line or a point."""


def uv_health(
    corners: Float64[np.ndarray, "F 3 3"],
    uv: Float64[np.ndarray, "F 3 2"],
    aspect: float = 1.0,
    wrap: tuple[Wrap, Wrap] = (Wrap.REPEAT, Wrap.REPEAT),
    group: Int64[np.ndarray, "F"] | None = None,
) -> UVHealth:
    """Measure UVs.

    Overlap counts texels whose centre lies well inside several triangles that are different places of the
    surface. The same place twice (a copy of a triangle, front to back perhaps, with the same UVs) is one.

    Args:
        corners: world space, one instance only.
        uv: effective, as they are looked up, wrapping aside.
        aspect: width / height of the image.
        wrap: along u and v.
        group: triangles of different groups (materials, which may tint the image) are never the same place.
    """
    size = _fit(MEASURED_SIZE, aspect)
    _, area = face_normals(corners)
    usable = usable_uv(uv)
    safe = np.where(usable[:, None, None], uv, 0.0)
    texels = texel_area(safe, (1024, 1024)) * usable
    total = area.sum()
    without = np.where(texels < POINT, 1.0, _beyond(safe, wrap))
    zero = (area * without).sum() / total if total > 0 else 0.0
    distinct = np.flatnonzero(usable)
    groups = np.zeros(len(uv), np.int64) if group is None else group
    distinct = distinct[_distinct(corners[distinct], uv[distinct], groups[distinct])]
    work = texel_area(safe[distinct], size).sum()
    if work > WORK_LIMIT:
        size = _fit(max(int(MEASURED_SIZE * np.sqrt(WORK_LIMIT / work)), 32), aspect)
    count = layers(uv[distinct], size, wrap)
    covered = np.count_nonzero(count)
    points = uv[usable].reshape(-1, 2) if usable.any() else np.zeros((1, 2))
    low, high = points.min(axis=0), points.max(axis=0)
    return UVHealth(
        overlap=float(np.count_nonzero(count > 1) / covered) if covered else 0.0,
        zero_area=float(zero),
        coverage=float(covered / count.size),
        low=(float(low[0]), float(low[1])),
        high=(float(high[0]), float(high[1])),
    )


def _beyond(uv: Float64[np.ndarray, "F 3 2"], wrap: tuple[Wrap, Wrap]) -> Float64[np.ndarray, "F"]:
    """Share of each triangle that lies outside 0..1 where the image's border is repeated: one row of texels, which
    cannot hold paint."""
    steps = np.arange(_SPREAD) + 1 / 3
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) / _SPREAD
    grid = grid[grid.sum(axis=1) < 1]
    weights = np.column_stack([1 - grid.sum(axis=1), grid])  # (N, 3)
    outside = np.zeros((len(uv), len(weights)), bool)
    for axis in (0, 1):
        if wrap[axis] is Wrap.CLAMP:
            place = uv[..., axis] @ weights.T
            outside |= np.abs(place - 0.5) > 0.5 + 1 / MEASURED_SIZE
    return outside.mean(axis=1)


def _fit(longer: int, aspect: float) -> tuple[int, int]:
    """Height and width with the longer side given."""
    return max(round(longer / max(aspect, 1.0)), 1), max(round(longer * min(aspect, 1.0)), 1)


def _distinct(
    corners: Float64[np.ndarray, "F 3 3"],
    uv: Float64[np.ndarray, "F 3 2"],
    group: Int64[np.ndarray, "F"],
) -> Int64[np.ndarray, "D"]:
    """One of each set of triangles with the same three (place, UV) corners, in any order; ascending."""
    if not len(corners):
        return np.zeros(0, np.int64)
    place = weld(corners)
    lookup = weld(np.concatenate([uv, np.zeros((*uv.shape[:2], 1))], axis=2))
    key = place * (int(lookup.max()) + 1) + lookup
    key = np.column_stack([np.sort(key, axis=1), group])
    order = np.lexsort(key.T[::-1])
    changed = (np.diff(key[order], axis=0, prepend=-1) != 0).any(axis=1)
    return np.sort(order[changed])
