"""The paint of finished frames on the disk: the journal of a run, from which it goes on after whatever ended it.

A frame is finished when its file is there, which appears whole or not at all. Each pass over a scene has files of its
own, so that a frame is painted from the same files again if its own was lost. Paint is kept in 8 bits and used as it
was kept: a run that goes on makes the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import UInt8

from ..errors import InputError, OutputError, PictureError
from ..io.atomic_write import write_all
from ..io.images import encode_png, read_picture

_JOB = "job.json"
_LOCK = "lock"
_NOTE = (
    "Finished frames of a run that has not ended. The same command goes on from here. It may be deleted.\n"
)

Paint = UInt8[np.ndarray, "H W 3"]


def store_folder(output: Path) -> Path:
    """Where the frames for an output are kept: beside it, and for all to see."""
    return output.with_name(f"{output.name}.frames")


class FrameStore:
    """Finished frames below one folder. Frames count from 0, passes from 1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Have the folder for this process alone; the lock goes with the process. Raises OutputError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK)
            lock.acquire(timeout=0)
        except Timeout as error:
            cause = "another run is painting into it"
            raise OutputError(self.folder, cause, "Wait until it has ended, or give another -o.") from error
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        try:
            yield
        finally:
            lock.release()
            if not any(self.folder.glob("pass-*/*.png")):  # nothing is lost
                self.remove()

    def is_of(self, job: Mapping[str, Any]) -> bool:
        """Whether the frames that are there belong to a job."""
        return self._known() == _as_text(job)

    def begin(self, job: Mapping[str, Any], resume: bool) -> bool:
        """Make sure that what is there belongs to a job: frames of another one are removed, and all of them where
        nothing is to be resumed. Returns whether there were some of another job."""
        told = _as_text(job)
        known = self._known()
        if known == told and resume:
            return False
        with self._told():
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
            (self.folder / "README.txt").write_text(_NOTE)
        write_all({self.folder / _JOB: told}, ())
        return known is not None and known != told

    def path(self, turn: int, number: int) -> Path:
        """The file of a frame's paint in a pass."""
        return self.folder / f"pass-{turn}" / f"{number + 1:06d}.png"

    def has(self, turn: int, number: int) -> bool:
        """Whether a frame is finished in a pass."""
        return self.path(turn, number).is_file()

    def latest(self, number: int, turns: int) -> Path | None:
        """The file of a frame's paint in the last of so many passes that has one."""
        paths = (self.path(turn, number) for turn in range(turns, 0, -1))
        return next((path for path in paths if path.is_file()), None)

    def read(self, turn: int, number: int) -> Paint:
        """The paint of a finished frame."""
        return read_paint(self.path(turn, number))

    def write(self, turn: int, number: int, paint: Paint) -> None:
        """Finish a frame: it is on the disk when this returns. Raises OutputError."""
        write_all({self.path(turn, number): encode_png(paint)}, ())

    def drop(self, turn: int, numbers: Iterable[int]) -> None:
        """Remove frames of a pass that another one has come after."""
        for number in numbers:
            with contextlib.suppress(OSError):
                self.path(turn, number).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove everything; the lock's file, which is held, as the last one."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _known(self) -> bytes | None:
        with contextlib.suppress(FileNotFoundError), self._told():
            return (self.folder / _JOB).read_bytes()
        return None

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _cannot_write(self.folder, error) from error


def read_paint(path: Path) -> Paint:
    """Paint from a file of ours. Raises InputError where somebody has changed it."""
    try:
        return np.ascontiguousarray(read_picture(path)[..., :3])
    except PictureError as error:
        raise InputError(path, error.cause, f"Delete {path.parent.parent.name}, and begin again.") from error


def _as_text(job: Mapping[str, Any]) -> bytes:
    return json.dumps(job, sort_keys=True, indent=1).encode()


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    cause = f"it cannot be written to ({error.strerror or error})"
    return OutputError(folder, cause, "Choose a folder that you may write to and that has room.")


def file_stamp(path: Path) -> list[Any]:
    """What tells whether a file, or a folder of pictures, is the same as before."""
    if path.is_dir():
        return sorted([p.name, *file_stamp(p)] for p in path.iterdir() if p.is_file())
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns]
