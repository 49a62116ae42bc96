"""Models that are plain meshes (.ply, .stl, .off): one part with one material, written as GLB or glTF."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from ...errors import AssetError, UsageError
from ..convert.to_glb import (
    build_material,
    build_primitive,
    number_rows,
    number_uvs,
    with_tangents,
    write_glb_bytes,
)
from ..convert.to_obj import write_as_obj
from ..decoded_images import DecodedImages
from ..gltf.build import BuildImage, BuildMesh, build_glb
from ..gltf.relief import with_relief
from ..obj.asset import MAX_UV, corner_normals
from ..obj.files import PICTURE_SUFFIXES, Finder
from ..obj.materials import ObjImage, ObjMaterial, number_images, srgb_to_linear, with_picture
from ..obj.model import MAX_COORDINATE, MAX_TRIANGLES
from ..obj.polygons import triangulate
from ..read_file import read_file
from ..types import Material, Paint, PaintedPart, Part
from .off import read_off
from .ply import read_ply
from .polygons import REMEDY, Polygons
from .stl import read_stl

MAX_BYTES = 160 * 2**20
MAX_OFF_BYTES = 48 * 2**20  # of which every word becomes a Python object
_READERS = {".ply": read_ply, ".stl": read_stl, ".off": read_off}


class MeshAsset:
    """Satisfies `io.types.Asset`. Colours are taken as sRGB; beside a texture they do not count."""

    def __init__(self, path: Path, root: Path | None = None) -> None:
        """Read a file; `root`: see `load_asset`.

        Raises AssetError, and PictureError for a damaged texture with transparency.
        """
        self.path = path
        self._decoded = DecodedImages()
        self.kind = path.suffix[1:].upper()
        found = _read(path)
        triangles, _, cut_short = triangulate(found.positions, found.vertex, found.first)
        finder, notes = Finder(path.parent, path, root), list(found.notes)
        material, self._images = _material(path, found, finder, notes)
        if cut_short:
            notes.append("There are too many large concave polygons; some were cut into fans.")
        self.materials: tuple[Material, ...] = (material,)
        self.parts: tuple[Part, ...] = (_part(path.stem, found, triangles, material, notes),)
        self.record: Mapping[str, Any] | None = None
        self.files, self._missing = (path, *finder.files), tuple(finder.missing)
        self.warnings: tuple[str, ...] = (*finder.notes, *notes)
        self.lost_textures = tuple(finder.lost)

    @property
    def sources(self) -> tuple[Path, ...]:
        """See `io.types.FromFiles`."""
        return (*self.files, *self._missing)

    def image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        """Decode the texture. Raises PictureError."""
        return self._decoded.get(index, self._images[index].decode)

    def image_name(self, index: int) -> str:
        """The file's name without its suffix."""
        return self._images[index].main.stem

    def image_size(self, index: int) -> tuple[int, int]:
        """Height and width without decoding. Raises PictureError."""
        return self._images[index].size()


def write_mesh(asset: MeshAsset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """Write a .glb, .gltf or .obj. Raises OutputError, UsageError."""
    if output.suffix.lower() == ".obj":
        return write_as_obj(asset, output, paint, asset.files)
    if output.suffix.lower() not in (".glb", ".gltf"):
        raise UsageError(
            str(output),
            f"{asset.kind} files cannot hold a painted texture",
            "Give the output a name that ends in .glb, .gltf or .obj.",
        )
    (part,), (new,) = asset.parts, paint.parts
    vertices = _vertex_ids(part, new)
    primitive = build_primitive(part, np.arange(len(vertices)), vertices, new)
    count = len(paint.atlases)
    paint, relief = with_relief(paint)
    images = [
        BuildImage.of(atlas, paint.image_format if number < count else "png")
        for number, atlas in enumerate(paint.atlases)
    ]
    if relief:
        primitive = with_tangents(primitive)
    material = build_material(asset.materials[0], new, None, relief)
    data = build_glb([BuildMesh(part.name, [primitive])], [material], images, paint.record)
    return write_glb_bytes(data, output, asset.files)


def _read(path: Path) -> Polygons:
    """The file, checked: faces, indices in range, finite positions. Raises AssetError."""
    suffix = path.suffix.lower()
    data = read_file(path, path, MAX_OFF_BYTES if suffix == ".off" else MAX_BYTES)
    try:
        found = _READERS[suffix](data, path)
    except (ValueError, IndexError, OverflowError, struct.error) as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise AssetError(path, f"it is damaged or cut off ({reason})", REMEDY) from error
    count = int(np.maximum(np.diff(found.first) - 2, 0).sum())
    if not count:
        raise AssetError(path, "it has no faces", "Choose a model with a surface to paint.")
    if count > MAX_TRIANGLES:
        raise AssetError(
            path, f"it has {count} triangles, the limit is {MAX_TRIANGLES}", "Simplify the model."
        )
    if found.vertex.min() < 0 or found.vertex.max() >= len(found.positions):
        raise AssetError(path, f"a face has an index beyond the {len(found.positions)} vertices", REMEDY)
    if not (np.abs(found.positions[found.vertex]) <= MAX_COORDINATE).all():  # NaN compares as false
        raise AssetError(path, "a vertex is not three finite numbers", REMEDY)
    return found


def _material(
    path: Path, found: Polygons, finder: Finder, notes: list[str]
) -> tuple[Material, tuple[ObjImage, ...]]:
    """White, or with the texture that the file names or that is called like it."""
    plain = ObjMaterial(Material(path.stem, double_sided=True), None)
    picture = None
    if found.uvs is not None:
        if found.picture is not None:
            picture = finder.find(found.picture, "texture", PICTURE_SUFFIXES)
        elif picture := finder.picture_for(path.stem):
            notes.append(f"The model names no texture; {picture.name!r} was taken.")
            finder.files.append(picture)
    elif found.picture is not None:
        notes.append("The file names a texture but has no texture coordinates; it was left aside.")
    materials, images = number_images([plain if picture is None else with_picture(plain, picture, notes)])
    return materials[0].material, images


def _part(
    name: str, found: Polygons, triangles: Int64[np.ndarray, "T 3"], material: Material, notes: list[str]
) -> Part:
    vertex = found.vertex[triangles]  # (T, 3)
    corners = found.positions[vertex]
    normals = None
    if found.normals is not None:
        normals = corner_normals(found.normals, vertex.astype(np.int32), corners)
    uv = None
    if found.uvs is not None:
        usable = (np.abs(found.uvs) <= MAX_UV).all(axis=1)  # NaN compares as false
        if not usable.all():
            notes.append(f"Corners without usable UVs: {int((~usable).sum())}.")
        uv = np.where(usable[:, None], found.uvs, 0.0)[triangles]
        uv = np.stack([uv[..., 0], 1.0 - uv[..., 1]], axis=-1)
    colours = found.colours
    if colours is not None and material.image is not None:
        notes.append("The model has a texture; its vertex colours were left aside.")
        colours = None
    linear = None if colours is None else _linear(colours[triangles])
    return Part(name, 0, corners[None], normals, uv, linear)


def _linear(colours: Float64[np.ndarray, "T 3 4"]) -> Float64[np.ndarray, "T 3 4"] | None:
    """None where all are white."""
    rgba = np.concatenate([srgb_to_linear(colours[..., :3]), colours[..., 3:]], axis=-1)
    return None if (rgba == 1.0).all() else rgba


def _vertex_ids(part: Part, new: PaintedPart | None) -> Int64[np.ndarray, "T 3"]:
    """Equal numbers for corners that are alike in everything that is written."""
    columns = [number_rows(_bits(part.corners[0]))]
    uv = part.uv if new is None or new.uv is None else new.uv
    if uv is not None:
        columns.append(number_uvs(uv).reshape(-1))
    if part.normals is not None:
        columns.append(number_rows(_bits(part.normals[0])))
    if part.colours is not None:
        columns.append(number_rows(_bits(part.colours)))
    return number_rows(np.stack(columns, axis=1)).reshape(-1, 3)


def _bits(values: Float64[np.ndarray, "T 3 C"]) -> Int64[np.ndarray, "K C"]:
    return np.ascontiguousarray(values.reshape(-1, values.shape[2])).view(np.int64)
