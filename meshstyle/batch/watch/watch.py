"""A batch that goes on: what is new or changes in its folder is painted, until it is stopped.

Each pass is a batch of its own, which does what is not done yet (`run.run_once`); this decides when there is one, and
what has to wait: files that are still being written, and models whose companions are not there yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...bundled import find_style
from ...errors import InputError, MeshStyleError, OutputError
from ..options import BatchInput
from ..path_filter import PathFilter
from ..prepare import JobSpecs, Prepared, read_job_specs
from ..report.live import WATCHING, finish_report
from ..run import run_once
from ..state import FOLDER, StateFolder, exclusive
from ..types import BatchCallback, BatchProgress, FailureKind, Job, JobState, Outcome, WorkerContext
from .tree import Stamp, Tree

INTERVAL = 2.0  # seconds between two looks at the least
SHARE = 0.1  # of the time that looking may take
PATIENCE = 30.0  # seconds that a model which cannot be read may wait for the rest of it


@dataclass(frozen=True)
class WatchResult:
    """What became of everything that was seen.

    Attributes:
        output: OUT.
        outcomes: the latest of every job that was run, by its id.
        seconds: wall time.
    """

    output: Path
    outcomes: Mapping[str, Outcome]
    seconds: float

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes.values() if outcome.state is JobState.FAILED)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "output": str(self.output),
            "seconds": self.seconds,
            "done": len(self.outcomes) - len(self.failed),
            "failed": len(self.failed),
            "failures": {outcome.job: str(outcome.failure) for outcome in self.failed},
        }


@dataclass(frozen=True)
class Clock:
    """Seconds that go by, and how to let them."""

    now: Callable[[], float]
    wait: Callable[[float], None]


def watch_request(request: BatchInput, progress: BatchCallback, clock: Clock | None = None) -> WatchResult:
    """Run a batch, and run it again whenever something below its folder is new or has changed. KeyboardInterrupt is
    the normal end: what is being painted then is given up, and done by the next run.

    Files that vanish leave their results alone. Raises as `run_batch` does where the first pass cannot be; later on
    such errors are messages, but for OutputError.
    """
    clock = clock or Clock(time.monotonic, time.sleep)
    began, outcomes = clock.now(), {}

    def collect(record: BatchProgress) -> None:
        if record.finished is not None:
            outcomes[record.finished.job] = record.finished
        progress(record)

    with exclusive(state := StateFolder(request.output / FOLDER)):
        try:
            _Watch(request, collect, outcomes, clock).go()
        except KeyboardInterrupt:
            finish_report(request.output, WorkerContext(state.staging))
    return WatchResult(request.output, outcomes, clock.now() - began)


@dataclass(frozen=True)
class _Tried:
    """A failure, and the files it may have come from, as they were."""

    outcome: Outcome
    files: frozenset[tuple[Path, Stamp]]


class _Watch(PathFilter):
    """When there is a pass, and what takes part in it."""

    resting = WATCHING

    def __init__(
        self, request: BatchInput, progress: BatchCallback, outcomes: Mapping[str, Outcome], clock: Clock
    ) -> None:
        """`outcomes`: of this watch, as they come."""
        self._request, self._progress, self._outcomes, self._clock = request, progress, outcomes, clock
        self._pictures: frozenset[Path] = frozenset()
        self._tree = Tree(_folder(request), request.output, self._others, clock.now)
        self._models: set[Path] = set()
        self._seen: dict[Path, Stamp] | None = None  # as the latest pass found it
        self._began = False  # there has been a pass: what is asked for makes sense
        self._again = float("inf")  # when to have a pass though nothing changed
        self._tried: dict[str, _Tried] = {}
        self.waiting: dict[str, str] = {}

    def go(self) -> None:
        """Run until the batch is stopped."""
        self._tell()
        while True:
            began = self._clock.now()
            self._tree.look()
            seconds = self._clock.now() - began
            self._tell_what_has_gone()
            if self._is_due():
                self._pass()
                self._tell()
            self._clock.wait(max(INTERVAL, seconds / SHARE))

    def admit(self, wanted: JobSpecs) -> JobSpecs:
        """Without models that are still being written."""
        names = [name for name in wanted.job_specs if self._tree.is_ready(wanted.folder / name)]
        self.waiting = dict.fromkeys(set(wanted.job_specs) - set(names), "It is still being written.")
        styles = {style for job_spec in wanted.job_specs.values() for style in job_spec.styles}
        self._pictures = frozenset(map(find_style, styles))
        return replace(
            wanted,
            job_specs={name: wanted.job_specs[name] for name in names},
            settings={name: wanted.settings[name] for name in names},
        )

    def hold_back(self, prepared: Prepared) -> Prepared:
        """Without models that cannot be read, as long as the rest of them may be on its way."""
        for job in prepared.jobs:
            problem, left = prepared.summaries[job.model].problem, PATIENCE - self._tree.rested(job.source)
            if problem and left > 0:
                self.waiting[job.model] = f"It cannot be read yet ({problem})"
                self._again = min(self._again, self._clock.now() + left)
        return replace(prepared, jobs=tuple(job for job in prepared.jobs if job.model not in self.waiting))

    def known(self, jobs: Iterable[Job]) -> dict[str, Outcome]:
        """Failures of this watch that nothing has changed about."""
        return {
            job.id: tried.outcome
            for job in jobs
            if (tried := self._tried.get(job.id)) is not None
            and tried.outcome.key == job.key
            and tried.files == self._files(job, tried.outcome)
        }

    def _is_due(self) -> bool:
        if self._tree.at_rest == self._seen and self._clock.now() < self._again:
            return False
        return any(self._tree.is_ready(model) for model in self._models)

    def _pass(self) -> None:
        self._seen, self._again = dict(self._tree.at_rest), float("inf")
        try:
            result = run_once(self._request, self._progress, self)
        except OutputError:
            raise
        except MeshStyleError as error:
            if not (self._began or self._is_empty(error)):
                raise
            self._tell(f"{error} Watching goes on.")
            return
        self._began = True
        for job, outcome in zip(result.jobs, result.outcomes, strict=True):
            if outcome.state is JobState.FAILED:
                self._tried[job.id] = _Tried(outcome, self._files(job, outcome))

    def _is_empty(self, error: MeshStyleError) -> bool:
        """Whether it is only that there is no model yet."""
        return isinstance(error, InputError) and error.subject == str(self._request.source)

    def _files(self, job: Job, outcome: Outcome) -> frozenset[tuple[Path, Stamp]]:
        """What a failure may come from: a mistake in the input can lie in any file that the model refers to; what
        takes its time to fail is only tried again when the model itself is another."""
        around = self._tree.surroundings(job.source)
        if outcome.failure is not None and outcome.failure.kind is FailureKind.INPUT:
            return around
        return frozenset((path, stamp) for path, stamp in around if path == job.source)

    def _others(self) -> Iterable[Path]:
        """Files that count, wherever they are."""
        return (*self._pictures, *([self._request.source] if self._request.source.is_file() else []))

    def _tell_what_has_gone(self) -> None:
        models = self._tree.models
        for model in sorted(self._models - models):
            self._tell(f"{model} is gone; what was made of it stays.")
        self._models = models

    def _tell(self, message: str = "") -> None:
        states = [outcome.state for outcome in self._outcomes.values()]
        done, failed = (states.count(state) for state in (JobState.DONE, JobState.FAILED))
        self._progress(BatchProgress("watch", total=len(states), done=done, failed=failed, message=message))


def _folder(request: BatchInput) -> Path:
    """What to watch. Raises MeshStyleError."""
    if request.source.is_file():
        return read_job_specs(request).folder
    if not request.source.exists():
        raise InputError(request.source, "there is no such folder", "Give a folder with models.")
    return request.source
