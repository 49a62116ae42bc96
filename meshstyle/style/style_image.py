"""The style picture as a tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from ..errors import PictureError
from ..io.images import MOST_OF_A_STYLE, read_picture

_SMALLEST = 16  # pixels: below this the deepest style layer has nothing to look at


def load_style_image(path: Path) -> Float32[torch.Tensor, "1 3 H W"]:
    """Read a picture, sRGB 0..1. Transparent parts are laid over the mean of the opaque ones.

    Raises PictureError.
    """
    picture = read_picture(path, MOST_OF_A_STYLE)
    if min(picture.shape[:2]) < _SMALLEST:
        cause = f"it is {picture.shape[1]}×{picture.shape[0]} pixels, too small to have a style"
        raise PictureError(path, cause, f"Give a picture of at least {_SMALLEST}×{_SMALLEST} pixels.")
    if picture[..., 3].min() == 255:
        colour = picture[..., :3].astype(np.float32)
        colour /= 255
        return _tensor(colour)
    pixels = picture.astype(np.float32)  # (H, W, 4)
    pixels /= 255
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    if float(alpha.sum()) == 0:
        raise PictureError(path, "it is transparent throughout", "Give a picture that shows something.")
    mean = (colour * alpha).sum((0, 1)) / alpha.sum()
    solid = colour * alpha
    solid += mean * (1 - alpha)
    return _tensor(solid)


def _tensor(colours: Float32[np.ndarray, "H W 3"]) -> Float32[torch.Tensor, "1 3 H W"]:
    return torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))[None]
