"""The style picture as a tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from ..asset.pictures import read_picture
from ..errors import PictureError

_SMALLEST = 16  # pixels: below this the deepest style layer has nothing to look at


def load_painting(path: Path) -> Float32[torch.Tensor, "1 3 H W"]:
    """Read a picture, sRGB 0..1. Transparent parts are laid over the mean of the opaque ones.

    Raises PictureError.
    """
    pixels = read_picture(path).astype(np.float32) / 255  # (H, W, 4)
    if min(pixels.shape[:2]) < _SMALLEST:
        cause = f"it is {pixels.shape[1]}×{pixels.shape[0]} pixels, too small to have a style"
        raise PictureError(path, cause, f"Give a picture of at least {_SMALLEST}×{_SMALLEST} pixels.")
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    if float(alpha.sum()) == 0:
        raise PictureError(path, "it is transparent throughout", "Give a picture that shows something.")
    mean = (colour * alpha).sum((0, 1)) / alpha.sum()
    solid = colour * alpha + mean * (1 - alpha)
    return torch.from_numpy(np.ascontiguousarray(solid.transpose(2, 0, 1)))[None]
