"""Colours for the texels around charts, so that filtered lookups never meet a foreign colour."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import distance_transform_edt

from ..asset.contract import Wrap
from ..surface.texels import wrap_index

GUTTER = 8
"""Texels around every chart that take its own colours, in an atlas of 1024²."""
LEAST_GUTTER = 4


def gutter_width(size: tuple[int, int]) -> int:
    """How wide gutters are, in texels: in proportion to the atlas, so that its mipmaps are alike."""
    return max(LEAST_GUTTER, round(GUTTER * max(size) / 1024))


def fill_gutters(
    values: Float32[np.ndarray, "H W C"],
    known: Bool[np.ndarray, "H W"],
    wrap: tuple[Wrap, Wrap] = (Wrap.CLAMP, Wrap.CLAMP),
) -> Float32[np.ndarray, "H W C"]:
    """Fill in what is not known.

    Near known texels (within the gutter's width, across the borders of a repeating image too) the nearest
    known value; beyond, a smooth field that fades from chart to chart, so that coarse mipmaps stay clean.
    """
    if known.all():
        return values
    if not known.any():
        return values.copy()
    near, source = _nearest_known(known, gutter_width(known.shape), wrap)
    filled = values.copy()
    filled[near] = values.reshape(-1, values.shape[2])[source]
    return push_pull(filled, known | near)


def push_pull(
    values: Float32[np.ndarray, "H W C"], known: Bool[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W C"]:
    """Fill in what is not known with a smooth field, from a pyramid of averages.

    Gortler et al. 1996, "The Lumigraph", section 3.4.2.
    """
    if known.all():
        return values
    weight = known.astype(np.float32)[..., None]
    # `values` may hold anything where it is not known, nan too.
    levels: list[tuple[np.ndarray, np.ndarray]] = [(np.where(weight > 0, values, 0), weight)]
    while max(levels[-1][1].shape[:2]) > 1 and not (levels[-1][1] > 0).all():
        total, weight = (_sum_2x2(a) for a in levels[-1])
        scale = np.maximum(weight, 1e-12)
        # A cell knows its average, not how many texels it came from: fully known however few they were.
        levels.append((total / scale * (weight > 0), (weight > 0).astype(np.float32)))
    total, _ = levels.pop()
    while levels:
        finer, weight = levels.pop()
        total = np.where(weight > 0, finer, _grow(total, finer.shape[:2]))
    return total


def _nearest_known(
    known: Bool[np.ndarray, "H W"], width: int, wrap: tuple[Wrap, Wrap]
) -> tuple[Bool[np.ndarray, "H W"], np.ndarray]:
    """Unknown texels within `width` of a known one, and the number of the nearest for each of those."""
    height, length = known.shape
    pad_y, pad_x = min(width, height), min(width, length)
    number = np.arange(known.size).reshape(known.shape)
    rows = wrap_index(np.arange(-pad_y, height + pad_y), height, wrap[1])
    columns = wrap_index(np.arange(-pad_x, length + pad_x), length, wrap[0])
    number = number[np.ix_(rows, columns)]
    distance, index = distance_transform_edt(~known.reshape(-1)[number], return_indices=True)
    inner = slice(pad_y, pad_y + height), slice(pad_x, pad_x + length)
    near = ~known & (distance[inner] <= width + 0.5)
    nearest = number[tuple(i[inner][near] for i in index)]
    return near, nearest


def _sum_2x2(a: Float32[np.ndarray, "H W C"]) -> Float32[np.ndarray, "h w C"]:
    a = np.pad(a, ((0, a.shape[0] % 2), (0, a.shape[1] % 2), (0, 0)))
    a = a[0::2] + a[1::2]
    return a[:, 0::2] + a[:, 1::2]


def _grow(a: Float32[np.ndarray, "h w C"], size: tuple[int, int]) -> Float32[np.ndarray, "H W C"]:
    """Twice the size, bilinear: each texel is ¾ its cell and ¼ the neighbour on its side, along both axes."""
    for axis in (0, 1):
        padded = np.concatenate([a.take([0], axis), a, a.take([-1], axis)], axis)
        length = a.shape[axis]
        before, after = padded.take(range(length), axis), padded.take(range(2, length + 2), axis)
        pair = np.stack([0.75 * a + 0.25 * before, 0.75 * a + 0.25 * after], axis=axis + 1)
        shape = list(a.shape)
        shape[axis] = 2 * length
        a = pair.reshape(shape).take(range(size[axis]), axis)
    return a
