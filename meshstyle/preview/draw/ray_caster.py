"""Rays through shapes: what they meet, one layer after the other, and its material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from ...srgb import bytes_to_linear
from ...texture.filtering import mip_levels, trilinear
from ..scene.materials import TextureReference
from ..scene.scene import PreviewScene, Shape

_MOST_ANISOTROPY = 4.0
_COLOURS = ("base", "emissive")  # maps that are sRGB, and filtered in linear light


@dataclass(frozen=True, eq=False)
class Meeting:
    """N rays' hits with triangles.

    Attributes:
        ray: which ray, ascending.
        triangle: counted through all shapes.
        barycentric: weights of its corners.
        distance: from the ray's origin as it was before any layer was crossed.
        front: whether the front face was met.
        width: of the ray's footprint there, along the surface.
    """

    ray: Int64[np.ndarray, "N"]
    triangle: Int32[np.ndarray, "N"]
    barycentric: Float32[np.ndarray, "N 3"]
    distance: Float64[np.ndarray, "N"]
    front: Bool[np.ndarray, "N"]
    width: Float64[np.ndarray, "N"]

    def only(self, chosen: np.ndarray) -> Meeting:
        return Meeting(
            self.ray[chosen],
            self.triangle[chosen],
            self.barycentric[chosen],
            self.distance[chosen],
            self.front[chosen],
            self.width[chosen],
        )


class Caster:
    """Shapes in a ray tracing tree.

    Attributes:
        shapes: what is in it.
        shape_of, row_of: of each triangle, its shape and its row there.
    """

    def __init__(self, scene: PreviewScene, shapes: Sequence[Shape]) -> None:
        self._scene, self.shapes = scene, shapes
        corners = np.concatenate([shape.corners for shape in shapes])
        self._tree = EmbreeScene(robust=True)
        TriangleMesh(self._tree, np.ascontiguousarray(corners, dtype=np.float32))
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.maximum(np.linalg.norm(cross, axis=1), 1e-300)
        self._area, self._plane = length / 2, cross / length[:, None]
        counts = [len(shape.corners) for shape in shapes]
        self.shape_of = np.repeat(np.arange(len(shapes)), counts)
        self.row_of = np.concatenate([np.arange(count) for count in counts])
        self._pyramids: dict[tuple[int, bool], list[np.ndarray]] = {}
        self._density: dict[tuple[int, int], np.ndarray] = {}

    def meet(
        self,
        origins: Float64[np.ndarray, "N 3"],
        directions: Float64[np.ndarray, "N 3"],
        start: Float64[np.ndarray, "N"],
        spread: float = 0.0,
    ) -> Meeting:
        """The next hits of rays from `start` on; rays that miss are left out. `spread`: their angle."""
        at = origins + start[:, None] * directions
        hit = self._tree.run(
            at.astype(np.float32), directions.astype(np.float32), query="INTERSECT", output=True
        )
        ray = np.flatnonzero(hit["primID"] >= 0)
        triangle = hit["primID"][ray]
        u, v = hit["u"][ray], hit["v"][ray]
        distance = start[ray] + hit["tfar"][ray]
        facing = np.einsum("nc,nc->n", self._plane[triangle], directions[ray])
        stretch = np.sqrt(np.minimum(1 / np.maximum(np.abs(facing), 1e-3), _MOST_ANISOTROPY))
        bary = np.stack([1 - u - v, u, v], -1)
        return Meeting(ray, triangle, bary, distance, facing < 0, distance * spread * stretch)

    def alpha(self, meeting: Meeting) -> Float32[np.ndarray, "N"]:
        """How much of each hit is seen: 0 for cut-outs and for faces seen from a side that is not drawn."""
        result = self.opacity(meeting)
        for index, rows in self.by_shape(meeting):
            if not self.shapes[index].material.base.double_sided:
                result[rows] *= meeting.front[rows]
        return result

    def opacity(self, meeting: Meeting) -> Float32[np.ndarray, "N"]:
        """How much each hit hides of what is behind it, from either side."""
        result = np.ones(len(meeting.ray), np.float32)
        for index, rows in self.by_shape(meeting):
            base = self.shapes[index].material.base
            if base.alpha_mode != "OPAQUE":
                alpha = self.base_colour(index, meeting.only(rows))[:, 3]
                result[rows] = alpha if base.alpha_mode == "BLEND" else alpha >= base.alpha_cutoff
        return result

    def by_shape(self, meeting: Meeting) -> list[tuple[int, np.ndarray]]:
        """Rows of the meeting, shape by shape."""
        shape = self.shape_of[meeting.triangle]
        return [(int(index), np.flatnonzero(shape == index)) for index in np.unique(shape)]

    def base_colour(self, index: int, meeting: Meeting) -> Float32[np.ndarray, "N 4"]:
        """Linear RGB and alpha, 0..1, of hits on one shape."""
        shape = self.shapes[index]
        factor = np.array(shape.material.base.factor, np.float32)
        result = np.broadcast_to(factor, (len(meeting.ray), 4)).copy()
        if shape.colours is not None:
            result *= self.interpolate(shape.colours, meeting).astype(np.float32)
        texel = self.texel(index, "base", meeting)
        if texel is not None:
            result *= texel
        return np.clip(result, 0.0, 1.0)

    def interpolate(
        self, values: Float64[np.ndarray, "F 3 C"], meeting: Meeting
    ) -> Float64[np.ndarray, "N C"]:
        """A per-corner attribute of one shape at hits on it."""
        return np.einsum("nk,nkc->nc", meeting.barycentric, values[self.row_of[meeting.triangle]])

    def texel(self, index: int, name: str, meeting: Meeting) -> Float32[np.ndarray, "N 4"] | None:
        """What a map shows at hits on one shape, 0..1, colours in linear light; None where there is no such map."""
        shape = self.shapes[index]
        lookup = shape.material.maps.get(name)
        if lookup is None:
            return None
        uv = self.interpolate(shape.uvs[lookup.mapping], meeting)
        pyramid = self._pyramid(lookup, name in _COLOURS)
        if lookup.nearest:
            height, width = pyramid[0].shape[:2]
            texel = (np.floor(uv * (width, height)) + 0.5) / (width, height)
            near = meeting.width * self._texels(index, lookup)[self.row_of[meeting.triangle]] < 1
            uv = np.where(near[:, None], texel, uv)
        texels = meeting.width * self._texels(index, lookup)[self.row_of[meeting.triangle]]
        return trilinear(pyramid, uv, texels, lookup.wrap)

    def _pyramid(self, lookup: TextureReference, coloured: bool) -> list[np.ndarray]:
        key = lookup.image, coloured
        if key not in self._pyramids:
            pixels = self._scene.image(lookup.image)
            decoded = bytes_to_linear(pixels) if coloured else pixels.astype(np.float32) / 255
            self._pyramids[key] = mip_levels(decoded)
        return self._pyramids[key]

    def _texels(self, index: int, lookup: TextureReference) -> Float64[np.ndarray, "F"]:
        """Texels along a unit of length on each triangle of a shape."""
        key = (index, lookup.mapping)
        if key not in self._density:
            edges = np.diff(self.shapes[index].uvs[lookup.mapping], axis=1)  # (F, 2, 2)
            uv_area = np.abs(np.linalg.det(edges)) / 2
            self._density[key] = np.sqrt(uv_area / np.maximum(self._area[self.shape_of == index], 1e-300))
        height, width = self._scene.image(lookup.image).shape[:2]
        return self._density[key] * np.sqrt(height * width)
