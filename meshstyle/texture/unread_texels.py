"""The picture where no triangle reads it: other frames, other faces, what other models use of the same sheet."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from ..io.types import Asset
from ..srgb import LINEAR_OF_BYTE, to_srgb
from .gutter import gutter_width, nearest_known
from .types import AtlasPlan

MOST_PLAIN = 0.97  # share of the texels within a few shades of their commonest colour that is no picture
SHADES = 16


def read_rest(
    asset: Asset, plan: AtlasPlan, covered: Bool[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W 3"] | None:
    """`Atlas.rest`: factor × image, sRGB. Raises PictureError.

    None with fresh UVs, where nothing is left beyond the gutters, and where that is plain or wholly transparent.
    """
    image = asset.materials[plan.materials[0]].image if plan.materials else None
    if plan.unwrap or image is None or covered.all():
        return None
    near, _ = nearest_known(
        covered, gutter_width(covered.shape) + 0.5, (asset.materials[plan.materials[0]].wrap)
    )
    beyond = ~(covered | near)
    if not beyond.any():
        return None
    pixels = asset.image(image)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if picture.size != plan.size[::-1]:
        picture = picture.resize(plan.size[::-1], Image.Resampling.BOX)
    pixels = np.asarray(picture)
    if _plain(pixels[beyond]):
        return None
    factor = np.array(asset.materials[plan.materials[0]].factor[:3], np.float32)
    tables = np.rint(to_srgb(LINEAR_OF_BYTE[:, None] * factor) * 255).astype(np.uint8)  # (256, 3)
    return np.stack([tables[pixels[..., c], c] for c in range(3)], axis=-1)


def _plain(pixels: UInt8[np.ndarray, "N 4"]) -> bool:
    shown = pixels[pixels[:, 3] > 0, :3].astype(np.int64) // SHADES
    if len(shown) < (1 - MOST_PLAIN) * len(pixels):
        return True
    counts = np.bincount((shown[:, 0] * SHADES + shown[:, 1]) * SHADES + shown[:, 2])
    return bool(counts.max() > MOST_PLAIN * len(shown))
