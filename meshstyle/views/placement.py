"""Where to stand: enough cameras that what can be seen from outside is seen well.

Surface points are tested against many directions on the orbit sphere. A point is *visible* if any of them sees
it, and *seen well* if a chosen camera sees it at no more than 75° or, where no direction does better (crevices),
nearly as well as the best one. Even directions come first; then, greedily, whichever adds most.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64

from .cameras import fibonacci_sphere
from .pieces import Piece
from .raytrace import Tracer
from .stroke_direction import UP
from .visibility import cosines, sample_surface

CANDIDATES = 120  # directions tested
ENOUGH = 0.99  # share of the visible area to be seen well
WELL = 0.26  # cos 75°
NEARLY = 0.8  # of the best cosine any candidate has: well enough for a crevice
MOST_EXTRA = 48  # cameras added beyond the even ones


@dataclass(frozen=True, eq=False)
class Placement:
    """The chosen directions (unit vectors from the centre to the eye) and how much of the surface they see.

    Attributes:
        seen_well: share of the area visible from outside that some chosen camera sees well.
        visible: share of the painted area that can be seen from outside at all.
        added: for each direction beyond the even ones, the surface points that it was added for, normalised space.
        pieces: what is looked at by itself, beside all that.
        axis: whose part in the surface is the direction of its strokes; None: they run any way (see
        `views.stroke_direction`).
    """

    directions: Float64[np.ndarray, "V 3"]
    seen_well: float
    visible: float
    added: tuple[Float64[np.ndarray, "_ 3"], ...] = ()
    pieces: tuple[Piece, ...] = ()
    axis: Float64[np.ndarray, "3"] | None = field(default_factory=UP.copy)


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
