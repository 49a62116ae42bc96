"""Where texels lie on the surface."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from ..io.types import Wrap
from .types import Atlas, Surface


def texel_weights(
    surface: Surface, atlas: Atlas, texel: Int64[np.ndarray, "N"]
) -> tuple[Int64[np.ndarray, "N"], Float64[np.ndarray, "N 3"]]:
    """The owner of each texel and the barycentrics of the texel's centre in it, clamped to the triangle.

    Args:
        texel: row × width + column; all covered.
    """
    height, width = atlas.owner.shape
    owner = atlas.owner.reshape(-1)[texel].astype(np.int64)
    corners = surface.uv[owner]
    centre = np.stack([(texel % width + 0.5) / width, (texel // width + 0.5) / height], axis=1)
    middle = corners.mean(axis=1)
    for axis in (0, 1):
        centre[:, axis] = _unwrapped(centre[:, axis], middle[:, axis], atlas.wrap[axis])
    to = (corners - centre[:, None]) * np.array([width, height], np.float64)  # in texels
    weights = np.stack([_cross(to[:, (k + 1) % 3], to[:, (k + 2) % 3]) for k in range(3)], axis=1)
    total = weights.sum(axis=1, keepdims=True)
    flat = np.abs(total) < 1e-12
    weights = np.where(flat, 1 / 3, weights / np.where(flat, 1.0, total))
    weights = np.clip(weights, 0.0, None)
    return owner, weights / weights.sum(axis=1, keepdims=True)


def texel_points(
    surface: Surface, atlas: Atlas, texel: Int64[np.ndarray, "N"]
) -> tuple[Float64[np.ndarray, "N 3"], Float64[np.ndarray, "N 3"]]:
    """World positions and unit shading normals of covered texels (of instance 0 where there are several)."""
    owner, weights = texel_weights(surface, atlas, texel)
    position = np.einsum("nk,nkc->nc", weights, surface.corners[owner])
    normal = np.einsum("nk,nkc->nc", weights, surface.normals[owner])
    return position, normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def _unwrapped(
    x: Float64[np.ndarray, "N"], near: Float64[np.ndarray, "N"], wrap: Wrap
) -> Float64[np.ndarray, "N"]:
    """Choose, of all places on the plane that read the same texel, the one nearest to the triangle's middle."""
    if wrap is Wrap.CLAMP:
        return x
    if wrap is Wrap.REPEAT:
        return x + np.round(near - x)
    plain, mirrored = x + 2 * np.round((near - x) / 2), -x + 2 * np.round((near + x) / 2)
    return np.where(np.abs(plain - near) <= np.abs(mirrored - near), plain, mirrored)


def _cross(a: Float64[np.ndarray, "N 2"], b: Float64[np.ndarray, "N 2"]) -> Float64[np.ndarray, "N"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
