"""Paintings without colour: what is painted after them has none either."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..srgb import LUMA

COLOURLESS = 4 / 255  # how far a grey picture's channels lie apart at most, as JPEG leaves them
MOST = 0.99  # of its pixels


def is_grey(painting: Float[np.ndarray, "1 3 H W"]) -> bool:
    """Whether a picture (sRGB 0..1) has no colour."""
    spread = painting.max(axis=1) - painting.min(axis=1)
    return bool(np.quantile(spread, MOST) <= COLOURLESS)


def grey(texture: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """Its luminance in all three channels."""
    return np.repeat((texture @ np.array(LUMA, texture.dtype))[..., None], 3, axis=2)
