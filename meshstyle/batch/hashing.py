"""What decides whether something is still the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..config.base import INITS, MAPS
from ..config.model import Settings
from ..config.styles import Region, parse_region
from .types import FileHash

_SHIPPED_WEIGHTS = ("bundled", "torchvision")


def hash_file(path: Path) -> str | None:
    """SHA-256 of the contents; None where there is no such file, or it cannot be read (who uses it will say so)."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def hash_sources(model: Path, files: Iterable[Path]) -> tuple[FileHash, ...]:
    """Hash each source once, by its path as seen from the model's folder."""
    names = {os.path.relpath(file, model.parent): file for file in files}
    return tuple(FileHash(Path(name).as_posix(), hash_file(file)) for name, file in names.items())


def hash_values(values: Any) -> str:
    """SHA-256 over anything JSON-able."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def files_in_settings(settings: Settings) -> dict[str, Path]:
    """Settings that name files: their names, and the files' absolute paths."""
    found = {}
    if settings.weights not in _SHIPPED_WEIGHTS:
        found["weights"] = Path(settings.weights).absolute()
    if settings.init not in INITS:
        found["init"] = Path(settings.init).absolute()
    found |= {name: Path(value).absolute() for name in MAPS if (value := getattr(settings, name)) is not None}
    return found


def masks_in_settings(settings: Settings) -> list[Path]:
    """The masks that the setting `protect` names."""
    regions = [parse_region(text) or Region("mask", text) for text in settings.protect]
    return [path for r in regions if r.kind == "mask" and (path := Path(r.value).absolute()).is_file()]
