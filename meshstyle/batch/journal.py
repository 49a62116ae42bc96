"""What a batch remembers: a file of JSON lines that only grows, each on the disk before the work goes on.

Not a database: one process writes, a line is either there or not, and any file system will do (SQLite's write-ahead
log needs shared memory, which network file systems lack). A last line that a power cut tore is dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import OutputError
from .model_summary import ModelSummary
from .types import Failure, FailureKind, FileHash, JobState, Outcome, PaintedImage

_FORMAT = 1
_COMPACT = 4  # times as many lines as are alive


class Journal:
    """The journal of one OUT. To be written by whoever has the lock (`state.exclusive`).

    Attributes:
        outcomes: the latest of every job, by its id.
        summaries: what is known of models, by `ModelSummary.key`.
        sound: digests of what jobs share, found to be in order.
        threads: of every worker, or None before it is decided: results depend on it.
    """

    def __init__(self, path: Path, writes: bool = True) -> None:
        """Read what is there; nothing is written. Raises OutputError where it is no journal of ours.

        `writes`: whether what is learned goes to the disk.
        """
        self.path, self._writes = path, writes
        self.outcomes: dict[str, Outcome] = {}
        self.summaries: dict[str, ModelSummary] = {}
        self.sound: set[str] = set()
        self.threads: int | None = None
        self._files: dict[str, dict[str, str | None]] = {}
        self._owners: dict[str, dict[str, str | None]] = {}
        self._lines = self._size = 0
        self._read()

    def owners(self, path: str) -> Mapping[str, str | None]:
        """Jobs that have put a file at this path below OUT, or were about to, and its digest by each."""
        return self._owners.get(path, {})

    def files_of(self, job: str) -> tuple[str, ...]:
        """Paths of the files that a job has, or may have, below OUT."""
        return tuple(self._files.get(job, {}))

    def decide_threads(self, threads: int) -> None:
        if threads != self.threads:
            self._append({"threads": threads})

    def remember_sound(self, digest: str) -> None:
        self._append({"sound": digest})

    def remember_summary(self, summary: ModelSummary) -> None:
        self._append({"look": summary.to_dict()})

    def begin_placing(self, outcome: Outcome) -> None:
        """The files of an outcome are about to be put below OUT."""
        self._append({"placing": outcome.job, "files": [asdict(file) for file in outcome.files]})

    def finish(self, outcome: Outcome) -> None:
        """It is done, its files are in place; or it failed."""
        self._append({"outcome": _to_dict(outcome)})

    def compact(self) -> None:
        """Write the file anew where most of its lines have been overtaken. Raises OutputError."""
        alive = list(self._alive())
        if self._lines <= _COMPACT * len(alive) + 100:
            return
        text = b"".join(_line(record) for record in alive)
        new = self.path.with_suffix(".new")
        with _told(self.path):
            with new.open("wb") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(new, self.path)
        self._lines, self._size = len(alive), len(text)

    def _alive(self) -> Iterator[dict[str, Any]]:
        yield {"meshstyle": _FORMAT}
        if self.threads is not None:
            yield {"threads": self.threads}
        yield from ({"sound": digest} for digest in sorted(self.sound))
        yield from ({"look": summary.to_dict()} for summary in self.summaries.values())
        yield from ({"outcome": _to_dict(outcome)} for outcome in self.outcomes.values())
        for job, files in self._files.items():
            if job not in self.outcomes or self.outcomes[job].state is JobState.FAILED:
                listed = [asdict(FileHash(path, digest)) for path, digest in files.items()]
                yield {"placing": job, "files": listed}

    def _read(self) -> None:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            cause = f"the journal cannot be read ({error.strerror or error})"
            raise OutputError(self.path, cause, "Give another folder with -o.") from error
        for line in data.split(b"\n")[:-1]:
            try:
                record = json.loads(line)
                if record.get("meshstyle", _FORMAT) != _FORMAT:
                    cause = "this journal was written by another version of meshstyle"
                    raise OutputError(self.path, cause, "Finish the batch with that one, or give another -o.")
                self._take(record)
            except (ValueError, KeyError, TypeError, AttributeError):
                break  # torn, and whatever follows was written on top of that
            self._lines += 1
            self._size += len(line) + 1

    def _append(self, record: dict[str, Any]) -> None:
        """On the disk when this returns. Raises OutputError, with the journal as it was."""
        self._take(json.loads(_line(record)))
        if self._writes:
            self._write(record)

    def _write(self, record: dict[str, Any]) -> None:
        data = _line(record) if self._lines else _line({"meshstyle": _FORMAT}) + _line(record)
        with _told(self.path):
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.ftruncate(handle, self._size)  # a torn line, or what a full disk left of the last one
                os.lseek(handle, self._size, os.SEEK_SET)
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
            except BaseException:
                os.ftruncate(handle, self._size)
                raise
            finally:
                os.close(handle)
        self._lines += data.count(b"\n")
        self._size += len(data)

    def _take(self, record: Mapping[str, Any]) -> None:
        if "threads" in record:
            self.threads = int(record["threads"])
        elif "sound" in record:
            self.sound.add(record["sound"])
        elif "look" in record:
            summary = ModelSummary.from_dict(record["look"])
            self.summaries[summary.key] = summary
        elif "placing" in record:
            self._own(record["placing"], _hashes(record["files"]))
        elif "outcome" in record:
            outcome = _from_dict(record["outcome"])
            self.outcomes[outcome.job] = outcome
            if outcome.state is JobState.DONE:
                for path in self._files.pop(outcome.job, {}):
                    del self._owners[path][outcome.job]
                self._own(outcome.job, outcome.files)

    def _own(self, job: str, files: Iterable[FileHash]) -> None:
        for file in files:
            self._files.setdefault(job, {})[file.path] = file.sha256
            self._owners.setdefault(file.path, {})[job] = file.sha256


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = f"the journal cannot be written ({error.strerror or error})"
        raise OutputError(path, cause, "Make room there, and run the same command again.") from error


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _hashes(files: list[dict[str, Any]]) -> tuple[FileHash, ...]:
    return tuple(FileHash(file["path"], file["sha256"]) for file in files)


def _to_dict(outcome: Outcome) -> dict[str, Any]:
    found = asdict(replace(outcome, staged=None, failure=None, earlier=False, figures=dict(outcome.figures)))
    found["state"] = outcome.state.value
    if outcome.failure is not None:
        found["failure"] = asdict(outcome.failure) | {"kind": outcome.failure.kind.value}
    return found


def _from_dict(found: dict[str, Any]) -> Outcome:
    failure = found["failure"]
    return Outcome(
        job=found["job"],
        key=found["key"],
        state=JobState(found["state"]),
        seconds=found["seconds"],
        attempts=found["attempts"],
        files=_hashes(found["files"]),
        sources=_hashes(found["sources"]),
        figures=found["figures"],
        images=tuple(PaintedImage(**(image | {"size": tuple(image["size"])})) for image in found["images"]),
        warnings=tuple(found["warnings"]),
        failure=Failure(**(failure | {"kind": FailureKind(failure["kind"])})) if failure else None,
    )
