"""Runs xatlas in a process of its own, for `unwrap` (it can hang, crash, or eat all memory).

    python xatlas_child.py MESH.npz RESULT.npz

Run by path, not as a module: it must not import the package (and torch with it). MESH holds `corners` (V,3)
float32, `faces` (F,3) uint32, `first_face` and `first_vertex` (M+1), `padding`, `resolution`, `memory`.
RESULT holds `uv` (F,3,2) float32 in texels of an atlas of `size` (width, height), and `vertex` (F,3), the
input vertex each corner came from.
"""

from __future__ import annotations

import sys

import numpy as np
import xatlas


def _limit_memory(limit: int) -> None:
    """Rather fail in here than drive the machine into swapping. Not every system has such a limit."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        return


def main(mesh_path: str, result_path: str) -> None:
    with np.load(mesh_path) as mesh:
        data = {key: mesh[key] for key in mesh.files}
    _limit_memory(int(data["memory"]))
    atlas = xatlas.Atlas()
    faces, vertices = data["first_face"], data["first_vertex"]
    for i in range(len(faces) - 1):
        own = data["faces"][faces[i] : faces[i + 1]] - vertices[i]
        atlas.add_mesh(data["corners"][vertices[i] : vertices[i + 1]], own.astype(np.uint32))
    packing = xatlas.PackOptions()
    packing.padding = int(data["padding"])
    packing.resolution = int(data["resolution"])
    atlas.generate(xatlas.ChartOptions(), packing)
    uv, vertex = [], []
    for i in range(len(faces) - 1):
        mapping, indices, coordinates = atlas.get_mesh(i)
        uv.append(coordinates[indices])
        vertex.append(mapping[indices].astype(np.int64) + vertices[i])
    np.savez(
        result_path,
        uv=np.concatenate(uv) * np.array([atlas.width, atlas.height], np.float32),
        vertex=np.concatenate(vertex),
        size=np.array([atlas.width, atlas.height]),
        pages=np.array(atlas.atlas_count),
        charts=np.array(atlas.chart_count),
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
