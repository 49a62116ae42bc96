"""Close-ups: narrow views that cover the surface piece by piece, all at one zoom.

A close-up stands where a whole view could stand, on the orbit, turned towards a piece of the surface, and shows it
`zoom` times as large. Surface points are spread over the area and tested against many directions; greedily, whichever
window owns most points that no other has yet is taken. Only the inner part of a window owns what it sees: near its
border a view knows too little of the surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from jaxtyping import Bool, Float32, Float64, Int64
from scipy.spatial import cKDTree

from .cameras import DISTANCE, Camera, camera_towards_centre, fibonacci_sphere
from .placement import Placement
from .raytrace import Tracer
from .visibility import cosines, sample_surface

DIRECTIONS = 60  # even ones, tested beside those of the whole views
MARGIN = 0.08  # of a window's side, along each border: seen, but not owned
WELL, NEARLY = 0.6, 0.85  # a point is seen well at this cosine, or at this share of the best there is
SAMPLES = 60  # points in a full window
SAMPLES_RANGE = (1_000, 60_000)
MIDDLES = 4  # one point in so many is tried as the middle of windows
LEAST = 0.06  # of a full window's points: what only emptier windows would own keeps its coarser paint


@dataclass(frozen=True, eq=False)
class CloseUps:
    """The windows at one zoom.

    Attributes:
        cameras: each looks at the middle of its window.
        size: height and width of every window, pixels.
        zoom: how much larger than the whole views they show things.
    """

    cameras: tuple[Camera, ...]
    size: int
    zoom: float


def place_close_ups(
    tracer: Tracer, placement: Placement, whole: int, zoom: float, size: int, seed: int
) -> CloseUps:
    """Choose windows of `size`² pixels for all that can be seen.

    Args:
        whole: size in pixels of the views that frame the whole object.
        zoom: how much larger things are to be shown.
    """
    directions = np.concatenate([placement.directions, fibonacci_sphere(DIRECTIONS)])
    half = size * (0.5 - MARGIN) / zoom  # of the owned part, in a whole view's pixels
    across = 2 * half * camera_towards_centre(directions[0], whole).pitch * DISTANCE
    painted = np.flatnonzero((tracer.surface.atlas >= 0) & (tracer.area > 0))
    windows = float(tracer.area[painted].sum()) / across**2
    count = int(np.clip(SAMPLES * windows, *SAMPLES_RANGE))
    points, normals = sample_surface(tracer, painted, np.random.default_rng(seed), count)
    cosine = cosines(tracer, points, normals, directions)
    good = _seen_well(cosine)
    owners, direction, middle = _candidates(points, good, directions, whole, half)
    least = max(LEAST * count / max(windows, 1.0), 1.0)
    chosen = _cover(owners, least)
    cameras = (_turned(directions[direction[n]], points[middle[n]], whole, zoom) for n in chosen)
    return CloseUps(tuple(cameras), size, zoom)


def _seen_well(cosine: Float32[np.ndarray, "D N"]) -> Bool[np.ndarray, "D N"]:
    return (cosine >= np.minimum(WELL, NEARLY * cosine.max(0))) & (cosine > 0)


def _candidates(
    points: Float64[np.ndarray, "N 3"],
    good: Bool[np.ndarray, "D N"],
    directions: Float64[np.ndarray, "D 3"],
    whole: int,
    half: float,
) -> tuple[scipy.sparse.csr_matrix, Int64[np.ndarray, "C"], Int64[np.ndarray, "C"]]:
    """Windows that could be taken: which points they own (C, N), the direction and the point in the middle.

    Distances are taken in the whole view's picture; turning the camera changes them by a few percent.
    """
    columns: list[np.ndarray] = []
    numbers: list[np.ndarray] = []
    middles: list[np.ndarray] = []
    for number, direction in enumerate(directions):
        seen = np.flatnonzero(good[number])
        middle = seen[seen % MIDDLES == 0]
        if not len(middle):
            continue
        spots = camera_towards_centre(direction, whole).project(points)
        found = cKDTree(spots[seen]).query_ball_point(spots[middle], half, p=np.inf, return_sorted=True)
        columns.extend(seen[one] for one in found)
        numbers.append(np.full(len(middle), number))
        middles.append(middle)
    pointer = np.concatenate([[0], np.cumsum([len(one) for one in columns])]).astype(np.int64)
    index = np.concatenate(columns) if columns else np.zeros(0, np.int64)
    shape = (len(columns), len(points))
    owners = scipy.sparse.csr_matrix((np.ones(len(index), np.float32), index, pointer), shape=shape)
    none = [np.zeros(0, np.int64)]
    return owners, np.concatenate(numbers or none), np.concatenate(middles or none)


def _cover(owners: scipy.sparse.csr_matrix, least: float) -> list[int]:
    """Greedily the row that owns most of what is free, as long as that is at least so much."""
    free = np.ones(owners.shape[1], np.float32)
    chosen: list[int] = []
    while owners.shape[0]:
        gain = owners @ free
        best = int(gain.argmax())
        if gain[best] < least:
            break
        chosen.append(best)
        free[owners.indices[owners.indptr[best] : owners.indptr[best + 1]]] = 0
    return chosen


def _turned(direction: Float64[np.ndarray, "3"], towards: np.ndarray, whole: int, zoom: float) -> Camera:
    """Make a camera on the orbit that looks at a point; a pixel is as wide there as one of a whole view's is, over
    `zoom`."""
    nominal = camera_towards_centre(direction, whole)
    forward = towards - nominal.eye
    distance = float(np.linalg.norm(forward))
    forward = forward / distance
    right = np.cross(forward, nominal.axes[1])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, forward), forward])
    return Camera(nominal.eye, axes, nominal.pitch / zoom * DISTANCE / distance)
