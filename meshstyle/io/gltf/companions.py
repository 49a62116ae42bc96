"""Files beside a .gltf: which names are free, and how the input's own files stay within reach."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import AssetError
from ..read_file import read_file
from ..replace_files import holds
from ..safe_paths import encode_uri, is_data_uri, resolve_uri
from .container import parse_json
from .document import GltfDocument
from .fields import Fields


class Companions:
    """The files that will be written beside one output.

    Attributes:
        files: what to write where; the caller adds the model itself.
    """

    def __init__(self, output: Path, document: GltfDocument) -> None:
        self.files: dict[Path, bytes] = {}
        self._output, self._document = output, document
        self._folder = output.parent
        self._ours = _earlier_files(output)
        self._moved: dict[Path, str] = {}
        self._wanted: list[Path] = []

    @property
    def stale(self) -> tuple[Path, ...]:
        """Files that an earlier result at the same place named, and that new ones take the place of."""
        kept = {path.resolve() for path in (*self.files, *self._document.sources)}
        kinds = [
            re.compile(re.escape(path.stem) + r"(_\d+)?" + re.escape(path.suffix)) for path in self._wanted
        ]
        return tuple(
            path
            for path in sorted(self._ours - kept)
            if path.parent == self._folder.resolve() and any(kind.fullmatch(path.name) for kind in kinds)
        )

    def add(self, name: str, data: bytes) -> str:
        """Write new data under this name or one like it. Returns its URI."""
        wanted = self._folder / name
        path = self._free(wanted, data)
        self.files[path] = data
        self._wanted.append(wanted)
        return encode_uri(path.relative_to(self._folder).as_posix())

    def keep(self, source: Path, uri: str) -> str:
        """See that a file of the input can be reached from the output. Returns its URI from there.

        In the input's folder it simply stays; in another it is copied to the same relative place.
        """
        if _same_folder(self._folder, self._document.path.parent) or not source.is_file():
            return uri
        if source not in self._moved:
            relative = source.relative_to(self._document.path.parent)
            if ".." in relative.parts:  # from a folder above, which the output may not have
                relative = Path(source.name)
                uri = encode_uri(source.name)
            data = read_file(source, self._document.path)
            path = self._free(self._folder / relative, data)
            if path != self._folder / relative:
                uri = encode_uri(path.relative_to(self._folder).as_posix())
            if not holds(path, data):
                self.files[path] = data
            self._moved[source] = uri
        return self._moved[source]

    def _free(self, wanted: Path, data: bytes) -> Path:
        """The path, or one with a number added where something else lies there."""
        path, number = wanted, 0
        while not self._is_free(path, data):
            number += 1
            path = wanted.with_name(f"{wanted.stem}_{number}{wanted.suffix}")
        return path

    def _is_free(self, path: Path, data: bytes) -> bool:
        if path in self.files or path == self._output or not self._is_inside(path):
            return False
        if not path.exists():
            return True
        if any(source.exists() and path.samefile(source) for source in self._document.sources):
            return False
        return holds(path, data)

    def _is_inside(self, path: Path) -> bool:
        """A link in the output's folder may lead somewhere else."""
        return path.resolve().is_relative_to(self._folder.resolve())


def _earlier_files(output: Path) -> set[Path]:
    """Files that an earlier result at the same place brought with it, and that go where it goes."""
    if output.suffix.lower() != ".gltf" or not output.is_file():
        return set()
    try:
        root = Fields(parse_json(read_file(output, output), output), "", output)
        if "meshstyle" not in root.child("asset").child("extras").value:
            return set()
        items: Sequence[Fields] = [*root.children("buffers"), *root.children("images")]
        uris = [item.text("uri", "") for item in items]
        return {
            resolve_uri(uri, output.parent, output).resolve() for uri in uris if uri and not is_data_uri(uri)
        }
    except AssetError:  # whatever lies there, it is not ours
        return set()


def _same_folder(first: Path, second: Path) -> bool:
    return first.resolve() == second.resolve()
