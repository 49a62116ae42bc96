"""Small copies of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ..io.images import read_picture


def thumbnail(path: Path, side: int) -> UInt8[np.ndarray, "h w 3"]:
    """A picture over white, at most `side` pixels long. Raises PictureError."""
    image = Image.fromarray(read_picture(path))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))
