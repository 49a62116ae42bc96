"""Runs xatlas in a process of its own, for `unwrap` (it can hang, crash, or eat all memory).

A request has the arrays `corners` (V,3) float32, `faces` (F,3) uint32, `first_face` and `first_vertex` (M+1) of its M
separate meshes, and the values `side` of the atlas in texels and `memory` in bytes. The answer has the arrays `uv`
(F,3,2) float64 in 0..1 and `vertex` (F,3), the input vertex that each corner came from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xatlas

from ..system.child_process import Message, limit_memory, serve

PADDINGS = ((9, 0.3), (5, 0.15), (3, 0.08), (2, 0.0))
"""Free texels around each chart at 1024², and the share of the atlas that must be left for charts."""
MARGIN = 4  # free texels along the border at 1024²: repeating samplers would mix charts across it
FULL = (0.92, 1.04)  # how near to the atlas' side the packing must come
TRIES = 5


def answer(request: Message) -> Message:
    limit_memory(request.values["memory"])
    margin = MARGIN / 1024
    side = round(request.values["side"] * (1 - 2 * margin))
    flat, index, vertex = _charts(request.arrays, side)
    for padding, share in PADDINGS:
        uv, covered = _pack(flat, index, max(round(padding * side / 1024), 1), side)
        if covered >= share:
            break
    return Message({}, {"uv": uv * (1 - 2 * margin) + margin, "vertex": vertex})


def _charts(data: Mapping[str, np.ndarray], side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut and flatten: points (N,2), triangles (F,3) among them, and the vertices these were."""
    atlas = xatlas.Atlas()
    faces, vertices = data["first_face"], data["first_vertex"]
    for i in range(len(faces) - 1):
        own = data["faces"][faces[i] : faces[i + 1]] - vertices[i]
        atlas.add_mesh(data["corners"][vertices[i] : vertices[i + 1]], own.astype(np.uint32))
    packing = xatlas.PackOptions()
    packing.resolution, packing.padding = side, PADDINGS[-1][0]
    atlas.generate(xatlas.ChartOptions(), packing)
    flat, index, vertex, count = [], [], [], 0
    for i in range(len(faces) - 1):
        mapping, indices, points = atlas.get_mesh(i)
        flat.append(points)
        index.append(indices.astype(np.int64) + count)
        vertex.append(mapping[indices].astype(np.int64) + vertices[i])
        count += len(points)
    stretch = np.array([atlas.width, atlas.height], np.float32)
    return np.concatenate(flat) * stretch, np.concatenate(index), np.concatenate(vertex)


def _pack(flat: np.ndarray, index: np.ndarray, padding: int, side: int) -> tuple[np.ndarray, float]:
    """UVs (F,3,2) in 0..1, and the share of the atlas the charts cover.

    xatlas takes the resolution for a hint. The charts' scale is mended until the packing is as large as the
    atlas; the padding then is as wide as it was asked for.
    """
    tried: list[tuple[float, float]] = [(0.0, 0.0)]
    hint = float(side)
    for _ in range(TRIES):
        atlas = xatlas.Atlas()
        atlas.add_uv_mesh(flat, index.astype(np.uint32))
        packing = xatlas.PackOptions()
        packing.resolution, packing.padding = max(round(hint), 16), padding
        atlas.generate(xatlas.ChartOptions(), packing)
        longer = max(atlas.width, atlas.height)
        mapping, indices, points = atlas.get_mesh(0)
        if not np.array_equal(mapping[indices], index):
            raise ValueError("packing has renumbered the triangles")
        found = points[indices].astype(np.float64) * np.array([atlas.width, atlas.height]) / longer
        if FULL[0] * side <= longer <= FULL[1] * side:
            break
        # Charts grow with the hint, padding does not: a straight line through the last two tries.
        tried.append((hint, float(longer)))
        (hint_0, longer_0), (hint_1, longer_1) = tried[-2:]
        gradient = (longer_1 - longer_0) / (hint_1 - hint_0) if hint_1 != hint_0 else 0.0
        hint += (0.98 * side - longer) / (gradient if gradient > 0.1 else longer / hint)
        hint = min(max(hint, 16.0), 4.0 * side)
    a, b = found[:, 1] - found[:, 0], found[:, 2] - found[:, 0]
    return found, float(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2)


if __name__ == "__main__":
    serve(answer)
