"""Which points of the surface cameras can see."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64

from .cameras import DISTANCE, row_dot
from .raytrace import Tracer

SAMPLES = 6000  # points that stand for a surface
_LIFT = 1e-4  # of the bounding radius: where shadow rays stop short of the surface


def sample_surface(
    tracer: Tracer, triangles: Int64[np.ndarray, "N"], rng: np.random.Generator, count: int = SAMPLES
) -> tuple[np.ndarray, np.ndarray]:
    """Points spread over the triangles by area, with the normals of their planes."""
    share = np.cumsum(tracer.area[triangles])
    # Stratified: one point per equal slice of the area.
    at = (np.arange(count) + rng.random(count)) / count * share[-1]
    chosen = triangles[np.minimum(np.searchsorted(share, at), len(triangles) - 1)]
    r1, r2 = np.sqrt(rng.random(count)), rng.random(count)
    bary = np.stack([1 - r1, r1 * (1 - r2), r1 * r2], -1)
    return np.einsum("nk,nkc->nc", bary, tracer.corners[chosen]), tracer.face_normals[chosen]


def cosines(
    tracer: Tracer, points: np.ndarray, normals: np.ndarray, directions: np.ndarray
) -> Float32[np.ndarray, "V N"]:
    """|cos| of the angle at which each point is seen from each direction's camera; 0 where it is hidden."""
    result = np.zeros((len(directions), len(points)), np.float32)
    for number, direction in enumerate(directions):
        ray = points - direction * DISTANCE
        length = np.sqrt(row_dot(ray, ray))
        ray /= length[:, None]
        cosine = np.abs(row_dot(ray, normals))
        eyes = np.broadcast_to(direction * DISTANCE, points.shape)
        _, _, distance = tracer.first_hits(eyes, ray)
        # A point is hidden where something lies in front of it by more than the tracer's precision;
        # at grazing angles the surface itself comes before the point by more than that.
        slack = _LIFT * (1 + 4 / np.maximum(cosine, 0.05))
        # Rays that pass it (its back, or glass) see what lies behind it instead.
        reached = (distance > 0) & (np.abs(distance - length) <= slack)
        result[number] = np.where(reached, cosine, 0)
    return result
