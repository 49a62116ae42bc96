"""Where the pictures of tiled materials go (see `obj_udim`): all of a material's under one name with a mark in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from .contract import Paint
from .obj_earlier import Earlier
from .obj_udim import MARK
from .paths import file_stem
from .pictures import Encoded, encode
from .replacing import NUMBERS, names_file, numbered


@dataclass
class TilePlaces:
    """The pictures of tiles.

    Attributes:
        output: the OBJ file to be.
        patterns: their names by material, with the mark for the tile's number.
        files: their paths and bytes.
        stale: those of the earlier result that no model will name any more.
    """

    output: Path
    patterns: dict[str, str] = field(default_factory=dict)
    files: dict[Path, bytes] = field(default_factory=dict)
    stale: list[Path] = field(default_factory=list)

    def _add(
        self,
        material: str,
        wanted: Path,
        tiles: Mapping[int, bytes],
        earlier: Earlier,
        taken: Collection[Path],
    ) -> None:
        """Under the wanted name, or it with a number: one under which every tile can be written."""
        for path in numbered(wanted):
            pattern = _pattern(path)
            found = {self._tile(pattern, number): data for number, data in tiles.items()}
            if any(path in taken or path in self.files for path in found):
                continue
            if all(earlier.frees(path, data, pattern) for path, data in found.items()):
                self.patterns[material] = pattern
                self.files |= found
                return

    def _leave(self, wanted: Path, tiles: Collection[int], earlier: Earlier, taken: Collection[Path]) -> None:
        """Note what the earlier result had under this name, or it with a number."""
        for pattern in map(_pattern, islice(numbered(wanted), NUMBERS)):
            if earlier.library is None or not names_file(earlier.text, pattern):
                continue
            for path in (self._tile(pattern, number) for number in tiles):
                is_kept = path in taken or path in self.files or path in self.stale
                if not is_kept and path.is_file() and path.resolve() not in earlier.protected:
                    self.stale.append(path)

    def _tile(self, pattern: str, number: int) -> Path:
        return self.output.with_name(pattern.replace(MARK, str(number)))


def place_tiles(
    tiled: Mapping[str, Mapping[int, int]],
    output: Path,
    paint: Paint,
    encoded: Sequence[Encoded],
    earlier: Earlier,
    taken: Collection[Path],
) -> TilePlaces:
    """Names for them, as `choose_places` has them for other pictures.

    Args:
        tiled: for each material the atlas of each tile.
        taken: paths of other pictures.
    """
    result = TilePlaces(output)
    wanted = {}
    for material, tiles in tiled.items():
        suffixes = {encoded[atlas].suffix for atlas in tiles.values()}
        suffix = suffixes.pop() if len(suffixes) == 1 else ".png"  # all tiles of a material are of one format
        wanted[material] = output.with_name(f"{paint.stem(output)}_{file_stem(material)}{suffix}")
        data = {number: _bytes(paint, encoded, atlas, suffix) for number, atlas in tiles.items()}
        result._add(material, wanted[material], data, earlier, taken)
    for material, tiles in tiled.items():
        result._leave(wanted[material], tiles, earlier, taken)
    return result


def _pattern(path: Path) -> str:
    return f"{path.stem}.{MARK}{path.suffix}"


def _bytes(paint: Paint, encoded: Sequence[Encoded], atlas: int, suffix: str) -> bytes:
    if encoded[atlas].suffix == suffix:
        return encoded[atlas].data
    return encode(paint.atlases[atlas].pixels, "png").data
