"""Compressed glTF files as the comparison sees them: plain, decoded without meshstyle's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import DracoPy
import meshopt
import numpy as np

from helpers.gltf_compare import DTYPES, WIDTHS, Gltf

DRACO = "KHR_draco_mesh_compression"
MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")


class Expanded(Gltf):
    """A file with compressed geometry.

    Attributes:
        decoded: accessors whose values were compressed with Draco.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.decoded: dict[int, np.ndarray] = {}
        self._views: dict[int, bytes] = {}
        for mesh in self.items("meshes"):
            for primitive in mesh["primitives"]:
                self._decode(primitive)
        for index, values in self.decoded.items():
            item = self.json["accessors"][index]
            for key, found in (("min", values.min(axis=0)), ("max", values.max(axis=0))):
                if key in item:
                    item[key] = found.tolist()

    def _buffer(self, item: dict[str, Any]) -> bytes:
        return b"" if any(name in item.get("extensions", {}) for name in MESHOPT) else super()._buffer(item)

    def view(self, index: int) -> bytes:
        if index not in self._views:
            self._views[index] = self._read_view(index)
        return self._views[index]

    def _read_view(self, index: int) -> bytes:
        extensions = self.json["bufferViews"][index].get("extensions", {})
        for name in MESHOPT:
            if name in extensions:
                item = extensions[name]
                start = item.get("byteOffset", 0)
                data = self.buffers[item["buffer"]][start : start + item["byteLength"]]
                kind, stride = item.get("filter", "NONE"), item["byteStride"]
                return meshopt.decode_gltf_buffer(data, item["count"], stride, item["mode"], kind).tobytes()
        return super().view(index)

    def accessor(self, index: int) -> np.ndarray:
        return self.decoded[index] if index in self.decoded else super().accessor(index)

    def _decode(self, primitive: dict[str, Any]) -> None:
        item = primitive.get("extensions", {}).pop(DRACO, None)
        if item is None:
            return
        if not primitive["extensions"]:
            del primitive["extensions"]
        mesh = DracoPy.decode(self.view(item["bufferView"]))
        found = {name: mesh.get_attribute_by_unique_id(i)["data"] for name, i in item["attributes"].items()}
        weights = found.get("WEIGHTS_0")
        if weights is not None:  # quantization has bent their sum; the specification wants it to be 1
            total = weights.astype(np.float64).sum(axis=1)
            off = np.abs(total - 1) > 2e-7 * (weights > 0).sum(axis=1)
            weights[off] /= total[off, None]
        for name, values in found.items():
            self._keep(primitive["attributes"][name], values)
        self._keep(primitive["indices"], mesh.faces.reshape(-1, 1))

    def _keep(self, index: int, values: np.ndarray) -> None:
        item = self.json["accessors"][index]
        assert values.shape == (item["count"], WIDTHS[item["type"]])
        self.decoded[index] = values.astype(DTYPES[item["componentType"]])
