"""The colours a model has before it is painted, texel by texel: factor × vertex colour × image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from ..io.types import Asset, Material, Wrap
from ..srgb import to_srgb
from .image_sampler import ImageSampler
from .rasterize import TexelOwners, texel_area
from .spans import usable_uv
from .types import AtlasPlan

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
    asset: Asset, plan: AtlasPlan, triangles: AtlasTriangles, texels: TexelOwners
) -> tuple[Float32[np.ndarray, "H W 3"], Float32[np.ndarray, "H W"]]:
    """sRGB 0..1 and alpha 0..1 of every covered texel; zeros and ones elsewhere.

    The alpha leaves out the material's factor, which stays in the material when the model is written (glTF
    multiplies the two), but holds that of the vertex colours, which does not.
    """
    pictures = _pictures(asset, plan)
    colour = np.zeros((*plan.size, 3), np.float32)
    alpha = np.ones(plan.size, np.float32)
    covered = np.flatnonzero(texels.owner >= 0)
    whole, kinds = None, []
    if not plan.unwrap and pictures:
        # Kept UVs: texels are the image's own pixels, not lookups that would blur them.
        whole = next(iter(pictures.values())).resized(plan.size).reshape(-1, 4)
    elif pictures:
        kinds = _kinds(asset, plan, pictures, triangles)
    for first in range(0, len(covered), TEXELS_AT_ONCE):
        texel = covered[first : first + TEXELS_AT_ONCE]
        owner = texels.owner.reshape(-1)[texel]
        weights = texels.barycentric.reshape(-1, 3)[texel]
        value = _tint(asset.materials, triangles, owner, weights)
        if whole is not None:
            value *= whole[texel]
        for kind in kinds:
            chosen = np.flatnonzero(kind.uses[triangles.material[owner]])
            if len(chosen):
                value[chosen] *= _lookup(kind, triangles, owner[chosen], weights[chosen])
        colour.reshape(-1, 3)[texel] = to_srgb(value[:, :3])
        alpha.reshape(-1)[texel] = np.clip(value[:, 3], 0.0, 1.0)
    return colour, alpha


@dataclass(frozen=True, eq=False)
class _Kind:
    """Materials that read one picture in one way.

    Attributes:
        uses: per material of the asset, whether it is one of them.
        level: per triangle, log2 of how many of the picture's pixels, along a side, fall into a texel.
    """

    picture: ImageSampler
    wrap: tuple[Wrap, Wrap]
    uses: Bool[np.ndarray, "M"]
    level: Float64[np.ndarray, "F"]


def _pictures(asset: Asset, plan: AtlasPlan) -> dict[tuple[int, bool], ImageSampler]:
    """Return samplers by image, and by whether its alpha counts: opaque materials show the colours of transparent
    pixels too.

    Kept UVs have one image, whose alpha counts where any of its materials looks at it.
    """
    found: dict[tuple[int, bool], ImageSampler] = {}
    opaque = [asset.materials[m].alpha_mode == "OPAQUE" for m in plan.materials]
    for index, solid in zip(plan.materials, opaque, strict=True):
        image = asset.materials[index].image
        key = (image, solid if plan.unwrap else all(opaque))
        if image is not None and key not in found:
            pixels = asset.image(image)
            if key[1]:
                pixels = pixels.copy()
                pixels[..., 3] = 255
            found[image, key[1]] = ImageSampler(pixels)
    return found


def _kinds(
    asset: Asset, plan: AtlasPlan, pictures: dict[tuple[int, bool], ImageSampler], triangles: AtlasTriangles
) -> list[_Kind]:
    usable = np.where(usable_uv(triangles.source_uv)[:, None, None], triangles.source_uv, 0.0)
    # A triangle smaller than a texel still is spread over one.
    owned = np.maximum(texel_area(triangles.uv, plan.size), 0.5)
    reads = [(m.image, m.alpha_mode == "OPAQUE", m.wrap) for m in asset.materials]
    kinds = []
    for image, solid, wrap in dict.fromkeys(reads[m] for m in plan.materials):
        if image is not None:
            picture = pictures[image, solid]
            level = 0.5 * np.log2(np.maximum(texel_area(usable, picture.size), 1e-12) / owned)
            kinds.append(_Kind(picture, wrap, np.array([r == (image, solid, wrap) for r in reads]), level))
    return kinds


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
    kind: _Kind,
    triangles: AtlasTriangles,
    owner: Int32[np.ndarray, "N"],
    weights: Float32[np.ndarray, "N 3"],
) -> Float32[np.ndarray, "N 4"]:
    uv = np.einsum("nk,nkc->nc", weights.astype(np.float64), triangles.source_uv[owner])
    missing = ~np.isfinite(uv).all(axis=1)
    uv[missing] = 0.0  # glTF leaves this open; renderers read the attribute as zero
    return kind.picture.sample(uv, kind.wrap, kind.level[owner])


def common_wrap(materials: tuple[Material, ...], plan: AtlasPlan) -> tuple[Wrap, Wrap]:
    """How the atlas is read outside 0..1. Fresh UVs never leave 0..1, and their borders must not mix."""
    if plan.unwrap or not plan.materials:
        return (Wrap.CLAMP, Wrap.CLAMP)
    return materials[plan.materials[0]].wrap
