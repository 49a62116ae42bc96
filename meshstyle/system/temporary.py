"""Folders for a while, which go with the process: where it was killed, the next one of this user clears them away.

A process holds a lock in its folder as long as it lives, and the system lets go of it however that ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # no such locks: nothing is cleared away
    fcntl = None  # type: ignore[assignment]

_PREFIX, _LOCK = "meshstyle-", ".held"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder among the system's temporary ones; it is gone after the block."""
    clear_away()
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder:
        lock = os.open(Path(folder, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _takes(lock)
            yield Path(folder)
        finally:
            os.close(lock)


def clear_away() -> None:
    """Remove such folders of this user that no process holds."""
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_abandoned(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        if entry.is_symlink() or entry.stat(follow_symlinks=False).st_uid != os.getuid():
            return False
        lock = os.open(os.path.join(entry.path, _LOCK), os.O_RDWR | os.O_NOFOLLOW)
        try:
            return _takes(lock)
        finally:
            os.close(lock)
    return False


def _takes(lock: int) -> bool:
    """Whether nobody else holds it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
