"""Shading normals where the file has none, or broken ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

CREASE = np.cos(np.radians(40.0))
"""Faces that meet at a sharper angle get an edge between them."""


def face_normals(
    corners: Float64[np.ndarray, "F 3 3"],
) -> tuple[Float64[np.ndarray, "F 3"], Float64[np.ndarray, "F"]]:
    """Unit normals (counter-clockwise is front; zero for degenerate triangles) and areas.

    Worked out in units of the model's size, so that models of 10⁻⁶ or 10⁶ units come out alike.
    """
    scale = np.ptp(corners.reshape(-1, 3), axis=0).max() if len(corners) else 1.0
    scale = scale if scale > 0 else 1.0
    cross = np.cross((corners[:, 1] - corners[:, 0]) / scale, (corners[:, 2] - corners[:, 0]) / scale)
    length = np.linalg.norm(cross, axis=1)
    unit = np.where(length[:, None] > 1e-18, cross / np.maximum(length, 1e-300)[:, None], 0.0)
    return unit, length * (0.5 * scale * scale)


def weld(corners: Float64[np.ndarray, "F 3 3"]) -> Int64[np.ndarray, "F 3"]:
    """Number the distinct positions: corners at exactly the same place get the same number."""
    flat = np.ascontiguousarray(corners.reshape(-1, 3) + 0.0)  # + 0.0: -0 and 0 are one place
    keys = flat.view([("x", np.float64), ("y", np.float64), ("z", np.float64)]).reshape(-1)
    order = np.lexsort((keys["z"], keys["y"], keys["x"]))
    changed = (np.diff(flat[order], axis=0, prepend=flat[order[:1]]) != 0).any(axis=1)
    numbers = np.empty(len(flat), np.int64)
    numbers[order] = np.cumsum(changed)
    return numbers.reshape(-1, 3)


def find_twins(
    corners: Float64[np.ndarray, "F 3 3"], material: Int64[np.ndarray, "F"]
) -> tuple[Int64[np.ndarray, "F"], Int64[np.ndarray, "F 3"]]:
    """Triangles of one material at exactly the same place that face the same way, whatever corner they begin with.

    Returns:
        For each triangle the first of its kind, itself where it is that, and which of that one's corners lie
        where its own lie.
    """
    ids = weld(corners)
    order = np.argsort(ids, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    turned = (order[:, 1] - order[:, 0]) % 3 != 1  # sorted against the sense of the corners
    keys = np.column_stack([np.take_along_axis(ids, order, axis=1), material, turned])
    by_key = np.lexsort(keys.T)  # stable: the first of equal ones stays first
    begins = np.concatenate([[True], (np.diff(keys[by_key], axis=0) != 0).any(axis=1)])
    twin = np.empty(len(keys), np.int64)
    twin[by_key] = by_key[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    return twin, np.take_along_axis(order[twin], rank, axis=1)


def smooth_normals(corners: Float64[np.ndarray, "F 3 3"]) -> Float64[np.ndarray, "F 3 3"]:
    """Normals per corner: smooth, weighted by the faces' angles, with creases where faces meet sharply.

    Around a vertex, faces that are joined by edges softer than the crease angle share one normal.
    """
    flat, _ = face_normals(corners)
    vertex = weld(corners)
    first, second = _soft_edges(vertex, flat)
    count = vertex.size
    links = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(count, count))
    _, group = connected_components(links, directed=False)
    weighted = (flat[:, None] * _angles(corners)[..., None]).reshape(-1, 3)
    total = np.stack([np.bincount(group, weights=weighted[:, k]) for k in range(3)], axis=-1)[group]
    return repaired(total.reshape(-1, 3, 3), np.repeat(flat[:, None], 3, axis=1))


def repaired(
    normals: Float64[np.ndarray, "F 3 3"], fallback: Float64[np.ndarray, "F 3 3"]
) -> Float64[np.ndarray, "F 3 3"]:
    """Unit length everywhere; `fallback`, else +z, where a normal is zero or not finite."""
    for candidate in (fallback, np.broadcast_to((0.0, 0.0, 1.0), normals.shape)):
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.linalg.norm(normals, axis=-1, keepdims=True)
        good = np.isfinite(length) & (length > 1e-12)
        normals = np.where(good, normals / np.where(good, length, 1.0), candidate)
    return normals


def _soft_edges(
    vertex: Int64[np.ndarray, "F 3"], normal: Float64[np.ndarray, "F 3"]
) -> tuple[Int64[np.ndarray, "E"], Int64[np.ndarray, "E"]]:
    """Pairs of corners (numbered 3 F + corner) at the same vertex, of faces that meet softly there."""
    start, end = vertex.reshape(-1), np.roll(vertex, -1, axis=1).reshape(-1)
    start_corner = np.arange(vertex.size)
    end_corner = np.roll(start_corner.reshape(-1, 3), -1, axis=1).reshape(-1)
    swap = start > end
    low, high = np.where(swap, end, start), np.where(swap, start, end)
    low_corner = np.where(swap, end_corner, start_corner)
    high_corner = np.where(swap, start_corner, end_corner)
    order = np.lexsort((high, low))
    same = (low[order][1:] == low[order][:-1]) & (high[order][1:] == high[order][:-1])
    a, b = order[:-1][same], order[1:][same]  # edges number 3 F + k as well: // 3 is the face
    soft = np.einsum("ij,ij->i", normal[a // 3], normal[b // 3]) > CREASE
    a, b = a[soft], b[soft]
    return (
        np.concatenate([low_corner[a], high_corner[a]]),
        np.concatenate([low_corner[b], high_corner[b]]),
    )


def _angles(corners: Float64[np.ndarray, "F 3 3"]) -> Float64[np.ndarray, "F 3"]:
    """The triangle's angle at each corner, radians."""
    ahead = np.roll(corners, -1, axis=1) - corners
    ahead /= np.maximum(np.linalg.norm(ahead, axis=-1, keepdims=True), 1e-300)
    behind = -np.roll(ahead, 1, axis=1)
    return np.arccos(np.clip(np.einsum("fkc,fkc->fk", ahead, behind), -1.0, 1.0))
