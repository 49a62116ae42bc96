"""A picture is a linear function of the texels: I = S·T, with S traced once.

T holds the covered texels of all atlases, one row each. Below them in the stack [T; D·T] lie the texels of the
mip levels, each the mean of the covered texels under it. S holds, for every pixel, the weights of what its rays
read there: bilinear taps on two levels chosen by the ray's footprint (trilinear filtering; Williams, Pyramidal
Parametrics, 1983). Nothing but three sparse products is left for the optimizer's loop. Background pixels have
no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import scipy.sparse
from jaxtyping import Bool, Float32, Float64, Int, Int32, Int64

from ..io.types import Wrap
from ..kernels.program import Program
from ..kernels.sample_arguments import CLAMP, LEAST_SHARE, LEVELS, MIRROR, REPEAT, SampleArguments
from ..texture.types import Surface
from .mip_table import MAX_LEVEL, Layout, Levels
from .raytrace import RAYS_AT_ONCE, Hits, Tracer
from .stroke_direction import UPRIGHT, Turns

_WRAPS = {Wrap.REPEAT: REPEAT, Wrap.MIRROR: MIRROR, Wrap.CLAMP: CLAMP}


class TexelTable:
    """All covered texels of all atlases at one resolution (the rows of T), and their mip levels.

    Attributes:
        layouts: per atlas.
        count: rows of T.
        levels: all levels of all layouts, one after the other.
    """

    def __init__(self, covered: Sequence[np.ndarray], wraps: Sequence[tuple[Wrap, Wrap]]) -> None:
        """`covered`: per atlas (H, W) bool, the texels that the surface touches at this resolution."""
        self.layouts: list[Layout] = []
        self.count = sum(int(mask.sum()) for mask in covered)
        self._cells: list[
            tuple[int, int, Int32[np.ndarray, "_"]]
        ] = []  # layout, level, cells that are covered
        offset, above = 0, self.count
        for number, (mask, wrap) in enumerate(zip(covered, wraps, strict=True)):
            fine = int(mask.sum())
            levels = [_fill(mask, np.arange(offset, offset + fine, dtype=np.int32))]
            for level in range(1, MAX_LEVEL + 1):
                cells = _any_under(mask, level)
                rows = np.arange(above, above + int(cells.sum()), dtype=np.int32)
                levels.append(_fill(cells, rows))
                self._cells.append((number, level, np.flatnonzero(cells).astype(np.int32)))
                above += len(rows)
            self.layouts.append(Layout(mask, wrap, offset, tuple(levels)))
            offset += fine
        self.levels = Levels.of(self.layouts)
        self.layouts = [layout.within(self.levels, number) for number, layout in enumerate(self.layouts)]
        self._first = np.cumsum([self.count, *(len(cells) for *_, cells in self._cells)])
        self.stack = int(self._first[-1])

    def means(self, rows: Int64[np.ndarray, "C"]) -> scipy.sparse.csr_matrix:
        """(C, rows of T), rows of D: what the mip levels' texels at these rows of the stack, ascending, are means of.

        Only covered texels count, so that whatever lies between charts never bleeds in. D as a whole would be larger
        than everything else, and a view reads little of it.
        """
        indices, counts = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
        cuts = np.searchsorted(rows, self._first)
        for (layout, level, cells), first, begin, end in zip(
            self._cells, self._first, cuts[:-1], cuts[1:], strict=False
        ):
            found, count = _under(self.layouts[layout], level, cells[rows[begin:end] - first])
            indices.append(found)
            counts.append(count)
        count = np.concatenate(counts)
        pointer = np.concatenate([[0], np.cumsum(count)])
        weight = np.repeat(1 / np.maximum(count, 1), count).astype(np.float32)
        return scipy.sparse.csr_matrix((weight, np.concatenate(indices), pointer), (len(rows), self.count))


def _any_under(mask: Bool[np.ndarray, "h w"], level: int) -> Bool[np.ndarray, "n m"]:
    """Which cells of a mip level have a covered texel under them."""
    step = 1 << level
    rows, columns = np.arange(0, mask.shape[0], step), np.arange(0, mask.shape[1], step)
    return np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, axis=0), columns, axis=1)


def _under(
    layout: Layout, level: int, cells: Int32[np.ndarray, "C"]
) -> tuple[Int32[np.ndarray, "K"], Int64[np.ndarray, "C"]]:
    """The rows of T under cells of a mip level, one cell's after the other's, and how many each has."""
    (height, width), step = layout.covered.shape, np.arange(1 << level)
    top, left = np.divmod(cells.astype(np.int64), layout.levels[level].shape[1])
    row, column = (top << level)[:, None, None] + step[:, None], (left << level)[:, None, None] + step
    inside = (row < height) & (column < width)
    texel = np.minimum(row, height - 1) * width + np.minimum(column, width - 1)
    inside &= layout.covered.reshape(-1)[texel]
    return layout.levels[0].reshape(-1)[texel[inside]], inside.sum(axis=(1, 2))


def nearest_covered(mask: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "n"]:
    """Row-major index of the nearest covered texel, for every texel (itself where covered)."""
    if not mask.any():
        return np.zeros(mask.size, np.int64)
    rows, columns = scipy.ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    return (rows.astype(np.int64) * mask.shape[1] + columns).reshape(-1)


def _fill(mask: Bool[np.ndarray, "h w"], rows: Int32[np.ndarray, "n"]) -> Int32[np.ndarray, "h w"]:
    """Spread the rows of the covered texels (row-major) over all texels: each takes the nearest one's."""
    number = np.zeros(mask.size, np.int32)
    number[mask.reshape(-1)] = rows
    return number[nearest_covered(mask)].reshape(mask.shape)


class PaintedRays:
    """Which rays of a view hit painted surface, and by which pixel.

    Attributes:
        rays: (N,) their numbers among the hits; a pixel's follow each other.
        pixels: (P,) the pixels that see paint, row-major numbers, ascending.
        first: (P,) a pixel's first among `rays`; `count`: how many it has.
        coverage: (P,) share of all its rays.
        cosine: (P,) mean |cos| of those rays with the shading normal.
        counted: (P,) 1 where losses look at the pixel, else 0.
    """

    def __init__(self, hits: Hits, tracer: Tracer) -> None:
        self.rays = np.flatnonzero(tracer.surface.atlas[hits.triangle] >= 0)
        pixel = hits.pixel[self.rays]
        self.first = np.flatnonzero(np.diff(pixel, prepend=-1))
        self.pixels = pixel[self.first]
        self.count = np.diff(self.first, append=len(pixel))
        self.coverage = (self.count / hits.side**2).astype(np.float32)
        total = np.add.reduceat(hits.cosine[self.rays], self.first) if len(self.first) else hits.cosine[:0]
        self.cosine = (total / self.count).astype(np.float32)
        counted = np.ones(len(self.pixels)) if hits.counted is None else hits.counted[self.pixels]
        self.counted = counted.astype(np.float32)


class SamplingMatrix:
    """The sparse matrices of one view: picture = S·[t; D·t], for the texels t that the view reads.

    Rays that hit something unpainted count as background: a pixel's row is the mean over its painted rays.

    Attributes:
        shape: of the view, pixels.
        pixels: (P,) the pixels that see paint, row-major numbers.
        coverage: (P,) share of their rays that do.
        cosine: (P,) mean |cos| of those rays with the shading normal.
        counted: (P,) 1 where losses look at the pixel, else 0.
        turns, style_size: as in `Hits`, with defaults where that has None.
        texels: (V,) the rows of T that are read.
        coarse: D, (C, V).
        matrix: S, (P, V + C).
    """

    def __init__(
        self, hits: Hits, tracer: Tracer, texels: TexelTable, program: Program | None = None
    ) -> None:
        """`program`: compiled kernels, which make one entry of a texel that several rays of a pixel read."""
        seen = PaintedRays(hits, tracer)
        self.shape, self.pixels = hits.shape, seen.pixels
        self.coverage, self.cosine, self.counted = seen.coverage, seen.cosine, seen.counted
        self.turns: Turns = UPRIGHT if hits.turns is None else hits.turns
        self.style_size = hits.camera.frame_size if hits.style_size is None else hits.style_size
        places = _Places.of(hits, seen.rays, tracer, texels)
        made = _taps(places, seen, texels) if program is None else _run(program, places, seen, texels)
        self._compact(*made, texels)

    def _compact(
        self, index: np.ndarray, weight: np.ndarray, pointer: np.ndarray, texels: TexelTable
    ) -> None:
        """Keep only the rows of the stack that are read. (A row may hold one column twice: sums are sums.)"""
        read = np.zeros(texels.stack, bool)
        read[index] = True
        coarse = texels.means(np.flatnonzero(read[texels.count :]) + texels.count)
        read[coarse.indices] = True
        rows = np.flatnonzero(read)
        place = np.empty(len(read), np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        self.texels = rows[: np.searchsorted(rows, texels.count)]
        kept = (coarse.data, place.take(coarse.indices), coarse.indptr)
        self.coarse = scipy.sparse.csr_matrix(kept, shape=(coarse.shape[0], len(self.texels)))
        shape = (len(pointer) - 1, len(rows))
        self.matrix = scipy.sparse.csr_matrix((weight, place.take(index), pointer), shape=shape)


def ray_places(hits: Hits, rays: np.ndarray, tracer: Tracer) -> tuple[np.ndarray, np.ndarray]:
    """UV (N, 2) of each ray, and log2 of its footprint's width in units of the atlas' side.

    The width is that of the footprint's longer axis on the surface, as renderers without anisotropic filtering choose
    their mip level (OpenGL 4.6, section 8.14): what they would blur away must not be painted.
    """
    surface: Surface = tracer.surface
    uv, width = np.empty((len(rays), 2)), np.empty(len(rays))
    for first in range(0, len(rays), RAYS_AT_ONCE):
        some = rays[first : first + RAYS_AT_ONCE]
        part = slice(first, first + len(some))
        triangle, bary = hits.triangle[some], hits.barycentric.take(some, axis=0).astype(np.float64)
        uv[part] = np.einsum("nk,nkc->nc", bary, surface.uv.take(triangle, axis=0))
        turned = np.maximum(hits.facing[some], 0.05)
        wide = hits.distance[some] * hits.camera.pitch / hits.side / turned
        width[part] = np.log2(np.clip(wide * tracer.uv_density[triangle], 1e-9, 1.0))
    return uv, width


@dataclass(frozen=True, eq=False)
class _Places:
    """Where rays look: `uv`; `atlas`; `level`, of which mip level a texel is as large as their footprint."""

    uv: Float64[np.ndarray, "N 2"]
    atlas: Int32[np.ndarray, "N"]
    level: Float64[np.ndarray, "N"]

    @classmethod
    def of(cls, hits: Hits, rays: np.ndarray, tracer: Tracer, texels: TexelTable) -> _Places:
        uv, width = ray_places(hits, rays, tracer)
        atlas = tracer.surface.atlas[hits.triangle[rays]]
        side = np.array([np.log2(np.sqrt(layout.covered.size)) for layout in texels.layouts])
        return cls(uv, atlas, np.clip(width + side[atlas], 0, MAX_LEVEL))


_Entries = tuple[Int32[np.ndarray, "K"], Float32[np.ndarray, "K"], Int[np.ndarray, "_"]]


def _taps(places: _Places, seen: PaintedRays, texels: TexelTable) -> _Entries:
    """Rows of the stack and weights that each pixel reads, and where a pixel's begin. Of each ray four on the level
    below its footprint, four above."""
    base = np.floor(places.level).astype(np.int64)
    blend = places.level - base
    blend = np.where(blend < LEAST_SHARE, 0.0, np.where(blend > 1 - LEAST_SHARE, 1.0, blend))
    count = np.repeat(seen.count, seen.count)
    index, weight = np.empty((len(base), 8), np.int32), np.empty((len(base), 8), np.float32)
    for step, share in enumerate((1 - blend, blend)):
        line = places.atlas * np.int64(LEVELS) + np.minimum(base + step, MAX_LEVEL)
        for number, (place, tap) in enumerate(texels.levels.bilinear(places.uv, line), start=4 * step):
            index[:, number], weight[:, number] = place, tap * share / count
    used = weight > 0
    ends = np.concatenate([8 * seen.first, [used.size]])
    return index[used], weight[used], np.searchsorted(np.flatnonzero(used), ends)


def _run(program: Program, places: _Places, seen: PaintedRays, texels: TexelTable) -> _Entries:
    """The same, compiled."""
    pixels, levels = len(seen.pixels), texels.levels
    room = 8 * int(seen.count.max(initial=0))
    wraps = np.array([[_WRAPS[wrap] for wrap in both] for both in levels.wraps], np.int32)
    index, weight = np.empty(room * pixels, np.int32), np.empty(room * pixels, np.float32)
    pointer = np.empty(pixels + 1, np.int32)
    tables = (
        *(seen.first, seen.count, places.uv, places.level, places.atlas),
        *(levels.rows, levels.start, levels.size, levels.span, wraps),
        *(index, weight, pointer, np.empty(room, np.int32), np.empty(room)),
    )
    assert all(table.flags.c_contiguous for table in tables)
    addresses = (table.ctypes.data for table in tables)
    program.texel_sample(SampleArguments._make((pixels, room, len(levels.start), *addresses)))
    used = pointer[-1]
    return index[:used].copy(), weight[:used].copy(), pointer
