"""A painted OBJ as GLB or glTF: objects (or groups) become meshes, materials become primitives."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from .atomic import write_all
from .container import dump_json
from .contract import Material, Paint, PaintedPart, Part, Wrap
from .gltf_build import BuildImage, BuildMaterial, BuildMesh, BuildPrimitive, build_glb
from .obj_materials import ObjImage, read_image_file
from .obj_model import ObjModel, governing
from .obj_places import numbered
from .paths import encode_uri
from .pictures import encode_png

if TYPE_CHECKING:
    from .obj import ObjAsset

UV_STEPS = 10**7  # corners whose UVs differ by less are one vertex
_JSON_AT = 20  # in a GLB: after its header and the first chunk's (glTF 2.0, section 4.4)


def write_glb(asset: ObjAsset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """Everything in one file. Raises OutputError; PictureError where a texture that stays is damaged."""
    return write_all({output: _build(asset, paint)}, asset.model.files)


def write_gltf(asset: ObjAsset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """As `write_glb`, with the binary data (pictures included) in OUTPUT.bin."""
    data = _build(asset, paint)
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[_JSON_AT : _JSON_AT + length])
    (buffer,) = document["buffers"]
    binary_at = _JSON_AT + length + 8
    binary = _binary_path(output, asset.model)
    buffer["uri"] = encode_uri(binary.name)
    files = {
        output: dump_json(document, indent=2),
        binary: data[binary_at : binary_at + buffer["byteLength"]],
    }
    return write_all(files, asset.model.files)


def _binary_path(output: Path, model: ObjModel) -> Path:
    """OUTPUT.bin, or that with a number where something else has the name."""
    ours = output.is_file() and b'"meshstyle"' in output.read_bytes()
    taken = {path.resolve() for path in model.files}
    paths = numbered(output.with_suffix(".bin"))
    return next(path for path in paths if path.resolve() not in taken and (ours or not path.exists()))


def _build(asset: ObjAsset, paint: Paint) -> bytes:
    images = [BuildImage(atlas.name, encode_png(atlas.pixels)) for atlas in paint.atlases]
    kept = [part.material for part, new in zip(asset.parts, paint.parts, strict=True) if new is None]
    place: dict[int, int] = {}
    for material in kept:
        index = asset.materials[material].image
        if index is not None and index not in place:
            place[index] = len(images)
            images.append(_original(asset, index))
    materials = [
        _material(asset.materials[part.material], new, place)
        for part, new in zip(asset.parts, paint.parts, strict=True)
    ]
    return build_glb(_meshes(asset, paint), materials, images, paint.record)


def _original(asset: ObjAsset, index: int) -> BuildImage:
    """An unpainted material's image: its file's bytes where they are the whole truth, else encoded anew."""
    image = asset.model.images[index]
    if image.colour is not None and image == ObjImage(image.colour, opaque=image.opaque):
        data = read_image_file(image.colour)
        if data.startswith(b"\xff\xd8\xff"):
            return BuildImage(asset.image_name(index), data, "image/jpeg")
        if data.startswith(b"\x89PNG"):
            return BuildImage(asset.image_name(index), data)
    pixels = image.decode()
    return BuildImage(asset.image_name(index), encode_png(pixels[..., :3] if image.opaque else pixels))


def _material(material: Material, new: PaintedPart | None, place: dict[int, int]) -> BuildMaterial:
    """MTL's gloss has no fixed meaning in glTF's terms: everything is plainly matt."""
    image = None if material.image is None else place.get(material.image)
    factor, wrap = material.factor, material.wrap
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
    )


def _meshes(asset: ObjAsset, paint: Paint) -> list[BuildMesh]:
    names, face_mesh = _mesh_of_faces(asset.model)
    primitives: dict[int, list[BuildPrimitive]] = {}
    for index, (part, rows) in enumerate(zip(asset.parts, asset.part_triangles, strict=True)):
        vertices = _vertex_ids(asset.model, part, rows, paint.parts[index])
        mesh = face_mesh[asset.model.triangle_face[rows]]  # (F,)
        order = np.argsort(mesh, kind="stable")
        bounds = np.flatnonzero(np.diff(mesh[order], prepend=-1))
        for chosen in np.split(order, bounds[1:]):
            built = _primitive(part, chosen, vertices[chosen], paint.parts[index])
            primitives.setdefault(int(mesh[chosen[0]]), []).append(built)
    return [BuildMesh(names[mesh], primitives[mesh]) for mesh in sorted(primitives)]


def _mesh_of_faces(model: ObjModel) -> tuple[list[str], Int64[np.ndarray, " F"]]:
    """Names of meshes and each face's: by object, by group where no object is named, else one mesh."""
    for keyword in (b"o", b"g"):
        statements = [item for item in model.scan.statements if item.keyword == keyword]
        if statements:
            break
    ids: dict[str, int] = {model.path.stem: 0}
    of_statement = [0]
    for item in statements:
        name = model.text.decode(item.value) or model.path.stem
        of_statement.append(ids.setdefault(name, len(ids)))
    return list(ids), np.array(of_statement, np.int64)[governing(statements, model.scan.face_span[:, 0]) + 1]


def _vertex_ids(
    model: ObjModel, part: Part, rows: Int64[np.ndarray, " F"], new: PaintedPart | None
) -> Int64[np.ndarray, "F 3"]:
    """Equal numbers for corners of one position, normal and UV."""
    keys = model.scan.corners[model.triangles[rows]].astype(np.int64)  # (F, 3, 3)
    face = np.broadcast_to(np.arange(len(rows))[:, None], keys.shape[:2])
    if part.normals is not None:  # corners without one have their face's
        keys[..., 2] = np.where(keys[..., 2] < 0, -2 - face, keys[..., 2])
    if new is not None and new.uv is not None:
        steps = np.rint(new.uv * UV_STEPS).astype(np.int64).reshape(-1, 2)
        keys[..., 1] = _number(steps).reshape(-1, 3)
    return _number(keys.reshape(-1, 3)).reshape(-1, 3)


def _number(keys: Int64[np.ndarray, "K D"]) -> Int64[np.ndarray, " K"]:
    """Equal numbers for equal rows, column by column: sorting numbers is faster than sorting rows."""
    result = np.zeros(len(keys), np.int64)
    for column in keys.T:
        _, rank = np.unique(column, return_inverse=True)
        _, result = np.unique(result * (int(rank.max(initial=0)) + 1) + rank, return_inverse=True)
    return result


def _primitive(
    part: Part, chosen: Int64[np.ndarray, " F"], vertices: Int64[np.ndarray, "F 3"], new: PaintedPart | None
) -> BuildPrimitive:
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
