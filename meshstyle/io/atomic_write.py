"""Writing several files so that either all of them appear, complete, or none does."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from ..errors import OutputError
from .known_folders import has_fallen
from .replace_files import undisturbed


def write_all(
    files: Mapping[Path, bytes], protected: Iterable[Path], stale: Iterable[Path] = ()
) -> tuple[Path, ...]:
    """Write every file under a temporary name in its own folder, then rename them all, the first one last.

    Missing folders are made. When anything fails, files that were replaced come back, and nothing new stays. Signals
    wait meanwhile.

    Args:
        files: what to write where, in the order in which to return it: the model, then what it names.
        protected: sources that must stay as they are: the input and every file it refers to.
        stale: what is removed once all of them are there.

    Returns: the paths written.
    Raises: OutputError, before anything is touched where a target is a protected file, a folder, or given
        twice; after cleaning up where the place cannot be written.
    """
    targets = tuple(Path(os.path.abspath(path)) for path in files)
    sources = tuple(protected)
    for path in targets:
        refuse_protected(path, sources)
        if path.is_dir():
            raise OutputError(path, "this is a folder", "Give the name of a file that may be written.")
    if len({_identity(path) for path in targets}) != len(targets):
        raise OutputError(targets[0], "two results would have the same name", "Choose another output name.")
    current = targets[0] if targets else Path()
    with undisturbed(), _Transaction() as transaction:
        try:
            temporaries = []
            for current, data in zip(targets, files.values(), strict=True):
                _make_folders(current.parent, transaction)
                temporaries.append(_write_temporary(current.parent, data, transaction))
            for current, temporary in reversed(list(zip(targets, temporaries, strict=True))):
                _keep_old(current, transaction)
                os.replace(temporary, current)
            for folder in {path.parent for path in targets}:
                sync_folder(folder)
            transaction.on_success += [partial(path.unlink, missing_ok=True) for path in stale]
        except OSError as error:
            raise OutputError(
                current,
                f"it cannot be written ({error.strerror or error})",
                "Choose a folder that you may write to and that has room.",
            ) from error
    return tuple(files)


def refuse_protected(path: Path, protected: Iterable[Path]) -> None:
    """Raise OutputError where `path` is one of the protected files, by whatever name."""
    for source in protected:
        if _same_file(path, source):
            raise OutputError(
                path, "this is a file of the input, which is never overwritten", "Choose another output name."
            )


def _same_file(path: Path, source: Path) -> bool:
    if _identity(path) == _identity(source):
        return True
    try:
        return path.exists() and source.exists() and path.samefile(source)
    except OSError:
        return False


def _identity(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))


class _Transaction:
    """What to do when the block fails (latest first), and what when it succeeds."""

    def __init__(self) -> None:
        self.on_failure: list[Callable[[], object]] = []
        self.on_success: list[Callable[[], object]] = []

    def __enter__(self) -> _Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for act in self.on_success if kind is None else reversed(self.on_failure):
            with contextlib.suppress(OSError):  # clean what can be cleaned; the first error is what is told
                act()


def _make_folders(folder: Path, transaction: _Transaction) -> None:
    """`mkdir --parents`; folders that were made go away again when the writing fails."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    if fallen := [parent for parent in missing if has_fallen(parent)]:
        raise OSError(errno.ENOENT, f"the folder {fallen[-1]} was removed meanwhile")
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        transaction.on_failure.append(parent.rmdir)


def _write_temporary(folder: Path, data: bytes, transaction: _Transaction) -> Path:
    path = _temporary_name(folder)
    # Not tempfile: its files are private to the user, and the result should have ordinary permissions.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    transaction.on_failure.append(partial(path.unlink, missing_ok=True))
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return path


def _keep_old(path: Path, transaction: _Transaction) -> None:
    """Arrange that what lies at `path` now comes back on failure and is dropped on success."""
    if not os.path.lexists(path):
        transaction.on_failure.append(partial(path.unlink, missing_ok=True))
        return
    backup = _temporary_name(path.parent)
    try:
        os.link(path, backup, follow_symlinks=False)  # a second name: the first is never missing
    except (OSError, NotImplementedError):
        os.replace(path, backup)  # file systems without hard links
    transaction.on_failure.append(partial(os.replace, backup, path))
    transaction.on_success.append(partial(backup.unlink, missing_ok=True))


def _temporary_name(folder: Path) -> Path:
    """The name has a fixed length: a long target name must not make its temporary name too long."""
    return folder / f".meshstyle-{secrets.token_hex(8)}.tmp"


def sync_folder(folder: Path) -> None:
    """Make the renames survive a power cut; a luxury that some file systems refuse."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
