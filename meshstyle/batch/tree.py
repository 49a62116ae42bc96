"""What lies in a watched folder, and which of it has come to rest.

Looked at again and again rather than told by the system: that works on network shares too, where the system tells
nothing of what other machines do, and a look at some thousand files takes some milliseconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .scan import walk

_REFERRING = (".gltf", ".obj")  # models that consist of several files


@dataclass(frozen=True)
class Stamp:
    """How a file looked at a glance: bytes and nanoseconds."""

    size: int
    modified: int


class Tree:
    """The files below a folder, and some others.

    A file that looked the same at two looks in a row has come to rest: until then it may be half written.
    """

    def __init__(self, folder: Path, out: Path, others: Callable[[], Iterable[Path]] = tuple) -> None:
        """`others`: files elsewhere that count too, as they are now."""
        self._folder, self._out, self._others = folder, out, others
        self._seen: dict[Path, Stamp] = {}
        self._at_rest: dict[Path, Stamp] = {}

    @property
    def at_rest(self) -> Mapping[Path, Stamp]:
        """Files that have come to rest."""
        return self._at_rest

    def look(self) -> None:
        """Look once more."""
        notes: list[str] = []
        seen = {}
        for path in (*walk(self._folder, self._out, notes), *self._others()):
            try:
                found = path.stat()
            except OSError:  # it has just gone
                continue
            seen[path] = Stamp(found.st_size, found.st_mtime_ns)
        self._at_rest = {path: stamp for path, stamp in seen.items() if self._seen.get(path) == stamp}
        self._seen = seen

    def is_ready(self, model: Path) -> bool:
        """Whether a model is complete, as far as one can see from outside: it has come to rest, and so has all in
        and below its folder where it refers to other files."""
        if model not in self._at_rest:
            return False
        if model.suffix.lower() not in _REFERRING:
            return True
        return all(path in self._at_rest for path in self._around(model))

    def surroundings(self, model: Path) -> frozenset[tuple[Path, Stamp]]:
        """All in and below a model's folder: what it can refer to. Changes when any of it does."""
        return frozenset((path, self._seen[path]) for path in self._around(model))

    def _around(self, model: Path) -> Iterable[Path]:
        folder = os.path.join(model.parent, "")
        return (path for path in self._seen if str(path).startswith(folder))
