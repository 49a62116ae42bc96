"""The renderer that needs no OpenGL: Embree rays, the same materials, lights and colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from ...srgb import to_srgb
from ...views.cameras import Camera
from ..scene.scene import PreviewScene, Shape
from .lighting import Surfel, shade, studio_axes
from .ray_caster import Caster, Meeting

_LAYERS = 48  # of cut-outs and blended surfaces that a ray may cross
_NUDGE = 1e-5  # how far past a hit a ray goes on
_CHUNK = 2**18  # rays at a time
_OPAQUE = 1 - 1 / 512


class RayRenderer:
    """Draws shapes that lie within the unit sphere around the origin. Satisfies `choose.FrameRenderer`."""

    name = "rays"
    device = "Embree"

    def __init__(
        self, scene: PreviewScene, shape: tuple[int, int], unlit: bool = False, side: int = 2
    ) -> None:
        """`side`: rays along a pixel's edge."""
        self._scene, self._shape, self._unlit, self._side = scene, shape, unlit, side
        self._caster: Caster | None = None

    def pose(self, shapes: Sequence[Shape]) -> None:
        """Show these shapes from now on."""
        self._caster = Caster(self._scene, shapes)

    def draw(self, camera: Camera) -> UInt8[np.ndarray, "H W 4"]:
        """Premultiplied sRGB with alpha."""
        height, width = self._shape
        side = self._side
        rows = max(_CHUNK // (width * side * side), 1)
        bands = [self._band(camera, top, min(rows, height - top)) for top in range(0, height, rows)]
        return np.rint(np.clip(np.concatenate(bands), 0, 1) * 255).astype(np.uint8)

    def close(self) -> None:
        """Forget the tree."""
        self._caster = None

    def _band(self, camera: Camera, top: int, rows: int) -> Float32[np.ndarray, "rows W 4"]:
        """Some rows of the picture."""
        height, width = self._shape
        side = self._side
        i, j, y, x = np.indices((rows, width, side, side)).reshape(4, -1)
        directions = camera.directions(
            top + i + (y + 0.5) / side - height / 2, j + (x + 0.5) / side - width / 2
        )
        colours = self._trace(camera, directions)  # (rows·W·side², 4)
        return colours.reshape(rows, width, side * side, 4).mean(2)

    def _trace(self, camera: Camera, directions: Float64[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N 4"]:
        """Premultiplied sRGB and alpha of rays, layer after layer from the front."""
        assert self._caster is not None  # `pose` comes first
        result = np.zeros((len(directions), 4), np.float32)
        alive, start = np.arange(len(directions)), np.zeros(len(directions))
        axes = studio_axes(camera)
        for _ in range(_LAYERS):
            if not len(alive):
                break
            origins = np.broadcast_to(camera.eye, (len(alive), 3))
            meeting = self._caster.meet(origins, directions[alive], start[alive], camera.pitch / self._side)
            alpha = self._caster.alpha(meeting)
            rays = alive[meeting.ray]
            seen = alpha > 0
            part = meeting.only(seen)
            colour = self._colour(part, directions[rays[seen]], axes)
            share = (alpha[seen] * (1 - result[rays[seen], 3]))[:, None]
            result[rays[seen]] += share * np.concatenate([colour, np.ones_like(share)], axis=1)
            through = result[rays, 3] < _OPAQUE
            start[rays] = meeting.distance + _NUDGE
            alive = rays[through]
        return result

    def _colour(
        self, meeting: Meeting, directions: Float64[np.ndarray, "N 3"], axes: np.ndarray
    ) -> Float32[np.ndarray, "N 3"]:
        """sRGB at hits."""
        assert self._caster is not None
        result = np.zeros((len(meeting.ray), 3), np.float32)
        for index, rows in self._caster.by_shape(meeting):
            some = meeting.only(rows)
            base = self._caster.base_colour(index, some)
            if self._unlit or self._caster.shapes[index].material.unlit:
                result[rows] = to_srgb(base[:, :3])
            else:
                result[rows] = shade(self._surfel(index, some, base, -directions[rows], axes))
        return result

    def _surfel(
        self, index: int, meeting: Meeting, base: np.ndarray, towards: np.ndarray, axes: np.ndarray
    ) -> Surfel:
        caster = self._caster
        assert caster is not None
        material = caster.shapes[index].material
        count = len(meeting.ray)
        metal, rough = np.full(count, material.metallic), np.full(count, material.roughness)
        if (texel := caster.texel(index, "metal_rough", meeting)) is not None:
            rough, metal = rough * texel[:, 1], metal * texel[:, 2]
        occlusion = np.ones(count)
        if (texel := caster.texel(index, "occlusion", meeting)) is not None:
            occlusion = 1 + material.occlusion_strength * (texel[:, 0] - 1)
        emissive = np.broadcast_to(np.array(material.emissive, np.float32), (count, 3))
        if (texel := caster.texel(index, "emissive", meeting)) is not None:
            emissive = emissive * texel[:, :3]
        normal = self._normal(index, meeting)
        return Surfel(
            albedo=base[:, :3],
            metallic=metal.astype(np.float32),
            roughness=rough.astype(np.float32),
            normal=(normal @ axes.T).astype(np.float32),
            towards=(towards @ axes.T).astype(np.float32),
            occlusion=occlusion.astype(np.float32),
            emissive=emissive.astype(np.float32),
        )

    def _normal(self, index: int, meeting: Meeting) -> Float64[np.ndarray, "N 3"]:
        """Shading normals in world space, towards the side that is seen."""
        caster = self._caster
        assert caster is not None
        shape = caster.shapes[index]
        normal = _unit(caster.interpolate(shape.normals, meeting))
        texel = caster.texel(index, "normal", meeting)
        if texel is not None:
            rows = caster.row_of[meeting.triangle]
            mapping = shape.material.maps["normal"].mapping
            along_u, along_v = _tangents(shape.corners[rows], shape.uvs[mapping][rows])
            t = _unit(along_u - normal * (normal * along_u).sum(1, keepdims=True))
            b = _unit(-along_v + normal * (normal * along_v).sum(1, keepdims=True))  # the map's y points up
            x, y, z = (texel[:, :3].astype(np.float64) * 2 - 1).T[..., None]
            bent = t * (x * shape.material.normal_scale) + b * (y * shape.material.normal_scale) + normal * z
            sound = (np.abs(t).sum(1) > 0) & (np.abs(b).sum(1) > 0)
            normal = np.where(sound[:, None], _unit(bent), normal)
        return np.where(meeting.front[:, None], normal, -normal)


def _tangents(
    corners: Float64[np.ndarray, "N 3 3"], uv: Float64[np.ndarray, "N 3 2"]
) -> tuple[Float64[np.ndarray, "N 3"], Float64[np.ndarray, "N 3"]]:
    """How a triangle's surface moves along u and along v; zero where it has no area in UVs."""
    p1, p2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    (u1, v1), (u2, v2) = (uv[:, 1] - uv[:, 0]).T, (uv[:, 2] - uv[:, 0]).T
    area = (u1 * v2 - u2 * v1)[:, None]
    sign = np.sign(area) * (np.abs(area) > 1e-20)
    # Only the directions count, so the division by the area is left out.
    along_u = (p1 * v2[:, None] - p2 * v1[:, None]) * sign
    along_v = (p2 * u1[:, None] - p1 * u2[:, None]) * sign
    return along_u, along_v


def _unit(vectors: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 3"]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-15, vectors / np.maximum(length, 1e-300), 0.0)
