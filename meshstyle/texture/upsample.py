"""From the resolution a texture was solved at to that of the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image

from ..io.types import Wrap
from .gutter import BAND, fill_gutters
from .rasterize import wrap_index

_BORDER = 4  # texels that a resampling filter may reach beyond the border


def upsample(
    texture: Float32[np.ndarray, "h w 3"],
    covered: Bool[np.ndarray, "h w"],
    size: tuple[int, int],
    wrap: tuple[Wrap, Wrap] = (Wrap.CLAMP, Wrap.CLAMP),
) -> Float32[np.ndarray, "H W 3"]:
    """Resize a texture (bicubic) so that nothing from between the charts bleeds into them.

    Args:
        texture: sRGB 0..1; what it holds outside `covered` does not matter.
        covered: the texels that count.
        size: height and width wanted. Shrinking averages.
        wrap: along u and v: what lies beyond the border.
    """
    if texture.shape[:2] == tuple(size):
        return fill_gutters(texture, covered, wrap).astype(np.float32, copy=False)
    large = np.empty((*size, 3), np.float32)
    for rows, band in _bands(texture, covered, size, wrap):
        np.clip(band, 0.0, 1.0, out=large[rows])
    return large


def _bands(
    texture: Float32[np.ndarray, "h w 3"],
    covered: Bool[np.ndarray, "h w"],
    size: tuple[int, int],
    wrap: tuple[Wrap, Wrap],
) -> Iterator[tuple[slice, Float32[np.ndarray, "R W 3"]]]:
    """Some rows of the resized texture after the other: at once they would need much memory."""
    filled = fill_gutters(texture, covered, wrap)
    height, width = texture.shape[:2]
    rows = wrap_index(np.arange(-_BORDER, height + _BORDER), height, wrap[1])
    columns = wrap_index(np.arange(-_BORDER, width + _BORDER), width, wrap[0])
    padded = filled[np.ix_(rows, columns)]
    channels = [Image.fromarray(np.ascontiguousarray(padded[..., c])) for c in range(3)]
    for first in range(0, size[0], BAND):
        last = min(first + BAND, size[0])
        top, bottom = (_BORDER + row * height / size[0] for row in (first, last))
        box = (_BORDER, top, _BORDER + width, bottom)
        shape = (size[1], last - first)
        resized = [channel.resize(shape, Image.Resampling.BICUBIC, box=box) for channel in channels]
        yield slice(first, last), np.stack([np.asarray(channel) for channel in resized], -1)
