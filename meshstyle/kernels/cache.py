"""Keeping machine code between runs. It is executed, so only what this user alone can have written is read.

That is an ordinary file of the user's own, which nobody else may write to, in folders in which nobody else may put
something in its place, with a digest of its name and contents. Anything else counts as nothing, and is left as it is.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MOST_BYTES = 64 << 20  # of the file; the kernels of one machine have less than 1 MB
_DIGEST = hashlib.sha256().digest_size
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CLOSED = getattr(os, "O_CLOEXEC", 0)
_HAS_OWNERS = hasattr(os, "getuid")


def read_kept(place: Path) -> bytes | None:
    """The machine code that lies there; None where there is none that may be trusted."""
    try:
        if not is_private(place.parent):
            return None
        with _opened(place) as handle:
            found = os.fstat(handle)
            if not _is_own_file(found) or not _DIGEST < found.st_size <= MOST_BYTES:
                return None
            data = _read(handle, MOST_BYTES)
    except OSError:
        return None
    digest, code = data[:_DIGEST], data[_DIGEST:]
    return code if _digest(place, code) == digest else None


def keep(place: Path, code: bytes) -> None:
    """Put machine code there, where it can be trusted later. Raises OSError where it cannot be, or what is there is
    nobody's to replace."""
    missing = [folder for folder in (place.parent, *place.parent.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    if not is_private(place.parent):
        raise PermissionError(f"others may write to {place.parent}, or to a folder above it")
    if os.path.lexists(place) and not _is_own_file(place.lstat()):
        raise PermissionError(f"{place} is not a file of this user alone")
    temporary = place.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS | _CLOSED, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(_digest(place, code) + code)
            stream.flush()
            os.fsync(handle)
        os.replace(temporary, place)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def is_private(folder: Path) -> bool:
    """Whether nobody but this user, and the system's own, can put something else into the folder or in its place.

    Where the system knows no owners, that is for the system to see to.
    """
    if not _HAS_OWNERS:
        return folder.is_dir()
    try:
        whole = Path(os.path.realpath(folder))
        first = whole.lstat()
        return (
            stat.S_ISDIR(first.st_mode)
            and not first.st_mode & _OTHERS
            and all(_is_safe(one.lstat()) for one in (whole, *whole.parents))
        )
    except OSError:
        return False


def _is_safe(found: os.stat_result) -> bool:
    """A folder in which others cannot move what is not theirs."""
    held = bool(found.st_mode & stat.S_ISVTX)  # as /tmp has it
    return found.st_uid in (0, os.getuid()) and (held or not found.st_mode & _OTHERS)


def _is_own_file(found: os.stat_result) -> bool:
    if not stat.S_ISREG(found.st_mode):
        return False
    return not _HAS_OWNERS or (found.st_uid == os.getuid() and not found.st_mode & _OTHERS)


@contextmanager
def _opened(place: Path) -> Iterator[int]:
    handle = os.open(place, os.O_RDONLY | _FLAGS | _CLOSED)
    try:
        yield handle
    finally:
        os.close(handle)


def _read(handle: int, most: int) -> bytes:
    pieces, left = [], most
    while left > 0 and (piece := os.read(handle, min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _digest(place: Path, code: bytes) -> bytes:
    """Hash the content and the name, which stands for the machine, its LLVM and the source."""
    return hashlib.sha256(place.name.encode() + b"\0" + code).digest()
