"""What tests share that began in test_gltf_compressed.py."""

from __future__ import annotations

import base64
from typing import Any

import DracoPy
import meshopt
import numpy as np

from helpers.gltf_expanded import DRACO, MESHOPT
from helpers.gltf_samples import SQUARE, SQUARE_UV, Maker


def draco_square(mode: int = 4, **attributes: Any) -> Maker:
    """The square, compressed. `attributes`: more values by attribute name."""
    maker = Maker(extensionsUsed=[DRACO], extensionsRequired=[DRACO])
    faces = np.array([[0, 1, 2], [0, 2, 3]], "u4")
    more = dict(enumerate(attributes.values(), start=1))
    data = DracoPy.encode(
        SQUARE, faces, quantization_bits=20, preserve_order=True, generic_attributes=more or None
    )
    ids = {"POSITION": 0} | dict(zip(attributes, more, strict=True))
    mesh = DracoPy.decode(data)
    position = next(item["unique_id"] for item in mesh.attributes if item["attribute_type"] == 0)
    ids["POSITION"] = position
    corner = {"min": [0, 0, 0], "max": [1, 1, 0]}
    numbers = {
        "POSITION": maker.add("accessors", {"componentType": 5126, "count": 4, "type": "VEC3", **corner})
    }
    for name, values in attributes.items():
        kind, component = f"VEC{values.shape[1]}", {"f": 5126, "u": 5123}[values.dtype.kind]
        numbers[name] = maker.add("accessors", {"componentType": component, "count": 4, "type": kind})
    indices = maker.add("accessors", {"componentType": 5123, "count": 6, "type": "SCALAR"})
    extension = {DRACO: {"bufferView": maker.view(data), "attributes": ids}}
    maker.mesh({"attributes": numbers, "indices": indices, "mode": mode, "extensions": extension})
    return maker


def meshopt_square(name: str = MESHOPT[0], version: int = 0, fallback: bool = False) -> Maker:
    """The square, its three bufferViews compressed; buffer 1 is the placeholder."""
    maker, plain = Maker(extensionsUsed=[name]), Maker()
    if not fallback:
        maker.json["extensionsRequired"] = [name]
    maker.mesh(plain.square())
    maker.json["accessors"] = plain.json["accessors"]
    rows = {0: (SQUARE, "ATTRIBUTES"), 1: (SQUARE_UV, "ATTRIBUTES")}
    rows[2] = (np.array([0, 1, 2, 0, 2, 3], "<u2"), "TRIANGLES")
    packed: list[dict[str, Any]] = []
    for number, view in enumerate(plain.json["bufferViews"]):
        values, mode = rows[number]
        data = meshopt.encode_gltf_buffer(values, mode, version)
        maker.binary += b"\0" * (-len(maker.binary) % 4)
        item = {"buffer": 0, "byteOffset": len(maker.binary), "byteLength": len(data), "mode": mode}
        item |= {"byteStride": view["byteLength"] // len(values), "count": len(values)}
        maker.binary += data
        packed.append({**view, "buffer": 1, "extensions": {name: item}})
    maker.json["bufferViews"] = packed
    placeholder: dict[str, Any] = {"byteLength": len(plain.binary), "extensions": {name: {"fallback": True}}}
    if fallback:
        text = base64.b64encode(plain.binary).decode()
        placeholder["uri"] = f"data:application/octet-stream;base64,{text}"
    maker.json["buffers"] = [{"byteLength": len(maker.binary)}, placeholder]
    return maker


def textured(image: bytes, media: str, extension: str, fallback: bool = False) -> Maker:
    """The square with a texture that only an extension names."""
    maker = Maker(extensionsUsed=[extension])
    source = maker.add("images", {"bufferView": maker.view(image), "mimeType": media})
    texture: dict[str, Any] = {"extensions": {extension: {"source": source}}}
    if fallback:
        texture["source"] = maker.image()
    else:
        maker.json["extensionsRequired"] = [extension]
    maker.mesh(maker.square(material=maker.material(maker.add("textures", texture))))
    return maker
