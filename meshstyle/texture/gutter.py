"""Colours for the texels around charts, so that filtered lookups never meet a foreign colour."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float32, Int64
from scipy.ndimage import distance_transform_edt

from ..io.types import Wrap
from .rasterize import wrap_index

GUTTER = 8
"""Texels around every chart that take its own colours, in an atlas of 1024²."""
LEAST_GUTTER = 4
BAND = 256  # rows that are worked on at a time: an even number


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
    filled = values.copy()
    add_gutters(filled, known, wrap)
    return filled


def add_gutters(
    values: Float32[np.ndarray, "H W C"], known: Bool[np.ndarray, "H W"], wrap: tuple[Wrap, Wrap]
) -> None:
    """`fill_gutters` in place."""
    if known.all() or not known.any():
        return
    near, source = nearest_known(known, gutter_width(known.shape) + 0.5, wrap)
    values[near] = values.reshape(-1, values.shape[2])[source]
    fill_smoothly(values, known | near)


def push_pull(
    values: Float32[np.ndarray, "H W C"], known: Bool[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W C"]:
    """Fill in what is not known with a smooth field, from a pyramid of averages.

    Gortler et al. 1996, "The Lumigraph", section 3.4.2.
    """
    filled = values.copy()
    fill_smoothly(filled, known)
    return filled


def fill_smoothly(values: Float32[np.ndarray, "H W C"], known: Bool[np.ndarray, "H W"]) -> None:
    """Fill in place; beside the values, it takes memory for a quarter of them and for a band of rows."""
    if known.all() or max(known.shape) == 1:
        return
    coarse, some = _halved(values, known)
    fill_smoothly(coarse, some)
    for first in range(0, len(values), BAND):
        own = slice(first, min(first + BAND, len(values)))
        missing = ~known[own]
        if missing.any():
            values[own][missing] = _grown(coarse, own, values.shape[1])[missing]


def _halved(
    values: Float32[np.ndarray, "H W C"], known: Bool[np.ndarray, "H W"]
) -> tuple[Float32[np.ndarray, "h w C"], Bool[np.ndarray, "h w"]]:
    """Means of what is known in 2×2 cells: a cell counts as known however few texels its mean came from."""
    bands = []
    for first in range(0, len(values), BAND):
        own = slice(first, first + BAND)
        weight = known[own, :, None].astype(np.float32)
        # `values` may hold anything where it is not known, nan too.
        total = _sum_2x2(np.where(weight > 0, values[own], np.float32(0)))
        count = _sum_2x2(weight)
        bands.append((total / np.maximum(count, 1), count[..., 0] > 0))
    return np.concatenate([mean for mean, _ in bands]), np.concatenate([some for _, some in bands])


def nearest_known(
    known: Bool[np.ndarray, "H W"], reach: float, wrap: tuple[Wrap, Wrap]
) -> tuple[Bool[np.ndarray, "H W"], Int64[np.ndarray, "N"]]:
    """Unknown texels within `reach` of a known one, and the number of the nearest for each of those.

    Row by row; band by band, as nothing beyond `reach` matters.
    """
    height, length = known.shape
    width = math.ceil(reach)
    columns = wrap_index(np.arange(-width, length + width), length, wrap[0])
    near, nearest = np.zeros_like(known), [np.zeros(0, np.int64)]
    for first in range(0, height, BAND):
        own = slice(first, min(first + BAND, height))
        rows = wrap_index(np.arange(own.start - width, own.stop + width), height, wrap[1])
        around = known[rows[:, None], columns]
        if not around.any():
            continue
        index = distance_transform_edt(~around, return_distances=False, return_indices=True)
        row, column = (i[width : width + own.stop - own.start, width : width + length] for i in index)
        down = row - np.arange(width, width + len(row), dtype=np.int32)[:, None]
        across = column - np.arange(width, width + length, dtype=np.int32)
        close = ~known[own] & (down * down + across * across <= reach**2)
        near[own] = close
        nearest.append(rows[row[close]] * length + columns[column[close]])
    return near, np.concatenate(nearest)


def _sum_2x2(a: Float32[np.ndarray, "H W C"]) -> Float32[np.ndarray, "h w C"]:
    if a.shape[0] % 2 or a.shape[1] % 2:
        a = np.pad(a, ((0, a.shape[0] % 2), (0, a.shape[1] % 2), (0, 0)))
    a = a[0::2] + a[1::2]
    return a[:, 0::2] + a[:, 1::2]


def _grown(a: Float32[np.ndarray, "h w C"], rows: slice, width: int) -> Float32[np.ndarray, "R W C"]:
    """Some rows (from an even one on) at twice the size, bilinear: each texel is ¾ its cell and ¼ the neighbour on
    its side, along both axes."""
    own = np.arange(rows.start // 2 - 1, (rows.stop + 1) // 2 + 1)
    part = a[np.clip(own, 0, len(a) - 1)]
    part = _between(part, 0)[: rows.stop - rows.start]
    return _between(np.concatenate([part[:, :1], part, part[:, -1:]], 1), 1)[:, :width]


def _between(padded: np.ndarray, axis: int) -> np.ndarray:
    """Twice as long along an axis, of which the first and last lines are only neighbours."""
    lines = padded.shape[axis] - 2
    before, middle, after = (padded[(slice(None),) * axis + (slice(n, n + lines),)] for n in range(3))
    middle = 0.75 * middle
    pair = np.stack([middle + 0.25 * before, middle + 0.25 * after], axis=axis + 1)
    return pair.reshape(*padded.shape[:axis], 2 * lines, *padded.shape[axis + 1 :])
