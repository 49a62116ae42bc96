"""Polygons to triangles, for painting only: the file keeps its polygons."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from .large_polygons import LARGE, MAX_WORK, triangulate_large

MAX_EAR_WORK = 100_000_000  # corners looked at in one model, some seconds; beyond, polygons become fans
_TEST_COST = 1000  # of a test, besides looking at corners


def triangulate(
    positions: Float64[np.ndarray, "V 3"],
    vertex: Int64[np.ndarray, " C"],
    first: Int64[np.ndarray, " F1"],
) -> tuple[Int64[np.ndarray, "T 3"], Int64[np.ndarray, " T"], bool]:
    """Cut polygons into triangles: a fan from the first corner, ear clipping where that would fold over.

    Args:
        positions: of the vertices.
        vertex: position index of every corner; face f has the corners first[f] to first[f + 1] − 1.

    Returns:
        The three corners (indices into `vertex`) and the face of every triangle, faces in order, and whether
        the limit on ear clipping was met. Faces of fewer than three corners have no triangles.
    """
    sizes = np.diff(first)
    counts = np.maximum(sizes - 2, 0)
    face = np.repeat(np.arange(len(sizes)), counts)
    starts = np.cumsum(counts) - counts
    step = np.arange(len(face)) - starts[face]
    corners = first[face][:, None] + np.stack([np.zeros_like(step), step + 1, step + 2], axis=1)
    _flip_folded_quads(positions, vertex, corners, starts[sizes == 4])
    work_left, large_left = MAX_EAR_WORK, MAX_WORK
    for index in _concave(positions, vertex, first):
        if sizes[index] > LARGE and sizes[index] ** 2 > large_left:
            large_left = -1
            continue
        flat = _flatten(positions[vertex[first[index] : first[index + 1]]])
        if sizes[index] > LARGE:
            large_left -= int(sizes[index]) ** 2
            ears = triangulate_large(flat)
        else:
            ears, work = _clip_ears(flat, work_left)
            work_left -= work
        if ears is not None:
            corners[starts[index] : starts[index] + counts[index]] = first[index] + ears
    return corners, face, work_left <= 0 or large_left < 0


def _flip_folded_quads(
    positions: Float64[np.ndarray, "V 3"],
    vertex: Int64[np.ndarray, " C"],
    corners: Int64[np.ndarray, "T 3"],
    starts: Int64[np.ndarray, " Q"],
) -> None:
    """Cut concave quads 0 1 2 3 along 1–3 where the halves along 0–2 face each other. Changes `corners`."""
    quad = np.concatenate([corners[starts], corners[starts + 1][:, 2:]], axis=1)  # (Q, 4)
    points = positions[vertex[quad]]  # (Q, 4, 3)
    fan = _facing(points[:, [0, 1, 2]], points[:, [0, 2, 3]])
    other = _facing(points[:, [0, 1, 3]], points[:, [1, 2, 3]])
    folded = (fan < 0) & (other > 0)
    corners[starts[folded]] = quad[folded][:, [0, 1, 3]]
    corners[starts[folded] + 1] = quad[folded][:, [1, 2, 3]]


def _facing(a: Float64[np.ndarray, "Q 3 3"], b: Float64[np.ndarray, "Q 3 3"]) -> Float64[np.ndarray, " Q"]:
    return np.einsum("qi,qi->q", _normal(a), _normal(b))


def _normal(triangles: Float64[np.ndarray, "Q 3 3"]) -> Float64[np.ndarray, "Q 3"]:
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])


def _concave(
    positions: Float64[np.ndarray, "V 3"], vertex: Int64[np.ndarray, " C"], first: Int64[np.ndarray, " F1"]
) -> Int64[np.ndarray, " N"]:
    """Faces of five or more corners where some corner turns against the rest.

    A corner's turn is the cross product of its edges, measured along the polygon's normal by Newell's method
    (Sutherland, Sproull, Schumacker 1974): the sum of the cross products of successive corners.
    """
    sizes = np.diff(first)
    large = np.flatnonzero(sizes >= 5)
    if not len(large):
        return large
    size = sizes[large]
    face = np.repeat(np.arange(len(large)), size)
    start = np.cumsum(size) - size
    place = np.arange(len(face)) - start[face]
    points = positions[vertex[first[large][face] + place]]
    points -= points[start][face]  # far from the origin the products would cancel
    after = start[face] + (place + 1) % size[face]
    before = start[face] + (place - 1) % size[face]
    normal = np.add.reduceat(np.cross(points, points[after]), start)  # (faces, 3)
    turn = np.cross(points - points[before], points[after] - points)
    along = np.einsum("ci,ci->c", turn, normal[face])
    return large[np.minimum.reduceat(along, start) < -1e-9 * np.maximum.reduceat(np.abs(along), start)]


def _flatten(points: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 2"]:
    """The polygon in its own plane, counter-clockwise and about one unit large."""
    points = points - points[0]
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    drop = int(np.argmax(np.abs(normal)))
    flat = points[:, [(drop + 1) % 3, (drop + 2) % 3]] * [np.sign(normal[drop]) or 1.0, 1.0]
    return flat / max(float(np.abs(flat).max()), np.finfo(np.float64).tiny)


def _clip_ears(flat: Float64[np.ndarray, "N 2"], work: int) -> tuple[Int64[np.ndarray, "T 3"] | None, int]:
    """Ear clipping (Meisters 1975) of a counter-clockwise polygon.

    Returns the triangles, or None where `work` is not enough or no corner is an ear, and the work done.
    """
    left = list(range(len(flat)))
    ears: list[tuple[int, int, int]] = []
    done = at = misses = 0
    while len(left) > 3:
        if done >= work or misses >= len(left):
            return None, done
        done += len(left) + _TEST_COST
        at %= len(left)
        ear = (left[at - 1], left[at], left[(at + 1) % len(left)])
        if _is_ear(flat, ear, left):
            ears.append(ear)
            del left[at]
            misses = 0
        else:
            misses += 1
            at += 1
    return np.array([*ears, tuple(left)], np.int64), done


def _is_ear(flat: Float64[np.ndarray, "N 2"], ear: tuple[int, int, int], left: list[int]) -> bool:
    """Whether the corner turns left and no other corner lies in its triangle.

    Corners at the very place of one of the three do not count: polygons with holes pass some points twice.
    """
    a, b, c = flat[list(ear)]
    if _cross(b - a, flat[[ear[2]]] - a)[0] <= 0:
        return False
    points = flat[left]
    inside: Bool[np.ndarray, " M"] = (
        (_cross(b - a, points - a) >= 0) & (_cross(c - b, points - b) >= 0) & (_cross(a - c, points - c) >= 0)
    )
    same = (points[:, None] == flat[list(ear)]).all(axis=2).any(axis=1)
    return not bool((inside & ~same).any())


def _cross(a: Float64[np.ndarray, " 2"], b: Float64[np.ndarray, "M 2"]) -> Float64[np.ndarray, " M"]:
    return a[0] * b[:, 1] - a[1] * b[:, 0]
