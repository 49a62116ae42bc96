"""A fresh GLB from plain arrays, for models that come from other formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64, Integer

from ..images import encode
from ..types import PaintedAtlas, Wrap
from .container import pack_glb
from .materials import WEBP

ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
UNSIGNED_SHORT, UNSIGNED_INT, FLOAT = 5123, 5125, 5126
LINEAR, LINEAR_MIPMAP_LINEAR = 9729, 9987
FAR = 4.0  # times its size from the origin: there single precision has lost two bits and more
GL_WRAP = {Wrap.REPEAT: 10497, Wrap.MIRROR: 33648, Wrap.CLAMP: 33071}


@dataclass(frozen=True, eq=False)
class BuildPrimitive:
    """Triangles with one material.

    Attributes:
        positions: finite, within single precision.
        indices: into the vertices, counter-clockwise seen from the front.
        material: index into the materials, or None for glTF's default material.
        normals: any length; zero ones are replaced.
        uvs: glTF's origin: (0, 0) is the image's top left corner.
        attributes: more per-vertex float data by attribute name; custom names begin with `_`, as `_COLOR_0`.
    """

    positions: Float[np.ndarray, "V 3"]
    indices: Integer[np.ndarray, "F 3"]
    material: int | None = None
    normals: Float[np.ndarray, "V 3"] | None = None
    uvs: Float[np.ndarray, "V 2"] | None = None
    attributes: Mapping[str, Float[np.ndarray, "V C"]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class BuildMesh:
    """A mesh and the node that shows it, of the same name."""

    name: str
    primitives: Sequence[BuildPrimitive]


@dataclass(frozen=True)
class BuildMaterial:
    """As `io.types.Material`; `image` indexes the images given to `build_glb`."""

    name: str
    factor: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    image: int | None = None
    wrap: tuple[Wrap, Wrap] = (Wrap.REPEAT, Wrap.REPEAT)
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    metallic: float = 0.0
    roughness: float = 1.0
    relief: tuple[int, int] | None = None  # images of its normals, and of its roughness and metalness


@dataclass(frozen=True, eq=False)
class BuildImage:
    """An encoded picture: PNG, JPEG or WebP."""

    name: str
    data: bytes
    mime_type: str = "image/png"

    @classmethod
    def of(cls, atlas: PaintedAtlas, image_format: str) -> BuildImage:
        """A painted image in a format of `io.types.Paint`."""
        encoded = encode(atlas.pixels, image_format)
        return cls(atlas.name, encoded.data, encoded.media)


def build_glb(
    meshes: Sequence[BuildMesh],
    materials: Sequence[BuildMaterial],
    images: Sequence[BuildImage],
    record: Mapping[str, Any],
) -> bytes:
    """A valid GLB with one node per mesh. `record` goes into `asset.extras.meshstyle` unless it is empty.

    Meshes without primitives and primitives without triangles are left out (glTF forbids empty ones).
    Raises ValueError for positions that are not finite in single precision and indices out of range.
    """
    builder = _Builder(common_offset(meshes))
    builder.document["asset"] = {"version": "2.0", "generator": f"meshstyle {version('meshstyle')}"}
    if record:
        builder.document["asset"]["extras"] = {"meshstyle": dict(record)}
    for mesh in meshes:
        builder.add_mesh(mesh)
    for image in images:
        builder.add_image(image)
    for material in materials:
        builder.add_material(material)
    return builder.pack()


def common_offset(meshes: Sequence[BuildMesh]) -> Float64[np.ndarray, "3"] | None:
    """What is taken off all positions and given to the nodes instead, where a model lies far from the origin (in map
    coordinates, say): single precision would bend it. None where it does not.

    The offset is a single-precision number itself, so that no program rounds it.
    """
    found = [item.positions for mesh in meshes for item in mesh.primitives if len(item.indices)]
    if not found:
        return None
    low, high = np.min([p.min(axis=0) for p in found], axis=0), np.max([p.max(axis=0) for p in found], axis=0)
    middle = ((low + high) / 2).astype(np.float64)
    if not np.isfinite(middle).all() or np.abs(middle).max() <= FAR * (high - low).max():
        return None
    return middle.astype(np.float32).astype(np.float64)


class _Builder:
    """The document as it grows. Lists appear with their first item, since glTF forbids empty ones."""

    def __init__(self, offset: Float64[np.ndarray, "3"] | None) -> None:
        self.offset = offset
        self.document: dict[str, Any] = {}
        self.binary = bytearray()

    def add_mesh(self, mesh: BuildMesh) -> None:
        primitives = [self._primitive(item) for item in mesh.primitives if len(item.indices)]
        if primitives:
            index = self._append("meshes", {"name": mesh.name, "primitives": primitives})
            place = {} if self.offset is None else {"translation": self.offset.tolist()}
            self._append("nodes", {"name": mesh.name, "mesh": index, **place})

    def add_material(self, material: BuildMaterial) -> None:
        surface: dict[str, Any] = {"baseColorFactor": list(material.factor)}
        if material.image is not None:
            texture = {"sampler": self._sampler(material.wrap), **self._source(material.image)}
            surface["baseColorTexture"] = {"index": self._shared("textures", texture)}
        surface |= {"metallicFactor": material.metallic, "roughnessFactor": material.roughness}
        item: dict[str, Any] = {"name": material.name, "pbrMetallicRoughness": surface}
        if material.relief is not None:
            sampler = self._sampler(material.wrap)
            normal, rough = (
                {"index": self._shared("textures", {"sampler": sampler, **self._source(image)})}
                for image in material.relief
            )
            item["normalTexture"], surface["metallicRoughnessTexture"] = normal, rough
            surface |= {"metallicFactor": 1.0, "roughnessFactor": 1.0}
        if material.alpha_mode != "OPAQUE":
            item["alphaMode"] = material.alpha_mode
        if material.alpha_mode == "MASK":
            item["alphaCutoff"] = material.alpha_cutoff
        if material.double_sided:
            item["doubleSided"] = True
        self._append("materials", item)

    def add_image(self, image: BuildImage) -> None:
        view = self._view(image.data, None)
        self._append("images", {"name": image.name, "mimeType": image.mime_type, "bufferView": view})

    def pack(self) -> bytes:
        nodes = self.document.get("nodes")
        if nodes:
            self.document["scenes"] = [{"nodes": list(range(len(nodes)))}]
            self.document["scene"] = 0
        if self.binary:
            self.document["buffers"] = [{"byteLength": len(self.binary)}]
        return pack_glb(self.document, bytes(self.binary) if self.binary else None)

    def _source(self, image: int) -> dict[str, Any]:
        """A texture's reference to its image."""
        if self.document["images"][image]["mimeType"] != "image/webp":
            return {"source": image}
        for key in ("extensionsUsed", "extensionsRequired"):
            self._shared(key, WEBP)
        return {"extensions": {WEBP: {"source": image}}}

    def _primitive(self, item: BuildPrimitive) -> dict[str, Any]:
        local = item.positions if self.offset is None else item.positions - self.offset
        positions = local.astype(np.float32)  # (V, 3)
        if not np.isfinite(positions).all():
            raise ValueError("positions must be finite in single precision")
        if item.indices.min() < 0 or item.indices.max() >= len(positions):
            raise ValueError("indices must lie within the vertices")
        bounds = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
        attributes = {"POSITION": self._vertices(positions) | bounds}
        if item.normals is not None:
            attributes["NORMAL"] = self._vertices(_unit(item.normals))
        if item.uvs is not None:
            attributes["TEXCOORD_0"] = self._vertices(item.uvs)
        attributes |= {name: self._vertices(values) for name, values in item.attributes.items()}
        primitive: dict[str, Any] = {
            "attributes": {name: self._append("accessors", value) for name, value in attributes.items()},
            "indices": self._append("accessors", self._indices(item.indices, len(positions))),
        }
        if item.material is not None:
            primitive["material"] = item.material
        return primitive

    def _vertices(self, values: Float[np.ndarray, "V C"]) -> dict[str, Any]:
        data = np.ascontiguousarray(values, dtype="<f4")
        return {
            "bufferView": self._view(data.tobytes(), ARRAY_BUFFER),
            "componentType": FLOAT,
            "count": len(data),
            "type": "SCALAR" if data.shape[1] == 1 else f"VEC{data.shape[1]}",
        }

    def _indices(self, triangles: Integer[np.ndarray, "F 3"], vertices: int) -> dict[str, Any]:
        short = vertices <= 65535  # index 65535 would restart the primitive
        data = triangles.astype("<u2" if short else "<u4")
        return {
            "bufferView": self._view(data.tobytes(), ELEMENT_ARRAY_BUFFER),
            "componentType": UNSIGNED_SHORT if short else UNSIGNED_INT,
            "count": data.size,
            "type": "SCALAR",
        }

    def _view(self, data: bytes, target: int | None) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        self.binary += data
        return self._append("bufferViews", view if target is None else view | {"target": target})

    def _sampler(self, wrap: tuple[Wrap, Wrap]) -> int:
        along_u, along_v = (GL_WRAP[item] for item in wrap)
        filters = {"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR}
        return self._shared("samplers", filters | {"wrapS": along_u, "wrapT": along_v})

    def _append(self, name: str, item: Any) -> int:
        items = self.document.setdefault(name, [])
        items.append(item)
        return len(items) - 1

    def _shared(self, name: str, item: Any) -> int:
        """The index of an equal item, appended when there is none yet."""
        items = self.document.setdefault(name, [])
        return items.index(item) if item in items else self._append(name, item)


def _unit(normals: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
    """Unit length in single precision; +z stands in for normals that point nowhere."""
    values = np.nan_to_num(normals.astype(np.float64), posinf=0.0, neginf=0.0)
    values /= np.maximum(np.abs(values).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)  # no underflow
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit = np.divide(values, length, out=np.zeros_like(values), where=length > 0)
    unit[length[:, 0] == 0] = (0.0, 0.0, 1.0)
    return unit.astype(np.float32)
