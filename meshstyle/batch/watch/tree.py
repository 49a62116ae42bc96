"""What lies in a watched folder, and which of it has come to rest.

Looked at again and again rather than told by the system: that works on network shares too, where the system tells
nothing of what other machines do, and a look at some thousand files takes some milliseconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...io.load import SUFFIXES
from ..scan import walk

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

    def __init__(
        self, folder: Path, out: Path, others: Callable[[], Iterable[Path]], now: Callable[[], float]
    ) -> None:
        """`others`: files elsewhere that count too, asked for at every look; `now`: seconds."""
        self._folder, self._out, self._others, self._now = folder, out, others, now
        self._seen: dict[Path, Stamp] = {}
        self._since: dict[
            Path, float
        ] = {}  # when each file was first seen as it is, and the latest below a folder
        self._restless: set[Path] = set()  # folders with a file below them that has not come to rest
        self._first = True
        self.at_rest: dict[Path, Stamp] = {}

    def look(self) -> None:
        """Look once more."""
        now, before = self._now(), self._seen
        self._seen = dict(self._glance())
        self.at_rest = {path: stamp for path, stamp in self._seen.items() if before.get(path) == stamp}
        new = float("-inf") if self._first else now  # what was there to begin with may be as old as it likes
        since = {path: self._since[path] if path in self.at_rest else new for path in self._seen}
        self._restless = {
            folder for path in self._seen if path not in self.at_rest for folder in path.parents
        }
        for path in self._seen:
            for folder in path.parents:
                since[folder] = max(since.get(folder, since[path]), since[path])
        self._since, self._first = since, False

    @property
    def models(self) -> set[Path]:
        """All files with a model's suffix."""
        return {path for path in self._seen if path.suffix.lower() in SUFFIXES}

    def is_ready(self, model: Path) -> bool:
        """Whether a model is complete, as far as one can see from outside: it has come to rest, and so has all in
        and below its folder where it refers to other files."""
        referring = model.suffix.lower() in _REFERRING
        return model in self.at_rest and not (referring and model.parent in self._restless)

    def rested(self, model: Path) -> float:
        """Seconds since a model, or anything that it may refer to, was seen to change."""
        return self._now() - self._since[model.parent]

    def surroundings(self, model: Path) -> frozenset[tuple[Path, Stamp]]:
        """All in and below a model's folder, where what it refers to must be."""
        return frozenset(item for item in self._seen.items() if item[0].is_relative_to(model.parent))

    def _glance(self) -> Iterator[tuple[Path, Stamp]]:
        for path in (*walk(self._folder, self._out, []), *self._others()):
            with contextlib.suppress(OSError):  # it has just gone
                found = path.stat()
                yield path, Stamp(found.st_size, found.st_mtime_ns)
