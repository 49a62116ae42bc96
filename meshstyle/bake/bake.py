"""From painted textures to finished images: holes filled, gutters padded, alpha put back, 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from ..io.types import PaintedPart
from ..strength import Strength, lay_over
from ..texture.gutter import BAND, add_gutters
from ..texture.types import Atlas, Surface
from .inpaint import fill_unseen
from .keep_original import bring_back, bring_back_rest, read_palette
from .painted_share import SeenParts, count_seen
from .seam_leveling import match_seams


@dataclass(frozen=True, eq=False)
class BakeResult:
    """The images to write.

    Attributes:
        images: one per atlas, sRGB; four channels where the atlas has alpha.
        filled_share: per atlas, the share of covered texels (those cut out left aside) that no view saw.
        seen: the same by part of the asset.
    """

    images: tuple[UInt8[np.ndarray, "_ _ _"], ...]
    filled_share: tuple[float, ...]
    seen: SeenParts


def bake(
    surface: Surface,
    textures: Sequence[Float[np.ndarray, "_ _ 3"]],
    seen: Sequence[Bool[np.ndarray, "_ _"]],
    strength: float | Sequence[Float32[np.ndarray, "_ _"]] = 1.0,
) -> BakeResult:
    """Make painted textures fit for any renderer.

    Texels that no view saw keep the original's picture in the colours of the paint; near paint it continues into
    them. Those that the material cuts out, whose colours must not bleed into their neighbours, are filled from their
    surroundings on the surface. Charts are made to agree where they meet on the surface, and gutters continue them
    around.

    Args:
        textures: per atlas, sRGB 0..1, of the atlas' size; changed in place.
        seen: per atlas, texels that views have painted.
        strength: of the style, everywhere or per atlas a map of it; near 0 the original shows through (see `strength`).
    """
    visible = [_visible(surface, atlas) for atlas in surface.atlases]
    known = [v & s for v, s in zip(visible, seen, strict=True)]
    filled = fill_unseen(surface, [np.asarray(t, np.float32) for t in textures], known)
    palette = read_palette(surface, filled, known, visible)
    if palette is not None:
        bring_back(surface, filled, known, visible, palette)
    images = []
    for number, (atlas, texture) in enumerate(
        zip(surface.atlases, match_seams(surface, filled), strict=True)
    ):
        add_gutters(texture, atlas.covered, atlas.wrap)
        if palette is not None and atlas.rest is not None:
            bring_back_rest(atlas.covered, texture, atlas.rest, palette)
        own = strength if isinstance(strength, (int, float)) else strength[number]
        images.append(_image(atlas, texture, own))
    missing = tuple(_missing(v, k) for v, k in zip(visible, known, strict=True))
    return BakeResult(tuple(images), missing, count_seen(surface, images, known, visible))


def unpainted(
    surface: Surface,
) -> tuple[tuple[Atlas, ...], tuple[PaintedPart | None, ...], tuple[UInt8[np.ndarray, "_ _ _"], ...]]:
    """What to write where the style counts for nothing: atlases, parts, images.

    Parts that keep their UVs keep their images too, to the byte. Those that were unwrapped get the original's
    colours, resampled.
    """
    fresh = [number for number, atlas in enumerate(surface.atlases) if atlas.plan.unwrap]
    parts = tuple(
        None if part is None or part.atlas not in fresh else replace(part, atlas=fresh.index(part.atlas))
        for part in surface.painted
    )
    atlases = tuple(surface.atlases[number] for number in fresh)
    return atlases, parts, tuple(quantized(atlas.start, atlas.alpha) for atlas in atlases)


def _visible(surface: Surface, atlas: Atlas) -> Bool[np.ndarray, "H W"]:
    """Covered texels that the material does not cut out, and whose paint is their own (see `Part.stand_in`)."""
    visible = atlas.covered
    if atlas.alpha is not None:
        visible = visible & (atlas.alpha >= surface.alpha_cutoff[atlas.owner])
    if surface.opacity is not None and surface.opacity.absent.any():
        visible = visible & ~surface.opacity.absent[atlas.owner]
    return visible


def _missing(visible: Bool[np.ndarray, "H W"], known: Bool[np.ndarray, "H W"]) -> float:
    count = int(np.count_nonzero(visible))
    return 1.0 - int(np.count_nonzero(known)) / count if count else 0.0


def _image(
    atlas: Atlas, texture: Float32[np.ndarray, "H W 3"], strength: Strength
) -> UInt8[np.ndarray, "H W C"]:
    bands = []
    for first in range(0, len(texture), BAND):
        own = slice(first, first + BAND)
        alpha = None if atlas.alpha is None else atlas.alpha[own]
        share = strength[own] if isinstance(strength, np.ndarray) else strength
        bands.append(quantized(lay_over(atlas.start[own], texture[own], share), alpha))
    return np.concatenate(bands)


def quantized(
    colour: Float32[np.ndarray, "H W 3"], alpha: Float32[np.ndarray, "H W"] | None
) -> UInt8[np.ndarray, "H W C"]:
    """0..1 to bytes, rounded; with alpha as the fourth channel."""
    channels = colour if alpha is None else np.concatenate([colour, alpha[..., None]], axis=2)
    return (np.clip(channels, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
