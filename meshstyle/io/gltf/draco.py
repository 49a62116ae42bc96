"""Geometry that Draco has decoded, as accessors of a glTF draft (KHR_draco_mesh_compression)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from .accessors import COMPONENT_TYPES, WIDTHS
from .build import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER
from .decoders import Arrays
from .draft import Draft, Json, NewView, drop_extension
from .fields import Fields
from .geometry import STRIP, TRIANGLES

DRACO = "KHR_draco_mesh_compression"
_INDICES = "indices"  # no attribute's name: those are written large
_Source = tuple[str, str]  # what was decoded, and which part of it


class Filler:
    """Gives accessors what was decoded.

    `contents` takes the new bufferViews by number; those of `free` are used first.
    """

    def __init__(self, draft: Draft, contents: dict[int, NewView], free: list[int]) -> None:
        self._draft, self._contents, self._free = draft, contents, free
        self._filled: dict[int, _Source] = {}
        self._views: dict[tuple[_Source, str], int] = {}
        self._mended: dict[str, Arrays] = {}

    def fill(self, primitive: Fields, json: Json, arrays: Arrays) -> None:
        """Fill the accessors of a primitive, `json` in the draft."""
        item = primitive.extension(DRACO).child("attributes")
        names = {name: str(item.integer(name)) for name in item.value if name in json["attributes"]}
        for name, number in names.items():
            if number not in arrays:
                item.fail(f"has no attribute {number} for {name[:40]} in its data")
        key = f"{id(arrays)} {names}"
        if key not in self._mended:
            self._mended[key] = _mended({name: arrays[number] for name, number in names.items()})
        for name, values in self._mended[key].items():
            self._fill(primitive, json["attributes"][name], values, (key, name))
        if json.get("mode", TRIANGLES) in (TRIANGLES, STRIP):
            json["mode"] = TRIANGLES  # strips too are decoded to triangles
            if "indices" not in json:
                short = arrays["faces"].max(initial=0) < 65535
                new = {"componentType": 5123 if short else 5125, "type": "SCALAR", "count": 0}
                json["indices"] = self._draft.append("accessors", new)
            self._fill(primitive, json["indices"], arrays["faces"].reshape(-1, 1), (key, _INDICES))

    def _fill(
        self, primitive: Fields, number: int, values: Shaped[np.ndarray, "N C"], source: _Source
    ) -> None:
        item: Json = self._draft.items("accessors")[number]
        if self._filled.setdefault(number, source) != source:
            primitive.fail(f"shares its {source[1][:40]} with other compressed data")
        if "bufferView" in item:
            return
        fields = Fields(item, f"accessors[{number}]", primitive.path)
        claimed = fields.integer("count")
        if claimed > len(values) or not len(values):
            fields.fail(f"claims {claimed} elements; its compressed data holds {len(values)}")
        kind = str([item.get(key) for key in ("componentType", "type", "normalized")])
        if (source, kind) not in self._views:
            self._views[source, kind] = self._new_view(_cast(fields, values), source[1] != _INDICES)
        item["count"] = len(values)
        item.pop("byteOffset", None)
        item["bufferView"] = self._views[source, kind]

    def _new_view(self, values: Shaped[np.ndarray, "N C"], of_vertices: bool) -> int:
        size = values.shape[1] * values.itemsize
        stride = size + (-size % 4 if of_vertices else 0)  # vertices start at multiples of 4 bytes
        raw = np.zeros((len(values), stride), np.uint8)
        raw[:, :size] = values.view(np.uint8).reshape(len(values), size)
        properties: dict[str, Any] = {"target": ARRAY_BUFFER if of_vertices else ELEMENT_ARRAY_BUFFER}
        if stride != size:
            properties["byteStride"] = stride
        view = self._free.pop(0) if self._free else self._draft.append("bufferViews", {})
        self._contents[view] = NewView(raw.tobytes(), properties)
        return view


def drop_draco(draft: Draft, primitives: Sequence[Fields]) -> list[Json]:
    """The JSON of primitives in the draft, without the extension."""
    found = {}
    for mine, other in zip(draft.document.root.value["meshes"], draft.items("meshes"), strict=True):
        for first, second in zip(mine.get("primitives", ()), other.get("primitives", ()), strict=True):
            found[id(first)] = second
    chosen = [found[id(primitive.value)] for primitive in primitives]
    for item in chosen:
        drop_extension(item, DRACO)
    return chosen


def _mended(attributes: Arrays) -> Arrays:
    """What quantization has bent, straight again: unit vectors, the sum of weights, joints without weight.

    A validator could not see it while it was compressed, and would complain of it now.
    """
    mended = dict(attributes)
    for name in ("NORMAL", "TANGENT"):
        if name in mended and mended[name].dtype.kind == "f":
            mended[name] = _scaled(mended[name], np.linalg.norm(_wide(mended[name])[:, :3], axis=1), 3, 1e-3)
    weights = mended.get("WEIGHTS_0")
    if weights is None or weights.dtype.kind != "f" or "WEIGHTS_1" in mended:
        return mended
    allowed = 2e-7 * np.maximum((weights > 0).sum(axis=1), 1)  # the validator's tolerance
    mended["WEIGHTS_0"] = weights = _scaled(weights, _wide(weights).sum(axis=1), 4, allowed)
    if "JOINTS_0" in mended and mended["JOINTS_0"].shape == weights.shape:
        mended["JOINTS_0"] = np.where(weights == 0, 0, mended["JOINTS_0"]).astype(mended["JOINTS_0"].dtype)
    return mended


def _wide(values: Shaped[np.ndarray, "N C"]) -> Shaped[np.ndarray, "N C"]:
    return np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)


def _scaled(
    values: Shaped[np.ndarray, "N C"],
    size: Shaped[np.ndarray, " N"],
    columns: int,
    tolerance: float | Shaped[np.ndarray, " N"],
) -> Shaped[np.ndarray, "N C"]:
    """Divide the first columns by a size that should be 1, where it is further from it than the tolerance."""
    off = (size > 0) & (np.abs(size - 1) > tolerance)
    scaled = values.copy()
    scaled[off, :columns] = values[off, :columns] / size[off, None]
    return scaled


def _cast(item: Fields, values: Shaped[np.ndarray, "N C"]) -> Shaped[np.ndarray, "N C"]:
    """Decoded values in the accessor's own type."""
    component, kind = item.integer("componentType"), item.text("type")
    if component not in COMPONENT_TYPES or WIDTHS.get(kind) != values.shape[1]:
        item.fail(f"has another type than its compressed data ({values.shape[1]} components)")
    dtype = COMPONENT_TYPES[component]
    if dtype.kind == "f" or values.dtype.kind == "u":
        limit = None if dtype.kind == "f" else np.iinfo(dtype).max
        if limit is not None and values.max(initial=0) > limit:
            item.fail("has a type too small for its compressed data")
        return np.ascontiguousarray(values.astype(dtype))
    # Signed integers come as floats, normalized ones divided by their largest value.
    scale = np.iinfo(dtype).max if item.flag("normalized", False) and np.abs(values).max() <= 1 else 1
    scaled = np.rint(np.nan_to_num(values.astype(np.float64) * scale))
    if scaled.min() < np.iinfo(dtype).min or scaled.max() > np.iinfo(dtype).max:
        item.fail("has a type too small for its compressed data")
    return np.ascontiguousarray(scaled.astype(dtype))
