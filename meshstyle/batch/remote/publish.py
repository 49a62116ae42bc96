"""Batches from and to URLs: local copies of the folders, kept in step.

The process that runs the batch fetches what the models need, and brings each result to its place as soon as it is in
the journal; engines see ordinary folders. OUT's journal lies in OUT too, so that the batch can be gone on with from
another machine. The copies stay in the user's cache, so that the next run fetches what has changed and no more.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import psutil

from ...errors import InputError, ManifestError, MeshStyleError, OutputError
from ...io.load import SUFFIXES
from ...io.remote import RemoteFolder, copies_of, is_url, local_path
from ...text import message
from ..journal import Journal
from ..options import BatchOptions
from ..report.images import FOLDER as PICTURES
from ..report.live import DATA, PAGE
from ..results import BatchResult
from ..scan import chosen
from ..state import FOLDER, StateFolder, exclusive
from ..types import BatchCallback, BatchProgress, JobState, Outcome

_WITH_FILES = (".gltf", ".obj", ".ply")  # models that may need files beside them, or below
_JOURNAL, _HOLDER = f"{FOLDER}/journal.jsonl", f"{FOLDER}/holder.json"
_REPORT = (PAGE, DATA, f"{PICTURES}/")
_JOURNAL_EVERY = 30.0  # seconds


@dataclass(frozen=True)
class LocalFolders:
    """Local folders, and what they stand for. `source`: a folder or a manifest; `from_url`: a copy of one."""

    source: Path
    output: Path
    names: tuple[tuple[str, str], ...] = ()
    results: ResultCopy | None = None
    from_url: bool = False

    def watched(self, progress: BatchCallback) -> BatchCallback:
        """A callback for the batch: it brings results to where they belong, and tells `progress` of it."""

        def callback(record: BatchProgress) -> None:
            finished = record.finished
            if self.results is not None and finished is not None and finished.state is JobState.DONE:
                self.results.bring([file.path for file in finished.files])
            outcome = None if finished is None else self._outcome(finished)
            progress(replace(record, finished=outcome, message=self.with_urls(record.message)))

        return callback if self.names else progress

    def result(self, result: BatchResult) -> BatchResult:
        """The same with URLs in the place of the copies' paths."""
        outcomes = tuple(map(self._outcome, result.outcomes))
        return replace(result, outcomes=outcomes)

    def with_urls(self, text: str) -> str:
        """A text for people, who do not know the copies."""
        for ours, theirs in self.names:
            text = text.replace(ours, theirs)
        return text

    def _outcome(self, outcome: Outcome) -> Outcome:
        failure = outcome.failure
        if failure is not None:
            failure = replace(
                failure, subject=self.with_urls(failure.subject), cause=self.with_urls(failure.cause)
            )
        return replace(outcome, failure=failure, warnings=tuple(map(self.with_urls, outcome.warnings)))


@contextlib.contextmanager
def at_hand(
    source: str | Path, output: str | Path, options: BatchOptions, writes: bool = True
) -> Iterator[LocalFolders]:
    """Local places for a batch whose folders may be URLs.

    `writes`: whether results will be brought to `output`. Raises MeshStyleError.
    """
    if not (is_url(source) or is_url(output)):
        yield LocalFolders(local_path(source), local_path(output))
        return
    root = copies_of(str(source), str(output))
    copies = {root / "in": _base(str(source)), root / "out": str(output), root: str(output)}
    places = LocalFolders(
        local_path(source), local_path(output), tuple((str(ours), to) for ours, to in copies.items())
    )
    with _told(places), contextlib.ExitStack() as stack:
        stack.enter_context(exclusive(StateFolder(root / "lock")))
        if is_url(source):
            copy = _fetch_source(str(source), str(output), root / "in", options)
            places = replace(places, source=copy, from_url=True)
        if is_url(output):
            results = ResultCopy(str(output), root / "out")
            places = replace(places, output=root / "out", results=results)
            stack.enter_context(results.held() if writes else contextlib.nullcontext())
            results.fetch()
        yield places


def _base(url: str) -> str:
    """The folder, where it is a manifest that of it."""
    return (url.rpartition("/")[0] if url.lower().endswith(".toml") else url).rstrip("/")


def _fetch_source(url: str, out: str, folder: Path, options: BatchOptions) -> Path:
    """What the models of a folder, or of a manifest's folder, are read from."""
    remote, index = RemoteFolder(_base(url)), _Index(folder.with_suffix(".json"))
    manifest = url[len(remote.url) + 1 :]
    stamps = remote.listing()
    if not stamps:
        raise InputError(url, "there is no such folder, or nothing in it", "Look at the URL.")
    below = out.rstrip("/").removeprefix(f"{remote.url}/") + "/"
    seen = [name for name in stamps if not name.startswith(below) and not _is_hidden(name)]
    wanted = _needed(seen, options)
    wanted |= {manifest} & set(stamps)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    folder.mkdir(exist_ok=True)
    new = [
        name
        for name in sorted(wanted)
        if index.known.get(name) != stamps[name] or not (folder / name).is_file()
    ]
    for name in remote.fetch(new, folder):
        index.known[name] = stamps[name]
    index.write()
    return folder / manifest


def _needed(names: list[str], options: BatchOptions) -> set[str]:
    """The models that are chosen, and all that lies beside or below those that may need it."""
    models = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    wanted = set(chosen(models, options.include, options.exclude))
    folders = {
        PurePosixPath(name).parent for name in wanted if PurePosixPath(name).suffix.lower() in _WITH_FILES
    }
    others = set(names) - set(models)
    return wanted | {name for name in others if not folders.isdisjoint(PurePosixPath(name).parents)}


class ResultCopy:
    """A local copy of OUT: of what batches have made there. Files that are not theirs are empty in it, but there."""

    def __init__(self, url: str, folder: Path) -> None:
        self.remote, self.folder = RemoteFolder(url, OutputError), folder
        self._index = _Index(folder.with_suffix(".json"))
        self._journal_brought = time.monotonic()
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have OUT for this process alone. Raises OutputError where another batch is working in it."""
        mine = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        data = json.dumps(mine).encode()
        if not self.remote.create(_HOLDER, data):
            self._refuse_living(self.remote.read(_HOLDER))
            self.remote.remove(_HOLDER)
            if not self.remote.create(_HOLDER, data):
                self._refuse_living(self.remote.read(_HOLDER))
        try:
            yield
            self._bring_all()
        finally:
            with contextlib.suppress(MeshStyleError):  # whatever ended the batch is what is told
                self._bring_journal()
                self.remote.remove(_HOLDER)

    def fetch(self) -> None:
        """Bring the copy in step with what is there."""
        stamps, known = self.remote.listing(), self._index.known
        for name in [name for name in known if name not in stamps]:
            (self.folder / name).unlink(missing_ok=True)
            del known[name]
        self._take([_JOURNAL] if _JOURNAL in stamps else [], stamps)
        journal = Journal(self.folder / _JOURNAL, writes=False)
        results = [name for name in stamps if not name.startswith(f"{FOLDER}/")]
        ours = {name for name in results if journal.owners(name) or name.startswith(_REPORT)}
        self._take(sorted(ours), stamps)
        for name in results:
            path = self.folder / name
            if name not in ours and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()  # so that nothing is written there
                known[name] = [stamps[name], *_state(path)]
        self._index.write()

    def bring(self, names: Iterable[str]) -> None:
        """Files that have changed to where they belong: what a model needs first, the model last."""
        for name in sorted(names, key=lambda name: PurePosixPath(name).suffix.lower() in SUFFIXES):
            path, known = self.folder / name, self._index.known.get(name)
            if path.is_file() and (known is None or known[1:] != _state(path)):
                state = _state(path)
                self._index.known[name] = [self.remote.put(path, name), *state]
        if time.monotonic() - self._journal_brought > _JOURNAL_EVERY:
            self._bring_journal()

    def _bring_all(self) -> None:
        """Everything that is not there as it is here."""
        here = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        self.bring([path.as_posix() for path in here if FOLDER not in path.parts])

    def _bring_journal(self) -> None:
        self._journal_brought = time.monotonic()
        self.bring([_JOURNAL])
        self._index.write()

    def _take(self, names: list[str], stamps: dict[str, str]) -> None:
        known = self._index.known
        new = [
            name
            for name in names
            if known.get(name, [""])[0] != stamps[name] or not (self.folder / name).is_file()
        ]
        for name in self.remote.fetch(new, self.folder):
            known[name] = [stamps[name], *_state(self.folder / name)]

    def _refuse_living(self, holder: bytes) -> None:
        """A batch that was killed leaves its mark; that it is dead can be seen on its own machine only."""
        try:
            found = json.loads(holder)
            host, pid, since = found["host"], int(found["pid"]), found["since"]
        except (ValueError, KeyError, TypeError):
            return
        if host == socket.gethostname() and not psutil.pid_exists(pid):
            return
        cause = f"another batch is working in it (process {pid} on {host}, since {since})"
        remedy = f"Wait until it has ended; if it was killed, remove {self.remote.url}/{_HOLDER}."
        raise OutputError(self.remote.url, cause, remedy)


class _Index:
    """What is known of the files of a copy, on the disk: `known` by name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.known: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            self.known = dict(json.loads(path.read_text(encoding="utf-8")))

    def write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self.known), encoding="utf-8")
        os.replace(new, self._path)


@contextlib.contextmanager
def _told(places: LocalFolders) -> Iterator[None]:
    """Errors name URLs."""
    try:
        yield
    except MeshStyleError as error:
        for one in (error, *(error.problems if isinstance(error, ManifestError) else ())):
            one.subject, one.cause, one.remedy = map(places.with_urls, (one.subject, one.cause, one.remedy))
            one.args = (message(one.subject, one.cause, one.remedy),)
        raise


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)
