"""What an earlier run left where an OBJ is to be written: its library, and the pictures that are named there."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..replace_files import NUMBERS, holds, left_behind, names_file, numbered
from .mtl import MAX_MTL_BYTES, RECORD_MARK

_HEAD = 1 << 20  # bytes of an OBJ file in which `mtllib` is looked for
_MARK = RECORD_MARK + b"{"


@dataclass(frozen=True)
class EarlierOutput:
    """An earlier result.

    Attributes:
        library: that the model at the output names now; None: none does.
        text: of this library, else of one that lies there and that no model names any more.
        protected: files of the input, resolved.
    """

    library: Path | None
    text: bytes
    protected: frozenset[Path]

    @classmethod
    def find(cls, output: Path, wanted: Path, protected: frozenset[Path]) -> EarlierOutput:
        """`wanted`: how the library is called, or it with a number."""
        library = _earlier_library(output, wanted, protected)
        text = _content(free_library(wanted, protected) if library is None else library)
        return cls(library, text, protected)

    def frees(self, path: Path, data: bytes, name: str = "") -> bool:
        """Whether data may be written to a path: nothing lies there, or what no model names any more, or these very
        bytes.

        `name`: how the library names the file, if not as it is called.
        """
        if path.resolve() in self.protected:
            return False
        if not path.exists():
            return True
        return os.fsencode(name or path.name) in self.text and (self.library is None or holds(path, data))

    def place_library(self, free: Path, content: bytes, taken: Collection[Path]) -> Path:
        """Where a library of this content goes: one that a model still names is not changed, but another is written.

        `free`: see `free_library`.
        """
        if self.library is None or not free.exists() or holds(free, content):
            return free
        return next(path for path in numbered(free) if not path.exists() and path not in taken)

    def left_library(self, kept: Path) -> tuple[Path, ...]:
        """The earlier library where the new one is another."""
        return () if self.library is None or self.library == kept else (self.library,)

    def leaves(self, wanted: Path, kept: Collection[Path]) -> tuple[Path, ...]:
        """Files of this name, or of it with a number, that no model will name any more; `kept` are what the new one
        names."""
        return () if self.library is None else left_behind(wanted, self.text, kept, self.protected)


def free_library(wanted: Path, protected: Collection[Path]) -> Path:
    """The path, or it with a number: nothing lies there, or a library of an earlier run."""
    for path in numbered(wanted):
        if path.resolve() not in protected and (not path.exists() or _MARK in _content(path)):
            return path
    raise AssertionError("names do not run out")


def _earlier_library(output: Path, wanted: Path, protected: Collection[Path]) -> Path | None:
    """The library that the model at the output names now, if an earlier run wrote both."""
    try:
        with output.open("rb") as stream:
            statements = [line for line in stream.read(_HEAD).split(b"\n") if line.startswith(b"mtllib ")]
    except OSError:
        return None
    for path in islice(numbered(wanted), NUMBERS):
        if path.resolve() not in protected and any(names_file(line, path.name) for line in statements):
            return path if _MARK in _content(path) else None
    return None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= MAX_MTL_BYTES else b""
    except OSError:
        return b""
