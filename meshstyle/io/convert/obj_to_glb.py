"""A painted OBJ as GLB or glTF: objects (or groups) become meshes, materials become primitives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from ..gltf.build import BuildImage, BuildMesh, BuildPrimitive, build_glb
from ..gltf.relief import with_relief
from ..images import encode_png, picture_has_alpha
from ..obj.asset import ObjAsset
from ..obj.materials import ObjImage, read_image_file
from ..obj.model import ObjModel, governing
from ..types import Paint, PaintedPart, Part
from .to_glb import build_material, build_primitive, number_rows, number_uvs, with_tangents, write_glb_bytes


def write_glb(asset: ObjAsset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """Write a .glb or .gltf. Raises OutputError; PictureError where a texture that stays is damaged."""
    return write_glb_bytes(_build(asset, paint), output, asset.model.files)


def _build(asset: ObjAsset, paint: Paint) -> bytes:
    count = len(paint.atlases)
    paint, relief = with_relief(paint)
    images = [
        BuildImage.of(atlas, paint.image_format if number < count else "png")
        for number, atlas in enumerate(paint.atlases)
    ]
    place: dict[int, int] = {}
    for part, new in zip(asset.parts, paint.parts, strict=True):
        index = asset.materials[part.material].image
        if new is None and index is not None and index not in place:
            place[index] = len(images)
            images.append(_original(asset, index))
    materials = []
    for part, new in zip(asset.parts, paint.parts, strict=True):
        material = asset.materials[part.material]
        kept_image = None if material.image is None else place.get(material.image)
        materials.append(build_material(material, new, kept_image, relief))
    return build_glb(_meshes(asset, paint, relief), materials, images, paint.record)


def _original(asset: ObjAsset, index: int) -> BuildImage:
    """An unpainted material's image: its file's bytes where they are the whole truth, else encoded anew."""
    image = asset.model.images[index]
    if image.colour is not None and image == ObjImage(image.colour, opaque=image.opaque):
        data = read_image_file(image.colour)
        if data.startswith(b"\xff\xd8\xff"):
            return BuildImage(asset.image_name(index), data, "image/jpeg")
        if data.startswith(b"\x89PNG") and not (image.opaque and picture_has_alpha(data, image.colour)):
            return BuildImage(asset.image_name(index), data)
    pixels = image.decode()
    return BuildImage(asset.image_name(index), encode_png(pixels[..., :3] if image.opaque else pixels))


def _meshes(asset: ObjAsset, paint: Paint, relief: Mapping[int, tuple[int, int]]) -> list[BuildMesh]:
    names, face_mesh = _mesh_of_faces(asset.model)
    primitives: dict[int, list[BuildPrimitive]] = {}
    for index, (part, rows) in enumerate(zip(asset.parts, asset.part_triangles, strict=True)):
        vertices = _vertex_ids(asset.model, part, rows, paint.parts[index])
        mesh = face_mesh[asset.model.triangle_face[rows]]  # (F,)
        order = np.argsort(mesh, kind="stable")
        bounds = np.flatnonzero(np.diff(mesh[order], prepend=-1))
        for chosen in np.split(order, bounds[1:]):
            new = paint.parts[index]
            built = build_primitive(part, chosen, vertices[chosen], new)
            if new is not None and new.atlas in relief:
                built = with_tangents(built)
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
        keys[..., 1] = number_uvs(new.uv)
    return number_rows(keys.reshape(-1, 3)).reshape(-1, 3)
