"""Folders that were there when a run began. Where one of them is gone when it ends, somebody removed it: it is not made
again behind their back."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

_STANDING: set[str] = set()


def remember_folders(folder: Path, made: Collection[Path] = ()) -> None:
    """What stands now: the folder and those above it, but for those in `made`, which will go again."""
    own = {os.path.abspath(path) for path in made}
    for path in (folder, *folder.parents):
        name = os.path.abspath(path)
        _STANDING.discard(name)
        if name not in own and os.path.isdir(name):
            _STANDING.add(name)


def has_fallen(folder: Path) -> bool:
    """Whether it was there, and is not any more."""
    return os.path.abspath(folder) in _STANDING and not folder.exists()
