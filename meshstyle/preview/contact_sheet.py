"""Contact sheets: several views in one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

KINDS = (".png", ".webp", ".jpg", ".jpeg")
WITH_ALPHA = (".png", ".webp")


def arrange(
    pictures: Sequence[UInt8[np.ndarray, "H W C"]], rows: int, columns: int
) -> UInt8[np.ndarray, "_ _ C"]:
    """Pictures of one size beside and below each other, row by row."""
    cells = np.stack(pictures).reshape(rows, columns, *pictures[0].shape)
    return np.concatenate([np.concatenate(list(row), axis=1) for row in cells], axis=0)


def encode_picture(pixels: UInt8[np.ndarray, "H W C"], suffix: str, lossless: bool = False) -> bytes:
    """One picture as PNG, WebP or JPEG."""
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    if suffix == ".png":
        image.save(buffer, "PNG")
    elif suffix == ".webp":
        image.save(buffer, "WEBP", quality=90, method=4, lossless=lossless, exact=lossless)
    else:
        image.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()
