"""A picture is a linear function of the texels: I = S·T, with S traced once.

T holds the covered texels of all atlases, one row each. S holds, for every pixel, the weights of the texels that
its rays read: bilinear taps on two mip levels chosen by the ray's footprint (trilinear filtering; Williams,
Pyramidal Parametrics, 1983), with the mip levels multiplied out, so that nothing but one sparse product is left
for the optimizer's loop. Background pixels have no row.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.sparse
import torch
from jaxtyping import Bool, Float, Float64, Int64

from ..asset.contract import Wrap
from ..surface.contract import Surface
from .tracing import Hits, Tracer, wrap_index

MAX_LEVEL = 4  # a tap on level 4 reads 256 texels
_LEAST_SHARE = 0.02  # of a ray's weight: a level that counts for less is left out


@dataclass(frozen=True, eq=False)
class Layout:
    """Where one atlas' covered texels lie among the rows of T.

    Attributes:
        covered: texels that the surface touches.
        wrap: along u and v.
        offset: row of the atlas' first covered texel.
    """

    covered: Bool[np.ndarray, "H W"]
    wrap: tuple[Wrap, Wrap]
    offset: int

    @cached_property
    def count(self) -> int:
        return int(self.covered.sum())

    @cached_property
    def rows(self) -> Int64[np.ndarray, "H W"]:
        """Row of each texel, counted from the atlas' first. Uncovered ones share the row of the nearest covered
        one: taps that reach past a chart's border read what the gutter will hold after the bake."""
        number = np.cumsum(self.covered.reshape(-1)) - 1
        return number[nearest_covered(self.covered)].reshape(self.covered.shape)

    def level_shape(self, level: int) -> tuple[int, int]:
        height, width = self.covered.shape
        return -(-height >> level), -(-width >> level)

    @cached_property
    def level_matrices(self) -> tuple[scipy.sparse.csr_matrix, ...]:
        """For levels 1 … MAX_LEVEL: (texels of the level, covered texels), each the mean of those below it.

        Texels of a level with nothing covered below them stand for the nearest that has: whatever lies between
        charts never bleeds in.
        """
        row, column = np.nonzero(self.covered)
        found = []
        for level in range(1, MAX_LEVEL + 1):
            height, width = self.level_shape(level)
            block = (row >> level) * width + (column >> level)
            count = np.bincount(block, minlength=height * width)
            means = _csr(1 / count[block], block, np.arange(len(block)), (height * width, len(block)))
            found.append(means[nearest_covered((count > 0).reshape(height, width))])
        return tuple(found)


class Texels:
    """All covered texels of all atlases at one resolution: the rows of T."""

    def __init__(self, covered: Sequence[np.ndarray], wraps: Sequence[tuple[Wrap, Wrap]]) -> None:
        """`covered`: per atlas (H, W) bool, the texels that the surface touches at this resolution."""
        self.layouts: list[Layout] = []
        offset = 0
        for mask, wrap in zip(covered, wraps, strict=True):
            self.layouts.append(Layout(mask, wrap, offset))
            offset += self.layouts[-1].count
        self.count = offset

    def gather(self, textures: Sequence[Float[torch.Tensor, "3 H W"]]) -> Float[torch.Tensor, "T 3"]:
        """Images to rows."""
        parts = [
            texture[:, torch.from_numpy(layout.covered)].T
            for texture, layout in zip(textures, self.layouts, strict=True)
        ]
        return torch.cat(parts).contiguous()

    def scatter(self, rows: Float[torch.Tensor, "T C"]) -> list[Float[torch.Tensor, "C H W"]]:
        """Rows to images, gutters filled with the nearest covered texel."""
        images = []
        for layout in self.layouts:
            index = torch.from_numpy(layout.rows.reshape(-1) + layout.offset)
            images.append(rows[index].T.reshape(-1, *layout.covered.shape).contiguous())
        return images


def _csr(
    data: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> scipy.sparse.csr_matrix:
    return scipy.sparse.csr_matrix((data.astype(np.float32), (rows, columns)), shape=shape)


def nearest_covered(mask: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "n"]:
    """Row-major index of the nearest covered texel, for every texel (itself where covered)."""
    if not mask.any():
        return np.zeros(mask.size, np.int64)
    rows, columns = scipy.ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    return (rows.astype(np.int64) * mask.shape[1] + columns).reshape(-1)


class Lookup:
    """The sparse matrix S of one view: picture = S·T; its rows are the `pixels` that see paint.

    Rays that hit something unpainted count as background: a pixel's row is the mean over its painted rays.
    """

    def __init__(self, hits: Hits, tracer: Tracer, texels: Texels) -> None:
        painted = np.flatnonzero(tracer.surface.atlas[hits.triangle] >= 0)
        self.shape = hits.shape
        self.pixels, row = np.unique(hits.pixel[painted], return_inverse=True)
        count = np.bincount(row, minlength=len(self.pixels))
        self.coverage = (count / hits.side**2).astype(np.float32)
        cosine = np.bincount(row, hits.cosine[painted], len(self.pixels)) / np.maximum(count, 1)
        self.cosine = cosine.astype(np.float32)
        uv, level = _places(hits, painted, tracer)
        atlas = tracer.surface.atlas[hits.triangle[painted]]
        parts = []
        for number, layout in enumerate(texels.layouts):
            chosen = np.flatnonzero(atlas == number)
            target = (row[chosen], 1 / count[row[chosen]])
            resolution = np.log2(np.sqrt(layout.covered.size))
            parts.append(_atlas_matrix(uv[chosen], level[chosen] + resolution, target, layout, len(count)))
        self.matrix = scipy.sparse.hstack(parts, format="csr")


def _places(hits: Hits, rays: np.ndarray, tracer: Tracer) -> tuple[np.ndarray, np.ndarray]:
    """UV (N, 2) of each ray, and log2 of its footprint's width in units of the atlas' side.

    The footprint's width is the geometric mean of its two axes on the surface.
    """
    surface: Surface = tracer.surface
    triangle, bary = hits.triangle[rays], hits.barycentric[rays].astype(np.float64)
    uv = np.einsum("nk,nkc->nc", bary, surface.uv[triangle])
    width = hits.distance[rays] * hits.camera.pitch / hits.side / np.sqrt(np.maximum(hits.facing[rays], 0.05))
    density = np.sqrt(triangle_uv_area(surface.uv) / np.maximum(tracer.area, 1e-300))[triangle]
    return uv, np.log2(np.clip(width * density, 1e-9, 1.0))


def _atlas_matrix(
    uv: Float64[np.ndarray, "N 2"],
    level: Float64[np.ndarray, "N"],
    target: tuple[np.ndarray, np.ndarray],
    layout: Layout,
    pixels: int,
) -> scipy.sparse.csr_matrix:
    """One atlas' columns of a view's matrix; `target` gives the row and the weight of each ray."""
    row, weight = target
    level = np.clip(level, 0, MAX_LEVEL)
    base = np.floor(level).astype(int)
    blend = level - base
    blend = np.where(blend < _LEAST_SHARE, 0.0, np.where(blend > 1 - _LEAST_SHARE, 1.0, blend))
    total = _csr(np.zeros(0), np.zeros(0, int), np.zeros(0, int), (pixels, layout.count))
    for depth in range(MAX_LEVEL + 1):
        share = np.where(base == depth, 1 - blend, np.where(base + 1 == depth, blend, 0.0))
        use = np.flatnonzero(share)
        if not len(use):
            continue
        index, tap = _bilinear(uv[use], layout, depth)
        values = (tap * (share * weight)[use, None]).reshape(-1)
        rows, index = np.repeat(row[use], 4), index.reshape(-1)
        if depth == 0:
            total += _csr(values, rows, layout.rows.reshape(-1)[index], total.shape)
        else:
            height, width = layout.level_shape(depth)
            total += _csr(values, rows, index, (pixels, height * width)) @ layout.level_matrices[depth - 1]
    return total


def _bilinear(uv: Float64[np.ndarray, "N 2"], layout: Layout, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Texel numbers (row-major in the level) and weights, (N, 4), of bilinear lookups."""
    height, width = layout.level_shape(level)
    full_height, full_width = layout.covered.shape
    x, y = uv[:, 0] * full_width / 2**level - 0.5, uv[:, 1] * full_height / 2**level - 0.5
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = x - x0, y - y0
    index, weight = [], []
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            column = wrap_index(x0 + dx, width, layout.wrap[0].value)
            row = wrap_index(y0 + dy, height, layout.wrap[1].value)
            index.append(row * width + column)
            weight.append(wx * wy)
    return np.stack(index, -1), np.stack(weight, -1)


def triangle_uv_area(uv: Float64[np.ndarray, "F 3 2"]) -> Float64[np.ndarray, "F"]:
    """Area of each triangle in UV space; 0 where it has no UVs."""
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return np.nan_to_num(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2)


def to_torch(matrix: scipy.sparse.csr_matrix, device: torch.device) -> torch.Tensor:
    """A scipy CSR matrix as a torch one. torch warns that its CSR layout is in beta: not the user's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data),
            size=matrix.shape,
            device=device,
        )


class Sample(torch.autograd.Function):
    """S·T with the exact adjoint Sᵀ·g, both matrices made beforehand."""

    @staticmethod
    def forward(ctx: Any, texels: torch.Tensor, matrix: torch.Tensor, transposed: torch.Tensor) -> torch.Tensor:
        ctx.transposed = transposed
        return matrix @ texels

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return ctx.transposed @ gradients[0].contiguous(), None, None
