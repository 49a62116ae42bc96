"""Painted OBJ files: the text as it was, but for the library's name, new UVs and vertex colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from ..atomic_write import write_all
from ..images import encode
from ..types import Paint
from .asset import ObjAsset
from .model import ObjModel
from .mtl import parse_map
from .output_paths import Companions, choose_output_paths
from .text import Edit, Text, apply_edits
from .tile_paths import choose_tile_paths
from .udim import has_tiles, named_tile, pictures_by_tile
from .write_mtl import NewColour, rewrite_library
from .write_uv import new_uvs, uv_edits

_FIRST_STATEMENT = re.compile(rb"^ *[^# \n]", re.MULTILINE)
_POSITION = re.compile(rb"v(?:(?:[ \t\v\f]|\\[ \t]*\r?\n)+[^\s\\]+){3}")


def write_obj(asset: ObjAsset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """Write OUTPUT, its material library, the pictures, and what else the library refers to.

    Returns the paths written, the model first. Raises OutputError; PictureError where a file that the library
    refers to cannot be copied.
    """
    model = asset.model
    encoded = [encode(atlas.pixels, paint.image_format) for atlas in paint.atlases]
    tiled = pictures_by_tile([item.tile for item in model.materials], _names(asset), paint)
    places = choose_output_paths(model, output, paint, encoded, _whole(asset, paint))
    pictures = {path: encoded[atlas].data for atlas, path in places.atlases.items()}
    named = _named_tiles(model, tiled)
    tiles = choose_tile_paths(tiled, output, paint, encoded, places.earlier, pictures, named)
    pictures |= tiles.files
    companions = Companions(model, output, (output, places.library, *pictures))
    library = rewrite_library(
        model.libraries,
        _new_colours(asset, paint, places.atlases, tiles.patterns),
        companions,
        paint.record,
        Text(b"", model.text.codec, b"", model.text.codec),
    )
    places = places.with_library(library, companions.copies)
    files = {output: _rewrite_model(asset, paint, places.library.name), places.library: library, **pictures}
    return write_all(files | companions.copies, model.files, (*places.stale, *tiles.stale))


def _named_tiles(model: ObjModel, tiled: Iterable[str]) -> dict[str, int]:
    """The tiles after which libraries name the pictures of tiled materials, where they know no mark."""
    found: dict[str, int] = {}
    for library in model.libraries:
        for material in library.materials:
            base = parse_map(material.value("map_kd") or "")
            number = None if base is None or has_tiles(material) else named_tile(base.file)
            if number is not None and material.name in tiled:
                found.setdefault(material.name, number)
    return found


def _whole(asset: ObjAsset, paint: Paint) -> set[int]:
    """Atlases that are written as one picture: all but those of tiles alone."""
    used = list(zip(paint.parts, asset.model.materials, strict=True))
    tiles = {part.atlas for part, item in used if part is not None and item.tile is not None}
    others = {part.atlas for part, item in used if part is not None and item.tile is None}
    return others if tiles else set(range(len(paint.atlases)))


def _names(asset: ObjAsset) -> list[str]:
    """Return the name of each part's material."""
    return [asset.materials[part.material].name for part in asset.parts]


def _new_colours(
    asset: ObjAsset, paint: Paint, pictures: Mapping[int, Path], patterns: Mapping[str, str]
) -> dict[str, NewColour]:
    """Return new colours by material name; every part has a material of its own, but for the tiles of one."""
    return {
        name: NewColour(
            picture=patterns.get(name) or pictures[painted.atlas].name,
            has_alpha=paint.atlases[painted.atlas].pixels.shape[2] == 4
            and _has_map_d(asset.model, part.material),
            unwrapped=painted.uv is not None,
        )
        for name, part, painted in zip(_names(asset), asset.parts, paint.parts, strict=True)
        if painted is not None
    }


def _has_map_d(model: ObjModel, material: int) -> bool:
    source = model.materials[material].source
    return source is not None and source.value("map_d") is not None


def _rewrite_model(asset: ObjAsset, paint: Paint, library: str) -> bytes:
    model = asset.model
    is_painted = np.array([painted is not None for painted in paint.parts])
    corner_uvs = new_uvs(asset, paint)
    edits = [
        *_library_edits(model, library),
        *_material_edits(model, is_painted),
        *_colour_edits(model, is_painted),
        *(uv_edits(model, corner_uvs) if corner_uvs is not None else []),
    ]
    return model.text.pack(apply_edits(model.text.body, edits))


def _library_edits(model: ObjModel, library: str) -> list[Edit]:
    """One `mtllib`, at the place of the first one, or before everything but comments."""
    text = model.text
    new = b"mtllib " + text.encode(library)
    found = [item for item in model.scan.statements if item.keyword == b"mtllib"]
    if not found:
        first = _FIRST_STATEMENT.search(model.plain)
        at = first.start() if first else 0
        return [(at, at, new + text.newline)]
    edits = [(found[0].start, found[0].end, new)]
    for item in found[1:]:
        old = text.body[item.start : item.end].replace(b"\\", b"/").replace(b"\r", b" ").replace(b"\n", b" ")
        edits.append((item.start, item.end, b"# now in " + text.encode(library) + b": " + old))
    return edits


def _material_edits(model: ObjModel, is_painted: Bool[np.ndarray, " P"]) -> list[Edit]:
    """A `usemtl` for faces that have none, if they are painted."""
    if model.unnamed is None or not is_painted[model.unnamed]:
        return []
    new = b"usemtl " + model.text.encode(model.materials[model.unnamed].material.name)
    named = [item for item in model.scan.statements if item.keyword == b"usemtl"]
    edits: list[Edit] = [(item.start, item.end, new) for item in named if not item.value]
    faces = model.scan.face_span[model.face_material == model.unnamed, 0]
    if not named or faces[0] < named[0].start:
        at = model.line_start(int(faces[0]))
        edits.append((at, at, new + model.text.newline))
    return edits


def _colour_edits(model: ObjModel, is_painted: Bool[np.ndarray, " P"]) -> list[Edit]:
    """Vertex colours would tint the paint a second time; they stay where an unpainted face needs them."""
    scan = model.scan
    if scan.colours is None:
        return []
    coloured = np.isfinite(scan.colours[:, 2])
    material = np.repeat(model.face_material, np.diff(scan.face_first))  # (C,)
    painted = np.concatenate([is_painted, [False]])[material]
    drop = np.zeros(len(coloured), bool)
    drop[scan.corners[painted, 0]] = True
    drop[scan.corners[~painted, 0]] = False
    edits: list[Edit] = []
    for at in scan.vertex_at[drop & coloured]:
        position = _POSITION.match(model.text.body, int(at))
        line_end = model.plain.find(b"\n", int(at))
        line_end = len(model.plain) if line_end < 0 else line_end
        if position is not None:
            line = model.plain[position.end() : line_end].split(b" #")[0].rstrip()
            edits.append((position.end(), position.end() + len(line), b""))
    return edits
