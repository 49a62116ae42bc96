"""PLY: polygons and triangle strips with colours, normals, texture coordinates and the texture they name.

The names of properties are those that MeshLab, Blender, CloudCompare and Stanford's scans use.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ...errors import AssetError
from .ply_elements import Column, Element, Header, Lists, read_elements, read_header
from .polygons import REMEDY, Polygons, first_of, with_alpha

_FACES = ("face", "faces", "polygon", "triangle")
_INDICES = ("vertex_indices", "vertex_index", "vertex_indexes", "vertices")
_COLOURS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
_ALPHAS = ("alpha", "diffuse_alpha", "a")
_UVS = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))
_OPAQUE = {"u1": 255.0, "u2": 65535.0}
_LEFT_ASIDE = "The pictures that the PLY file refers to were left aside: it has more than one."


def read_ply(data: bytes, path: Path) -> Polygons:
    """Raises AssetError; ValueError where the data are damaged."""
    header = read_header(data, path)
    tables = read_elements(data, header, path)
    elements = {element.name: element for element in header.elements}
    vertices = tables.get("vertex", {})
    if not {"x", "y", "z"} <= vertices.keys():
        raise AssetError(path, "it has no vertices", REMEDY)
    positions = _stack(vertices, ("x", "y", "z"))
    face_name = next((name for name in _FACES if name in tables), None)
    faces = {} if face_name is None else tables[face_name]
    lists = _indices(faces)
    if lists is None:
        lists, faces, face_name = _strips(tables.get("tristrips", {})), {}, None
    vertex, first = _integers(lists.values), first_of(lists.sizes)
    colours = _corner_colours(elements, vertices, faces, face_name, (vertex, lists.sizes, len(positions)))
    has_normals = {"nx", "ny", "nz"} <= vertices.keys()
    return Polygons(
        positions,
        vertex,
        first,
        normals=_stack(vertices, ("nx", "ny", "nz")) if has_normals else None,
        colours=colours,
        **_texture(header, vertices, faces, vertex, lists.sizes),
    )


def _texture(
    header: Header,
    vertices: Mapping[str, Column],
    faces: Mapping[str, Column],
    vertex: Int64[np.ndarray, " C"],
    sizes: Int64[np.ndarray, " F"],
) -> dict[str, Any]:
    """UVs and the picture, both left aside where there are several pictures."""
    if len(set(header.textures)) > 1:
        return {"notes": (_LEFT_ASIDE,)}
    picture = header.textures[0] if header.textures else None
    return {"uvs": _uvs(vertices, faces, vertex, sizes), "picture": picture}


def _uvs(
    vertices: Mapping[str, Column],
    faces: Mapping[str, Column],
    vertex: Int64[np.ndarray, " C"],
    sizes: Int64[np.ndarray, " F"],
) -> Float64[np.ndarray, "C 2"] | None:
    """Those of the faces' corners, else those of the vertices."""
    wedge = faces.get("texcoord")
    if isinstance(wedge, Lists) and (wedge.sizes == 2 * sizes).all():
        return wedge.values.astype(np.float64).reshape(-1, 2)
    names = next((pair for pair in _UVS if set(pair) <= vertices.keys()), None)
    if names is None or not len(vertex):
        return None
    uvs = _stack(vertices, names)
    return uvs[vertex] if vertex.min() >= 0 and vertex.max() < len(uvs) else None


def _corner_colours(
    elements: Mapping[str, Element],
    vertices: Mapping[str, Column],
    faces: Mapping[str, Column],
    face_name: str | None,
    corners: tuple[Int64[np.ndarray, " C"], Int64[np.ndarray, " F"], int],
) -> Float64[np.ndarray, "C 4"] | None:
    """Return colours of the vertices, else of the faces."""
    vertex, sizes, count = corners
    found = _colours(elements["vertex"], vertices)
    if found is not None and len(vertex) and vertex.min() >= 0 and vertex.max() < count:
        return found[vertex]
    found = None if face_name is None else _colours(elements[face_name], faces)
    return None if found is None else np.repeat(found, sizes, axis=0)


def _colours(element: Element, table: Mapping[str, Column]) -> Float64[np.ndarray, "N 4"] | None:
    names = next((triple for triple in _COLOURS if set(triple) <= table.keys()), None)
    if names is None:
        return None
    alpha = _ALPHAS[_COLOURS.index(names)]
    chosen = (*names, alpha) if alpha in table else names
    kinds = {item.type for item in element.properties if item.name in chosen}
    opaque = _OPAQUE.get(kinds.pop()) if len(kinds) == 1 else None
    return with_alpha(_stack(table, chosen), opaque)


def _indices(faces: Mapping[str, Column]) -> Lists | None:
    """The list that names vertices: by its name, or the only one."""
    lists = {name: column for name, column in faces.items() if isinstance(column, Lists)}
    name = next((name for name in _INDICES if name in lists), None)
    if name is None and len(lists) == 1:
        (name,) = lists
    return None if name is None else lists[name]


def _strips(table: Mapping[str, Column]) -> Lists:
    """Triangle strips, −1 between them (Stanford's scans), as triangles."""
    lists = _indices(table)
    if lists is None:
        return Lists(np.empty(0, np.int64), np.empty(0, np.int64))
    ends = np.cumsum(lists.sizes)[:-1]
    strip = np.insert(_integers(lists.values), ends, -1)  # (N,)
    triangles = np.stack([strip[:-2], strip[1:-1], strip[2:]], axis=1)
    begins = np.flatnonzero(np.concatenate([[True], strip[:-1] < 0]))
    place = (
        np.arange(len(triangles)) - begins[np.searchsorted(begins, np.arange(len(triangles)), "right") - 1]
    )
    triangles[place % 2 == 1] = triangles[place % 2 == 1][:, [1, 0, 2]]
    triangles = triangles[(triangles >= 0).all(axis=1)]
    return Lists(triangles.reshape(-1), np.full(len(triangles), 3, np.int64))


def _stack(table: Mapping[str, Column], names: tuple[str, ...]) -> np.ndarray:
    """Columns of single numbers side by side, in double precision. Raises ValueError."""
    columns = [table[name] for name in names]
    if any(isinstance(column, Lists) for column in columns):
        raise ValueError(f"{names[0]} is a list")
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def _integers(values: np.ndarray) -> Int64[np.ndarray, " N"]:
    """Raises ValueError for fractions."""
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise ValueError("an index is no integer")
    return values.astype(np.int64)
