"""Charts and the seams between them: edges of the surface whose two sides lie in different places of an atlas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .normals import weld
from .types import Surface

SAME_UV = 1e-6


@dataclass(frozen=True, eq=False)
class Seams:
    """What is found where triangles meet.

    Attributes:
        chart: number of each triangle's chart; -1: not painted, or not of the first instance of its part.
        triangle: the two triangles of each seam edge.
        uv: per seam edge and side, the UVs of the edge's two ends; the same end first on both sides.
    """

    chart: Int64[np.ndarray, "F"]
    triangle: Int64[np.ndarray, "E 2"]
    uv: Float64[np.ndarray, "E 2 2 2"]


def find_seams(surface: Surface) -> Seams:
    """Compare the UVs on both sides of every edge that exactly two painted triangles share.

    Edges of three triangles and more say nothing about who continues whom, and are left alone.
    """
    painted = np.flatnonzero((surface.atlas >= 0) & first_instances(surface))
    first, second = _paired_edges(weld(surface.corners[painted]))
    sides = np.stack([first, second], axis=1)
    triangle, corner = painted[sides // 3], sides % 3
    uv = np.stack([surface.uv[triangle, corner], surface.uv[triangle, (corner + 1) % 3]], axis=2)
    place = np.stack([surface.corners[triangle, corner], surface.corners[triangle, (corner + 1) % 3]], axis=2)
    backwards = (place[:, 0, 0] != place[:, 1, 0]).any(axis=1)
    uv[backwards, 1] = uv[backwards, 1, ::-1]
    apart = (np.abs(uv[:, 0] - uv[:, 1]) > SAME_UV).any(axis=(1, 2))
    apart |= surface.atlas[triangle[:, 0]] != surface.atlas[triangle[:, 1]]
    joined = triangle[~apart]
    count = len(surface.atlas)
    links = coo_matrix((np.ones(len(joined), bool), (joined[:, 0], joined[:, 1])), shape=(count, count))
    _, chart = connected_components(links, directed=False)
    own = np.zeros(count, bool)
    own[painted] = True
    return Seams(np.where(own, chart, -1).astype(np.int64), triangle[apart], uv[apart])


def first_instances(surface: Surface) -> Bool[np.ndarray, "F"]:
    """Triangles of instance 0 of their parts: those that own texels."""
    parts, first = np.unique(surface.part, return_index=True)
    start = np.zeros(int(parts.max(initial=-1)) + 1, np.int64)
    start[parts] = first
    return np.arange(len(surface.part)) - start[surface.part] == surface.triangle


def _paired_edges(
    vertex: Int64[np.ndarray, "N 3"],
) -> tuple[Int64[np.ndarray, "E"], Int64[np.ndarray, "E"]]:
    """Edges (3 × triangle + corner they start from) that exactly two triangles have."""
    start, end = vertex.reshape(-1), np.roll(vertex, -1, axis=1).reshape(-1)
    key = np.column_stack([np.minimum(start, end), np.maximum(start, end)])
    order = np.lexsort(key.T)
    key = key[order]
    same = np.concatenate([[False], (key[1:] == key[:-1]).all(axis=1), [False]])
    # Alike with the next, unlike the one before and the one after the next.
    pair = np.flatnonzero(same[1:-1] & ~same[:-2] & ~same[2:])
    pair = pair[key[pair, 0] != key[pair, 1]]
    return order[pair], order[pair + 1]
