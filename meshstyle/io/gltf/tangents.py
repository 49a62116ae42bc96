"""Tangents for normal maps (specification, section 3.7.2.1: the construction of MikkTSpace).

A triangle's tangent is the direction in which u grows on it, its bitangent the one in which the image's up does. At a
vertex both are means over its triangles, each made perpendicular to the normal and weighed by the triangle's angle.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from .accessors import Accessors, to_float
from .asset import GltfAsset
from .build import ARRAY_BUFFER, FLOAT
from .draft import Draft, Json, NewView

KEPT = "_TANGENT"  # what tangents of other UVs go on as


def vertex_tangents(
    positions: Float[np.ndarray, "V 3"],
    normals: Float[np.ndarray, "V 3"],
    uv: Float[np.ndarray, "V 2"],
    corners: Int64[np.ndarray, "F 3"],
) -> Float32[np.ndarray, "V 4"]:
    """A unit tangent and the sign of the bitangent for every vertex.

    Args:
        uv: glTF's origin, v pointing down in the image.
        corners: the vertices of each triangle.
    """
    edges = positions[corners[:, 1:]] - positions[corners[:, :1]]  # (F, 2, 3)
    steps = uv[corners[:, 1:]] - uv[corners[:, :1]]  # (F, 2, 2)
    along_u = edges[:, 0] * steps[:, 1, 1:] - edges[:, 1] * steps[:, 0, 1:]
    along_v = edges[:, 1] * steps[:, 0, :1] - edges[:, 0] * steps[:, 1, :1]
    turn = np.sign(steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0])[:, None]
    tangent, up = np.zeros_like(positions, np.float64), np.zeros_like(positions, np.float64)
    normal = _unit(normals.astype(np.float64))
    for corner in range(3):
        vertex = corners[:, corner]
        one, other = (_unit(positions[corners[:, (corner + k) % 3]] - positions[vertex]) for k in (1, 2))
        angle = np.arccos(np.clip((one * other).sum(axis=1), -1, 1))[:, None]
        for sums, direction in ((tangent, along_u * turn), (up, -along_v * turn)):
            flat = direction - normal[vertex] * (direction * normal[vertex]).sum(axis=1, keepdims=True)
            np.add.at(sums, vertex, _unit(flat) * angle)
    lost = np.linalg.norm(tangent, axis=1) < 1e-9  # no triangle has an area in its UVs
    tangent[lost] = _any_perpendicular(normal[lost])
    tangent = _unit(tangent)
    sign = np.where((np.cross(normal, tangent) * up).sum(axis=1) < 0, -1.0, 1.0)
    return np.column_stack([tangent, sign]).astype(np.float32)


def add_tangents(draft: Draft, asset: GltfAsset, parts: Collection[int]) -> None:
    """Give painted primitives that keep their UVs the tangents of these, unless they have them."""
    accessors = Accessors(asset.document)
    made: dict[tuple[int, ...], int] = {}
    for number in parts:
        source = asset.part_sources[number]
        primitive = draft.primitive(source.mesh, source.primitive)
        attributes = primitive["attributes"]
        colour = None if source.material is None else asset.base_colours[source.material]
        name = f"TEXCOORD_{0 if colour is None else colour.texcoord}"
        if "NORMAL" not in attributes or name not in attributes:
            continue
        if "TANGENT" in attributes:
            if _reads_same_uv(asset, source.material):
                continue
            set_tangents_aside(primitive)
        wanted = [attributes[key] for key in ("POSITION", "NORMAL", name)]
        key = (*wanted, source.material or 0, primitive.get("indices", -1))
        if key not in made:
            positions, normals, uv = (
                to_float(accessors.raw(index), accessors.normalized(index)) for index in wanted
            )
            if colour is not None:
                uv = uv @ colour.transform[:, :2].T + colour.transform[:, 2]
            made[key] = append_tangents(draft, vertex_tangents(positions, normals, uv, source.vertices))
        attributes["TANGENT"] = made[key]


def append_tangents(draft: Draft, tangents: Float32[np.ndarray, "V 4"]) -> int:
    """A new accessor."""
    item: Json = {"componentType": FLOAT, "type": "VEC4", "count": len(tangents)}
    draft.attach(item, NewView(tangents.astype("<f4").tobytes(), {"target": ARRAY_BUFFER}))
    return draft.append("accessors", item)


def set_tangents_aside(primitive: Json) -> None:
    """Keep tangents of other UVs under a name that viewers ignore, in morph targets too."""
    for holder in (primitive["attributes"], *primitive.get("targets", ())):
        if "TANGENT" in holder:
            holder[KEPT] = holder.pop("TANGENT")


def _reads_same_uv(asset: GltfAsset, material: int | None) -> bool:
    """Whether the tangents are those of the UVs that the paint lies in: where the material's own normal map reads the
    same, or where it has none and there is one set of UVs."""
    if material is None:
        return True
    colour = asset.base_colours[material]
    info = asset.document.root.children("materials")[material].child("normalTexture")
    return not info.has("index") or info.integer("texCoord", 0, high=1000) == colour.texcoord


def _unit(vectors: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-30)


def _any_perpendicular(normals: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 3"]:
    axis = np.eye(3)[np.abs(normals).argmin(axis=1)] if len(normals) else normals
    return np.cross(normals, axis)
