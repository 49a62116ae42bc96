"""Charts of our own, for meshes that xatlas cannot do: projections of the surface onto the faces of a box.

Neighbouring triangles that face the same way make a chart. Seen along that way they cannot fold over within
one triangle's neighbourhood; where a chart still covers itself (a spiral stair) it is cut by depth, and into
single triangles in the end. This works for any mesh, in time that grows with its triangles.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from .normals import face_normals, weld
from .pack_charts import pack_charts
from .rasterize import layers, rasterize

GRAZING = 0.3
"""A triangle may be projected along an axis that its normal meets with at least this cosine."""
SMOOTHINGS = 6
CUTS = 4  # rounds of cutting by depth before a chart is taken apart
TOLERATED = 0.002  # share of a chart's texels that may lie under another of its triangles
SMALL = 4e-5
LARGER = 50
"""Charts with less than SMALL of the surface (16 texels of a 1024² atlas) join a neighbour LARGER times their size,
however they face: the noise of scans would make thousands of them, each with a gutter larger than itself."""


def box_atlas(
    corners: Float64[np.ndarray, "F 3 3"], group: Int64[np.ndarray, "F"], side: int
) -> Float64[np.ndarray, "F 3 2"]:
    """UVs in 0..1 for any triangles, degenerate ones included.

    Args:
        corners: at any scale, but finite.
        group: charts never cross from group to group.
        side: of the atlas in texels.
    """
    normal, area = face_normals(corners)
    first, second = _neighbours(corners, group)
    axis = _merged(_facing(normal, area, first, second), area, first, second)
    flat, depth = _projected(corners, axis)
    cut = axis.copy()  # triangles with the same number here, and connected, share a chart
    for _ in range(CUTS):
        chart = _components(cut, first, second)
        uv = pack_charts(flat, chart, side)
        bad = _folded(uv, chart, side)
        if not bad.any():
            return uv
        low, high = _range(depth, chart)
        back = depth > (0.5 * (low + high))[chart]
        cut = 2 * cut + (bad[chart] & back)
    chart = _components(cut, first, second)
    alone = _folded(pack_charts(flat, chart, side), chart, side)[chart]
    chart = np.where(alone, chart.max() + 1 + np.arange(len(chart)), chart)
    return pack_charts(flat, np.unique(chart, return_inverse=True)[1].reshape(-1), side)


def _neighbours(
    corners: Float64[np.ndarray, "F 3 3"], group: Int64[np.ndarray, "F"]
) -> tuple[Int64[np.ndarray, "E"], Int64[np.ndarray, "E"]]:
    """Pairs of triangles of one group that share an edge."""
    vertex = weld(corners)
    start, end = vertex.reshape(-1), np.roll(vertex, -1, axis=1).reshape(-1)
    key = np.column_stack([np.repeat(group, 3), np.minimum(start, end), np.maximum(start, end)])
    order = np.lexsort(key.T)
    same = (np.diff(key[order], axis=0) == 0).all(axis=1)
    return order[:-1][same] // 3, order[1:][same] // 3


def _facing(
    normal: Float64[np.ndarray, "F 3"],
    area: Float64[np.ndarray, "F"],
    first: Int64[np.ndarray, "E"],
    second: Int64[np.ndarray, "E"],
) -> Int64[np.ndarray, "F"]:
    """Which of the six sides of a box each triangle is projected onto: +x, +y, +z, -x, -y, -z.

    The side it faces, evened out: normals are averaged over the neighbourhood first, then every triangle
    follows most of its neighbours, so that noise does not tear the surface to shreds.
    """
    count = len(normal)
    link = csr_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    link = link + link.T
    own = np.concatenate([normal, -normal], axis=1)  # (F, 6)
    allowed = (own > GRAZING) | (area <= 0)[:, None]
    smooth = normal * area[:, None]
    for _ in range(SMOOTHINGS):
        smooth = smooth + link @ smooth / 3
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-300)
    score = np.where(allowed, np.concatenate([smooth, -smooth], axis=1), -np.inf)
    axis = score.argmax(axis=1)
    for _ in range(SMOOTHINGS):
        votes = link @ np.eye(6)[axis]
        axis = (score + 0.4 * votes).argmax(axis=1)
    return axis


def _merged(
    axis: Int64[np.ndarray, "F"],
    area: Float64[np.ndarray, "F"],
    first: Int64[np.ndarray, "E"],
    second: Int64[np.ndarray, "E"],
) -> Int64[np.ndarray, "F"]:
    """Small charts turned to the side that their large neighbours, counted by area, are projected onto."""
    for _ in range(SMOOTHINGS):
        chart = _components(axis, first, second)
        size = np.bincount(chart, area)
        small = size < SMALL * area.sum()
        one, other = np.concatenate([first, second]), np.concatenate([second, first])
        border = np.flatnonzero(small[chart[one]] & (size[chart[other]] > LARGER * size[chart[one]]))
        if not len(border):
            break
        one, other = one[border], other[border]
        votes = np.bincount(6 * chart[one] + axis[other], size[chart[other]], minlength=6 * len(size))
        votes = votes.reshape(-1, 6)
        axis = np.where((votes.max(axis=1) > 0)[chart], votes.argmax(axis=1)[chart], axis)
    return axis


def _projected(
    corners: Float64[np.ndarray, "F 3 3"], axis: Int64[np.ndarray, "F"]
) -> tuple[Float64[np.ndarray, "F 3 2"], Float64[np.ndarray, "F"]]:
    """Seen along the axis; and how far along it each triangle lies."""
    rows = np.arange(len(corners))[:, None]
    kept = np.array([[1, 2], [2, 0], [0, 1]])[axis % 3]
    flat = np.stack([corners[rows, [0, 1, 2], kept[:, k, None]] for k in (0, 1)], axis=-1)
    flat[axis >= 3] *= np.array([-1.0, 1.0])  # from behind: not mirrored
    return flat, corners.mean(axis=1)[rows[:, 0], axis % 3]


def _components(
    label: Int64[np.ndarray, "F"], first: Int64[np.ndarray, "E"], second: Int64[np.ndarray, "E"]
) -> Int64[np.ndarray, "F"]:
    same = label[first] == label[second]
    links = (np.ones(np.count_nonzero(same), bool), (first[same], second[same]))
    _, chart = connected_components(coo_matrix(links, shape=(len(label), len(label))), directed=False)
    return chart.astype(np.int64)


def _folded(
    uv: Float64[np.ndarray, "F 3 2"], chart: Int64[np.ndarray, "F"], side: int
) -> Bool[np.ndarray, "C"]:
    """Which charts cover themselves."""
    owner = rasterize(uv, (side, side), conservative=False).owner
    texels = chart[owner[owner >= 0]]
    doubled = chart[owner[(layers(uv, (side, side)) > 1) & (owner >= 0)]]
    count = int(chart.max()) + 1
    return np.bincount(doubled, minlength=count) > TOLERATED * np.bincount(texels, minlength=count)


def _range(
    value: Float64[np.ndarray, "F"], chart: Int64[np.ndarray, "F"]
) -> tuple[Float64[np.ndarray, "C"], Float64[np.ndarray, "C"]]:
    count = int(chart.max()) + 1
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, chart, value)
    np.maximum.at(high, chart, value)
    return low, high
