"""From the resolution a texture was solved at to that of the image."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32
from PIL import Image

from ..asset.contract import Wrap
from ..surface.texels import wrap_index
from .gutter import fill_gutters

_BORDER = 4  # texels that a resampling filter may reach beyond the border


def upsample(
    texture: Float32[np.ndarray, "h w 3"],
    covered: Bool[np.ndarray, "h w"],
    size: tuple[int, int],
    wrap: tuple[Wrap, Wrap] = (Wrap.CLAMP, Wrap.CLAMP),
    half: bool = False,
) -> Float[np.ndarray, "H W 3"]:
    """Resize a texture (bicubic) so that nothing from between the charts bleeds into them.

    Args:
        texture: sRGB 0..1; what it holds outside `covered` does not matter.
        covered: the texels that count.
        size: height and width wanted. Shrinking averages.
        wrap: along u and v: what lies beyond the border.
        half: whether half precision will do: half the memory.
    """
    filled = fill_gutters(texture, covered, wrap)
    kind = np.float16 if half else np.float32
    if texture.shape[:2] == tuple(size):
        return filled.astype(kind, copy=False)
    height, width = texture.shape[:2]
    rows = wrap_index(np.arange(-_BORDER, height + _BORDER), height, wrap[1])
    columns = wrap_index(np.arange(-_BORDER, width + _BORDER), width, wrap[0])
    padded = filled[np.ix_(rows, columns)]
    box = (_BORDER, _BORDER, _BORDER + width, _BORDER + height)
    large = np.empty((*size, 3), kind)
    for c in range(3):
        channel = Image.fromarray(np.ascontiguousarray(padded[..., c]))
        resized = channel.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=box)
        np.clip(np.asarray(resized), 0.0, 1.0, out=large[..., c], casting="same_kind")
    return large
