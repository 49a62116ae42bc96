"""How large and how skewed is a pixel on the texture? The exact derivatives of UVs on the triangle's plane."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from .cameras import row_dot
from .raytrace import Hits, Tracer

_GRAZING = 1e-6  # |cos| between ray and plane below which a pixel is taken to reach no farther


def uv_gradients(
    corners: Float64[np.ndarray, "F 3 3"], uv: Float64[np.ndarray, "F 3 2"]
) -> Float64[np.ndarray, "F 2 3"]:
    """How u and v grow in space, along each triangle's plane; 0 for triangles without area or UVs."""
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(e1, e2)
    square = np.maximum(row_dot(normal, normal), 1e-300)[:, None]
    # The vectors that are 1 on one edge and 0 on the other.
    b1, b2 = np.cross(e2, normal) / square, np.cross(normal, e1) / square
    d1, d2 = np.nan_to_num(uv[:, 1] - uv[:, 0]), np.nan_to_num(uv[:, 2] - uv[:, 0])
    return d1[:, :, None] * b1[:, None] + d2[:, :, None] * b2[:, None]


def uv_steps(
    hits: Hits, rays: Int64[np.ndarray, "N"], tracer: Tracer, gradients: Float64[np.ndarray, "F 2 3"]
) -> Float64[np.ndarray, "N 2 2"]:
    """How UVs change, at some of the hits, from one ray to the next on the right [:, 0] and below [:, 1].

    The ray through x and y of the image plane meets the plane of normal n at P = eye + t·(forward + x·right + y·up).
    With d = P − eye, ∂P/∂x = t·(right − d·(n·right)/(n·d)), and likewise for y.
    """
    triangle = hits.triangle[rays]
    right, up, forward = hits.camera.axes
    weights, corners = hits.barycentric[rays], tracer.corners.take(triangle, axis=0)
    ahead = sum((weights[:, k, None] * corners[:, k] for k in range(3)), start=-hits.camera.eye)
    normal, gradient = tracer.face_normals.take(triangle, axis=0), gradients.take(triangle, axis=0)
    towards = row_dot(normal, ahead)
    least = _GRAZING * np.linalg.norm(ahead, axis=1)
    towards = np.where(np.abs(towards) < least, np.copysign(least, towards), towards)
    pitch = (ahead @ forward) * hits.camera.pitch / hits.side  # of a ray, at that depth
    along = np.einsum("nkc,nc->nk", gradient, ahead)
    steps = np.empty((len(rays), 2, 2))
    for number, axis in enumerate((right, -up)):
        slope = (normal @ axis) / towards
        steps[:, number] = pitch[:, None] * (gradient @ axis - slope[:, None] * along)
    return steps
