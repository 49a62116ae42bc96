"""Where to stand: enough cameras that what can be seen from outside is seen well.

Surface points are tested against many directions on the orbit sphere. A point is *visible* if any of them sees
it, and *seen well* if a chosen camera sees it at no more than 75° or, where no direction does better (crevices),
nearly as well as the best one. Even directions come first; then, greedily, whichever adds most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from .cameras import DISTANCE, fibonacci_sphere, row_dot
from .tracing import Tracer

CANDIDATES = 120  # directions tested
SAMPLES = 6000  # surface points tested
ENOUGH = 0.99  # share of the visible area to be seen well
WELL = 0.26  # cos 75°
NEARLY = 0.8  # of the best cosine any candidate has: well enough for a crevice
MOST_EXTRA = 48  # cameras added beyond the even ones
_LIFT = 1e-4  # of the bounding radius: where shadow rays stop short of the surface


@dataclass(frozen=True, eq=False)
class Placement:
    """The chosen directions (unit vectors from the centre to the eye) and how much of the surface they see.

    Attributes:
        seen_well: share of the area visible from outside that some chosen camera sees well.
        visible: share of the painted area that can be seen from outside at all.
        added: for each direction beyond the even ones, the surface points that it was added for, normalised space.
    """

    directions: Float64[np.ndarray, "V 3"]
    seen_well: float
    visible: float
    added: tuple[Float64[np.ndarray, "_ 3"], ...] = ()


def place_cameras(tracer: Tracer, count: int, seed: int, extra: int | None = None) -> Placement:
    """Choose cameras: `count` even ones, then up to `extra` where they are needed."""
    painted = np.flatnonzero((tracer.surface.atlas >= 0) & (tracer.area > 0))
    even = fibonacci_sphere(count)
    if not len(painted):
        return Placement(even, 0.0, 0.0)
    rng = np.random.default_rng(seed)
    points, normals = sample_surface(tracer, painted, rng)
    candidates = np.concatenate([even, fibonacci_sphere(CANDIDATES)])
    cosine = cosines(tracer, points, normals, candidates)  # (directions, points), 0 where hidden
    best = cosine.max(0)
    visible = best > 0
    good = (cosine >= np.minimum(WELL, NEARLY * best)) & visible
    chosen, gained = _cover(good[:, visible], count, MOST_EXTRA if extra is None else extra)
    seen = good[chosen].any(0).sum() / max(int(visible.sum()), 1)
    added = tuple(points[visible][gain] for gain in gained)
    return Placement(candidates[chosen], float(seen), float(visible.mean()), added)


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


def _cover(
    good: Bool[np.ndarray, "V N"], count: int, extra: int
) -> tuple[list[int], list[Bool[np.ndarray, "N"]]]:
    """The first `count` rows, then greedily the row that adds most, until ENOUGH or `extra` were added; and what each
    of those has added."""
    chosen, gained = list(range(count)), []
    covered = np.asarray(good[:count].any(0))
    for _ in range(extra):
        if not covered.size or covered.mean() >= ENOUGH:
            break
        gain = (good & ~covered).sum(1)
        best = int(gain.argmax())
        if gain[best] == 0:
            break
        chosen.append(best)
        gained.append(good[best] & ~covered)
        covered |= good[best]
    return chosen, gained
