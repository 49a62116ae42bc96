"""How much may be painted at once."""

from __future__ import annotations

from pathlib import Path

from ..errors import AssetError

MAX_ATLASES = 512  # each takes megabytes, whatever its size in the file


def check_atlas_count(path: Path, count: int) -> None:
    """Raise AssetError for more images than can be painted in one model."""
    if count > MAX_ATLASES:
        cause = f"{count} images of it would be painted, more than the limit of {MAX_ATLASES}"
        raise AssetError(path, cause, "Give --atlas shared, or choose materials with --only.")
