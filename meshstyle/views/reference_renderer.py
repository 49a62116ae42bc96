"""The ray renderer: what a model looks like, as the file says, without OpenGL.

It shares the tracer with the solver but not its lookups: images are filtered as GPUs do it, by plain mipmaps in linear
light and several lookups along a stretched footprint's longer axis; base colour is factor × vertex colour × image, and
no atlas, chart or gutter is known to it. With one ray a pixel a picture is what WebGL shows without antialiasing.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64

from ..io.images import MAX_SIDE
from ..io.types import Asset, Part, Wrap
from ..srgb import LINEAR_OF_BYTE, to_linear, to_srgb
from ..texture.filtering import anisotropic, mip_levels
from ..texture.normals import face_normals, repaired, smooth_normals
from ..texture.opacity import air_below, hidden_at_rest, read_opacity
from ..texture.types import Atlas, AtlasPlan, Surface
from .cameras import Camera
from .pixel_footprint import uv_gradients, uv_steps
from .raytrace import Hits, Tracer
from .view import AMBIENT, HEADLIGHT

_AT_ONCE = 1 << 16  # rays that are coloured at a time


@dataclass(frozen=True, eq=False)
class Image:
    """A rendered view.

    Attributes:
        colour: sRGB 0..1; 0 where nothing is seen.
        mask: share of each pixel that is covered.
        hits: the rays it was made from.
        ray_colours: (N, 3) sRGB per ray, before the headlight.
    """

    colour: Float32[np.ndarray, "H W 3"]
    mask: Float32[np.ndarray, "H W"]
    hits: Hits
    ray_colours: Float32[np.ndarray, "N 3"]

    @classmethod
    def of(cls, hits: Hits, ray_colours: Float32[np.ndarray, "N 3"], lit: bool) -> Image:
        """Pixels are means over their rays, as displayed; so is the headlight s = 0.55 + 0.45·cos, where `lit`."""
        shown = ray_colours * (AMBIENT + HEADLIGHT * hits.cosine)[:, None] if lit else ray_colours
        pixels, rays = hits.shape[0] * hits.shape[1], hits.side**2
        total = np.stack([np.bincount(hits.pixel, shown[:, c], pixels) for c in range(3)], -1)
        mask = np.bincount(hits.pixel, minlength=pixels)
        return cls(
            colour=(total / rays).reshape(*hits.shape, 3).astype(np.float32),
            mask=(mask / rays).reshape(hits.shape).astype(np.float32),
            hits=hits,
            ray_colours=ray_colours,
        )

    def under_headlight(self) -> Image:
        """The same view, lit."""
        return Image.of(self.hits, self.ray_colours, True)

    def over(self, background: np.ndarray) -> Float32[np.ndarray, "H W 3"]:
        """The view in front of a plain colour."""
        return self.colour + (1 - self.mask[..., None]) * background.astype(np.float32)


class Renderer:
    """Draws an asset from any camera of the normalised space.

    What hides what is decided as it is for painting (see `texture.opacity`); what the file hides at rest is not drawn.
    """

    def __init__(self, asset: Asset) -> None:
        self.asset = asset
        self.scene = scene_surface(asset)
        shown = ~hidden_at_rest(part for part in asset.parts if part.stand_in is None)
        self.tracer = Tracer(self.scene, shown if shown.any() else None)
        self._colours = _per_triangle(asset, "colours", 4)
        self._pyramids = [mip_levels(linear_pixels(asset, i)) for i in _images(asset)]
        self._materials = np.array([part.material for part in asset.parts], np.int64)

    def render(
        self,
        camera: Camera,
        side: int = 3,
        frame: tuple[int, int] | None = None,
        lit: bool = True,
    ) -> Image | None:
        """Draw one view; None where nothing is seen.

        Args:
            side: rays along a pixel's edge.
            frame: height and width around the optical axis; None crops to the object.
            lit: with the headlight s = 0.55 + 0.45·cos, or the bare base colour.
        """
        hits = self.tracer.view(camera, side, frame=frame)
        return None if hits is None else self.shade(hits, lit)

    def repainted(self, images: Mapping[int, Float32[np.ndarray, "_ _ 3"]]) -> Renderer:
        """The same model with other pictures, sRGB 0..1, of any size, for some of the asset's images.

        Geometry and cut-outs stay as they were traced; `shade` then draws hits that either of the two traced.
        """
        other = copy.copy(self)
        other._pyramids = [
            mip_levels(to_linear(images[number])) if number in images else pyramid
            for number, pyramid in zip(_images(self.asset), self._pyramids, strict=True)
        ]
        return other

    def shade(self, hits: Hits, lit: bool = True) -> Image:
        """Draw a view that was traced before; see `views.reference_renderer`."""
        return Image.of(hits, self.ray_colours(hits), lit)

    def ray_colours(self, hits: Hits) -> Float32[np.ndarray, "N 3"]:
        """Base colour seen by each ray, sRGB 0..1."""
        scene = self.scene
        linear = np.ones((len(hits.triangle), 3), np.float32)
        for number, pyramid in enumerate(self._pyramids):
            rays = np.flatnonzero(scene.atlas[hits.triangle] == number)
            if len(rays):
                linear[rays] = self._sample(hits, rays, pyramid, scene.atlases[number].wrap)
        material = self._materials[scene.part[hits.triangle]]
        factors = np.array([m.factor[:3] for m in self.asset.materials])
        linear *= factors[material] * np.einsum(
            "nk,nkc->nc", hits.barycentric, self._colours[hits.triangle, :, :3]
        )
        return to_srgb(linear)

    def _sample(
        self, hits: Hits, rays: np.ndarray, pyramid: list[np.ndarray], wrap: tuple[Wrap, Wrap]
    ) -> Float32[np.ndarray, "N 3"]:
        """Colours in linear light, rays by the thousand: what is known of them on the way takes far more memory."""
        found = np.empty((len(rays), 3), np.float32)
        for first in range(0, len(rays), _AT_ONCE):
            some = rays[first : first + _AT_ONCE]
            corners = self.scene.uv.take(hits.triangle[some], axis=0)
            uv = np.einsum("nk,nkc->nc", hits.barycentric[some].astype(np.float64), corners)
            steps = uv_steps(hits, some, self.tracer, self._gradients)
            found[first : first + _AT_ONCE] = anisotropic(pyramid, uv, steps, wrap)
        return found

    @cached_property
    def _gradients(self) -> Float64[np.ndarray, "F 2 3"]:
        return uv_gradients(self.tracer.corners, self.scene.uv)


def linear_pixels(asset: Asset, image: int) -> Float32[np.ndarray, "H W 3"]:
    """An image's colours in linear light, 0..1."""
    return LINEAR_OF_BYTE[asset.image(image)[..., :3]]


def _images(asset: Asset) -> list[int]:
    """The base colour images in use, each once, in order."""
    used = {asset.materials[part.material].image for part in asset.parts if part.uv is not None}
    return sorted(image for image in used if image is not None)


def _per_triangle(asset: Asset, name: str, channels: int) -> np.ndarray:
    """A per-corner attribute of all instances of all parts, ones where a part has none."""
    rows = []
    for part in asset.parts:
        instances, count = part.corners.shape[:2]
        value = getattr(part, name)
        value = np.ones((count, 3, channels)) if value is None else value
        rows.extend([value] * instances)
    return np.concatenate(rows)


def scene_surface(asset: Asset) -> Surface:
    """All triangles with the file's own UVs and images; nothing is planned or unwrapped."""
    images = _images(asset)
    corners, normals, uv, atlas, cutoff, number, source = [], [], [], [], [], [], []
    for index, part in enumerate(asset.parts):
        material = asset.materials[part.material]
        image = images.index(material.image) if part.uv is not None and material.image is not None else -1
        for instance in range(len(part.corners)):
            count = part.corners.shape[1]
            corners.append(part.corners[instance])
            normals.append(_normals(part, instance))
            uv.append(part.uv if part.uv is not None and image >= 0 else np.full((count, 3, 2), np.nan))
            atlas.append(np.full(count, image, np.int32))
            cutoff.append(np.full(count, air_below(material), np.float32))
            number.append(np.full(count, index, np.int32))
            source.append(np.arange(count, dtype=np.int32))
    coordinates, part_of, triangle = np.concatenate(uv), np.concatenate(number), np.concatenate(source)
    unpainted = np.full(len(part_of), -1, np.int32)  # every material is looked at by its own image
    return Surface(
        corners=np.concatenate(corners),
        normals=np.concatenate(normals),
        uv=coordinates,
        atlas=np.concatenate(atlas),
        alpha_cutoff=np.concatenate(cutoff),
        part=part_of,
        triangle=triangle,
        atlases=tuple(_plain_atlas(asset, image) for image in images),
        painted=tuple(None for _ in asset.parts),
        opacity=read_opacity(asset, (), (unpainted, coordinates, part_of, triangle), MAX_SIDE),
    )


def _normals(part: Part, instance: int) -> Float64[np.ndarray, "F 3 3"]:
    """The file's normals where they are sound, else smooth ones."""
    corners = part.corners[instance]
    if part.normals is None:
        return smooth_normals(corners)
    flat, _ = face_normals(corners)
    return repaired(part.normals[instance], np.repeat(flat[:, None], 3, axis=1))


def _plain_atlas(asset: Asset, image: int) -> Atlas:
    """An image as the renderer wants it: only its wrapping counts; alpha is in the surface's `opacity`."""
    wrap = next(material.wrap for material in asset.materials if material.image == image)
    height, width = asset.image_size(image)
    plan = AtlasPlan(asset.image_name(image), (), (), (height, width), False, "", None)
    nothing = np.broadcast_to(np.float32(0), (height, width, 3))  # no memory behind it: nobody looks
    return Atlas(plan, wrap, nothing, None, np.broadcast_to(np.int32(0), (height, width)))
