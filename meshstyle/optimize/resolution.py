"""What it takes to carry paint from one resolution of an atlas to another, and where its charts lie there."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32

from ..texture.normals import weld
from ..views.raytrace import Tracer
from ..views.sampling_matrix import TexelTable, nearest_covered
from ..views.trace_views import DENSITY

Texture = Float[torch.Tensor, "3 H W"]


def resize_covered(
    texture: Texture, covered: np.ndarray, size: tuple[int, int], gutters: bool = True
) -> Float[torch.Tensor, "3 h w"]:
    """Resize an atlas so that only covered texels count: nothing from between the charts bleeds in.

    `gutters`: whether what lies between them will be looked at; it is filled then.
    """
    height, width = covered.shape
    if size[0] > height or size[1] > width:
        return F.interpolate(
            _spread(texture, covered)[None], size=size, mode="bilinear", align_corners=False
        )[0]
    if (height, width) == tuple(size):
        return _spread(texture, covered) if gutters else texture
    mask = torch.from_numpy(covered.astype(np.float32))
    weight = F.adaptive_avg_pool2d(mask[None], size)
    # One channel at a time: a full-size copy of each is much memory where atlases are large.
    means = torch.cat([F.adaptive_avg_pool2d((channel * mask)[None], size) for channel in texture])
    means /= weight.clamp_min(1e-6)
    return _spread(means, (weight[0] > 0).numpy()) if gutters else means


def _spread(texture: Texture, covered: np.ndarray) -> Texture:
    """What is not covered takes the colour of the nearest texel that is."""
    if covered.all():
        return texture
    nearest = torch.from_numpy(nearest_covered(covered))
    return texture.reshape(3, -1)[:, nearest].reshape(texture.shape)


def chart_of_triangle(uv: np.ndarray, atlas: np.ndarray) -> np.ndarray:
    """Chart number of each triangle: triangles that share a UV corner (in one atlas) are of one chart."""
    count = len(uv)
    if not count:
        return np.zeros(0, np.int64)
    keys = np.concatenate([np.nan_to_num(uv), np.broadcast_to(atlas[:, None, None], (count, 3, 1))], -1)
    corner = weld(np.round(keys, 7))
    nodes = int(corner.max()) + 1
    links = scipy.sparse.coo_matrix(
        (np.ones(3 * count, bool), (np.repeat(np.arange(count), 3), corner.reshape(-1) + count)),
        shape=(count + nodes, count + nodes),
    )
    return scipy.sparse.csgraph.connected_components(links, directed=False)[1][:count]


def chart_of_texel(owner: np.ndarray, charts: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) chart number of each texel at a smaller atlas' resolution, -1 where nothing is."""
    rows = ((np.arange(size[0]) + 0.5) * owner.shape[0] / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * owner.shape[1] / size[1]).astype(int)
    small = owner[rows[:, None], columns[None]]
    return np.where(small >= 0, charts[small], -1)


def octaves_too_fine(
    texels: TexelTable, tracer: Tracer, footprint: Float32[np.ndarray, "F"]
) -> Float[torch.Tensor, "T"]:
    """How many times texels would have to be twice as large to match the pixels that look at them; below 0: they are
    too large.

    One atlas has one resolution, that of its median pixel, but what small parts show is looked at from near, and the
    rest from farther off. There a pixel reads a mip level, whose texels stand for squares of these, and all of a square
    get the same gradient. `footprint`: see `TracedViews`.
    """
    found = []
    for atlas, layout in zip(tracer.surface.atlases, texels.layouts, strict=True):
        size = layout.covered.shape
        owner = chart_of_texel(atlas.owner, np.arange(len(footprint)), size)[layout.covered]
        of_texel = np.where(owner >= 0, footprint[np.maximum(owner, 0)], footprint.mean())
        found.append(of_texel + np.log2(np.sqrt(size[0] * size[1]) / DENSITY))
    return torch.from_numpy(np.concatenate(found).astype(np.float32))
