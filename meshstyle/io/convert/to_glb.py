"""Painted models of other formats as GLB or glTF: what their writers share."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from ..atomic_write import write_all
from ..gltf.build import BuildMaterial, BuildPrimitive
from ..gltf.container import dump_json
from ..gltf.tangents import vertex_tangents
from ..replace_files import holds, left_behind, numbered
from ..safe_paths import encode_uri
from ..types import Material, PaintedPart, Part, Wrap

UV_STEPS = 10**7  # corners whose UVs differ by less are one vertex
_JSON_AT = 20  # in a GLB: after its header and the first chunk's (glTF 2.0, section 4.4)


def write_glb_bytes(data: bytes, output: Path, sources: Sequence[Path]) -> tuple[Path, ...]:
    """Write a GLB as OUTPUT, or, if that ends in .gltf, as JSON with the binary data in OUTPUT.bin.

    `sources` are never overwritten. Raises OutputError.
    """
    if output.suffix.lower() == ".glb":
        return write_all({output: data}, sources)
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[_JSON_AT : _JSON_AT + length])
    (buffer,) = document["buffers"]
    start = _JSON_AT + length + 8
    content = data[start : start + buffer["byteLength"]]
    binary, stale = _binary_path(output, content, sources)
    buffer["uri"] = encode_uri(binary.name)
    return write_all({output: dump_json(document, indent=2), binary: content}, sources, stale)


def build_material(
    material: Material,
    new: PaintedPart | None,
    kept_image: int | None,
    relief: Mapping[int, tuple[int, int]] | None = None,
) -> BuildMaterial:
    """A part's material with its paint, or with the image it keeps. Everything is plainly matt."""
    image, factor, wrap = kept_image, material.factor, material.wrap
    if new is not None:
        image, factor = new.atlas, (1.0, 1.0, 1.0, material.factor[3])
        wrap = wrap if new.uv is None else (Wrap.CLAMP, Wrap.CLAMP)
    return BuildMaterial(
        name=material.name,
        factor=factor,
        image=image,
        wrap=wrap,
        alpha_mode=material.alpha_mode,
        alpha_cutoff=material.alpha_cutoff,
        double_sided=material.double_sided,
        relief=None if new is None or relief is None else relief.get(new.atlas),
    )


def with_tangents(primitive: BuildPrimitive) -> BuildPrimitive:
    """The same with tangents for a normal map, where it has the normals and UVs that these need."""
    if primitive.normals is None or primitive.uvs is None:
        return primitive
    found = vertex_tangents(
        primitive.positions, primitive.normals, primitive.uvs, primitive.indices.astype(np.int64)
    )
    return replace(primitive, attributes={**primitive.attributes, "TANGENT": found})


def number_rows(keys: Int64[np.ndarray, "K D"]) -> Int64[np.ndarray, " K"]:
    """Equal numbers for equal rows, column by column: sorting numbers is faster than sorting rows."""
    result = np.zeros(len(keys), np.int64)
    for column in keys.T:
        _, rank = np.unique(column, return_inverse=True)
        _, result = np.unique(result * (int(rank.max(initial=0)) + 1) + rank, return_inverse=True)
    return result


def build_primitive(
    part: Part, chosen: Int64[np.ndarray, " F"], vertices: Int64[np.ndarray, "F 3"], new: PaintedPart | None
) -> BuildPrimitive:
    """The chosen triangles of a part; corners of equal numbers become one vertex."""
    _, first, indices = np.unique(vertices, return_index=True, return_inverse=True)

    def pick(values: Float64[np.ndarray, "F 3 C"]) -> Float64[np.ndarray, "V C"]:
        return values[chosen].reshape(-1, values.shape[2])[first]

    uv = part.uv if new is None or new.uv is None else new.uv
    # What multiplies the base colour must not tint the paint: viewers ignore names that begin with _.
    colour_name = "COLOR_0" if new is None else "_COLOR_0"
    return BuildPrimitive(
        positions=pick(part.corners[0]),
        indices=indices.reshape(-1, 3),
        material=part.material,
        normals=None if part.normals is None else pick(part.normals[0]),
        uvs=None if uv is None else pick(uv),
        attributes={} if part.colours is None else {colour_name: pick(part.colours)},
    )


def number_uvs(uv: Float64[np.ndarray, "F 3 2"]) -> Int64[np.ndarray, "F 3"]:
    """Equal numbers for equal UVs."""
    steps = np.rint(uv * UV_STEPS).astype(np.int64).reshape(-1, 2)
    return number_rows(steps).reshape(-1, 3)


def _binary_path(output: Path, data: bytes, sources: Sequence[Path]) -> tuple[Path, tuple[Path, ...]]:
    """OUTPUT.bin, or that with a number where something else has the name; and what it takes the place of."""
    wanted = output.with_suffix(".bin")
    earlier = output.read_bytes() if output.is_file() else b""
    taken = {path.resolve() for path in sources}
    path = next(
        path
        for path in numbered(wanted)
        if path.resolve() not in taken and (not path.exists() or holds(path, data))
    )
    if b'"meshstyle"' not in earlier:
        return path, ()
    names = earlier.replace(encode_uri(wanted.stem).encode(), wanted.stem.encode(errors="surrogateescape"))
    return path, left_behind(wanted, names, (path,), taken)
