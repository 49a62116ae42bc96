"""Where the files of a written OBJ go: names that nothing else has, copies of what the libraries refer to."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from .contract import Paint
from .obj_files import PICTURE_SUFFIXES, Finder, is_foreign
from .obj_materials import read_image_file
from .obj_model import ObjModel
from .obj_mtl import MAX_MTL_BYTES, RECORD_MARK
from .paths import file_stem
from .pictures import Encoded
from .replacing import holds, left_behind, names_file, numbered

_HEAD = 1 << 20  # bytes of an OBJ file in which `mtllib` is looked for


@dataclass(frozen=True)
class Places:
    """Names beside the output: the material library's and, atlas by atlas, the pictures'.

    `earlier`: the library of the result that lies at the output now, or None; `stale`: that and its pictures, as far as
    the new result has other names.
    """

    library: Path
    atlases: tuple[Path, ...]
    earlier: Path | None = None
    stale: tuple[Path, ...] = ()

    def with_library(self, content: bytes, taken: Collection[Path]) -> Places:
        """With a library of this content: one that a model still names is not changed, but another is written."""
        library = self.library
        if self.earlier is not None and library.exists() and not holds(library, content):
            library = next(path for path in numbered(library) if not path.exists() and path not in taken)
        left = () if self.earlier in (None, library) else (self.earlier,)
        return replace(self, library=library, stale=(*self.stale, *filter(None, left)))


def choose_places(model: ObjModel, output: Path, paint: Paint, encoded: Sequence[Encoded]) -> Places:
    """`OUTPUT.mtl`, `OUTPUT.png`, or `OUTPUT_ATLAS.png` for several.

    Where a name is taken by anything else than these very bytes, a number is added: what an earlier run wrote for the
    same output stays until the new model is there (see `replacing`).
    """
    protected = {path.resolve() for path in model.files}
    named = paint.stem(output)
    library, ours = _choose_library(output.with_name(f"{named}.mtl"), protected)
    earlier = _earlier_library(output, output.with_name(f"{named}.mtl"), protected)
    if earlier is not None:
        ours = _content(earlier)
    chosen: list[Path] = []
    wanted = []
    for atlas, item in zip(paint.atlases, encoded, strict=True):
        stem = named if len(paint.atlases) == 1 else f"{named}_{file_stem(atlas.name)}"
        wanted.append(output.with_name(f"{stem}{item.suffix}"))
        for path in numbered(wanted[-1]):
            is_old = earlier is None and os.fsencode(path.name) in ours  # and no model names it any more
            is_free = (
                not path.exists() or is_old or (os.fsencode(path.name) in ours and holds(path, item.data))
            )
            if is_free and path not in chosen and path.resolve() not in protected:
                chosen.append(path)
                break
    stale = () if earlier is None else [left_behind(path, ours, chosen, protected) for path in wanted]
    return Places(
        library, tuple(chosen), earlier, tuple(dict.fromkeys(path for some in stale for path in some))
    )


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
        self._finder = Finder(self.model.path.parent, self.model.path)

    def reference(self, name: str, near: Path) -> str:
        """What to write instead of `name` so that it leads to the same file from the output's folder.

        Names of files that are not there stay as they are. Existing files of other content are not
        overwritten: the copy gets another name.
        """
        path = self._finder.find(name, "texture", PICTURE_SUFFIXES, near)
        if path is None:
            return name
        relative = path.relative_to(self.model.path.parent)
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


def _earlier_library(output: Path, wanted: Path, protected: set[Path]) -> Path | None:
    """The library that the model at the output names now, if an earlier run wrote both."""
    try:
        with output.open("rb") as stream:
            statements = [line for line in stream.read(_HEAD).split(b"\n") if line.startswith(b"mtllib ")]
    except OSError:
        return None
    for path in islice(numbered(wanted), 64):
        if path.resolve() not in protected and any(names_file(line, path.name) for line in statements):
            return path if RECORD_MARK + b"{" in _content(path) else None
    return None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= MAX_MTL_BYTES else b""
    except OSError:
        return b""
