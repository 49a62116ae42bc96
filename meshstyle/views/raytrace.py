"""What does each ray see? Traced once with Embree, never in the optimizer's loop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from ..texture.opacity import opaque_everywhere, opposed
from ..texture.rasterize import texel_area
from ..texture.spans import wrap_index
from ..texture.types import Surface
from .cameras import Camera, Frame, row_dot

_LAYERS = 64  # how many cut-out layers a ray may cross before it counts as lost
_MARGIN = 2  # pixels around the projected object
RAYS_AT_ONCE = 1 << 16  # what is known of so many fits a core's cache
_NUDGE = 1e-5  # how far past a transparent hit a ray starts again, in bounding radii
_APART = 1e-5  # how far the two sides of a card without thickness are drawn apart for rays, in bounding radii
_STOPS, _AIR, _VEIL = 0, 1, 2  # what a hit is to its ray: its end, nothing, or something it goes on behind


@dataclass(frozen=True, eq=False)
class Hits:
    """The first opaque hits of a view's rays, `side`² rays a pixel, those that missed left out.

    Attributes:
        shape: height and width of the window in pixels, multiples of 8.
        corner: row and column of its top left pixel, counted from the optical axis.
        side: rays along a pixel's edge.
        pixel: which pixel (row-major) the ray belongs to; ascending.
        triangle: index into the surface.
        barycentric: weights of the triangle's three corners.
        cosine: |cos| between the ray and the shading normal.
        facing: |cos| between the ray and the plane of the triangle.
        distance: from the eye, in bounding radii.
        counted: (height · width,) the pixels that losses look at; None: all of them.
        turns: how the direction of strokes lies in the picture (see `views.stroke_direction`); None: upright.
        style_size: pixels of the painting's short side for strokes of the right size; None: as many as the camera has
            across its field of view.
    """

    camera: Camera
    shape: tuple[int, int]
    corner: tuple[int, int]
    side: int
    pixel: Int64[np.ndarray, "N"]
    triangle: Int32[np.ndarray, "N"]
    barycentric: Float32[np.ndarray, "N 3"]
    cosine: Float32[np.ndarray, "N"]
    facing: Float32[np.ndarray, "N"]
    distance: Float32[np.ndarray, "N"]
    counted: Bool[np.ndarray, "P"] | None = None
    turns: Float64[np.ndarray, "4"] | None = None
    style_size: int | None = None


class Tracer:
    """The surface in a ray tracing tree. Geometry is normalised, so that any unit of length works.

    Rays see as viewers do: backs of single-sided triangles and air let them pass; what hides nothing (see `Opacity`)
    is seen where there is nothing behind it.
    """

    def __init__(self, surface: Surface, shown: Bool[np.ndarray, "F"] | None = None) -> None:
        """`shown`: the triangles that are there at all; None: all that are not absent anyway."""
        self.surface = surface
        self.opacity = opaque_everywhere(surface) if surface.opacity is None else surface.opacity
        self._there = ~self.opacity.absent if shown is None else shown & ~self.opacity.absent
        points = surface.corners.reshape(-1, 3)
        self.frame = Frame.of(points)
        self.corners = self.frame.normalise(surface.corners)  # (F, 3, 3)
        cross = np.cross(self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0])
        length = np.linalg.norm(cross, axis=1)
        self.area = np.where(self._there, length / 2, 0.0)  # (F,) in squared bounding radii
        self.face_normals = cross / np.maximum(length, 1e-300)[:, None]
        opacity, outward = self.opacity, self.opacity.front[:, None] * self.face_normals
        self._culled = np.where(opacity.single[:, None], outward, 0.0)  # (F, 3): rays along it meet a back
        self._air_below = np.where(opacity.map >= 0, surface.alpha_cutoff, 0).astype(np.float32)
        self._any_single = bool(opacity.single.any())
        self._looked_through = (opacity.hides_from > 1) | ((opacity.map >= 0) & (opacity.hides_from > 0))
        self._any_looked_through = bool(self._looked_through.any())

    def __getstate__(self) -> dict[str, Any]:
        """All but the tree, which another process makes when it traces."""
        return {name: value for name, value in self.__dict__.items() if name != "_tree"}

    @cached_property
    def _tree(self) -> EmbreeScene:
        corners = self.corners
        cards = opposed(self.face_normals, self.surface.corners)
        if cards.any():  # of two sides at one place the front must be met first
            corners = corners.copy()
            outward = self.opacity.front[cards, None] * self.face_normals[cards]
            corners[cards] += _APART * outward[:, None]
        if not self._there.all():  # without an area no ray meets them
            corners = np.where(self._there[:, None, None], corners, corners[:, :1])
        tree = EmbreeScene(robust=True)
        TriangleMesh(tree, np.ascontiguousarray(corners, dtype=np.float32))
        return tree

    @cached_property
    def uv_density(self) -> Float64[np.ndarray, "F"]:
        """Atlas sides per bounding radius: the root of a triangle's area in UVs (0: it has none) over that in space."""
        return np.sqrt(np.nan_to_num(texel_area(self.surface.uv, (1, 1))) / np.maximum(self.area, 1e-300))

    def first_hits(
        self, origins: Float64[np.ndarray, "N 3"], directions: Float64[np.ndarray, "N 3"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What each ray sees: triangle (N,) int32 or -1, barycentrics (N, 3), distance (N,) or 0.

        That is the nearest hit that hides what lies behind; where there is none, the nearest that can be seen.
        """
        triangle, weights, distance = self._nearest(origins, directions)
        kind = self._kind(triangle, weights, directions)
        through = np.flatnonzero(kind)
        if not len(through):
            return triangle, weights, distance
        veil = np.full(
            len(triangle), -1, np.int32
        )  # the nearest that can be seen, behind which the ray went on
        veil_weights, veil_distance = weights.copy(), distance.copy()
        kind, start = kind[through], distance[through].astype(np.float64) + _NUDGE
        for _ in range(_LAYERS - 1):
            fresh = through[(kind == _VEIL) & (veil[through] < 0)]
            veil[fresh] = triangle[fresh]
            veil_weights[fresh], veil_distance[fresh] = weights[fresh], distance[fresh]
            if not len(through):
                break
            ahead = directions[through]
            hit, bary, far = self._nearest(origins[through] + start[:, None] * ahead, ahead)
            far = np.where(hit >= 0, start + far, 0)
            triangle[through], weights[through], distance[through] = hit, bary, far
            kind = self._kind(hit, bary, ahead)
            more = np.flatnonzero(kind)
            through, start, kind = through[more], far[more] + _NUDGE, kind[more]
        triangle[through], distance[through] = -1, 0
        veiled = np.flatnonzero((triangle < 0) & (veil >= 0))
        triangle[veiled], weights[veiled] = veil[veiled], veil_weights[veiled]
        distance[veiled] = veil_distance[veiled]
        return triangle, weights, distance

    def _nearest(
        self, origins: Float64[np.ndarray, "N 3"], directions: Float64[np.ndarray, "N 3"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `first_hits`, but whatever is hit stops the ray."""
        hit = self._tree.run(
            origins.astype(np.float32), directions.astype(np.float32), query="INTERSECT", output=True
        )
        u, v = hit["u"], hit["v"]
        weights = np.empty((len(u), 3), np.float32)
        weights[:, 0], weights[:, 1], weights[:, 2] = 1 - u - v, u, v
        return hit["primID"], weights, np.where(hit["primID"] >= 0, hit["tfar"], np.float32(0))

    def _kind(
        self,
        triangle: Int32[np.ndarray, "N"],
        bary: Float32[np.ndarray, "N 3"],
        directions: Float64[np.ndarray, "N 3"],
    ) -> Int8[np.ndarray, "N"]:
        """What each hit is to its ray: _STOPS (misses too), _AIR or _VEIL."""
        kind = np.zeros(len(triangle), np.int8)
        if self._any_single:
            backs = row_dot(self._culled.take(triangle, axis=0), directions) > 0
            kind[backs & (triangle >= 0)] = _AIR
        if self._any_looked_through:
            rays = np.flatnonzero((triangle >= 0) & (kind == _STOPS) & self._looked_through[triangle])
            hit = triangle[rays]
            alpha = self._alpha(hit, bary[rays])
            kind[rays[alpha < self.opacity.hides_from[hit]]] = _VEIL
            kind[rays[alpha < self._air_below[hit]]] = _AIR
        return kind

    def _alpha(
        self, triangle: Int32[np.ndarray, "N"], bary: Float32[np.ndarray, "N 3"]
    ) -> Float32[np.ndarray, "N"]:
        """Return the alpha of the maps at each hit, without the factors' share; 1 where there is no map."""
        alpha = np.ones(len(triangle), np.float32)
        which = self.opacity.map[triangle]
        for number in np.unique(which[which >= 0]):
            rays = np.flatnonzero(which == number)
            found = self.opacity.maps[number]
            uv = np.einsum("nk,nkc->nc", bary[rays], self.opacity.uv[triangle[rays]])
            height, width = found.alpha.shape
            column = wrap_index(np.floor(uv[:, 0] * width).astype(np.int64), width, found.wrap[0])
            row = wrap_index(np.floor(uv[:, 1] * height).astype(np.int64), height, found.wrap[1])
            alpha[rays] = found.alpha[row, column]
        return alpha

    def view(
        self,
        camera: Camera,
        side: int,
        frame: tuple[int, int] | None = None,
        corner: tuple[int, int] | None = None,
    ) -> Hits | None:
        """Trace all rays of a view, `side`² a pixel. None where nothing is seen.

        Args:
            frame: height and width of a window. None crops to the object: the window may reach beyond the camera's
                nominal frame, so nothing of the object is cut off, and no pixel is spent on background beyond a small
                margin and the rounding to multiples of 8.
            corner: row and column of its top left pixel, counted from the optical axis; None: it lies around that.
        """
        window = (
            self._window(camera) if frame is None else (corner or (-frame[0] // 2, -frame[1] // 2), frame)
        )
        if window is None:
            return None
        (top, left), (height, width) = window
        step = max(1, RAYS_AT_ONCE // (width * side**2))
        bands = [
            self._band(camera, side, (top + first, left), (min(step, height - first), width), first * width)
            for first in range(0, height, step)
        ]
        pixel, triangle, bary, cosine, facing, distance = (
            np.concatenate(parts) for parts in zip(*bands, strict=True)
        )
        if not len(pixel):
            return None
        return Hits(
            camera=camera,
            shape=(height, width),
            corner=(top, left),
            side=side,
            pixel=pixel,
            triangle=triangle,
            barycentric=bary,
            cosine=cosine,
            facing=facing,
            distance=distance,
        )

    def _band(
        self, camera: Camera, side: int, corner: tuple[int, int], shape: tuple[int, int], before: int
    ) -> tuple[np.ndarray, ...]:
        """What the rays of some rows of pixels hit: pixel, triangle, barycentric, cosine, facing, distance of `Hits`.
        `before`: pixels of the rows above."""
        (top, left), (height, width) = corner, shape
        within = (np.arange(side) + 0.5) / side
        rows, columns = (
            np.add.outer(first + np.arange(count), within).reshape(-1)
            for first, count in ((top, height), (left, width))
        )
        directions = camera.grid(rows, columns).reshape(-1, 3)
        triangle, bary, distance = self.first_hits(np.broadcast_to(camera.eye, directions.shape), directions)
        # Pixel by pixel, so that a pixel's rays follow each other.
        order = np.arange(len(directions)).reshape(height, side, width, side).swapaxes(1, 2).reshape(-1)
        found = np.flatnonzero(triangle[order] >= 0)
        ray = order[found]
        triangle, bary, directions = (of_all.take(ray, axis=0) for of_all in (triangle, bary, directions))
        normals = self.surface.normals.take(triangle, axis=0)  # half the price of normals[triangle]
        normal = np.einsum("nk,nkc->nc", bary.astype(np.float64), normals)
        cosine = np.abs(row_dot(normal, directions)) / np.maximum(np.sqrt(row_dot(normal, normal)), 1e-12)
        facing = np.abs(row_dot(self.face_normals.take(triangle, axis=0), directions))
        pixel = before + found // side**2
        return pixel, triangle, bary, cosine.astype(np.float32), facing.astype(np.float32), distance[ray]

    def _window(self, camera: Camera) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Top left corner and shape, in pixels, of the window that holds the projected object."""
        points = camera.project(self.corners[self._there].reshape(-1, 3))
        if not np.isfinite(points).any():
            return None
        low = np.floor(np.fmin.reduce(points, axis=0)).astype(int) - _MARGIN
        high = np.ceil(np.fmax.reduce(points, axis=0)).astype(int) + _MARGIN
        shape = -(-(high - low) // 8) * 8
        low -= (shape - (high - low)) // 2  # the rounding is shared by both sides
        return (int(low[0]), int(low[1])), (int(shape[0]), int(shape[1]))
