"""A picture is a linear function of the texels: I = S·T, with S traced once.

Texels of all atlases and all their mip levels lie in one long column ("the stack"). S holds, for every pixel,
the weights of the texels that its rays read: bilinear taps on two mip levels chosen by the ray's footprint
(trilinear filtering; Williams, Pyramidal Parametrics, 1983). Background pixels have no row.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.sparse
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int64

from ..asset.contract import Wrap
from ..surface.contract import Surface
from .tracing import Hits, Tracer, wrap_index

MAX_LEVELS = 6


@dataclass(frozen=True, eq=False)
class Layout:
    """Where an atlas' mip levels lie in the stack, at one resolution.

    Attributes:
        shapes: (height, width) per level, level 0 first.
        offsets: index of each level's first texel in the stack.
        covered: per level, texels that the surface touches.
        nearest: per level, for each texel (row-major) the nearest covered one: taps that reach past a chart's
            border read what the gutter will hold after the bake.
        wrap: along u and v.
    """

    shapes: tuple[tuple[int, int], ...]
    offsets: tuple[int, ...]
    covered: tuple[Bool[np.ndarray, "h w"], ...]
    nearest: tuple[Int64[np.ndarray, "n"], ...]
    wrap: tuple[Wrap, Wrap]


class TexelStack:
    """The texels of all atlases at one resolution, with their mip levels."""

    def __init__(self, covered: Sequence[np.ndarray], wraps: Sequence[tuple[Wrap, Wrap]]) -> None:
        """`covered`: per atlas (H, W) bool, the texels that the surface touches at this resolution."""
        self.layouts: list[Layout] = []
        offset = 0
        for mask, wrap in zip(covered, wraps, strict=True):
            levels = [mask]
            while len(levels) < MAX_LEVELS and min(levels[-1].shape) >= 2:
                levels.append(_halve_mask(levels[-1]))
            shapes = tuple((int(level.shape[0]), int(level.shape[1])) for level in levels)
            offsets = tuple(int(o) for o in offset + np.cumsum([0] + [h * w for h, w in shapes[:-1]]))
            offset = offsets[-1] + shapes[-1][0] * shapes[-1][1]
            nearest = tuple(nearest_covered(level) for level in levels)
            self.layouts.append(Layout(shapes, offsets, tuple(levels), nearest, wrap))
        self.size = offset
        # Coverage-normalised halving, (sum of covered texels) / (their number), needs the masks as tensors.
        self._masks = [
            [torch.from_numpy(level.astype(np.float32))[None, None] for level in layout.covered]
            for layout in self.layouts
        ]

    def to(self, device: torch.device) -> TexelStack:
        self._masks = [[mask.to(device) for mask in masks] for masks in self._masks]
        return self

    def flatten(self, textures: Sequence[Float[torch.Tensor, "3 H W"]]) -> Float[torch.Tensor, "T 3"]:
        """Textures of level 0 to the stack; differentiable.

        Mip levels average covered texels only, so that whatever lies between charts never bleeds in.
        """
        rows = []
        for texture, masks in zip(textures, self._masks, strict=True):
            level = texture[None]
            rows.append(level[0].flatten(1))
            for mask, smaller in zip(masks, masks[1:], strict=False):
                pooled = F.avg_pool2d(level * mask, 2, ceil_mode=True)
                weight = F.avg_pool2d(mask, 2, ceil_mode=True).clamp_min(1e-6)
                level = pooled / weight * smaller
                rows.append(level[0].flatten(1))
        return torch.cat(rows, 1).T.contiguous()


def _halve_mask(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    padded = np.pad(mask, ((0, height % 2), (0, width % 2)))
    return padded.reshape(-(-height // 2), 2, -(-width // 2), 2).any((1, 3))


def nearest_covered(mask: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "n"]:
    """Row-major index of the nearest covered texel, for every texel (itself where covered)."""
    if not mask.any():
        return np.arange(mask.size, dtype=np.int64)
    rows, columns = scipy.ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    return (rows.astype(np.int64) * mask.shape[1] + columns).reshape(-1)


class Lookup:
    """The sparse matrix S of one view: picture = S·stack, picture rows are the `pixels` that see paint.

    Rays that hit something unpainted count as background: a pixel's row is the mean over its painted rays.
    """

    def __init__(self, hits: Hits, tracer: Tracer, stack: TexelStack) -> None:
        surface = tracer.surface
        painted = surface.atlas[hits.triangle] >= 0
        self.shape = hits.shape
        pixel = hits.pixel[painted]
        self.pixels, row = np.unique(pixel, return_inverse=True)
        count = np.bincount(row)
        self.coverage = (count / hits.side**2).astype(np.float32)
        self.cosine = (np.bincount(row, hits.cosine[painted]) / count).astype(np.float32)
        taps = _taps(hits, np.flatnonzero(painted), tracer, surface, stack)
        entries = scipy.sparse.coo_matrix(
            (taps[1] / count[row[taps[2]]], (row[taps[2]], taps[0])), shape=(len(self.pixels), stack.size)
        )
        self.matrix = entries.tocsr().astype(np.float32)
        self.matrix.sum_duplicates()


def _taps(
    hits: Hits, rays: np.ndarray, tracer: Tracer, surface: Surface, stack: TexelStack
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(stack index, weight, position in `rays`) of every tap of the given rays."""
    triangle, bary = hits.triangle[rays], hits.barycentric[rays].astype(np.float64)
    uv = np.einsum("nk,nkc->nc", bary, surface.uv[triangle])
    # Width of the ray's footprint on the surface, geometric mean of its two axes, in bounding radii.
    width = hits.distance[rays] * hits.camera.pitch / hits.side / np.sqrt(np.maximum(hits.facing[rays], 0.05))
    uv_density = np.sqrt(triangle_uv_area(surface.uv) / np.maximum(tracer.area, 1e-300))
    footprint = width * np.minimum(uv_density[triangle], 1e6)  # in units of the atlas' side
    indices, weights, sources = [], [], []
    for number, layout in enumerate(stack.layouts):
        chosen = np.flatnonzero(surface.atlas[triangle] == number)
        if not len(chosen):
            continue
        height, columns = layout.shapes[0]
        texels = footprint[chosen] * np.sqrt(height * columns)
        level = np.clip(np.log2(np.maximum(texels, 1e-12)), 0, len(layout.shapes) - 1)
        base = np.minimum(np.floor(level).astype(int), len(layout.shapes) - 1)
        blend = level - base
        for step, share in ((0, 1 - blend), (1, blend)):
            for depth in range(len(layout.shapes)):
                use = np.flatnonzero((base + step == depth) & (share > 1e-4))
                if not len(use):
                    continue
                index, weight = _bilinear(uv[chosen[use]], layout, depth)
                indices.append(index.reshape(-1))
                weights.append((weight * share[use, None]).reshape(-1))
                sources.append(np.repeat(chosen[use], 4))
    if not indices:
        empty = np.zeros(0, np.int64)
        return empty, np.zeros(0), empty
    return np.concatenate(indices), np.concatenate(weights), np.concatenate(sources)


def _bilinear(uv: Float64[np.ndarray, "N 2"], layout: Layout, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Stack indices and weights (N, 4) of bilinear lookups; texel (i, j) is centred at (j + ½, i + ½)."""
    height, width = layout.shapes[level]
    x, y = uv[:, 0] * width - 0.5, uv[:, 1] * height - 0.5
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = x - x0, y - y0
    index, weight = [], []
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            column = wrap_index(x0 + dx, width, layout.wrap[0].value)
            row = wrap_index(y0 + dy, height, layout.wrap[1].value)
            index.append(layout.offsets[level] + layout.nearest[level][row * width + column])
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
