"""Is one glTF file another one with nothing but its base colour (and what that needs) changed?

Written against the specification alone, without meshstyle's own reading code, so that it can judge it.
"""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

FREE_KEYS = {"accessors", "bufferViews", "buffers", "images", "textures", "materials", "meshes", "asset"}
FREE_KEYS |= {"extensionsUsed", "extensionsRequired"}
DROPPABLE = {"EXT_texture_webp", "EXT_texture_avif", "KHR_texture_basisu", "KHR_texture_transform"}
COMPRESSIONS = {"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression"}
DROPPABLE |= COMPRESSIONS
ADDABLE = {"EXT_texture_webp"}
DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
MTOON = "VRMC_materials_mtoon"
GLOSS = "KHR_materials_pbrSpecularGlossiness"
VARIANTS = "KHR_materials_variants"
BASE_KEYS = ("baseColorFactor", "baseColorTexture", "diffuseFactor", "diffuseTexture")


class Gltf:
    """A file with its buffers at hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        data = path.read_bytes()
        self.chunks: list[tuple[int, bytes]] = []
        if data[:4] == b"glTF":
            at = 12
            while at < len(data):
                size, kind = struct.unpack_from("<II", data, at)
                self.chunks.append((kind, data[at + 8 : at + 8 + size]))
                at += 8 + size
            data = self.chunks[0][1]
        self.json: dict[str, Any] = json.loads(data)
        self.buffers = [self._buffer(item) for item in self.json.get("buffers", [])]

    def items(self, name: str) -> list[Any]:
        return self.json.get(name, [])

    def _buffer(self, item: dict[str, Any]) -> bytes:
        data = self.chunks[1][1] if "uri" not in item else self._uri(item["uri"])
        assert len(data) >= item["byteLength"]
        return data[: item["byteLength"]]

    def _uri(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        return (self.path.parent / unquote(uri)).read_bytes()

    def view(self, index: int) -> bytes:
        view = self.json["bufferViews"][index]
        start = view.get("byteOffset", 0)
        assert start + view["byteLength"] <= len(self.buffers[view["buffer"]])
        return self.buffers[view["buffer"]][start : start + view["byteLength"]]

    def image(self, index: int) -> bytes:
        item = self.json["images"][index]
        return self._uri(item["uri"]) if "uri" in item else self.view(item["bufferView"])

    def accessor(self, index: int) -> np.ndarray:
        """(count, components) as stored."""
        item = self.json["accessors"][index]
        dtype, width = np.dtype(DTYPES[item["componentType"]]), WIDTHS[item["type"]]
        values = np.zeros((item["count"], width), dtype)
        if "bufferView" in item:
            view = self.json["bufferViews"][item["bufferView"]]
            values = self._elements(item, item["count"], width, dtype, view.get("byteStride"))
        if "sparse" in item:
            sparse = item["sparse"]
            where = self._elements(
                sparse["indices"], sparse["count"], 1, np.dtype(DTYPES[sparse["indices"]["componentType"]])
            )
            values = values.copy()
            values[where[:, 0]] = self._elements(sparse["values"], sparse["count"], width, dtype)
        return values

    def _elements(
        self, item: dict[str, Any], count: int, width: int, dtype: np.dtype, stride: int | None = None
    ) -> np.ndarray:
        data, size = self.view(item["bufferView"]), width * dtype.itemsize
        stride, start = stride or size, item.get("byteOffset", 0)
        rows = [data[start + i * stride : start + i * stride + size] for i in range(count)]
        return np.frombuffer(b"".join(rows), dtype).reshape(count, width)

    def corners(self, primitive: dict[str, Any]) -> list[int]:
        """Vertices of the triangles, in order."""
        if "indices" in primitive:
            indices = self.accessor(primitive["indices"])[:, 0].tolist()
        else:
            indices = list(range(self.json["accessors"][primitive["attributes"]["POSITION"]]["count"]))
        mode = primitive.get("mode", 4)
        if mode == 4:
            return indices[: len(indices) // 3 * 3]
        found = []
        for i in range(len(indices) - 2):
            if mode == 6:
                found += [indices[i + 1], indices[i + 2], indices[0]]
            else:
                found += [indices[i], indices[i + 1 + i % 2], indices[i + 2 - i % 2]]
        return found


def assert_lossless(before: Path | Gltf, after: Path) -> None:
    """Raise AssertionError where anything differs that painting may not change."""
    old, new = before if isinstance(before, Gltf) else Gltf(before), Gltf(after)
    for key in {*old.json, *new.json} - FREE_KEYS:
        assert old.json.get(key) == new.json.get(key), f"{key} differs"
    _compare_asset(old, new)
    for key in ("extensionsUsed", "extensionsRequired"):
        lost = set(old.items(key)) - set(new.items(key))
        assert lost <= DROPPABLE, f"{key} lost {lost}"
        assert set(new.items(key)) - set(old.items(key)) <= ADDABLE
    assert len(old.items("meshes")) == len(new.items("meshes"))
    for first, second in zip(old.items("meshes"), new.items("meshes"), strict=True):
        assert _without(first, "primitives") == _without(second, "primitives"), "a mesh differs"
        for mine, other in zip(first["primitives"], second["primitives"], strict=True):
            _compare_primitive(old, new, mine, other)
    _compare_accessors(old, new)
    _compare_materials(old, new)
    _compare_images(old, new)
    if old.chunks and new.chunks:
        extra = [
            [chunk for chunk in item.chunks if chunk[0] not in (0x4E4F534A, 0x4E4942)] for item in (old, new)
        ]
        assert extra[0] == extra[1], "other GLB chunks differ"


def _without(item: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


def _compare_asset(old: Gltf, new: Gltf) -> None:
    first, second = dict(old.json["asset"]), dict(new.json["asset"])
    extras = dict(second.pop("extras", {}))
    extras.pop("meshstyle", None)
    mine = dict(first.pop("extras", {}))
    mine.pop("meshstyle", None)
    assert first == second, "asset differs"
    assert mine == extras, "asset.extras differs"


def _compare_primitive(old: Gltf, new: Gltf, first: dict[str, Any], second: dict[str, Any]) -> None:
    free = ("attributes", "indices", "mode", "material", "targets", "extensions")
    assert _without(first, *free) == _without(second, *free), "a primitive differs"
    assert _without_variants(first) == _without_variants(second), "a primitive's extensions differ"
    if first.get("mode", 4) < 4 or "POSITION" not in first["attributes"]:
        assert first == second, "points or lines differ"
        return
    _compare_look(old, new, first.get("material"), second.get("material"))
    mine, other = old.corners(first), new.corners(second)
    assert len(mine) == len(other), "the number of triangles differs"
    assert second.get("mode", 4) in (4, first.get("mode", 4))
    before, after = dict(first["attributes"]), dict(second["attributes"])
    moved = _moved_set(old, new, first, second)
    if moved:
        material = {} if "material" not in second else new.json["materials"][second["material"]]
        assert not _reads_first_set(_stripped(material)), "a map that is not painted reads the new UVs"
        after["TEXCOORD_0"], after[moved] = after[moved], after["TEXCOORD_0"]
    assert len(first.get("targets", [])) == len(second.get("targets", []))
    count = new.json["accessors"][after["POSITION"]]["count"]
    assert not other or max(other) < count
    for name, accessor in list(before.items()):
        _compare_attribute(old, new, accessor, _match(name, after), mine, other)
    added = set(after)
    assert all(name.startswith("TEXCOORD_") for name in added), f"unknown attributes {added}"
    for name in added:
        item = new.json["accessors"][after[name]]
        assert (item["count"], item["type"], item["componentType"]) == (count, "VEC2", 5126)
    for targets in zip(first.get("targets", []), second.get("targets", []), strict=True):
        rest = dict(targets[1])
        if moved and moved in rest:
            rest["TEXCOORD_0"] = rest.pop(moved)
        for name, accessor in targets[0].items():
            _compare_attribute(old, new, accessor, _match(name, rest), mine, other)
        assert not rest


def _moved_set(old: Gltf, new: Gltf, first: dict[str, Any], second: dict[str, Any]) -> str | None:
    """The name under which the old TEXCOORD_0 goes on where new UVs have taken its place."""
    names = [[n for n in item["attributes"] if n.startswith("TEXCOORD_")] for item in (first, second)]
    if "TEXCOORD_0" not in names[0] or len(names[1]) != len(names[0]) + 1:
        return None
    was, now = first["attributes"]["TEXCOORD_0"], second["attributes"]["TEXCOORD_0"]
    values = [old.accessor(was), new.accessor(now)]
    same = values[0].dtype == values[1].dtype and values[0].tobytes() == values[1][: len(values[0])].tobytes()
    return None if same else f"TEXCOORD_{len(names[0])}"


def _reads_first_set(value: Any) -> bool:
    if isinstance(value, dict):
        if isinstance(value.get("index"), int):
            transform = value.get("extensions", {}).get("KHR_texture_transform", {})
            if transform.get("texCoord", value.get("texCoord", 0)) == 0:
                return True
        return any(map(_reads_first_set, value.values()))
    return isinstance(value, list) and any(map(_reads_first_set, value))


def _without_variants(primitive: dict[str, Any]) -> dict[str, Any]:
    return _without(primitive.get("extensions", {}), VARIANTS)


def _match(name: str, attributes: dict[str, int]) -> int:
    """The accessor of an attribute in the other file, taken out of its list."""
    if name not in attributes and name.startswith("COLOR_"):
        name = f"_{name}"
    assert name in attributes, f"{name} is lost"
    return attributes.pop(name)


def _compare_attribute(
    old: Gltf, new: Gltf, first: int, second: int, mine: list[int], other: list[int]
) -> None:
    before, after = old.accessor(first), new.accessor(second)
    meta = [
        _without(g.json["accessors"][i], "bufferView", "byteOffset", "count", "sparse")
        for g, i in ((old, first), (new, second))
    ]
    assert meta[0] == meta[1], f"an accessor differs: {meta}"
    assert before.dtype == after.dtype
    assert before[mine].tobytes() == after[other].tobytes(), "values at the corners differ"
    assert after[: len(before)].tobytes() == before.tobytes(), "the original vertices are not the first"
    if "min" in meta[1]:
        stored = np.array([meta[1]["min"], meta[1]["max"]])
        np.testing.assert_allclose(stored, [after.min(axis=0), after.max(axis=0)], rtol=1e-6)


def _compare_accessors(old: Gltf, new: Gltf) -> None:
    """Accessors outside meshes keep number, description and values."""
    used = {
        accessor
        for animation in old.items("animations")
        for sampler in animation["samplers"]
        for accessor in (sampler["input"], sampler["output"])
    }
    used |= {skin["inverseBindMatrices"] for skin in old.items("skins") if "inverseBindMatrices" in skin}
    used |= {
        accessor
        for node in old.items("nodes")
        for accessor in node.get("extensions", {})
        .get("EXT_mesh_gpu_instancing", {})
        .get("attributes", {})
        .values()
    }
    for index in used:
        first, second = old.json["accessors"][index], new.json["accessors"][index]
        assert _without(first, "bufferView", "byteOffset") == _without(second, "bufferView", "byteOffset")
        assert old.accessor(index).tobytes() == new.accessor(index).tobytes(), f"accessor {index} differs"
    for index, (first, second) in enumerate(
        zip(old.items("accessors"), new.items("accessors"), strict=False)
    ):
        assert first.get("name") == second.get("name"), f"the name of accessor {index} differs"


def _stripped(material: dict[str, Any]) -> dict[str, Any]:
    """A material without its base colour, the places that follow it, and its name."""
    rest = json.loads(json.dumps(_without(material, "name")))
    surface = rest.get("pbrMetallicRoughness", {})
    base = surface.get("baseColorTexture")
    if max(surface.get("baseColorFactor", [1, 1, 1])[:3]) < 0.02:  # all that is seen is the emissive picture
        rest.pop("emissiveTexture", None)
        rest.pop("emissiveFactor", None)
    for holder, key in (
        (rest, "emissiveTexture"),
        (rest.get("extensions", {}).get(MTOON, {}), "shadeMultiplyTexture"),
    ):
        if base is not None and holder.get(key) == base:
            del holder[key]
    surfaces = [rest.get("pbrMetallicRoughness", {}), rest.get("extensions", {}).get(GLOSS, {})]
    for surface in surfaces:
        for key in BASE_KEYS:
            surface.pop(key, None)
    if not rest.get("pbrMetallicRoughness"):
        rest.pop("pbrMetallicRoughness", None)
    return rest


def _alpha(material: dict[str, Any]) -> list[float]:
    gloss = material.get("extensions", {}).get(GLOSS, {})
    return [
        surface.get(key, [1, 1, 1, 1])[3]
        for surface, key in ((material.get("pbrMetallicRoughness", {}), BASE_KEYS[0]), (gloss, BASE_KEYS[2]))
    ]


def _compare_look(old: Gltf, new: Gltf, first: int | None, second: int | None) -> None:
    mine = {} if first is None else old.json["materials"][first]
    other = {} if second is None else new.json["materials"][second]
    assert _stripped(mine) == _stripped(other), "a material differs in more than its base colour"
    assert _alpha(mine) == _alpha(other), "the alpha of a factor differs"
    assert _other_pictures(old, mine) == _other_pictures(new, other), "a map that is not painted differs"


def _other_pictures(gltf: Gltf, material: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Sampler and bytes of every texture of a material but its base colour, in the order of the JSON."""
    found = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "index" in value:
                texture = gltf.json["textures"][value["index"]]
                sampler = None if "sampler" not in texture else gltf.json["samplers"][texture["sampler"]]
                found.append((json.dumps(sampler), *(gltf.image(i) for i in _sources(texture))))
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(_stripped(material))
    return found


def _sources(texture: dict[str, Any]) -> list[int]:
    extra = [item["source"] for item in texture.get("extensions", {}).values() if "source" in item]
    return [*([texture["source"]] if "source" in texture else []), *extra]


def _compare_materials(old: Gltf, new: Gltf) -> None:
    before, after = old.items("materials"), new.items("materials")
    assert len(after) >= len(before), "materials are lost"
    for index, (first, second) in enumerate(zip(before, after, strict=False)):
        assert first.get("name") == second.get("name"), f"the name of material {index} differs"
        _compare_look(old, new, index, index)
    looks = [_stripped(item) for item in before] + [{}]
    assert all(_stripped(item) in looks for item in after[len(before) :]), (
        "a new material is like none before"
    )
    for first, second in zip(old.items("textures"), new.items("textures"), strict=False):
        free = ("source", "extensions")
        assert _without(first, *free) == _without(second, *free), "a texture differs in more than its image"


def _compare_images(old: Gltf, new: Gltf) -> None:
    """Images that are no base colour keep number, name and bytes."""
    textures = old.items("textures")
    base = set()
    for material in old.items("materials"):
        gloss = material.get("extensions", {}).get(GLOSS, {})
        if max(material.get("pbrMetallicRoughness", {}).get("baseColorFactor", [1, 1, 1])[:3]) < 0.02:
            base.update(
                _sources(textures[material["emissiveTexture"]["index"]])
                if "emissiveTexture" in material
                else []
            )
        for surface in (material.get("pbrMetallicRoughness", {}), gloss):
            for key in BASE_KEYS:
                if isinstance(surface.get(key), dict):
                    base.update(_sources(textures[surface[key]["index"]]))
    for index, (first, second) in enumerate(zip(old.items("images"), new.items("images"), strict=False)):
        places = ("uri", "bufferView", "mimeType")
        assert _without(first, *places) == _without(second, *places), f"image {index} differs"
        if index not in base:
            assert old.image(index) == new.image(index), f"the bytes of image {index} differ"
    assert len(new.items("images")) >= len(old.items("images")), "images are lost"
