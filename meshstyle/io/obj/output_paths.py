"""Where the files of a written OBJ go: names that nothing else has, copies of what the libraries refer to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..images import Encoded
from ..replace_files import numbered
from ..safe_paths import file_stem
from ..types import Paint
from .earlier import EarlierOutput, free_library
from .files import PICTURE_SUFFIXES, Finder, is_foreign
from .materials import read_image_file
from .model import ObjModel


@dataclass(frozen=True)
class OutputPaths:
    """Names beside the output: the material library's and, by their atlases, those of pictures.

    `earlier`: what an earlier run left there; `stale`: its library and pictures, as far as the new result has other
    names.
    """

    library: Path
    atlases: Mapping[int, Path]
    earlier: EarlierOutput
    stale: tuple[Path, ...] = ()

    def with_library(self, content: bytes, taken: Collection[Path]) -> OutputPaths:
        """Return the paths with a library of this content: one that a model still names is not changed, but another
        is written."""
        library = self.earlier.place_library(self.library, content, taken)
        return replace(self, library=library, stale=(*self.stale, *self.earlier.left_library(library)))


def choose_output_paths(
    model: ObjModel, output: Path, paint: Paint, encoded: Sequence[Encoded], atlases: Collection[int]
) -> OutputPaths:
    """`OUTPUT.mtl`, `OUTPUT.png`, or `OUTPUT_ATLAS.png` for several; `atlases`: those that get a picture.

    Where a name is taken by anything else than these very bytes, a number is added: what an earlier run wrote for the
    same output stays until the new model is there (see `io.replace_files`).
    """
    protected = frozenset(path.resolve() for path in model.files)
    named = paint.stem(output)
    wanted = output.with_name(f"{named}.mtl")
    earlier = EarlierOutput.find(output, wanted, protected)
    chosen: dict[int, Path] = {}
    pictures = []
    for atlas in sorted(atlases):
        item = encoded[atlas]
        stem = named if len(paint.atlases) == 1 else f"{named}_{file_stem(paint.atlases[atlas].name)}"
        pictures.append(output.with_name(f"{stem}{item.suffix}"))
        for path in numbered(pictures[-1]):
            if path not in chosen.values() and earlier.frees(path, item.data):
                chosen[atlas] = path
                break
    stale = [path for picture in pictures for path in earlier.leaves(picture, chosen.values())]
    return OutputPaths(free_library(wanted, protected), chosen, earlier, tuple(dict.fromkeys(stale)))


@dataclass
class Companions:
    """Files that statements of the libraries refer to, and their way into the output's folder.

    Attributes:
        model: the model as read.
        output: the OBJ file to be.
        taken: places of the files that are written anyway.
        copies: what else has to be written.
    """

    model: ObjModel
    output: Path
    taken: Collection[Path]
    copies: dict[Path, bytes] = field(default_factory=dict)
    _finder: Finder = field(init=False)

    def __post_init__(self) -> None:
        self._finder = Finder(self.model.path.parent, self.model.path, self.model.root)

    def reference(self, name: str, near: Path) -> str:
        """What to write instead of `name` so that it leads to the same file from the output's folder.

        Names of files that are not there stay as they are. Existing files of other content are not
        overwritten: the copy gets another name.
        """
        path = self._finder.find(name, "texture", PICTURE_SUFFIXES, near)
        if path is None:
            return name
        here = self.model.path.parent
        relative = path.relative_to(here) if path.is_relative_to(here) else Path(path.name)
        if ".." in relative.parts:  # from a folder above, which the output may not have
            relative = Path(path.name)
        wanted = self.output.parent / relative
        if not wanted.resolve().is_relative_to(self.output.parent.resolve()):  # a link there leads elsewhere
            wanted = self.output.parent / path.name
        target = self._place(path, wanted)
        written = target.relative_to(self.output.parent).as_posix()
        return name if not is_foreign(name) and name.replace("\\", "/") == written else written

    def _place(self, path: Path, wanted: Path) -> Path:
        """Where the file can be found; notes a copy unless it is there already. Raises PictureError."""
        for target in numbered(wanted):
            if target in self.taken:
                continue
            if target.exists() and target.samefile(path):
                return target
            data = read_image_file(path)
            if self.copies.get(target, data) != data:
                continue
            if not target.exists():
                self.copies[target] = data
                return target
            if target.is_file() and target.read_bytes() == data:
                return target
        raise AssertionError("names do not run out")
