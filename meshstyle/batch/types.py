"""What the parts of a batch hand to each other.

A `Job` is one model in one style. An `Engine` takes jobs and hands back an `Outcome` for each, in whatever
order; its processes call `worker.run_job`, which leaves the files in a staging folder. The process that began the
batch places them below OUT and then writes the outcome into the journal: only that process writes either.
Everything here is frozen, picklable and, where it is remembered, JSON-able.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ..config.model import Settings
from ..config.styles import RequestedStyle, StyleRequest
from ..style.color_statistics import Colours


class JobState(Enum):
    DONE = "done"
    FAILED = "failed"


class FailureKind(Enum):
    """Why there is no result, which says whether trying again may help."""

    INPUT = "input"  # a mistake in the file or the settings: the same again next time
    OUTPUT = "output"  # the disk is full, or the place cannot be written: the batch ends, since all others would fail
    MEMORY = "memory"
    CRASH = "crash"  # the process died
    TIME = "time"  # over the limit
    BUG = "bug"

    @property
    def may_pass(self) -> bool:
        """Whether the next attempt may go better."""
        return self in (FailureKind.MEMORY, FailureKind.CRASH)


@dataclass(frozen=True)
class Failure:
    """As `MeshStyleError` has it; `detail`: a traceback for programmers, or ""."""

    kind: FailureKind
    subject: str
    cause: str
    remedy: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.cause}. {self.remedy}"


@dataclass(frozen=True)
class Job:
    """One model in one style.

    Attributes:
        id: unique in the batch and the same every time: the path of its result below OUT.
        model: path below the input's folder, with slashes; for people.
        source: the file to read.
        style: as the user called it; `picture`: its file, or the first of several.
        layers: the styles that the text asks for; empty: that picture, everywhere.
        output: path of the result below OUT, with slashes.
        settings: all of them, the stroke scale of its set included; `threads` is the worker's.
        companions: what the names of files beside the result begin with, where that is not the result's own name.
        group: the set it belongs to, or None; `colours`: of all that set's models, as they were: what a
            colour-matched start moves from.
        key: SHA-256 over everything that decides the bytes of the result, but for what the model refers to (see
            `Outcome.sources`): the model, the picture, weights, the start, settings, set and program version.
        notes: what was decided about it that people may want to know, one sentence each.
        inputs: files that the model was seen to be read from, as in `Outcome.sources`: for engines that copy them.
        recorded: what the result says of the settings, where `settings` names copies of files; None: `settings`.
    """

    id: str
    model: str
    source: Path
    style: str
    picture: Path
    output: str
    settings: Settings
    key: str
    companions: str | None = None
    group: str | None = None
    colours: Colours | None = None
    notes: tuple[str, ...] = ()
    inputs: tuple[FileHash, ...] = ()
    recorded: Settings | None = None
    layers: tuple[RequestedStyle, ...] = ()

    @property
    def requested(self) -> tuple[RequestedStyle, ...]:
        """The styles, one at the least."""
        return self.layers or (RequestedStyle(StyleRequest(self.style), self.picture),)


@dataclass(frozen=True)
class SharedInputs:
    """What jobs have in common and can be checked before any of them runs."""

    picture: Path
    weights: str
    init: str
    device: str
    masks: tuple[Path, ...] = ()


@dataclass(frozen=True)
class FileHash:
    """A file with the SHA-256 of its contents; None: there is no such file."""

    path: str
    sha256: str | None


@dataclass(frozen=True)
class PaintedImage:
    """What is remembered of a painted image; see `results.AtlasReport`, whose module loads torch."""

    name: str
    size: tuple[int, int]
    unwrapped: bool
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: its id; `key`: its key.
        state: done or failed.
        seconds: wall time of the last attempt.
        attempts: how many there were.
        files: paths below OUT, with slashes, the model first.
        sources: the files that the model was read from, the model first: paths as seen from its folder, with slashes.
        figures: `style_loss`, `content_loss`, `structure`, `coverage`, `surface_seen`, `views`, as in `Result`; those
            that are known.
        images: those that were painted.
        warnings: what was odd and how it was taken.
        failure: why it failed; None where it did not.
        staged: the folder in which `files` lie until they are placed; None: they are in place.
        earlier: it was done by an earlier run of the batch.
    """

    job: str
    key: str
    state: JobState
    seconds: float = 0.0
    attempts: int = 1
    files: tuple[FileHash, ...] = ()
    sources: tuple[FileHash, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    images: tuple[PaintedImage, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None
    staged: Path | None = None
    earlier: bool = False


@dataclass(frozen=True)
class WorkerContext:
    """What all jobs of a batch share, and every worker is handed.

    Attributes:
        staging: the folder below which each attempt gets one of its own.
        time_limit: seconds that a job may take, or None. Engines see to it.
        memory_limit: bytes of resident memory that a worker may take, or None. Workers see to it themselves.
    """

    staging: Path
    time_limit: float | None = None
    memory_limit: int | None = None


class Engine(Protocol):
    """Runs jobs. To be used as a context: on leaving it, no process of its own is left.

    Attributes:
        workers: how many jobs run at a time.
    """

    workers: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """One attempt at each job. May be called again when it has ended.

        Takes a job when a worker is free for it, and no sooner: what was taken counts as running. Yields outcomes as
        they come, whatever happens to a worker: one that dies, or takes too long, fails its own job only
        (`failures.lost`), and is replaced. Closing the iterator kills what is running.

        Raises MeshStyleError where no worker can be had at all.
        """
        ...


@dataclass(frozen=True)
class BatchProgress:
    """One moment of a batch.

    Attributes:
        stage: `look` at the models, `measure` the machine, `run`, `draw` pictures for the report, `watch`.
        total: jobs in all (models in the stage `look`, drawings in `draw`).
        done, failed: this time; `earlier`: done by an earlier run.
        running: ids of the jobs that are being worked on.
        seconds: since the stage began; `seconds_left`: an estimate, or None.
        finished: the outcome that this record is about, or None.
        message: something people should know, or "".
    """

    stage: str
    total: int = 0
    done: int = 0
    failed: int = 0
    earlier: int = 0
    running: tuple[str, ...] = ()
    seconds: float = 0.0
    seconds_left: float | None = None
    finished: Outcome | None = None
    message: str = ""

    @property
    def left(self) -> int:
        """Jobs of which nothing is known yet."""
        return self.total - self.done - self.failed - self.earlier

    @property
    def rate(self) -> float:
        """Jobs an hour, of those that ended this time."""
        return 3600 * (self.done + self.failed) / self.seconds if self.seconds > 0 else 0.0


BatchCallback = Callable[[BatchProgress], None]


def ignore(_: BatchProgress) -> None:
    """The callback of someone who does not want to know."""
