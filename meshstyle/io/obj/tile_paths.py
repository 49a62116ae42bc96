"""Where the pictures of tiled materials go (see `io.obj.udim`): all of a material's under one name with a mark in
it, or with a tile's number where the model's own library has that."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..images import Encoded, encode
from ..replace_files import NUMBERS, names_file, numbered
from ..safe_paths import file_stem
from ..types import Paint
from .earlier import EarlierOutput
from .udim import MARK


@dataclass
class TilePaths:
    """The pictures of tiles.

    Attributes:
        output: the OBJ file to be.
        named: the tile whose number a material's picture has in place of the mark.
        patterns: their names by material, as libraries have them.
        files: their paths and bytes.
        stale: those of the earlier result that no model will name any more.
    """

    output: Path
    named: Mapping[str, int]
    patterns: dict[str, str] = field(default_factory=dict)
    files: dict[Path, bytes] = field(default_factory=dict)
    stale: list[Path] = field(default_factory=list)

    def _add(
        self,
        material: str,
        wanted: Path,
        tiles: Mapping[int, bytes],
        earlier: EarlierOutput,
        taken: Collection[Path],
    ) -> None:
        """Under the wanted name, or it with a number: one under which every tile can be written."""
        for path in numbered(wanted):
            pattern = _pattern(path)
            found = {self._tile(pattern, number): data for number, data in tiles.items()}
            if any(path in taken or path in self.files for path in found):
                continue
            written = self._written(material, pattern)
            if all(earlier.frees(path, data, written) for path, data in found.items()):
                self.patterns[material] = written
                self.files |= found
                return

    def _leave(
        self,
        material: str,
        wanted: Path,
        tiles: Collection[int],
        earlier: EarlierOutput,
        taken: Collection[Path],
    ) -> None:
        """Note what the earlier result had under this name, or it with a number."""
        for pattern in map(_pattern, islice(numbered(wanted), NUMBERS)):
            written = self._written(material, pattern)
            if earlier.library is None or not names_file(earlier.text, written):
                continue
            for path in (self._tile(pattern, number) for number in tiles):
                is_kept = path in taken or path in self.files or path in self.stale
                if not is_kept and path.is_file() and path.resolve() not in earlier.protected:
                    self.stale.append(path)

    def _written(self, material: str, pattern: str) -> str:
        """A pattern as the library has it."""
        return pattern.replace(MARK, str(self.named[material])) if material in self.named else pattern

    def _tile(self, pattern: str, number: int) -> Path:
        return self.output.with_name(pattern.replace(MARK, str(number)))


def choose_tile_paths(
    tiled: Mapping[str, Mapping[int, int]],
    output: Path,
    paint: Paint,
    encoded: Sequence[Encoded],
    earlier: EarlierOutput,
    taken: Collection[Path],
    named: Mapping[str, int],
) -> TilePaths:
    """Names for them, as `choose_output_paths` has them for other pictures.

    Args:
        tiled: for each material the atlas of each tile.
        taken: paths of other pictures.
        named: for materials whose picture is named after a tile, that tile's number.
    """
    result = TilePaths(output, {name: _one_of(tiled[name], number) for name, number in named.items()})
    wanted = {}
    for material, tiles in tiled.items():
        suffixes = {encoded[atlas].suffix for atlas in tiles.values()}
        suffix = suffixes.pop() if len(suffixes) == 1 else ".png"  # all tiles of a material are of one format
        wanted[material] = output.with_name(f"{paint.stem(output)}_{file_stem(material)}{suffix}")
        data = {number: _bytes(paint, encoded, atlas, suffix) for number, atlas in tiles.items()}
        result._add(material, wanted[material], data, earlier, taken)
    for material, tiles in tiled.items():
        result._leave(material, wanted[material], tiles, earlier, taken)
    return result


def _one_of(tiles: Collection[int], wanted: int) -> int:
    """The wanted tile, or the first one where that is not painted."""
    return wanted if wanted in tiles else min(tiles)


def _pattern(path: Path) -> str:
    return f"{path.stem}.{MARK}{path.suffix}"


def _bytes(paint: Paint, encoded: Sequence[Encoded], atlas: int, suffix: str) -> bytes:
    if encoded[atlas].suffix == suffix:
        return encoded[atlas].data
    return encode(paint.atlases[atlas].pixels, "png").data
