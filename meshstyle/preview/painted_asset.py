"""A model with its paint, seen from fixed sides, without writing a file in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from ..bake.bake import quantized
from ..io.types import Asset, Material, PaintedPart, Part, Wrap
from ..texture.types import Surface
from ..views.cameras import Camera, camera_towards_centre
from ..views.raytrace import Hits
from ..views.reference_renderer import Renderer

BACKGROUND = (232, 232, 234)  # sRGB bytes, behind every model that people are shown
_RAYS = 3  # per pixel side
_FILL = 0.92  # of the picture's side that the model takes up from where it looks largest


class PaintedAsset:
    """An asset as it will be read back once it is painted; satisfies `io.types.Asset`, but for writing.

    The painted images come first, the asset's own after them.
    """

    def __init__(
        self,
        asset: Asset,
        parts: Sequence[PaintedPart | None],
        images: Sequence[UInt8[np.ndarray, "_ _ _"]],
    ) -> None:
        """`parts` and `images` as they go into `Paint`."""
        self.path: Path = asset.path
        self.kind = asset.kind
        self.warnings = asset.warnings
        self.record: Mapping[str, Any] | None = asset.record
        self._asset, self._images = asset, images
        own = [m if m.image is None else replace(m, image=m.image + len(images)) for m in asset.materials]
        made: list[Material] = []
        shown: list[Part] = []
        for part, paint in zip(asset.parts, parts, strict=True):
            if paint is not None:
                made.append(_painted_material(asset.materials[part.material], paint))
                uv = part.uv if paint.uv is None else paint.uv
                part = replace(part, material=len(own) + len(made) - 1, uv=uv, colours=None)
            shown.append(part)
        self.materials: tuple[Material, ...] = (*own, *made)
        self.parts: tuple[Part, ...] = tuple(shown)

    def image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        if index >= len(self._images):
            return self._asset.image(index - len(self._images))
        pixels = self._images[index]
        if pixels.shape[2] == 4:
            return pixels
        return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 255, np.uint8)], axis=2)

    def image_name(self, index: int) -> str:
        own = index - len(self._images)
        return self._asset.image_name(own) if own >= 0 else f"paint {index}"

    def image_size(self, index: int) -> tuple[int, int]:
        own = index - len(self._images)
        if own >= 0:
            return self._asset.image_size(own)
        return self._images[index].shape[0], self._images[index].shape[1]


def _painted_material(material: Material, paint: PaintedPart) -> Material:
    """The factor's alpha stays, its colour is in the paint."""
    wrap = material.wrap if paint.uv is None else (Wrap.CLAMP, Wrap.CLAMP)
    return replace(material, factor=(1.0, 1.0, 1.0, material.factor[3]), image=paint.atlas, wrap=wrap)


def framing(
    points: Float64[np.ndarray, "N 3"], directions: Float64[np.ndarray, "V 3"], size: int
) -> list[Camera]:
    """Cameras that show a model at one scale from several sides, as large as none of `size`² pixels cuts it off.

    `points`: its corners, in normalised space.
    """
    cameras = [camera_towards_centre(direction, size) for direction in directions]
    reach = max(float(np.abs(camera.project(points)).max()) for camera in cameras)
    return [replace(camera, pitch=camera.pitch * reach / (_FILL * size / 2)) for camera in cameras]


class ModelViews:
    """Pictures of one model from a few sides. Rays are traced once; after that only the paint changes."""

    def __init__(
        self,
        asset: Asset,
        surface: Surface,
        directions: Float64[np.ndarray, "V 3"],
        size: int,
        rays: int = _RAYS,
    ) -> None:
        """`directions`: unit vectors from the centre to the eye; `size`: pixels of a picture's side; `rays`: along
        that of a pixel."""
        starts = [quantized(atlas.start, atlas.alpha) for atlas in surface.atlases]
        self._painted = Renderer(PaintedAsset(asset, surface.painted, starts))
        self._original = Renderer(asset)
        self._size = size
        tracer = self._painted.tracer
        cameras = framing(tracer.corners.reshape(-1, 3), directions, size)
        self._hits = [tracer.view(camera, rays, frame=(size, size)) for camera in cameras]

    def original(self) -> list[UInt8[np.ndarray, "S S 3"]]:
        """The model as the file says."""
        return [self._picture(self._original, hits) for hits in self._hits]

    def painted(self, images: Sequence[Float32[np.ndarray, "_ _ 3"]]) -> list[UInt8[np.ndarray, "S S 3"]]:
        """Draw the views with these colours, sRGB 0..1, in the atlases. Sizes may be any; cut-outs stay the
        original's."""
        renderer = self._painted.repainted(dict(enumerate(images)))
        return [self._picture(renderer, hits) for hits in self._hits]

    def _picture(self, renderer: Renderer, hits: Hits | None) -> UInt8[np.ndarray, "S S 3"]:
        behind = np.array(BACKGROUND) / 255
        if hits is None:
            return np.full((self._size, self._size, 3), BACKGROUND, np.uint8)
        return quantized(renderer.shade(hits).over(behind), None)
