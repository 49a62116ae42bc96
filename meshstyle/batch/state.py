"""The folder below OUT in which a batch keeps its state, and who may write there: one batch at a time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from ..errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = ".meshstyle"
_ORPHANS = 60.0  # seconds that workers of a killed batch may take to notice


@dataclass(frozen=True)
class StateFolder:
    """Places of a batch's state. `root`: OUT/.meshstyle, or another folder where OUT is no folder."""

    root: Path

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def staging(self) -> Path:
        """On one file system with OUT: files get from here to there by renaming."""
        return self.root / "staging"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def holder(self) -> Path:
        """Who has the lock, for people."""
        return self.root / "holder.json"

    @property
    def workers(self) -> Path:
        """Locked by every worker together, as long as it lives."""
        return self.root / "workers"


@contextlib.contextmanager
def exclusive(state: StateFolder) -> Iterator[None]:
    """Have the state for this process alone; the staging folder is empty and no worker of an earlier batch lives.

    The lock goes with the process, however it ends. On file systems without locks a file names the process instead,
    and counts for nothing when there is no such process any more.

    Raises OutputError where another batch is at work, or the folder cannot be written.
    """
    try:
        state.root.mkdir(parents=True, exist_ok=True)
        lock = _acquire(state)
    except Timeout as error:
        cause = f"another batch is working in it{_who(state)}"
        raise OutputError(state.root.parent, cause, "Wait until it has ended, or give another -o.") from error
    except OSError as error:
        cause = f"it cannot be written to ({error.strerror or error})"
        raise OutputError(state.root.parent, cause, "Choose a folder you can write to with -o.") from error
    try:
        _write_holder(state)
        _outlive_workers(state)
        shutil.rmtree(state.staging, ignore_errors=True)
        with _told(state.staging):
            state.staging.mkdir(exist_ok=True)
        yield
    finally:
        shutil.rmtree(state.staging, ignore_errors=True)
        state.holder.unlink(missing_ok=True)
        lock.release()
        if not state.journal.exists():
            _leave_nothing(state)


def hold_as_worker(path: Path) -> None:
    """Lock `StateFolder.workers` until this process ends; together with other workers."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(handle, fcntl.LOCK_SH)  # kept open on purpose


def _acquire(state: StateFolder) -> BaseFileLock:
    lock: BaseFileLock = FileLock(state.lock)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise
    except OSError:  # NFS without a lock service, say
        lock = SoftFileLock(state.lock.with_suffix(".pid"))
        lock.acquire(blocking=False)
    return lock


def _leave_nothing(state: StateFolder) -> None:
    """Remove the state of a batch that ended before its first note."""
    with contextlib.suppress(OSError):
        for file in (state.lock, state.workers):
            file.unlink(missing_ok=True)
        state.root.rmdir()
        state.root.parent.rmdir()


def _outlive_workers(state: StateFolder) -> None:
    """Wait for workers of a batch that was killed: they end by themselves, but may be writing now."""
    if fcntl is None:
        return
    handle = os.open(state.workers, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        ends = time.monotonic() + _ORPHANS
        while time.monotonic() < ends:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.1)
            except OSError:  # no locks there
                return
        cause = "a worker of an earlier batch is still at work in it"
        raise OutputError(state.root.parent, cause, "End that process, then run the same command again.")
    finally:
        os.close(handle)


def _write_holder(state: StateFolder) -> None:
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with _told(state.holder):
        state.holder.write_text(json.dumps(holder), encoding="utf-8")


def _who(state: StateFolder) -> str:
    """` (process 12 on host, since …)`, as far as it is known."""
    try:
        holder = json.loads(state.holder.read_text(encoding="utf-8"))
        here = holder["host"] == socket.gethostname()
        if here and not psutil.pid_exists(int(holder["pid"])):
            return ""
        return f" (process {int(holder['pid'])} on {holder['host']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = f"it cannot be written ({error.strerror or error})"
        raise OutputError(path, cause, "Make room there, and run the same command again.") from error
