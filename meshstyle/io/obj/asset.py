"""Wavefront OBJ models: reading. Writing is in `io.obj.write` (OBJ) and `io.convert.obj_to_glb` (GLB, glTF)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int32, Int64, UInt8

from ..decoded_images import DecodedImages
from ..types import Material, Part
from .materials import ObjMaterial, srgb_to_linear
from .model import ObjModel, governing, read_model
from .udim import tile_number

MAX_UV = 1e6  # beyond, single precision has lost the texel


class ObjAsset:
    """An OBJ file with its material libraries; satisfies `io.types.Asset`.

    There is one part for each material in use, whatever objects and groups its faces lie in.

    Attributes:
        model: the file, understood.
        part_triangles: for each part, the rows of `model.triangles` it consists of.
    """

    kind = "OBJ"

    def __init__(self, path: Path, root: Path | None = None) -> None:
        """Read a file; `root`: see `load_asset`.

        Raises AssetError, and PictureError for damaged textures with transparency.
        """
        self.path = path
        self._decoded = DecodedImages()
        self.model = read_model(path, root)
        self.materials: tuple[Material, ...] = tuple(item.material for item in self.model.materials)
        notes: list[str] = []
        material = self.model.face_material[self.model.triangle_face]
        self.part_triangles = tuple(np.flatnonzero(material == index) for index in range(len(self.materials)))
        names, group = _groups(self.model)
        self.parts: tuple[Part, ...] = tuple(
            replace(_part(self.model, index, rows, notes), groups=(names, group[rows]))
            for index, rows in enumerate(self.part_triangles)
        )
        self.warnings = tuple(dict.fromkeys([*self.model.warnings, *notes]))
        records = [library.record for library in self.model.libraries if library.record]
        self.record: Mapping[str, Any] | None = records[-1] if records else None

    @property
    def lost_textures(self) -> tuple[str, ...]:
        """A sentence for every texture that is named and not there."""
        return self.model.lost

    @property
    def sources(self) -> tuple[Path, ...]:
        """See `io.types.FromFiles`."""
        return (*self.model.files, *self.model.missing)

    def image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        """Decode an image. Raises PictureError."""
        return self._decoded.get(index, self.model.images[index].decode)

    def image_name(self, index: int) -> str:
        """The file's name without its suffix."""
        return self.model.images[index].main.stem

    def image_size(self, index: int) -> tuple[int, int]:
        """Height and width without decoding. Raises PictureError."""
        return self.model.images[index].size()


def _groups(model: ObjModel) -> tuple[tuple[tuple[str, ...], ...], Int64[np.ndarray, " T"]]:
    """Names of object and groups, all that occur together, and per triangle which of those it has."""
    face_at = model.scan.face_span[:, 0]
    objects, groups = (
        [item for item in model.scan.statements if item.keyword == word] for word in (b"o", b"g")
    )
    key = (governing(objects, face_at) + 1) * (len(groups) + 1) + governing(groups, face_at) + 1
    found, of_face = np.unique(key, return_inverse=True)
    names = []
    for one in found.tolist():
        item, group = divmod(one, len(groups) + 1)
        lines = [*(objects[item - 1 : item] if item else ()), *(groups[group - 1 : group] if group else ())]
        texts = [model.text.decode(line.value) for line in lines]
        names.append(tuple(dict.fromkeys(word for text in texts for word in (text, *text.split()))))
    return tuple(names), of_face.reshape(-1)[model.triangle_face].astype(np.int64)


def _part(model: ObjModel, index: int, rows: Int64[np.ndarray, " F"], notes: list[str]) -> Part:
    corners = model.scan.corners[model.triangles[rows]]  # (F, 3, 3): position, texture vertex, normal
    material = model.materials[index]
    positions = model.scan.positions[corners[..., 0]]  # (F, 3, 3)
    return Part(
        name=material.material.name
        + ("" if material.tile is None else f", tile {tile_number(material.tile)}"),
        material=index,
        corners=positions[None],
        normals=corner_normals(model.scan.normals, corners[..., 2], positions),
        uv=_uv(model.scan.uvs, corners[..., 1], material, notes),
        colours=_colours(model.scan.colours, corners[..., 0], material, notes),
    )


def _uv(
    uvs: Float64[np.ndarray, "T 2"], index: Int32[np.ndarray, "F 3"], material: ObjMaterial, notes: list[str]
) -> Float64[np.ndarray, "F 3 2"] | None:
    """Return UVs with the texture's -s and -o applied, v turned over. Corners without usable UVs are at 0."""
    if (index < 0).all():
        return None
    uv = np.where((index >= 0)[..., None], uvs[index], np.nan)
    if material.map:
        uv = uv * material.map.scale + material.map.offset
    if material.tile is not None:
        uv = uv - material.tile
    usable = np.all(np.abs(uv) <= MAX_UV, axis=2)  # NaN compares as false
    if not usable.all():
        count = int((~usable).sum())
        notes.append(f"Corners of material {material.material.name!r} without usable UVs: {count}.")
    uv = np.where(usable[..., None], uv, 0.0)
    return np.stack([uv[..., 0], 1.0 - uv[..., 1]], axis=-1)


def corner_normals(
    normals: Float64[np.ndarray, "N 3"],
    index: Int32[np.ndarray, "F 3"],
    positions: Float64[np.ndarray, "F 3 3"],
) -> Float64[np.ndarray, "1 F 3 3"] | None:
    """The file's; the face's own where a corner has none that can be used."""
    if (index < 0).all():
        return None
    own, has_own = _unit(np.where((index >= 0)[..., None], normals[index], np.nan))
    edges = positions[:, 1:] - positions[:, :1]  # (F, 2, 3)
    face, has_face = _unit(np.cross(edges[:, 0], edges[:, 1]))
    face[~has_face] = (0.0, 0.0, 1.0)
    return np.where(has_own[..., None], own, face[:, None])[None]


def _unit(vectors: Float64[np.ndarray, "*n 3"]) -> tuple[Float64[np.ndarray, "*n 3"], np.ndarray]:
    """Unit vectors, and which of them could be made so."""
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    good: np.ndarray = (largest > 0) & (largest < np.inf)  # NaN compares as false
    scaled = np.where(good, vectors, 1.0) / np.where(
        good, largest, 1.0
    )  # squares neither vanish nor overflow
    return scaled / np.linalg.norm(scaled, axis=-1, keepdims=True), good[..., 0]


def _colours(
    table: Float64[np.ndarray, "V 4"] | None,
    index: Int32[np.ndarray, "F 3"],
    material: ObjMaterial,
    notes: list[str],
) -> Float64[np.ndarray, "F 3 4"] | None:
    """sRGB in the file, linear here; white where a vertex has none, None where all are white.

    Beside a texture they do not count: scanners write the same colours twice, and no rule multiplies them.
    """
    if table is None:
        return None
    rgba = table[index]  # (F, 3, 4)
    has = np.isfinite(rgba[..., :3]).all(axis=-1)
    if not has.any():
        return None
    if material.image is not None:
        notes.append(
            f"Material {material.material.name!r} has a texture; its vertex colours were left aside."
        )
        return None
    rgb = table[:, :3]
    if (
        rgb[np.isfinite(rgb)].max() > 1.0
    ):  # of the whole file: a dark material has small numbers in either range
        notes.append("Vertex colours go beyond 1 and were taken as 0 to 255.")
        rgba /= 255.0
    rgba[~has] = 1.0
    rgba[..., 3] = np.where(np.isfinite(rgba[..., 3]), rgba[..., 3], 1.0)
    rgba = np.clip(rgba, 0.0, 1.0)
    rgba[..., :3] = srgb_to_linear(rgba[..., :3])
    return None if (rgba == 1.0).all() else rgba
