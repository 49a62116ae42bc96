"""Filtered lookups into images, as real renderers make them: plain mipmaps, bilinear within a level."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Float64

from ..io.types import Wrap
from .bilinear import neighbors

MOST_PROBES = 8  # of an anisotropic lookup: what engines and viewers with care ask of a GPU
_BAND = 256  # rows that are worked on at a time
_AT_ONCE = 1 << 16  # lookups that are worked on at a time


def anisotropic(
    pyramid: list[Float[np.ndarray, "_ _ C"]],
    uv: Float64[np.ndarray, "N 2"],
    steps: Float64[np.ndarray, "N 2 2"],
    wrap: tuple[Wrap, Wrap],
    most: int = MOST_PROBES,
) -> Float32[np.ndarray, "N C"]:
    """What a GPU reads for pixels whose footprints in the image are stretched: several lookups along the longer axis.

    After EXT_texture_filter_anisotropic, with the longer of the two steps as that axis. Its length is compared with
    the footprint's width, which is its area over that length: for footprints that are skewed the other step is no
    measure of it. With `most` 1 it is the isotropic lookup at the longer axis' level.

    Args:
        steps: how UVs change, at each place, from its pixel to the next on the right [:, 0] and below [:, 1].
        most: lookups for a pixel at the most; where more were needed, a coarser level is read.
    """
    height, width = pyramid[0].shape[:2]
    texels = steps * (width, height)
    squares = (texels**2).sum(2)  # (N, 2)
    rows = np.arange(len(uv))
    longer = squares.argmax(1)
    length = np.sqrt(squares[rows, longer])
    area = np.abs(texels[:, 0, 0] * texels[:, 1, 1] - texels[:, 0, 1] * texels[:, 1, 0])
    stretch = np.clip(length**2 / np.maximum(area, 1e-30), 1, most)
    counts = np.rint(stretch).astype(np.int64)
    first = np.cumsum(counts) - counts
    rows = np.repeat(rows, counts)
    share = (np.arange(len(rows)) - first[rows] + 0.5) / counts[rows] - 0.5  # of the way along the axis
    places = uv[rows] + share[:, None] * steps[rows, longer[rows]]
    found = trilinear(pyramid, places, (length / stretch)[rows], wrap)
    return np.add.reduceat(found, first) / counts[:, None].astype(np.float32)


def trilinear(
    pyramid: list[Float[np.ndarray, "_ _ C"]],
    uv: Float64[np.ndarray, "N 2"],
    texels: Float[np.ndarray, "N"],
    wrap: tuple[Wrap, Wrap],
) -> Float32[np.ndarray, "N C"]:
    """Lookups between the two mip levels whose texels are nearest in size to `texels` of the finest."""
    result = np.empty((len(uv), pyramid[0].shape[2]), np.float32)
    for first in range(0, len(uv), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        result[part] = _between_levels(pyramid, uv[part], texels[part], wrap)
    return result


def _between_levels(
    pyramid: list[Float[np.ndarray, "_ _ C"]],
    uv: Float64[np.ndarray, "N 2"],
    texels: Float[np.ndarray, "N"],
    wrap: tuple[Wrap, Wrap],
) -> Float32[np.ndarray, "N C"]:
    level = np.clip(np.log2(np.maximum(texels, 1e-9)), 0, len(pyramid) - 1)
    base = np.minimum(level.astype(int), len(pyramid) - 1)
    blend = (level - base).astype(np.float32)[:, None]
    result = np.zeros((len(uv), pyramid[0].shape[2]), np.float32)
    for step, share in ((0, 1 - blend), (1, blend)):
        for depth in np.unique(np.minimum(base + step, len(pyramid) - 1)):
            use = np.flatnonzero((np.minimum(base + step, len(pyramid) - 1) == depth) & (share[:, 0] > 0))
            result[use] += share[use] * bilinear(pyramid[depth], uv[use], wrap)
    return result


def bilinear(
    image: Float[np.ndarray, "H W C"], uv: Float64[np.ndarray, "N 2"], wrap: tuple[Wrap, Wrap]
) -> Float32[np.ndarray, "N C"]:
    """Bilinear lookups, texel (i, j) centred at ((j + ½)/W, (i + ½)/H)."""
    height, width = image.shape[:2]
    texels = image.reshape(height * width, -1)
    near = neighbors(uv, (height, width), wrap)
    across, down = (weight.astype(np.float32)[:, None] for weight in (near.across, near.down))

    def read(row: np.ndarray) -> np.ndarray:
        # `take` has half the price of [...].
        left, right = (texels.take(row * width + column, axis=0) for column in near.columns)
        return left + (right - left) * across

    above = read(near.rows[0])
    return above + (read(near.rows[1]) - above) * down


def mip_levels(image: Float[np.ndarray, "H W C"]) -> list[Float[np.ndarray, "_ _ C"]]:
    """Plain mipmaps: every level halves the one before with a 2×2 box, sizes rounded down, to 1 texel.

    The first is the image itself; the others are of single precision. This is what renderers do; `ImageSampler`, which
    reads base colours, weighs colours by alpha instead, so that what cannot be seen tints nothing.
    """
    levels = [image]
    while max(levels[-1].shape[:2]) > 1:
        levels.append(_halved(levels[-1]))
    return levels


def _halved(image: Float[np.ndarray, "H W C"]) -> Float32[np.ndarray, "h w C"]:
    """Band by band: a large image's sums need as much memory as it does."""
    height, width = image.shape[:2]
    tall, wide = max(height // 2, 1), max(width // 2, 1)
    rows = (np.arange(tall + 1) * height / tall).astype(int)
    columns = (np.arange(wide + 1) * width / wide).astype(int)
    made = np.empty((tall, wide, image.shape[2]), np.float32)
    for first in range(0, tall, _BAND):
        own = rows[first : first + _BAND + 1]
        lines = np.add.reduceat(image[own[0] : own[-1]], own[:-1] - own[0], axis=0, dtype=np.float32)
        total = np.add.reduceat(lines, columns[:-1], axis=1)
        area = np.diff(own)[:, None] * np.diff(columns)[None]
        made[first : first + _BAND] = total / area[..., None]
    return made
