"""An OBJ file with its libraries and pictures: what each face is made of, and triangles to paint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64

from ...errors import AssetError
from .files import Finder
from .materials import ObjImage, ObjMaterial, number_images, read_material, with_picture
from .mtl import MAX_MTL_BYTES, Library, MtlMaterial, parse_library
from .polygons import triangulate
from .scan import Scan, Statement, line_number, scan
from .text import REMEDY, Text, plain_lines, read_text
from .udim import Tiled, mark_numbers, split_tiles

MAX_TRIANGLES = 4_000_000
MAX_MATERIALS = 4096
MAX_LIBRARIES = 64
MAX_COORDINATE = 1e30  # squares of it still fit, and single precision holds it
_SEVERAL = re.compile(r"(?<=\.mtl)\s+", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class ObjModel:
    """What was read. F faces, T triangles.

    Attributes:
        path: the OBJ file.
        text, plain, scan: its lines and numbers.
        libraries: in the order in which they are named.
        named_libraries: whether an `mtllib` names them, rather than that they lie beside the model.
        materials: those that faces use, in the order of first use.
        images: what the materials look up; `material.image` counts in it.
        unnamed: the material of faces before any `usemtl`, or None.
        face_material: −1 for faces of fewer than three corners.
        triangles: corners (rows of `scan.corners`); `triangle_face`: the faces they are cut from.
        files: every file that was read; `missing`: those that are named and not there.
        warnings: see `io.types.Asset`.
        root: folder above the model whose files may be read too.
        lost: a sentence for every texture that is named and not there.
    """

    path: Path
    text: Text
    plain: bytes
    scan: Scan
    libraries: tuple[Library, ...]
    named_libraries: bool
    materials: tuple[ObjMaterial, ...]
    images: tuple[ObjImage, ...]
    unnamed: int | None
    face_material: Int32[np.ndarray, " F"]
    triangles: Int64[np.ndarray, "T 3"]
    triangle_face: Int64[np.ndarray, " T"]
    files: tuple[Path, ...]
    missing: tuple[Path, ...]
    warnings: tuple[str, ...]
    root: Path | None = None
    lost: tuple[str, ...] = ()

    def line_start(self, offset: int) -> int:
        """Where the line that holds this byte of the body begins."""
        return self.plain.rfind(b"\n", 0, offset) + 1


def read_model(path: Path, root: Path | None = None) -> ObjModel:
    """Read an OBJ file and what it names. Raises AssetError, and PictureError for damaged pictures."""
    text = read_text(path, path)
    plain = plain_lines(text.body)
    found = scan(plain, path)
    count = int(np.maximum(np.diff(found.face_first) - 2, 0).sum())
    if not count:
        raise AssetError(path, "it has no faces", "Choose a model with a surface to paint.")
    if count > MAX_TRIANGLES:
        raise AssetError(
            path, f"it has {count} triangles, the limit is {MAX_TRIANGLES}", "Simplify the model."
        )
    _check_positions(path, plain, found)
    triangles, face, cut_short = triangulate(
        found.positions, found.corners[:, 0].astype(np.int64), found.face_first
    )
    warnings = _geometry_warnings(found, cut_short)
    finder = Finder(path.parent, path, root)
    libraries, named = _read_libraries(text, found, finder)
    names, face_material, unnamed = _used_materials(text, found, libraries, path)
    sources = mark_numbers(_sources(names, unnamed, libraries, warnings), face_material, found, finder.exists)
    tiled = split_tiles(names, sources, face_material, found)
    pictured = bool(len(found.uvs)) and not libraries
    materials, images = _read_materials(tiled, pictured, finder, warnings)
    return ObjModel(
        path=path,
        text=text,
        plain=plain,
        scan=found,
        libraries=libraries,
        named_libraries=named,
        materials=materials,
        images=images,
        unnamed=unnamed,
        face_material=tiled.face_material,
        triangles=triangles,
        triangle_face=face,
        files=(path, *finder.files),
        missing=tuple(finder.missing),
        warnings=tuple(dict.fromkeys([*finder.notes, *warnings])),
        root=root,
        lost=tuple(finder.lost),
    )


def governing(statements: Sequence[Statement], face_at: Int64[np.ndarray, " F"]) -> Int64[np.ndarray, " F"]:
    """Find for each face the last statement before it, −1 where there is none."""
    starts = np.array([item.start for item in statements], np.int64)
    return np.searchsorted(starts, face_at) - 1


def _check_positions(path: Path, plain: bytes, found: Scan) -> None:
    used = found.positions[found.corners[:, 0]]
    wrong = ~(np.abs(used) <= MAX_COORDINATE).all(axis=1)  # NaN compares as false
    if wrong.any():
        vertex = int(found.corners[np.argmax(wrong), 0])
        line = line_number(plain, int(found.vertex_at[vertex]))
        raise AssetError(path, f"the vertex in line {line} is not three finite numbers", REMEDY)


def _geometry_warnings(found: Scan, cut_short: bool) -> list[str]:
    warnings = [
        f"Faces name {what}, of which the file has none; they were left aside." for what in found.ghosts
    ]
    if small := int((np.diff(found.face_first) < 3).sum()):
        warnings.append(f"Faces of fewer than three corners cannot be painted: {small}.")
    if cut_short:
        warnings.append("There are too many large concave polygons; some were cut into fans.")
    return warnings


def _read_libraries(text: Text, found: Scan, finder: Finder) -> tuple[tuple[Library, ...], bool]:
    """Those that `mtllib` names, else the one that is called like the model."""
    values = [text.decode(item.value) for item in found.statements if item.keyword == b"mtllib"]
    distinct = list(dict.fromkeys(values))[:MAX_LIBRARIES]
    named = list(dict.fromkeys(name for value in distinct for name in _library_names(value, finder)))
    paths = [finder.find(name, "material library", (".mtl",)) for name in named[:MAX_LIBRARIES]]
    known = list(dict.fromkeys(path for path in paths if path))
    if not known and (path := finder.beside(finder.subject.stem, (".mtl",))):
        finder.notes.append(f"No material library is named or found; {path.name!r} was taken.")
        finder.files.append(path)
        known = [path]
    libraries, room = [], MAX_MTL_BYTES
    for path in known:
        library = read_text(path, path, max(room, 0))
        room -= len(library.body)
        libraries.append(parse_library(path, library))
    return tuple(libraries), bool(values)


def _library_names(value: str, finder: Finder) -> list[str]:
    """One name with blanks if there is such a file, else several names."""
    value = value.strip().strip('"')
    if not value or finder.exists(value):
        return [value] if value else []
    return [name.strip('"') for name in _SEVERAL.split(value)]


def _used_materials(
    text: Text, found: Scan, libraries: tuple[Library, ...], path: Path
) -> tuple[list[str], Int32[np.ndarray, " F"], int | None]:
    """Names of the materials in use, each face's index into them, and the index of the unnamed one."""
    statements = [item for item in found.statements if item.keyword == b"usemtl"]
    ids: dict[str, int] = {"": 0}
    of_statement = [0] + [ids.setdefault(text.decode(item.value), len(ids)) for item in statements]
    face_id = np.array(of_statement, np.int64)[governing(statements, found.face_span[:, 0]) + 1]
    solid = np.diff(found.face_first) >= 3
    used, first = np.unique(face_id[solid], return_index=True)
    used = used[np.argsort(first)]
    if len(used) > MAX_MATERIALS:
        raise AssetError(path, f"it uses {len(used)} materials, the limit is {MAX_MATERIALS}", "Merge some.")
    place = np.full(len(ids), -1, np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    names = list(ids)
    in_use = [names[index] for index in used]
    unnamed = in_use.index("") if "" in in_use else None
    if unnamed is not None:
        in_use[unnamed] = _name_for_unnamed(in_use, libraries)
    return in_use, np.where(solid, place[face_id], np.int32(-1)), unnamed


def _name_for_unnamed(in_use: list[str], libraries: tuple[Library, ...]) -> str:
    """That of the libraries' only material if nothing else is used, else a new one."""
    defined = {material.name for library in libraries for material in library.materials}
    if len(in_use) == 1 and len(defined) == 1:
        return defined.pop()
    taken = defined | set(in_use)
    return next(name for number in range(len(taken) + 1) if (name := f"default{number or ''}") not in taken)


def _sources(
    names: list[str], unnamed: int | None, libraries: tuple[Library, ...], warnings: list[str]
) -> list[MtlMaterial | None]:
    """Return each material's statements; None where no library has it."""
    sources: dict[str, MtlMaterial] = {}
    for library in libraries:
        for source in library.materials:
            sources.setdefault(source.name, source)  # the first one counts
    missing = [name for index, name in enumerate(names) if name not in sources and index != unnamed]
    if missing:
        shown = ", ".join(repr(name) for name in missing[:3]) + (", ..." if len(missing) > 3 else "")
        warnings.append(f"No library has the material {shown}; white was taken.")
    return [sources.get(name) for name in names]


def _read_materials(
    tiled: Tiled, pictured: bool, finder: Finder, warnings: list[str]
) -> tuple[tuple[ObjMaterial, ...], tuple[ObjImage, ...]]:
    """`pictured`: whether a picture that nothing names may be the model's."""
    found = [
        replace(read_material(name, source, finder, warnings), tile=tile)
        for name, source, tile in zip(tiled.names, tiled.sources, tiled.tiles, strict=True)
    ]
    if pictured and len(found) == 1 and (picture := finder.picture_for(finder.subject.stem)):
        finder.notes.append(f"The model names no texture; {picture.name!r} was taken.")
        finder.files.append(picture)
        found = [with_picture(found[0], picture, warnings)]
    return number_images(found)
