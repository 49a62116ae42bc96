"""How a job gets to another machine, and its result back.

What a machine has already, at the same path and with the same contents, as on a shared disk, is used where it lies.
Everything else travels as bytes.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...config.styles import RequestedStyle
from ..failures import failure_of
from ..hashing import files_in_settings, hash_file
from ..types import FileHash, Job, JobState, Outcome, WorkerContext


@dataclass(frozen=True)
class Order:
    """A job with the files it reads, as the process that sends it sees them.

    Attributes:
        model: the model's files, by their paths as seen from its folder, the model first.
        shared: files that other jobs may read too, by their absolute paths: the picture, weights, the start.
    """

    job: Job
    model: tuple[FileHash, ...]
    shared: tuple[FileHash, ...]


@dataclass(frozen=True)
class Missing:
    """Files of an order that a machine does not have: the model's, and some of the shared ones."""

    model: bool
    shared: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.model or bool(self.shared)


@dataclass(frozen=True)
class FileContents:
    """Contents of files of an order, by the paths that it has for them."""

    model: Mapping[str, bytes] = field(default_factory=dict)
    shared: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Returned:
    """What became of a job; `files`: contents of its files, where they do not lie in `outcome.staged`."""

    outcome: Outcome
    files: Mapping[str, bytes] | None = None


class Sender:
    """The side that has the files."""

    def __init__(self, context: WorkerContext) -> None:
        self._staging = context.staging
        self._digests: dict[Path, str | None] = {}

    def order(self, job: Job) -> Order:
        """The job, with all paths absolute."""
        layers = tuple(layer.absolute() for layer in job.requested)
        job = replace(job, source=job.source.absolute(), picture=job.picture.absolute(), layers=layers)
        model = tuple(file for file in job.inputs if file.sha256 is not None)
        shared = tuple(FileHash(str(path), self._digest(path)) for path in _shared_files(job))
        return Order(job, model or (FileHash(job.source.name, _digest(job.source)),), shared)

    def pack(self, order: Order, missing: Missing) -> FileContents:
        """Files that were found missing; without those that cannot be read, as whoever needs them will tell."""
        folder = order.job.source.parent
        model = {file.path: folder / file.path for file in order.model} if missing.model else {}
        return FileContents(_read(model), _read({path: Path(path) for path in missing.shared}))

    def receive(self, job: Job, returned: Returned) -> Outcome:
        """The outcome, with its files in the staging folder."""
        outcome, files = returned.outcome, returned.files
        if files is None:
            return outcome
        try:
            folder = Path(tempfile.mkdtemp(dir=self._staging))
            _write(files, folder)
        except OSError as error:
            failure = failure_of(job, error)
            return Outcome(job.id, job.key, JobState.FAILED, outcome.seconds, failure=failure)
        return replace(outcome, staged=folder)

    def _digest(self, path: Path) -> str | None:
        if path not in self._digests:
            self._digests[path] = _digest(path)
        return self._digests[path]


class Receiver:
    """The side that may not have them. Shared files are kept for the next job."""

    def __init__(self, folder: Path) -> None:
        """`folder`: for copies."""
        self._folder = folder
        self._kept: dict[FileHash, Path] = {}
        self._seen: set[FileHash] = set()

    def unpack(self, order: Order, parcel: FileContents | None) -> Job | Missing:
        """The job with paths that hold here; or, as long as there is no parcel, what must be sent first."""
        if parcel is None:
            if missing := self._missing(order):
                return missing
            parcel = FileContents()
        for file in order.shared:
            if file.path in parcel.shared:
                self._keep(file, parcel.shared[file.path])
        job, places = order.job, {file.path: self._kept.get(file) for file in order.shared}
        settings: dict[str, Any] = {
            name: str(places.get(str(path)) or path) for name, path in files_in_settings(job.settings).items()
        }
        copy = replace(
            job,
            picture=places.get(str(job.picture)) or job.picture,
            layers=tuple(_placed(layer, places) for layer in job.requested),
            settings=replace(job.settings, **settings),
            recorded=job.recorded or job.settings,
        )
        if not parcel.model:
            return copy
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        _write(parcel.model, folder)
        return replace(copy, source=folder / job.source.name)

    def _missing(self, order: Order) -> Missing:
        folder = order.job.source.parent
        model = any(_digest(folder / file.path) != file.sha256 for file in order.model)
        return Missing(model, tuple(file.path for file in order.shared if not self._has(file)))

    def _has(self, file: FileHash) -> bool:
        if file in self._kept or file in self._seen:
            return True
        if file.sha256 is None or _digest(Path(file.path)) == file.sha256:
            self._seen.add(file)
            return True
        return False

    def _keep(self, file: FileHash, data: bytes) -> None:
        """Under its own name: its suffix says what it is."""
        path = Path(tempfile.mkdtemp(dir=self._folder)) / Path(file.path).name
        path.write_bytes(data)
        self._kept[file] = path


def _placed(layer: RequestedStyle, places: Mapping[str, Path | None]) -> RequestedStyle:
    """A style whose files lie where copies of them are kept."""
    region = layer.request.region
    if region is not None and region.kind == "mask":
        region = replace(region, value=str(places.get(region.value) or region.value))
    picture = places.get(str(layer.picture)) or layer.picture
    return RequestedStyle(replace(layer.request, region=region), picture)


def pack_result(outcome: Outcome) -> Returned:
    """Add the contents of the result's files."""
    if outcome.staged is None:
        return Returned(outcome)
    files = {file.path: (outcome.staged / file.path).read_bytes() for file in outcome.files}
    return Returned(replace(outcome, staged=None), files)


def as_sent(outcome: Outcome, copy: Job, job: Job) -> Outcome:
    """The outcome of a copy, as that of the job that was sent: people do not know the copies' paths."""

    def with_own_paths(text: str) -> str:
        text = text.replace(str(copy.source), str(job.source))
        return text.replace(f"{copy.source.parent}{os.sep}", str(job.source.parent / "_")[:-1])

    failure = outcome.failure
    if failure is not None:
        failure = replace(
            failure, subject=with_own_paths(failure.subject), cause=with_own_paths(failure.cause)
        )
    return replace(outcome, failure=failure, warnings=tuple(map(with_own_paths, outcome.warnings)))


def _shared_files(job: Job) -> Iterator[Path]:
    yield from dict.fromkeys(file for layer in job.requested for file in layer.files)
    yield from files_in_settings(job.settings).values()


def _read(files: Mapping[str, Path]) -> dict[str, bytes]:
    contents = {}
    for name, path in files.items():
        with contextlib.suppress(OSError):
            contents[name] = path.read_bytes()
    return contents


def _digest(path: Path) -> str | None:
    """None where it is not there, or cannot be read."""
    try:
        return hash_file(path)
    except OSError:
        return None


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
