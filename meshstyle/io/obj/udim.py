"""UDIM: one material whose picture is many, a tile for each unit square of the UVs (`skin.<UDIM>.png`, 1001 and on).

Each tile that faces lie in becomes a material of its own for painting; in the file they stay one. Exporters that know
no mark write the number of the first tile (`skin.1001.png`): that means tiles where faces lie in others that are there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int32, Int64

from ..types import Paint
from .mtl import MtlMaterial, parse_map
from .scan import Scan

MARK = "<UDIM>"
COLUMNS = ROWS = 10  # tiles 1001 to 1100
_MARK = re.compile(re.escape(MARK), re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<![0-9])(10[0-9][1-9]|10[1-9]0|1100)(?![0-9])(?=[^/\\0-9]*$)"
)  # last in a file's own name


def tile_number(tile: tuple[int, int]) -> int:
    """1001 for column 0, row 0; rows go up as v does in OBJ."""
    return 1001 + tile[0] + 10 * tile[1]


def has_tiles(source: MtlMaterial | None) -> bool:
    """Whether a material's picture is tiled."""
    return source is not None and bool(_MARK.search(source.value("map_kd") or ""))


def named_tile(name: str) -> int | None:
    """The number of the tile that a file is called after, 1001 to 1100; None: no such number ends its name."""
    found = _NUMBER.search(name)
    return int(found[1]) if found else None


def mark_numbers(
    sources: Sequence[MtlMaterial | None],
    face_material: Int32[np.ndarray, " F"],
    found: Scan,
    exists: Callable[[str, Path], bool],
) -> list[MtlMaterial | None]:
    """The materials, with the mark in the names of those whose numbers stand for it.

    `exists`: whether a file that a library in some folder names is there.
    """
    result = []
    for number, source in enumerate(sources):
        base = None if source is None else parse_map(source.value("map_kd") or "")
        named = None if base is None else named_tile(base.file)
        if source is None or base is None or named is None:
            result.append(source)
            continue
        tiles = np.unique(tiles_of_faces(found, np.flatnonzero(face_material == number), source), axis=0)
        others = {tile_number((int(u), int(v))) for u, v in tiles} - {named}
        files = (_NUMBER.sub(str(other), base.file) for other in sorted(others))
        result.append(
            _marked(source, named) if any(exists(file, source.folder) for file in files) else source
        )
    return result


def _marked(source: MtlMaterial, number: int) -> MtlMaterial:
    """With the mark in every name that ends in the number."""
    lines = (
        replace(line, value=_NUMBER.sub(MARK, line.value)) if named_tile(line.value) == number else line
        for line in source.lines
    )
    return replace(source, lines=(source.lines[0], *islice(lines, 1, None)))


def of_tile(source: MtlMaterial, tile: tuple[int, int]) -> MtlMaterial:
    """The material with the names of one tile's pictures."""
    number = str(tile_number(tile))
    return replace(
        source, lines=tuple(replace(line, value=_MARK.sub(number, line.value)) for line in source.lines)
    )


def tiles_of_faces(
    found: Scan, faces: Int64[np.ndarray, " N"], source: MtlMaterial
) -> Int64[np.ndarray, "N 2"]:
    """Column and row of the tile each face lies in: that of its middle; 0, 0 where there is none."""
    base = parse_map(source.value("map_kd") or "")
    first, last = found.face_first[faces], found.face_first[faces + 1]
    owner = np.repeat(np.arange(len(faces)), last - first)
    corner = np.arange(len(owner)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    index = found.corners[np.repeat(first, last - first) + corner, 1]
    uv: Float64[np.ndarray, "C 2"] = np.where(
        (index >= 0)[:, None], found.uvs[index] if len(found.uvs) else 0.5, 0.5
    )
    if base:
        uv = uv * base.scale + base.offset
    count = np.maximum(np.bincount(owner, minlength=len(faces)), 1)
    middle = np.stack([np.bincount(owner, uv[:, k], minlength=len(faces)) / count for k in (0, 1)], axis=1)
    with np.errstate(invalid="ignore"):
        tile = np.nan_to_num(np.floor(middle), nan=-1.0, posinf=-1.0, neginf=-1.0)
    good = np.all((tile >= 0) & (tile < np.array([COLUMNS, ROWS])), axis=1)
    return np.where(good[:, None], tile, 0).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Tiled:
    """Materials, with those of tiles in place of those that are tiled.

    Attributes:
        names: of each material; tiles have that of their material.
        sources: its statements.
        tiles: its tile; None: it has none.
        face_material: of each face; -1: none.
    """

    names: list[str]
    sources: list[MtlMaterial | None]
    tiles: list[tuple[int, int] | None]
    face_material: Int32[np.ndarray, " F"]


def split_tiles(
    names: list[str],
    sources: list[MtlMaterial | None],
    face_material: Int32[np.ndarray, " F"],
    found: Scan,
) -> Tiled:
    """Tell the tiles of tiled materials apart. The first tile takes its material's place, others come last."""
    result = Tiled(list(names), list(sources), [None] * len(names), face_material.copy())
    for number, source in enumerate(sources):
        if source is None or not has_tiles(source):
            continue
        faces = np.flatnonzero(face_material == number)
        tiles = tiles_of_faces(found, faces, source)
        for rank, tile in enumerate(np.unique(tiles, axis=0)):
            place = (int(tile[0]), int(tile[1]))
            if rank == 0:
                result.sources[number], result.tiles[number] = of_tile(source, place), place
                continue
            result.face_material[faces[(tiles == tile).all(axis=1)]] = len(result.names)
            result.names.append(names[number])
            result.sources.append(of_tile(source, place))
            result.tiles.append(place)
    return result


def pictures_by_tile(
    tiles: list[tuple[int, int] | None], names: list[str], paint: Paint
) -> dict[str, dict[int, int]]:
    """Return, for each tiled material that is painted, by its name, the atlas of each tile's number."""
    found: dict[str, dict[int, int]] = {}
    for tile, name, part in zip(tiles, names, paint.parts, strict=True):
        if tile is not None and part is not None:
            found.setdefault(name, {})[tile_number(tile)] = part.atlas
    return found
