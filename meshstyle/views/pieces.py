"""Which pieces of a model need views of their own: small ones with pictures of their own, and hidden ones.

Whole views show a model as large as their frame. A crate on a wide ground is a few pixels there, however fine its
texture is; each of many props that stand apart in one file is looked at by people alone; and what stands inside
something else is not shown at all. Such pieces get cameras of their own, from all sides and with nothing else there.

A piece is made of triangles that hang together by their corners; pieces that touch and are of like size are one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse
from jaxtyping import Bool, Float64, Int64
from scipy.sparse.csgraph import connected_components

from ..texture.normals import weld
from .cameras import DISTANCE, Camera, Frame, camera_towards_centre, fibonacci_sphere
from .raytrace import Tracer
from .visibility import cosines, sample_surface

DIRECTIONS = 6  # around every piece
MOST = 96  # pieces that get views; the largest first
LIKE = 0.2  # of the larger one's diagonal: touching pieces with at least that are one
SMALL = 0.5  # bounding radii of the model: larger pieces are seen well enough with the others
APART = (
    1.3  # times as many texels as whole views have pixels, from which a piece that stands apart gets views
)
JOINED = (
    4.0  # and one that touches others; fresh UVs have up to 2.8 times as many, for finer views than these
)
CRUMB = (
    0.04  # bounding radii of the model: what is smaller and stands apart counts as if it touched something
)
HIDDEN = 0.5  # share of a piece that must be seen from outside
SAMPLES = 40  # points of every piece that are looked for from outside
LOOKED_FROM = 40  # directions that they are looked for from
LARGEST = 512  # pixels across a piece's frame at the most
SMALLEST = 64
PICTURES = 48  # as large as whole views, that all frames fill at the most
_TOUCH = 0.25  # of the smaller one's diagonal: boxes closer than that touch


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of the surface that is looked at by itself.

    Attributes:
        triangles: its numbers.
        centre, radius: of its bounding sphere, normalised space.
        pixels: across the frame that holds it, at which a pixel is as large as a texel.
        alone: whether people look at it by itself, so that strokes go by its size; else they go by the model's.
        share: of the side of whole views that a frame may take, for all frames to fit.
    """

    triangles: Int64[np.ndarray, "N"]
    centre: Float64[np.ndarray, "3"]
    radius: float
    pixels: int
    alone: bool
    share: float = 1.0

    @cached_property
    def _traced(self) -> dict[int, Tracer]:
        return {}

    def tracer(self, whole: Tracer) -> Tracer:
        """One that meets nothing but this piece; numbers and space are those of `whole`."""
        if id(whole) not in self._traced:
            shown = np.zeros(len(whole.area), bool)
            shown[self.triangles] = True
            self._traced[id(whole)] = Tracer(whole.surface, shown)
        return self._traced[id(whole)]

    def frame_size(self, size: int) -> int:
        """Pixels across its frame, where whole views have `size`: so many that frames fill rows."""
        if not self.alone:
            return max(16, round(size * self.radius / 16) * 16)
        wanted = max(min(self.pixels, size, LARGEST, round(size * self.share)), SMALLEST)
        return size // -(-size // wanted) // 16 * 16 if wanted < size else size // 16 * 16

    def style_size(self, size: int) -> int:
        """Pixels of the painting's short side in its views, where whole views have `size`."""
        return self.frame_size(size) if self.alone else size

    def cameras(self, size: int) -> list[Camera]:
        """Return cameras on all sides, where whole views have `size` pixels across."""
        across = self.frame_size(size)
        return [
            camera_towards_centre(direction, across, self.centre, self.radius)
            for direction in fibonacci_sphere(DIRECTIONS)
        ]


def find_pieces(tracer: Tracer, size: int, seed: int = 0) -> tuple[Piece, ...]:
    """The pieces that need views of their own beside whole views of `size` pixels."""
    painted = np.flatnonzero((tracer.surface.atlas >= 0) & (tracer.area > 0))
    if not len(painted):
        return ()
    label, count, apart = _pieces(tracer, painted)
    if count == 1:
        return ()
    hidden = _hidden(tracer, painted, label, count, seed)
    found = []
    order = np.argsort(label, kind="stable")
    cuts = np.searchsorted(label[order], np.arange(count + 1))
    for number in range(count):
        triangles = painted[order[cuts[number] : cuts[number + 1]]]
        piece = _piece(tracer, triangles, size, bool(apart[number]), bool(hidden[number]))
        if piece is not None:
            found.append((float(tracer.area[triangles].sum()), piece))
    found.sort(key=lambda pair: -pair[0])
    pieces = [piece for _, piece in found[:MOST]]
    filled = DIRECTIONS * sum((piece.frame_size(size) / size) ** 2 for piece in pieces)
    share = min(1.0, (PICTURES / max(DIRECTIONS * len(pieces), 1)) ** 0.5) if filled > PICTURES else 1.0
    return tuple(replace(piece, share=share) for piece in pieces)


def _piece(
    tracer: Tracer, triangles: Int64[np.ndarray, "N"], size: int, apart: bool, hidden: bool
) -> Piece | None:
    frame = Frame.of(tracer.corners[triangles].reshape(-1, 3))
    if frame.radius >= 0.999 and not hidden:
        return None
    across = 2 * np.tan(np.radians(20.0)) * DISTANCE * frame.radius  # of its frame, in bounding radii
    needed = across * texels_per_length(tracer, triangles)
    least = (APART if apart and frame.radius > CRUMB else JOINED) * size * frame.radius
    alone = frame.radius < SMALL and bool(needed > least)
    if not alone and not hidden:
        return None
    return Piece(triangles, frame.centre, frame.radius, max(round(needed / 8) * 8, SMALLEST), alone)


def texels_per_length(tracer: Tracer, triangles: Int64[np.ndarray, "N"]) -> float:
    """Texels along one bounding radius: the median over the area of these triangles, all of them painted."""
    sides = np.array([np.sqrt(atlas.owner.size) for atlas in tracer.surface.atlases])
    texels = tracer.uv_density[triangles] * sides[tracer.surface.atlas[triangles]]
    order = np.argsort(texels)
    below = np.cumsum(tracer.area[triangles][order])
    return float(texels[order][np.searchsorted(below, below[-1] / 2)])


def _pieces(
    tracer: Tracer, painted: Int64[np.ndarray, "N"]
) -> tuple[Int64[np.ndarray, "N"], int, Bool[np.ndarray, "P"]]:
    """The piece of each triangle, how many there are, and which of them touch no other."""
    label = _components(weld(tracer.corners[painted]))
    count = int(label.max()) + 1
    low, high = _boxes(tracer.corners[painted], label, count)
    for _ in range(2):  # what has become larger by what it was joined with may be like its next neighbour
        one, other = _touching(low, high)
        diagonal = np.linalg.norm(high - low, axis=1)
        like = np.minimum(diagonal[one], diagonal[other]) >= LIKE * np.maximum(diagonal[one], diagonal[other])
        links = (np.ones(int(like.sum()), bool), (one[like], other[like]))
        _, joined = connected_components(scipy.sparse.coo_matrix(links, shape=(count, count)), directed=False)
        label, count = joined[label].astype(np.int64), int(joined.max()) + 1
        low, high = _boxes(tracer.corners[painted], label, count)
    apart = np.ones(count, bool)
    one, other = _touching(low, high)
    apart[one] = apart[other] = False
    return label, count, apart


def _components(vertex: Int64[np.ndarray, "N 3"]) -> Int64[np.ndarray, "N"]:
    """Triangles that share corners, directly or by others, get one number."""
    count = int(vertex.max()) + 1
    rows = np.concatenate([vertex[:, 0], vertex[:, 0]])
    columns = np.concatenate([vertex[:, 1], vertex[:, 2]])
    links = scipy.sparse.coo_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    _, number = connected_components(links, directed=False)
    return np.unique(number[vertex[:, 0]], return_inverse=True)[1].reshape(-1).astype(np.int64)


def _boxes(
    corners: Float64[np.ndarray, "N 3 3"], label: Int64[np.ndarray, "N"], count: int
) -> tuple[Float64[np.ndarray, "P 3"], Float64[np.ndarray, "P 3"]]:
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, label, corners.min(axis=1))
    np.maximum.at(high, label, corners.max(axis=1))
    return low, high


def _touching(
    low: Float64[np.ndarray, "P 3"], high: Float64[np.ndarray, "P 3"]
) -> tuple[Int64[np.ndarray, "L"], Int64[np.ndarray, "L"]]:
    """Pairs of pieces whose boxes touch. Row by row: all pairs at once would be much memory."""
    diagonal = np.linalg.norm(high - low, axis=1)
    pairs = []
    for number in range(len(low) - 1):
        slack = _TOUCH * np.minimum(diagonal[number], diagonal[number + 1 :])[:, None]
        near = (low[number + 1 :] <= high[number] + slack) & (high[number + 1 :] >= low[number] - slack)
        others = np.flatnonzero(near.all(axis=1)) + number + 1
        pairs.append(np.stack([np.full(len(others), number), others]))
    one, other = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), np.int64)
    return one.astype(np.int64), other.astype(np.int64)


def _hidden(
    tracer: Tracer, painted: Int64[np.ndarray, "N"], label: Int64[np.ndarray, "N"], count: int, seed: int
) -> Bool[np.ndarray, "P"]:
    """Which pieces are hidden from outside, for the most part, by the others."""
    if count > 4 * MOST:  # crumbs
        return np.zeros(count, bool)
    rng, hidden = np.random.default_rng(seed), np.zeros(count, bool)
    directions = fibonacci_sphere(LOOKED_FROM)
    for number in range(count):
        points, normals = sample_surface(tracer, painted[label == number], rng, SAMPLES)
        seen = cosines(tracer, points, normals, directions).max(axis=0) > 0
        hidden[number] = seen.mean() < HIDDEN
    return hidden
