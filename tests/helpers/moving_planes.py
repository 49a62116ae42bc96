"""A clip whose motion is known exactly: a square of one pattern moves before a background of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from meshstyle.io.images import encode_png

SQUARE = 24  # pixels


def pattern(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 3) uint8: blobs of many sizes, so that motion can be seen everywhere."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for size in (4, 8, 16):
        small = random.random((height // size + 2, width // size + 2, 3)).astype(np.float32)
        for channel in range(3):
            large = Image.fromarray(small[..., channel]).resize(
                (width + size, height + size), Image.Resampling.BICUBIC
            )
            total[..., channel] += np.asarray(large)[:height, :width]
    low, high = total.min(), total.max()
    return np.rint((total - low) / (high - low) * 255).astype(np.uint8)


def frame(number: int, height: int = 64, width: int = 80, still: bool = False) -> np.ndarray:
    """The background moves by one pixel a frame to the left, unless it is `still`; the square by two to the right."""
    behind = pattern(height, width + 64, 1)
    shift = 0 if still else number
    found = behind[:, shift : shift + width].copy()
    top, left = square_at(number)
    found[top : top + SQUARE, left : left + SQUARE] = pattern(SQUARE, SQUARE, 2)
    return found


def square_at(number: int) -> tuple[int, int]:
    """Row and column of the square's upper left pixel."""
    return 20, 10 + 2 * number


def flow_back(number: int, gap: int, height: int = 64, width: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """How far each pixel of a frame was away `gap` frames before, (H, W, 2) as x, y; and where it was seen there."""
    flow = np.zeros((height, width, 2))
    flow[..., 0] = gap  # the background moves to the left
    top, left = square_at(number)
    own = np.zeros((height, width), bool)
    own[top : top + SQUARE, left : left + SQUARE] = True
    flow[own, 0] = -2 * gap
    earlier = np.zeros((height, width), bool)
    row, column = square_at(number - gap)
    earlier[row : row + SQUARE, column : column + SQUARE] = True
    columns = np.arange(width) + flow[..., 0]
    inside = (columns >= 0) & (columns <= width - 1)
    there = earlier[np.arange(height)[:, None], np.clip(columns, 0, width - 1).astype(int)]
    return flow, inside & (own | ~there)


def write_folder(folder: Path, count: int, still: bool = False, height: int = 64, width: int = 80) -> Path:
    """The clip as numbered pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number + 1:04d}.png").write_bytes(encode_png(frame(number, height, width, still)))
    return folder
