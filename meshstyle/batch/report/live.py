"""The report of a batch, written again and again while it runs: OUT/report.html and OUT/report.json.

A thread of its own writes it, so that the batch never waits; what goes wrong with it is a note, not the batch's end.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..types import BatchCallback, BatchProgress, FailureKind, Job, JobState, Outcome, WorkerContext
from .images import RenderOutcome, RenderRequest, stills_of, style_of, turntable_of
from .render_pool import RenderPool
from .report import Moment, Subject, tell

PAGE, DATA = "report.html", "report.json"
WATCHING = "watching"
INTERVAL = 5.0  # seconds between two writings at the least
SHARE = 0.02  # of the time that writing may take
_WAIT = 0.5  # seconds between two records while the last pictures are drawn


@dataclass(frozen=True)
class ReportOptions:
    """`turntables`: whether to draw them; `resting`: the report's state when all went its way."""

    turntables: bool = False
    resting: str = "done"


class LiveReport:
    """Serves as a context around the batch: on leaving it, the report is as complete as it can be."""

    def __init__(
        self,
        subject: Subject,
        known: Mapping[str, Outcome],
        context: WorkerContext,
        options: ReportOptions = ReportOptions(),
    ) -> None:
        """`known`: outcomes from before, by the job's id."""
        self._subject, self._context, self._options = subject, context, options
        self._jobs: dict[str, Job] = {job.id: job for job in subject.jobs}
        self._styles = [style_of(job.style, job.picture, subject.out) for job in _one_of_each(subject.jobs)]
        self._began, self._started = time.time(), time.monotonic()
        self._outcomes = dict(known)
        self._running: frozenset[str] = frozenset()
        self._pictures: set[str] = set()
        self._problems: dict[str, tuple[str, ...]] = {}
        self._trouble = ""
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._stale = True
        self._render_pool = RenderPool(context, self._drawn)
        self._writer = threading.Thread(target=self._keep_writing, daemon=True)

    def __enter__(self) -> Self:
        for render_request in self._styles:
            self._order(render_request)
        for outcome in list(self._outcomes.values()):
            self._order_pictures(self._jobs[outcome.job], outcome)
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._render_pool.close()
        self._ended.set()
        self._writer.join()
        self._running = frozenset()
        self._write(self._options.resting if kind is None else "stopped")

    @property
    def notes(self) -> tuple[str, ...]:
        """What went wrong with it."""
        return (self._trouble,) if self._trouble else ()

    def watching(self, progress: BatchCallback) -> BatchCallback:
        """A callback that also keeps the report."""

        def watch(record: BatchProgress) -> None:
            with self._lock:
                self._running = frozenset(record.running)
                self._stale = True
                if record.finished is not None:
                    self._outcomes[record.finished.job] = record.finished
            if record.finished is not None:
                self._order_pictures(self._jobs[record.finished.job], record.finished)
            progress(record)

        return watch

    def finish(self, progress: BatchCallback) -> None:
        """Wait until all pictures are drawn."""
        began, total = time.monotonic(), self._render_pool.left
        self._render_pool.hurry()
        while left := self._render_pool.left:
            done = max(total - left, 0)
            seconds = time.monotonic() - began
            seconds_left = seconds / done * left if done else None
            progress(
                BatchProgress("draw", total=total, done=done, seconds=seconds, seconds_left=seconds_left)
            )
            self._render_pool.wait(_WAIT)

    def _order_pictures(self, job: Job, outcome: Outcome) -> None:
        out, failure = self._subject.out, outcome.failure
        if failure is not None and failure.kind is FailureKind.INPUT:
            return  # what cannot be read cannot be drawn
        self._order(stills_of(job, outcome, out))
        turntable = turntable_of(job, outcome, out)
        if outcome.state is JobState.DONE and (self._options.turntables or not turntable.missing):
            self._order(turntable)

    def _order(self, render_request: RenderRequest) -> None:
        if render_request.missing:
            self._render_pool.ask(render_request)
        else:
            with self._lock:
                self._pictures.update(render_request.names.values())

    def _drawn(self, drawn: RenderOutcome) -> None:
        render_request, outcome = drawn.render_request, self._outcomes.get(drawn.render_request.subject)
        with self._lock:
            self._stale = True
            if not drawn.problem:
                self._pictures.update(render_request.names.values())
            elif outcome is not None and outcome.state is JobState.DONE:
                what = (
                    "There is no turntable of it"
                    if render_request.kind == "turntable"
                    else "There are no pictures of it"
                )
                self._problems[render_request.subject] = (
                    *self._problems.get(render_request.subject, ()),
                    f"{what} ({drawn.problem}).",
                )

    def _keep_writing(self) -> None:
        wait = 0.0
        while not self._ended.wait(wait):
            began = time.monotonic()
            if self._stale and not self._trouble:
                self._write("running")
            wait = max(INTERVAL, (time.monotonic() - began) / SHARE)

    def _write(self, state: str) -> None:
        """Both files, or neither of them. A problem is remembered, and no further attempt made but for the last one."""
        try:
            _write(tell(self._subject, self._moment(state)), self._subject.out, self._context.staging)
        except Exception as error:
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            self._trouble = f"The report was not written ({reason})."
        else:
            self._trouble = ""

    def _moment(self, state: str) -> Moment:
        with self._lock:
            self._stale = False
            styles = {one.subject: one.names["style"] for one in self._styles}
            return Moment(
                state=state,
                began=self._began,
                written=time.time(),
                seconds=time.monotonic() - self._started,
                outcomes=dict(self._outcomes),
                running=self._running,
                pictures=frozenset(self._pictures),
                styles={style: name for style, name in styles.items() if name in self._pictures},
                problems=dict(self._problems),
            )


def _one_of_each(jobs: tuple[Job, ...]) -> list[Job]:
    """A job for every style."""
    return list({job.style: job for job in reversed(jobs)}.values())[::-1]


def finish_report(out: Path, context: WorkerContext) -> None:
    """The report of a watch that has ended between two passes. What cannot be read or written stays as it is."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        report = json.loads((out / DATA).read_bytes())
        if report["state"] == WATCHING:
            _write(report | {"state": "done"}, out, context.staging)


def _write(report: Mapping[str, Any], out: Path, staging: Path) -> None:
    """Write by way of the staging folder, which is empty again whatever happens."""
    from .page import build_page  # loads numpy, which the process that plans does without

    page = build_page(report).encode("utf-8", "replace")
    data = json.dumps(report, indent=1, allow_nan=False).encode()
    with tempfile.TemporaryDirectory(dir=staging) as folder:
        for name, content in ((PAGE, page), (DATA, data)):
            with Path(folder, name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        for name in (PAGE, DATA):
            os.replace(Path(folder, name), out / name)
