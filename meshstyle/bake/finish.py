"""From painted textures to finished images: holes filled, gutters padded, alpha put back, 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from ..surface.contract import Surface
from .gutter import fill_gutters


@dataclass(frozen=True, eq=False)
class BakeResult:
    """The images to write.

    Attributes:
        images: one per atlas, sRGB; four channels where the atlas has alpha.
        filled_share: per atlas, the share of covered texels that no view saw.
    """

    images: tuple[UInt8[np.ndarray, "_ _ _"], ...]
    filled_share: tuple[float, ...]


def finish(
    surface: Surface,
    textures: Sequence[Float[np.ndarray, "_ _ 3"]],
    seen: Sequence[Bool[np.ndarray, "_ _"]],
) -> BakeResult:
    """Make painted textures fit for any renderer.

    Args:
        textures: per atlas, sRGB 0..1, of the atlas' size.
        seen: per atlas, texels that views have painted.
    """
    images, shares = [], []
    for atlas, texture, visible in zip(surface.atlases, textures, seen, strict=True):
        known = atlas.covered & visible
        painted = fill_gutters(np.asarray(texture, np.float32), known, atlas.wrap)
        images.append(quantized(painted, atlas.alpha))
        covered = int(np.count_nonzero(atlas.covered))
        shares.append(1.0 - int(np.count_nonzero(known)) / covered if covered else 0.0)
    return BakeResult(tuple(images), tuple(shares))


def quantized(
    colour: Float32[np.ndarray, "H W 3"], alpha: Float32[np.ndarray, "H W"] | None
) -> UInt8[np.ndarray, "H W C"]:
    """0..1 to bytes, rounded; with alpha as the fourth channel."""
    channels = colour if alpha is None else np.concatenate([colour, alpha[..., None]], axis=2)
    return (np.clip(channels, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
