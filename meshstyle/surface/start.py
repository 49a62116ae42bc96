"""The colours a model has before it is painted, texel by texel: factor × vertex colour × image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32

from ..asset.contract import Asset, Material, Wrap
from .colour import to_srgb
from .contract import AtlasPlan
from .picture import Picture
from .spans import usable_uv
from .texels import Texels, texel_area

TEXELS_AT_ONCE = 1 << 19


@dataclass(frozen=True, eq=False)
class AtlasTriangles:
    """The triangles painted into one atlas: instance 0 of each of its parts, one part after the other.

    Attributes:
        corners: world space.
        uv: where they lie in the atlas.
        source_uv: where their colour comes from; NaN where the part has no UVs.
        colours: linear RGBA at the corners, ones where the part has none; None where no part has any.
        material: index into the asset's materials.
        part: index into the asset's parts.
        triangle: index into the part's triangles.
    """

    corners: Float64[np.ndarray, "F 3 3"]
    uv: Float64[np.ndarray, "F 3 2"]
    source_uv: Float64[np.ndarray, "F 3 2"]
    colours: Float64[np.ndarray, "F 3 4"] | None
    material: Int32[np.ndarray, "F"]
    part: Int32[np.ndarray, "F"]
    triangle: Int32[np.ndarray, "F"]


def start_colours(
    asset: Asset, plan: AtlasPlan, triangles: AtlasTriangles, texels: Texels
) -> tuple[Float32[np.ndarray, "H W 3"], Float32[np.ndarray, "H W"]]:
    """sRGB 0..1 and alpha 0..1 of every covered texel; zeros and ones elsewhere.

    The alpha leaves out the material's factor, which stays in the material when the model is written (glTF
    multiplies the two), but holds that of the vertex colours, which does not.
    """
    picture = _picture(asset, plan)
    whole = None if picture is None or plan.unwrap else picture.resized(plan.size)
    colour = np.zeros((*plan.size, 3), np.float32)
    alpha = np.ones(plan.size, np.float32)
    covered = np.flatnonzero(texels.owner >= 0)
    level = _levels(picture, triangles, plan.size) if picture is not None and whole is None else None
    for first in range(0, len(covered), TEXELS_AT_ONCE):
        texel = covered[first : first + TEXELS_AT_ONCE]
        owner = texels.owner.reshape(-1)[texel]
        weights = texels.barycentric.reshape(-1, 3)[texel]
        value = _tint(asset.materials, triangles, owner, weights)
        if whole is not None:
            value *= whole.reshape(-1, 4)[texel]
        elif picture is not None and level is not None:
            value *= _lookup(picture, asset.materials, triangles, owner, weights, level)
        colour.reshape(-1, 3)[texel] = to_srgb(value[:, :3])
        alpha.reshape(-1)[texel] = np.clip(value[:, 3], 0.0, 1.0)
    return colour, alpha


def _picture(asset: Asset, plan: AtlasPlan) -> Picture | None:
    image = asset.materials[plan.materials[0]].image if plan.materials else None
    if image is None:
        return None
    pixels = asset.image(image)
    if all(asset.materials[m].alpha_mode == "OPAQUE" for m in plan.materials):
        pixels = pixels.copy()
        pixels[..., 3] = 255  # opaque materials show the colours of transparent pixels too
    return Picture(pixels)


def _levels(picture: Picture, triangles: AtlasTriangles, size: tuple[int, int]) -> Float64[np.ndarray, "F"]:
    """log2 of how many of the image's pixels, along a side, fall into one texel of the atlas."""
    usable = np.where(usable_uv(triangles.source_uv)[:, None, None], triangles.source_uv, 0.0)
    pixels, owned = texel_area(usable, picture.size), texel_area(triangles.uv, size)
    # A triangle smaller than a texel still is spread over one.
    return 0.5 * np.log2(np.maximum(pixels, 1e-12) / np.maximum(owned, 0.5))


def _tint(
    materials: tuple[Material, ...],
    triangles: AtlasTriangles,
    owner: Int32[np.ndarray, "N"],
    weights: Float32[np.ndarray, "N 3"],
) -> Float32[np.ndarray, "N 4"]:
    """Factor × vertex colour, linear; the factor's alpha is left out."""
    factors = np.array([(*m.factor[:3], 1.0) for m in materials] or [(1.0,) * 4], np.float32)
    value = factors[triangles.material[owner]]
    if triangles.colours is not None:
        value *= np.einsum("nk,nkc->nc", weights, triangles.colours[owner].astype(np.float32))
    return value


def _lookup(
    picture: Picture,
    materials: tuple[Material, ...],
    triangles: AtlasTriangles,
    owner: Int32[np.ndarray, "N"],
    weights: Float32[np.ndarray, "N 3"],
    level: Float64[np.ndarray, "F"],
) -> Float32[np.ndarray, "N 4"]:
    uv = np.einsum("nk,nkc->nc", weights.astype(np.float64), triangles.source_uv[owner])
    missing = ~np.isfinite(uv).all(axis=1)
    uv[missing] = 0.0  # glTF leaves this open; renderers read the attribute as zero
    wraps = [m.wrap for m in materials]
    kinds = list(dict.fromkeys(wraps))
    if len(kinds) == 1:
        return picture.sample(uv, kinds[0], level[owner])
    kind = np.array([kinds.index(w) for w in wraps])[triangles.material[owner]]
    out = np.empty((len(owner), 4), np.float32)
    for number, wrap in enumerate(kinds):
        chosen = np.flatnonzero(kind == number)
        if len(chosen):
            out[chosen] = picture.sample(uv[chosen], wrap, level[owner[chosen]])
    return out


def common_wrap(materials: tuple[Material, ...], plan: AtlasPlan) -> tuple[Wrap, Wrap]:
    """How the atlas is read outside 0..1. Fresh UVs never leave 0..1, and their borders must not mix."""
    if plan.unwrap or not plan.materials:
        return (Wrap.CLAMP, Wrap.CLAMP)
    return materials[plan.materials[0]].wrap
