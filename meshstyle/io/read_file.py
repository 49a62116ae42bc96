"""Files of models are read whole, up to a limit."""

from __future__ import annotations

from pathlib import Path

from ..errors import AssetError

MAX_FILE_BYTES = 2**30  # 1 GiB; also the limit for everything that a model refers to, together


def read_file(path: Path, subject: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """A regular file of at most `limit` bytes. Raises AssetError about `subject`."""
    try:
        if not path.is_file():
            cause = "it is a folder" if path.is_dir() else "there is no such file"
            if path != subject:
                cause = f"it needs the file {path.name!r}, which is not there"
            raise AssetError(subject, cause, "Check the path, and that all files of the model are present.")
        size = path.stat().st_size
        if size > limit:
            raise AssetError(
                subject,
                f"{path.name} has {size} bytes, more than the limit of {limit}",
                "Split or reduce the model.",
            )
        with path.open("rb") as stream:
            return stream.read(limit)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise AssetError(
            subject, f"{path.name!r} cannot be read ({reason})", "Check the path and its permissions."
        ) from error
