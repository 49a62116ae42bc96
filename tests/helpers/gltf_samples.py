"""Tiny glTF files made by hand."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.images import encode_png
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "<f4")
SQUARE_UV = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], "<f4")


class Maker:
    """Collects accessors in one buffer; the rest of the JSON is the test's own."""

    def __init__(self, **document: Any) -> None:
        self.json: dict[str, Any] = {"asset": {"version": "2.0"}, **document}
        self.binary = bytearray()

    def view(self, data: bytes, **more: Any) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data), **more}
        self.binary += data
        return self.add("bufferViews", view)

    def accessor(self, values: Any, **more: Any) -> int:
        """Values of a numpy dtype that glTF knows, (N, C) or (N,)."""
        values = np.asarray(values)
        values = values[:, None] if values.ndim == 1 else values
        item = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes()),
            "componentType": COMPONENTS[values.dtype.str[1:]],
            "count": len(values),
            "type": TYPES[values.shape[1]],
        }
        return self.add("accessors", item | more)

    def positions(self, values: Any) -> int:
        values = np.asarray(values, "<f4")
        return self.accessor(values, min=values.min(axis=0).tolist(), max=values.max(axis=0).tolist())

    def image(self, colour: tuple[int, int, int] = (255, 0, 0), **more: Any) -> int:
        png = encode_png(np.full((2, 2, 3), colour, np.uint8))
        return self.add("images", {"bufferView": self.view(png), "mimeType": "image/png", **more})

    def texture(self, **more: Any) -> int:
        return self.add("textures", {"source": self.image(), **more})

    def material(self, texture: int | None = None, **more: Any) -> int:
        surface = {} if texture is None else {"baseColorTexture": {"index": texture}}
        return self.add("materials", {"pbrMetallicRoughness": surface, **more})

    def mesh(self, *primitives: dict[str, Any], nodes: int = 1, **more: Any) -> int:
        """A mesh with `nodes` nodes side by side."""
        index = self.add("meshes", {"primitives": list(primitives), **more})
        for i in range(nodes):
            self.add("nodes", {"mesh": index, "translation": [2 * i, 0, 0]})
        return index

    def square(self, **more: Any) -> dict[str, Any]:
        """Two triangles over four vertices."""
        attributes = {"POSITION": self.positions(SQUARE), "TEXCOORD_0": self.accessor(SQUARE_UV)}
        indices = self.accessor(np.array([0, 1, 2, 0, 2, 3], "<u2"))
        return {"attributes": attributes, "indices": indices, **more}

    def add(self, name: str, item: Any) -> int:
        self.json.setdefault(name, []).append(item)
        return len(self.json[name]) - 1

    def document(self) -> dict[str, Any]:
        bare = "nodes" in self.json and "scenes" not in self.json
        nodes = {"scenes": [{"nodes": self._roots()}], "scene": 0} if bare else {}
        buffers = {"buffers": [{"byteLength": len(self.binary)}]} if self.binary else {}
        return {**nodes, **self.json, **({} if "buffers" in self.json else buffers)}

    def _roots(self) -> list[int]:
        children = {child for node in self.json["nodes"] for child in node.get("children", [])}
        return [i for i in range(len(self.json["nodes"])) if i not in children]

    def glb(self, path: Path) -> Path:
        text = json.dumps(self.document()).encode()
        text += b" " * (-len(text) % 4)
        binary = bytes(self.binary) + b"\0" * (-len(self.binary) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
        if binary:
            chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
        path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
        return path

    def gltf(self, path: Path) -> Path:
        """With its buffer as a data URI."""
        document = self.document()
        if self.binary and "buffers" not in self.json:
            data = base64.b64encode(self.binary).decode()
            document["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{data}"
        path.write_text(json.dumps(document))
        return path


def per_triangle_uv(count: int) -> np.ndarray:
    """(F, 3, 2): every triangle alone in its own cell of a grid."""
    side = int(np.ceil(np.sqrt(count)))
    cell = np.stack([np.arange(count) % side, np.arange(count) // side], axis=1)[:, None]  # (F, 1, 2)
    corner = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    return (cell + corner) / side


def gradient(channels: int = 3, size: int = 8) -> np.ndarray:
    """An image in which no two texels are alike."""
    image = np.zeros((size, size, channels), np.uint8)
    image[..., 0] = np.arange(size)[:, None] * 255 // (size - 1)
    image[..., 1] = np.arange(size)[None] * 255 // (size - 1)
    image[..., 2:] = 200
    return image


def paint(asset: GltfAsset, unwrap: bool, atlases: int = 1) -> Paint:
    """Every part painted: part i into atlas i modulo `atlases`, with new UVs where asked or needed."""
    parts = tuple(
        PaintedPart(
            i % atlases,
            per_triangle_uv(part.corners.shape[1]) if unwrap or part.uv is None else None,
        )
        for i, part in enumerate(asset.parts)
    )
    images = tuple(PaintedAtlas(f"atlas {i}", gradient()) for i in range(atlases))
    return Paint(images, parts, {"seed": 7, "preset": "draft"})
