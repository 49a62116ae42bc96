"""Lookups of a close-up, made from the few texels it reads and without anything the size of the atlas.

The same pictures as those of `sampling`, but for taps that reach past a chart's border: there the nearest covered
texel would be read; here the taps that are covered share the weight of those that are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from jaxtyping import Bool, Float64, Int64

from ..asset.contract import Wrap
from ..distinct import distinct
from ..surface.spans import wrap_index
from .levels import MAX_LEVEL
from .sampling import PaintedRays, csr, ray_places
from .tracing import Hits, Tracer


@dataclass(frozen=True, eq=False)
class Sheet:
    """One atlas at the resolution it is painted at.

    Attributes:
        covered: texels that the surface touches.
        wrap: along u and v.
        offset: number of its first texel; texels, covered or not, are numbered row by row, sheet after sheet.
    """

    covered: Bool[np.ndarray, "H W"]
    wrap: tuple[Wrap, Wrap]
    offset: int


@dataclass(frozen=True, eq=False)
class _Taps:
    """Readings, of any number by one ray: `cell` counts the cells of a mip level as `Sheet` counts texels."""

    ray: Int64[np.ndarray, "K"]
    cell: Int64[np.ndarray, "K"]
    weight: Float64[np.ndarray, "K"]


class NearLookup:
    """The sparse matrices of one view; attributes as of `sampling.Lookup`, but for `texels`.

    Attributes:
        texels: (V,) the numbers of the texels that are read, ascending.
    """

    def __init__(self, hits: Hits, tracer: Tracer, sheets: Sequence[Sheet]) -> None:
        seen = PaintedRays(hits, tracer)
        self.shape, self.pixels = hits.shape, seen.pixels
        self.coverage, self.cosine, self.counted = seen.coverage, seen.cosine, seen.counted
        fine, means = _read(hits, seen.rays, tracer, sheets)
        row = np.repeat(np.arange(len(seen.first)), seen.count)
        self._stack(
            fine, means, row, 1 / np.repeat(seen.count, seen.count), sum(s.covered.size for s in sheets)
        )

    def _stack(
        self,
        fine: list[_Taps],
        means: list[tuple[_Taps, _Taps]],
        row: np.ndarray,
        share: np.ndarray,
        texels: int,
    ) -> None:
        """The rows that are read, below each other: texels, then the cells of the mip levels.

        `means`: what is read of a level, and what its cells (numbered from 0) are made of; `texels`: of all sheets.
        """
        read = np.concatenate([t.cell for t in (*fine, *(below for _, below in means))])
        self.texels = distinct(read, texels)
        taps, rows, offset = list(fine), [], len(self.texels)
        columns = [np.searchsorted(self.texels, tap.cell) for tap in fine]
        for tap, below in means:
            cells = int(below.ray.max(initial=-1)) + 1
            place = np.searchsorted(self.texels, below.cell)
            rows.append(csr(below.weight, below.ray, place, (cells, len(self.texels))))
            taps.append(tap)
            columns.append(offset + tap.cell)
            offset += cells
        self.coarse = (
            scipy.sparse.vstack(rows, format="csr")
            if rows
            else scipy.sparse.csr_matrix((0, len(self.texels)), dtype=np.float32)
        )
        ray = np.concatenate([tap.ray for tap in taps])
        weight = np.concatenate([tap.weight for tap in taps])
        kept = np.bincount(ray, weight, len(row))
        weight = weight / np.maximum(kept, 1e-9)[ray] * share[ray]
        self.matrix = csr(weight, row[ray], np.concatenate(columns), (len(self.pixels), offset))


def _read(
    hits: Hits, rays: np.ndarray, tracer: Tracer, sheets: Sequence[Sheet]
) -> tuple[list[_Taps], list[tuple[_Taps, _Taps]]]:
    """Of all sheets: what is read of their texels, and of each mip level with what its cells are made of."""
    uv, width = ray_places(hits, rays, tracer)
    atlas = tracer.surface.atlas[hits.triangle[rays]]
    fine: list[_Taps] = []
    means: list[tuple[_Taps, _Taps]] = []
    for number, sheet in enumerate(sheets):
        chosen = np.flatnonzero(atlas == number)
        level = np.clip(width[chosen] + np.log2(np.sqrt(sheet.covered.size)), 0, MAX_LEVEL)
        for depth in range(MAX_LEVEL + 1):
            share = np.maximum(1 - np.abs(level - depth), 0)
            use = np.flatnonzero(share > 0)
            if not len(use):
                continue
            tap = _bilinear(uv[chosen[use]], sheet, depth)
            tap = _Taps(chosen[use][tap.ray], tap.cell, tap.weight * share[use][tap.ray])
            if depth == 0:
                inside = sheet.covered.reshape(-1)[tap.cell]
                fine.append(_Taps(tap.ray[inside], sheet.offset + tap.cell[inside], tap.weight[inside]))
            else:
                means.append(_cells(tap, sheet, depth))
    return fine, means


def _bilinear(uv: Float64[np.ndarray, "N 2"], sheet: Sheet, level: int) -> _Taps:
    height, width = _level_shape(sheet, level)
    full_height, full_width = sheet.covered.shape
    x, y = uv[:, 0] * full_width / 2**level - 0.5, uv[:, 1] * full_height / 2**level - 0.5
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    cells, weights = [], []
    for i, wy in ((0, 1 - (y - y0)), (1, y - y0)):
        for j, wx in ((0, 1 - (x - x0)), (1, x - x0)):
            line = wrap_index(y0 + i, height, sheet.wrap[1])
            cells.append(line * width + wrap_index(x0 + j, width, sheet.wrap[0]))
            weights.append(wy * wx)
    return _Taps(np.tile(np.arange(len(uv)), 4), np.concatenate(cells), np.concatenate(weights))


def _level_shape(sheet: Sheet, level: int) -> tuple[int, int]:
    height, width = sheet.covered.shape
    return -(-height >> level), -(-width >> level)


def _cells(tap: _Taps, sheet: Sheet, level: int) -> tuple[_Taps, _Taps]:
    """Readings of a mip level, its cells numbered from 0, and the covered texels that each cell is the mean of."""
    (height, width), across = sheet.covered.shape, _level_shape(sheet, level)[1]
    cells, number = np.unique(tap.cell, return_inverse=True)
    step = np.arange(1 << level)
    row = ((cells // across << level)[:, None, None] + step[:, None]) + 0 * step
    column = ((cells % across << level)[:, None, None] + step) + 0 * step[:, None]
    texel = np.minimum(row, height - 1) * width + np.minimum(column, width - 1)
    inside = (row < height) & (column < width) & sheet.covered.reshape(-1)[texel]
    count = inside.sum((1, 2))
    cell, *_ = np.nonzero(inside)
    filled = np.cumsum(count > 0) - 1
    below = _Taps(filled[cell], sheet.offset + texel[inside], 1 / count[cell])
    reads = count[number.reshape(-1)] > 0
    return _Taps(tap.ray[reads], filled[number.reshape(-1)][reads], tap.weight[reads]), below
