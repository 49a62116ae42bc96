"""What a material has without relief: its own normal map, roughness and metalness, at texels of the paint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from jaxtyping import Float32, Float64, Int64

from ..io.types import Asset, Wrap
from ..preview.scene.materials import PbrMaterial, TextureReference
from ..preview.scene.scene import part_uvs
from ..texture.texel_positions import texel_weights
from ..texture.types import Atlas, Surface

Slopes = Float32[np.ndarray, "N 2"]


@dataclass(frozen=True, eq=False)
class OwnMaps:
    """What a material has without relief, at some texels: slopes in the paint's tangent space, roughness, metalness."""

    slopes: Slopes
    roughness: Float32[np.ndarray, "N"]
    metallic: Float32[np.ndarray, "N"]


def read_own(
    asset: Asset,
    surface: Surface,
    atlas: Atlas,
    materials: Sequence[PbrMaterial],
    texels: Int64[np.ndarray, "N"],
) -> OwnMaps:
    """What the materials have there already, read through their own UVs."""
    owner, weights = texel_weights(surface, atlas, texels)
    count = len(texels)
    slopes = np.zeros((count, 2), np.float32)
    rough, metal = np.ones(count, np.float32), np.zeros(count, np.float32)
    part = surface.part[owner]
    for number in np.unique(part):
        rows = np.flatnonzero(part == number)
        material = materials[asset.parts[number].material]
        rough[rows], metal[rows] = material.roughness, material.metallic
        if not {"normal", "metal_rough"} & material.maps.keys():
            continue
        uvs = part_uvs(asset, int(number), material)
        triangle = surface.triangle[owner[rows]]
        for name in ("normal", "metal_rough"):
            reference = material.maps.get(name)
            uv = None if reference is None else uvs[reference.mapping]
            if reference is None or uv is None:
                continue
            found = _read(asset, reference, np.einsum("nk,nkc->nc", weights[rows], uv[triangle]))
            if name == "metal_rough":
                rough[rows] *= found[:, 1]
                metal[rows] *= found[:, 2]
                continue
            vector = found * 2 - 1
            tilt = -vector[:, :2] * material.normal_scale / np.maximum(vector[:, 2:], 0.05)
            slopes[rows] = _turned(surface, owner[rows], uv[triangle], tilt)
    return OwnMaps(slopes, rough, metal)


def _turned(
    surface: Surface,
    owner: Int64[np.ndarray, "N"],
    uv: Float64[np.ndarray, "N 3 2"],
    tilt: Float32[np.ndarray, "N 2"],
) -> Slopes:
    """Slopes in the tangent space of other UVs, in that of the paint's."""
    edge = surface.corners[owner, 1:] - surface.corners[owner, :1]
    axes = []
    for corners in (uv, surface.uv[owner]):
        step = corners[:, 1:] - corners[:, :1]
        turn = np.sign(step[:, 0, 0] * step[:, 1, 1] - step[:, 0, 1] * step[:, 1, 0])[:, None]
        along = (edge[:, 0] * step[:, 1, 1:] - edge[:, 1] * step[:, 0, 1:]) * turn
        down = (edge[:, 1] * step[:, 0, :1] - edge[:, 0] * step[:, 1, :1]) * turn
        axes.append(axes_of(along, down))
    (tangent, up), (new_tangent, new_up) = axes
    world = tangent * tilt[:, :1] + up * tilt[:, 1:]
    found = np.stack([(world * new_tangent).sum(axis=1), (world * new_up).sum(axis=1)], axis=1)
    return found.astype(np.float32)


def _read(
    asset: Asset, reference: TextureReference, uv: Float64[np.ndarray, "N 2"]
) -> Float32[np.ndarray, "N 3"]:
    """Numbers 0..1 that an image holds as bytes, bilinear."""
    image = asset.image(reference.image)[..., :3]
    places = []
    for axis in (1, 0):
        u, length = uv[:, axis], image.shape[1 - axis]
        if reference.wrap[axis] is Wrap.MIRROR:
            u = 1 - np.abs(1 - np.mod(u, 2.0))
        elif reference.wrap[axis] is Wrap.REPEAT:
            u = u - np.floor(u)
        places.append(np.clip(u, 0, 1) * length - 0.5)
    columns = [
        scipy.ndimage.map_coordinates(image[..., c], places, np.float32, 1, "nearest") for c in range(3)
    ]
    found: Float32[np.ndarray, "N 3"] = np.stack(columns, axis=1) / np.float32(255)
    return found


def axes_of(
    along: Float64[np.ndarray, "N 3"], down: Float64[np.ndarray, "N 3"]
) -> tuple[Float64[np.ndarray, "N 3"], Float64[np.ndarray, "N 3"]]:
    """Tangent and bitangent (up in the image) of triangles, perpendicular to each other."""
    tangent = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-30)
    up = -(down - tangent * (down * tangent).sum(axis=1, keepdims=True))
    return tangent, up / np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-30)
