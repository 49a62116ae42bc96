"""Where the files of a written OBJ go: names that nothing else has, copies of what the libraries refer to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .as_glb import numbered
from .contract import Paint
from .obj_files import PICTURE_SUFFIXES, Finder, is_foreign
from .obj_materials import read_image_file
from .obj_model import ObjModel
from .obj_mtl import MAX_MTL_BYTES, RECORD_MARK
from .paths import file_stem


@dataclass(frozen=True)
class Places:
    """Names beside the output: the material library's and, atlas by atlas, the pictures'.

    `ours`: the library of an earlier result.
    """

    library: Path
    atlases: tuple[Path, ...]
    ours: bytes = b""


def choose_places(model: ObjModel, output: Path, paint: Paint, suffixes: Sequence[str]) -> Places:
    """`OUTPUT.mtl`, `OUTPUT.png`, or `OUTPUT_ATLAS.png` for several; the pictures with these suffixes.

    Files that an earlier run wrote for the same output are replaced. Where a name is taken by anything else,
    as by the texture of another model, a number is added.
    """
    protected = {path.resolve() for path in model.files}
    named = paint.stem(output)
    library, ours = _choose_library(output.with_name(f"{named}.mtl"), protected)
    chosen: list[Path] = []
    for atlas, suffix in zip(paint.atlases, suffixes, strict=True):
        stem = named if len(paint.atlases) == 1 else f"{named}_{file_stem(atlas.name)}"
        for path in numbered(output.with_name(f"{stem}{suffix}")):
            is_free = not path.exists() or path.name.encode() in ours
            if is_free and path not in chosen and path.resolve() not in protected:
                chosen.append(path)
                break
    return Places(library, tuple(chosen), ours)


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


def _choose_library(wanted: Path, protected: set[Path]) -> tuple[Path, bytes]:
    """The library's path and, if an earlier run wrote one there, its content."""
    for path in numbered(wanted):
        if path.resolve() in protected:
            continue
        if not path.exists():
            return path, b""
        content = _content(path)
        if RECORD_MARK + b"{" in content:
            return path, content
    raise AssertionError("names do not run out")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= MAX_MTL_BYTES else b""
    except OSError:
        return b""
