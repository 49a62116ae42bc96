"""New UV sets for glTF primitives. Where the corners of a vertex differ in UV, the vertex is split."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from .accessors import COMPONENT_TYPES, Accessors, element_layout, to_float
from .build import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, FLOAT
from .draft import Draft, Json, NewView, drop_extension, numbers_at
from .geometry import TRIANGLES
from .primitives import PrimitiveSource
from .tangents import append_tangents, set_tangents_aside, vertex_tangents

# Largest index of each component type; the largest number itself would restart the primitive.
_INDEX_LIMITS = {5121: 254, 5123: 65534, 5125: 2**32 - 2}


@dataclass(frozen=True, eq=False)
class Split:
    """How vertices become more vertices: the old ones in their order, then copies.

    Attributes:
        copies: the old vertex that each copy is of.
        corners: new vertex of each corner.
        uv: of each new vertex; zero where no corner uses it.
    """

    copies: Int64[np.ndarray, " E"]
    corners: Int64[np.ndarray, "F 3"]
    uv: Float32[np.ndarray, "V 2"]


def split_vertices(
    vertices: Int64[np.ndarray, "F 3"], uv: Float64[np.ndarray, "F 3 2"], vertex_count: int
) -> Split:
    """Give every corner a vertex with its UV. The first UV met keeps the old vertex, others get copies."""
    flat = vertices.reshape(-1)
    values = uv.reshape(-1, 2).astype(np.float32) + np.float32(0)  # −0 becomes 0, so that both are one vertex
    bits = values.view(np.uint32).astype(np.int64)
    by_key = np.lexsort((bits[:, 1], bits[:, 0], flat))  # stable: among equals the first corner comes first
    keys = np.stack([flat, bits[:, 0], bits[:, 1]], axis=1)[by_key]  # (3F, 3)
    starts = np.ones(len(keys), bool)
    starts[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    first = by_key[starts]
    inverse = np.empty(len(keys), np.int64)
    inverse[by_key] = np.cumsum(starts) - 1
    order = np.argsort(first)  # distinct (vertex, UV) pairs in the order of their first corner
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    first = first[order]
    owner = flat[first]  # old vertex of each pair
    _, keeps = np.unique(owner, return_index=True)  # the first pair of each vertex
    place = np.empty(len(owner), np.int64)
    moved = np.ones(len(owner), bool)
    moved[keeps] = False
    place[keeps] = owner[keeps]
    place[moved] = vertex_count + np.arange(moved.sum())
    table = np.zeros((vertex_count + moved.sum(), 2), np.float32)
    table[place] = values[first]
    return Split(owner[moved], place[rank[inverse]].reshape(-1, 3), table)


@dataclass(frozen=True, eq=False)
class _Member:
    """A primitive that gets a UV set.

    Attributes:
        part: its number.
        json: the primitive in the draft.
        corners: new vertex of each corner.
        reindexed: whether its indices must change.
    """

    part: int
    json: Json
    corners: Int64[np.ndarray, "F 3"]
    reindexed: bool


@dataclass(frozen=True, eq=False)
class _Group:
    """Primitives with the same attributes, which go on sharing them."""

    split: Split
    members: tuple[_Member, ...]


def add_uv_sets(
    draft: Draft,
    parts: Sequence[PrimitiveSource],
    uvs: Mapping[int, Float64[np.ndarray, "F 3 2"]],
    first: Collection[int] = (),
    raised: Collection[int] = (),
) -> dict[int, int]:
    """Write new UVs into a draft.

    Args:
        uvs: part to effective UVs.
        first: parts whose new UVs become TEXCOORD_0; the old ones move to the end of the list. Those of the others
            are added at its end.
        raised: parts that get tangents of the new UVs, for a normal map that reads them.

    Returns part to number of its new set.
    """
    groups = _group(draft, parts, uvs)
    editor = _Editor(draft, Accessors(draft.document), _replaceable(draft, groups), first, raised)
    return {part: number for group in groups for part, number in editor.edit(group).items()}


def _group(
    draft: Draft, parts: Sequence[PrimitiveSource], uvs: Mapping[int, Float64[np.ndarray, "F 3 2"]]
) -> list[_Group]:
    """Indexed primitives with the same attributes together, others alone; their vertices split."""
    alike: dict[str, list[int]] = {}
    for part in sorted(uvs):
        primitive = draft.primitive(parts[part].mesh, parts[part].primitive)
        shared = [primitive["attributes"], primitive.get("targets"), None if "indices" in primitive else part]
        alike.setdefault(json.dumps(shared, sort_keys=True), []).append(part)
    groups = []
    for numbers in alike.values():
        vertices = [parts[part].vertices for part in numbers]
        split = split_vertices(
            np.concatenate(vertices),
            np.concatenate([uvs[part] for part in numbers]),
            parts[numbers[0]].vertex_count,
        )
        ends = np.cumsum([len(item) for item in vertices])
        members = []
        for part, old, new in zip(numbers, vertices, np.split(split.corners, ends[:-1]), strict=True):
            primitive = draft.primitive(parts[part].mesh, parts[part].primitive)
            # Without indices every vertex is drawn, so that copies need indices in any case.
            bare = "indices" not in primitive and len(split.copies) > 0
            members.append(_Member(part, primitive, new, bare or not np.array_equal(old, new)))
        groups.append(_Group(split, tuple(members)))
    return groups


def _replaceable(draft: Draft, groups: Iterable[_Group]) -> set[int]:
    """Accessors all of whose users are about to get other ones: they may change in place."""
    leaving: Counter[int] = Counter()
    for group in groups:
        for member in group.members:
            if len(group.split.copies):
                leaving.update(_attributes_of(member.json))
            if member.reindexed and "indices" in member.json:
                leaving[member.json["indices"]] += 1
    users = Counter(number for _, number in numbers_at(draft.items("meshes"), "indices"))
    for mesh in draft.items("meshes"):
        for primitive in mesh.get("primitives", ()):
            users.update(_attributes_of(primitive))
    animated = {
        number
        for animation in draft.items("animations")
        for sampler in animation.get("samplers", ())
        for number in (sampler.get("input"), sampler.get("output"))
    }
    binds = {number for _, number in numbers_at(draft.items("skins"), "inverseBindMatrices")}
    others = animated | binds | draft.pinned()
    return {number for number, uses in leaving.items() if uses == users[number] and number not in others}


def _attributes_of(primitive: Json) -> list[int]:
    holders = (primitive.get("attributes", {}), *primitive.get("targets", ()))
    return [number for holder in holders for number in holder.values()]


class _Editor:
    def __init__(
        self,
        draft: Draft,
        accessors: Accessors,
        replaceable: set[int],
        first: Collection[int],
        raised: Collection[int],
    ) -> None:
        self._draft, self._accessors = draft, accessors
        self._replaceable, self._first, self._raised = replaceable, first, raised

    def edit(self, group: _Group) -> dict[int, int]:
        """Give the members of a group their UV set. Returns part to its number."""
        uv = self._add({"componentType": FLOAT, "type": "VEC2"}, group.split.uv, ARRAY_BUFFER)
        grown: dict[int, int] = {}  # accessor before → accessor with the copies
        numbers = {}
        tangents = self._tangents(group)
        for member in group.members:
            attributes = member.json["attributes"]
            number = next(n for n in range(len(attributes) + 1) if f"TEXCOORD_{n}" not in attributes)
            if len(group.split.copies):
                for holder in (attributes, *member.json.get("targets", ())):
                    for name, accessor in holder.items():
                        if accessor not in grown:
                            grown[accessor] = self._grow(accessor, group.split.copies)
                        holder[name] = grown[accessor]
            if member.reindexed:
                self._reindex(member.json, member.corners)
            if number and member.part in self._first:
                for holder in (attributes, *member.json.get("targets", ())):
                    if "TEXCOORD_0" in holder:
                        holder[f"TEXCOORD_{number}"] = holder.pop("TEXCOORD_0")
                number = 0
            attributes[f"TEXCOORD_{number}"] = uv
            if tangents is not None and member.part in self._raised:
                set_tangents_aside(member.json)
                attributes["TANGENT"] = tangents
            numbers[member.part] = number
            drop_extension(member.json, "KHR_draco_mesh_compression")  # the plain data has just been changed
        return numbers

    def _tangents(self, group: _Group) -> int | None:
        """A new accessor with those of the new UVs, where they are asked for and there are normals."""
        attributes, split = group.members[0].json["attributes"], group.split
        if "NORMAL" not in attributes or not any(member.part in self._raised for member in group.members):
            return None
        positions, normals = (
            to_float(self._accessors.raw(index), self._accessors.normalized(index))
            for index in (attributes["POSITION"], attributes["NORMAL"])
        )
        of = np.concatenate([np.arange(len(positions)), split.copies])
        corners = np.concatenate([member.corners for member in group.members])
        found = vertex_tangents(positions[of], normals[of], split.uv.astype(np.float64), corners)
        return append_tangents(self._draft, found)

    def _grow(self, index: int, copies: Int64[np.ndarray, " E"]) -> int:
        """An attribute with the copies of its vertices appended. Its least and greatest values stay."""
        values = self._accessors.raw(index)
        return self._replace(index, np.concatenate([values, values[copies]]), ARRAY_BUFFER)

    def _reindex(self, primitive: Json, corners: Int64[np.ndarray, "F 3"]) -> None:
        if primitive.get("mode", TRIANGLES) != TRIANGLES:
            primitive["mode"] = TRIANGLES
        values, old = corners.reshape(-1, 1), primitive.get("indices")
        component = 5123 if old is None else int(self._draft.items("accessors")[old]["componentType"])
        while values.max() > _INDEX_LIMITS[component]:
            component += 2 if component < 5125 else 0
        data = values.astype(COMPONENT_TYPES[component])
        if old is None:
            primitive["indices"] = self._add(
                {"componentType": component, "type": "SCALAR"}, data, ELEMENT_ARRAY_BUFFER
            )
            return
        primitive["indices"] = new = self._replace(old, data, ELEMENT_ARRAY_BUFFER)
        item = self._draft.items("accessors")[new]
        item["componentType"] = component
        for key, value in (("min", values.min()), ("max", values.max())):
            if key in item:
                item[key] = [int(value)]

    def _replace(self, index: int, values: Shaped[np.ndarray, "N C"], target: int) -> int:
        """The accessor with other values: itself where nobody else uses it, else a copy."""
        item: Json = self._draft.items("accessors")[index]
        if index in self._replaceable:
            self._replaceable.remove(index)
        else:
            item = deepcopy(item)
            index = self._draft.append("accessors", item)
            item.pop("bufferView", None)  # it stays the original's
            item.pop("sparse", None)
        self._fill(item, values, target)
        return index

    def _add(self, item: Json, values: Shaped[np.ndarray, "N C"], target: int) -> int:
        self._fill(item, values, target)
        return self._draft.append("accessors", item)

    def _fill(self, item: Json, values: Shaped[np.ndarray, "N C"], target: int) -> None:
        data, stride = _encode(values, item["type"], vertices=target == ARRAY_BUFFER)
        properties: dict[str, Any] = {"target": target}
        if stride is not None:
            properties["byteStride"] = stride
        self._draft.attach(item, NewView(data, properties))
        item.pop("byteOffset", None)
        item.pop("sparse", None)
        item["count"] = len(values)


def _encode(values: Shaped[np.ndarray, "N C"], kind: str, vertices: bool) -> tuple[bytes, int | None]:
    """Elements as bytes; those of vertices start at multiples of 4 bytes; the stride where that pads."""
    rows, columns, column, size = element_layout(kind, values.dtype)
    stride = size + (-size % 4 if vertices else 0)
    data = np.zeros((len(values), stride), np.uint8)
    raw = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), columns, -1)  # (N, columns, bytes)
    for i in range(columns):
        data[:, i * column : i * column + raw.shape[2]] = raw[:, i]
    return data.tobytes(), stride if stride != rows * columns * values.dtype.itemsize else None
