"""Finding the files that an OBJ or MTL file names: exporters leave absolute, misspelt and stale names behind.

Whatever the name says, only files in the model's folder and below are opened (see `io.safe_paths`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PureWindowsPath

from ...errors import AssetError
from ..safe_paths import resolve_uri

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tga", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".dds")
MAX_ENTRIES = 10_000  # looked at in a folder
MAX_FOLDERS = 100
_FOREIGN = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:|[/\\]")
_NOT_COLOUR = re.compile(
    r"(normal|nrm|nor|bump|height|disp|rough|metal|spec|gloss|ao|occlusion|emi|alpha|opacity|mask|preview|thumb)"
)


@dataclass
class Finder:
    """Looks for files in a model's folder.

    Attributes:
        folder: the model's.
        subject: the model, for messages.
        notes: a sentence for every file that was missing or is not the one that was named.
        root: a folder above it that may be read too; None: the model's own only.
        files: what was found so far; `missing`: what was named and is not there.
        lost: the notes on textures for which nothing was found.
    """

    folder: Path
    subject: Path
    root: Path | None = None
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    _found: dict[str, Path | None] = field(default_factory=dict)
    _listings: dict[Path, tuple[list[Path], list[Path]]] = field(default_factory=dict)

    def find(self, name: str, what: str, suffixes: tuple[str, ...], near: Path | None = None) -> Path | None:
        """A file for a name in the model: as it is, in another case, by base name, with another suffix.

        Args:
            name: as it stands in the file.
            what: `texture` or `material library`, for the notes.
            suffixes: those another file may have instead.
            near: folder of the file that has the name, where that is not the model's.
        """
        if name not in self._found:
            path = self._placed(name, near)
            if path is None:
                path = self._similar(name, suffixes)
                self.notes.append(self._note(name, what, path))
                if path is None and what == "texture":
                    self.lost.append(self.notes[-1])
                if (meant := self._meant(name)) is not None:
                    self.missing.append(meant)
            if path is not None and path not in self.files:
                self.files.append(path)
            self._found[name] = path
        return self._found[name]

    def exists(self, name: str, near: Path | None = None) -> bool:
        """Whether there is a file of exactly that name; `near`: see `find`."""
        return self._placed(name, near) is not None

    def _placed(self, name: str, near: Path | None) -> Path | None:
        """The file of exactly that name, seen from the model or from the file that has the name."""
        path = self._exact(name)
        if path is None and near is not None and near != self.folder and near.is_relative_to(self.folder):
            path = self._exact(f"{near.relative_to(self.folder).as_posix()}/{name}")
        return path

    def beside(self, stem: str, suffixes: tuple[str, ...]) -> Path | None:
        """The one file called `stem` (in any case) beside the model, or None."""
        return self._only(self.folder, lambda path: path.stem.lower() == stem.lower(), suffixes)

    def picture_for(self, stem: str) -> Path | None:
        """The one picture named after a model that names none: `stem`, else `stem_diffuse` and the like."""
        stem = stem.lower()

        def belongs(path: Path) -> bool:
            rest = path.stem.lower()
            return rest.startswith(stem) and not _NOT_COLOUR.search(rest[len(stem) :])

        return self.beside(stem, PICTURE_SUFFIXES) or self._only(self.folder, belongs, PICTURE_SUFFIXES)

    def _exact(self, name: str) -> Path | None:
        path = self._meant(name)
        try:
            return path if path is not None and path.is_file() else None
        except (OSError, ValueError):
            return None

    def _meant(self, name: str) -> Path | None:
        """Where a file of exactly that name would be."""
        try:
            return resolve_uri(name, self.folder, self.subject, self.root)
        except (AssetError, OSError, ValueError):
            return None

    def _similar(self, name: str, suffixes: tuple[str, ...]) -> Path | None:
        named = PureWindowsPath(name)  # knows both kinds of slashes
        own = (*suffixes, named.suffix.lower())
        for fits in (lambda path: _same(path.name, named.name), lambda path: _same(path.stem, named.stem)):
            for place in dict.fromkeys([self._named_folder(name), self.folder, *self._folders(self.folder)]):
                if (path := self._only(place, fits, own)) is not None:
                    return path
        return None

    def _named_folder(self, name: str) -> Path:
        """The folder that a relative name leads to when case does not count; the model's if there is none."""
        folder = self.folder
        if is_foreign(name):
            return folder
        for part in PureWindowsPath(name).parts[:-1]:
            found = next((item for item in self._folders(folder) if _same(item.name, part)), None)
            if found is None:
                return self.folder
            folder = found
        return folder

    def _only(self, folder: Path, fits: Callable[[Path], bool], suffixes: tuple[str, ...]) -> Path | None:
        """The file that fits, if exactly one does. Links that lead out of the model's folder do not count."""
        paths = [path for path in self._entries(folder)[0] if path.suffix.lower() in suffixes and fits(path)]
        return self._exact(paths[0].relative_to(self.folder).as_posix()) if len(paths) == 1 else None

    def _folders(self, folder: Path) -> list[Path]:
        return self._entries(folder)[1][:MAX_FOLDERS]

    def _entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Files and folders in a folder, in the order of their names."""
        if folder not in self._listings:
            try:
                with os.scandir(folder) as found:
                    entries = sorted(islice(found, MAX_ENTRIES), key=lambda entry: entry.name)
                    files = [Path(entry.path) for entry in entries if entry.is_file()]
                    folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
            except OSError:
                files, folders = [], []
            self._listings[folder] = files, folders
        return self._listings[folder]

    def _note(self, name: str, what: str, path: Path | None) -> str:
        shown = name if len(name) <= 60 else f"...{name[-57:]}"
        why = "leads out of the model's folder" if is_foreign(name) else "is not there"
        if path is None:
            hint = " (--root FOLDER allows a folder above)" if is_foreign(name) and self.root is None else ""
            return f"The {what} {shown!r} {why}{hint}, and nothing beside the model is called like it."
        return f"The {what} {shown!r} {why}; {path.relative_to(self.folder).as_posix()!r} was taken."


def is_foreign(name: str) -> bool:
    """Whether a name is absolute, remote, or leads upwards."""
    return bool(_FOREIGN.match(name)) or ".." in re.split(r"[/\\]", name)


def _same(a: str, b: str) -> bool:
    return a.casefold() == b.casefold()
