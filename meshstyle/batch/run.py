"""A batch from beginning to end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..system.temporary import temporary_folder
from .earlier import earlier_jobs
from .journal import Journal
from .local_engine import LocalEngine
from .options import BatchInput, BatchOptions
from .path_filter import PathFilter
from .place_results import is_there, is_up_to_date, place
from .planned import batch_plan
from .prepare import JobSpecs, Prepared, prepare, read_job_specs
from .ray.cluster import Need, reach
from .remote.publish import LocalFolders, at_hand
from .report.live import DATA, LiveReport, ReportOptions
from .report.report import Subject
from .results import BatchPlan, BatchResult
from .state import FOLDER, StateFolder, exclusive
from .types import (
    BatchCallback,
    BatchProgress,
    Engine,
    FailureKind,
    Job,
    JobState,
    Outcome,
    WorkerContext,
    ignore,
)
from .worker_count import WORKER_MEMORY, candidates, known_worker_plan, measure
from .worker_pool import Processes, leave_if_unguarded


def run_batch(
    source: str | Path,
    output: str | Path,
    styles: str | Path | Sequence[str | Path] = (),
    settings: Mapping[str, Any] | None = None,
    options: BatchOptions | None = None,
    progress: BatchCallback = ignore,
) -> BatchResult:
    """Paint every model below a folder, or of a manifest, in each of the styles; below OUTPUT the tree is the same.

    Results of an earlier run with the same settings stay as they are, if their inputs have not changed: the batch may
    be stopped in any way, and goes on when it is run again. What fails is in the result, and tried again next time.

    Args:
        source: a folder, or a manifest (.toml; see `manifest`); or its URL.
        output: OUT, a folder, or its URL; it keeps the batch's state in `.meshstyle`.
        styles: pictures' paths, or names of shipped ones; none where a manifest has them. Several get a folder each.
        settings: single settings by name, as of `Settings`, over those of a manifest.
        progress: is handed a record of every step.

    Raises MeshStyleError where the whole batch makes no sense, OUTPUT cannot be written or another batch is working in
    it; KeyboardInterrupt. Every worker loads the calling program: UsageError without `if __name__ == "__main__":`.
    """
    leave_if_unguarded()
    options = options or BatchOptions()
    with at_hand(source, output, options) as places:
        request = _request(places, styles, settings, options)
        return places.result(run_request(request, places.watched(progress)))


def plan_batch(
    source: str | Path,
    output: str | Path,
    styles: str | Path | Sequence[str | Path] = (),
    settings: Mapping[str, Any] | None = None,
    options: BatchOptions | None = None,
    progress: BatchCallback = ignore,
) -> BatchPlan:
    """What `run_batch` would do with the same arguments, and what that may take. Writes nothing."""
    leave_if_unguarded()
    options = options or BatchOptions()
    with at_hand(source, output, options, writes=False) as places:
        return plan_request(_request(places, styles, settings, options), places.watched(progress))


def run_request(request: BatchInput, progress: BatchCallback) -> BatchResult:
    """See `run_batch`."""
    read_job_specs(request)  # what is wrong with it is told before anything is made
    with exclusive(StateFolder(request.output / FOLDER)):
        return run_once(request, progress)


def run_once(
    request: BatchInput, progress: BatchCallback, path_filter: PathFilter | None = None
) -> BatchResult:
    """One pass over all models, for whoever has the lock of OUT. See `run_batch`."""
    began, path_filter, out = time.monotonic(), path_filter or PathFilter(), request.output
    wanted = path_filter.admit(read_job_specs(request))
    state = StateFolder(out / FOLDER)
    with ExitStack() as stack:
        journal = Journal(state.journal)
        journal.compact()
        context = _context(state.staging, request.options)
        cluster = stack.enter_context(_cluster(request.options))
        processes = stack.enter_context(_processes(request, wanted, journal, context))
        prepared = prepare(wanted, request, journal, processes, progress)
        left_out, prepared = prepared.left_out, path_filter.hold_back(prepared)
        known = _up_to_date(prepared.jobs, request, journal)
        known |= path_filter.known(job for job in prepared.jobs if job.id not in known)
        before = earlier_jobs(out / DATA, prepared.jobs, journal)
        shown = (*prepared.jobs, *before)
        subject = Subject(request.source, out, shown, left_out, path_filter.waiting, prepared.notes)
        options = ReportOptions(request.options.turntable, path_filter.resting)
        known_outcomes = known | {job.id: outcome for job, outcome in before.items()}
        report = stack.enter_context(LiveReport(subject, known_outcomes, context, options))
        with make_engine(prepared, request.options, context, processes, cluster) as engine:
            run = Run(prepared.jobs, request, journal, engine, report.watching(progress), known)
            outcomes = run.all()
            worker_plan = replace(prepared.worker_plan, workers=engine.workers)
        report.finish(progress)
    notes = (*prepared.notes, *report.notes)
    return BatchResult(out, prepared.jobs, outcomes, worker_plan, time.monotonic() - began, notes)


def plan_request(request: BatchInput, progress: BatchCallback) -> BatchPlan:
    """See `plan_batch`."""
    wanted = read_job_specs(request)
    journal = Journal(StateFolder(request.output / FOLDER).journal, writes=False)
    with temporary_folder() as folder:
        staging = Path(folder) / "staging"
        staging.mkdir()
        with _processes(request, wanted, journal, _context(staging, request.options)) as processes:
            prepared = prepare(wanted, request, journal, processes, progress)
            done = _up_to_date(prepared.jobs, request, journal)
            pending = tuple(job for job in prepared.jobs if job.id not in done)
            worker_plan = prepared.worker_plan
            if pending and worker_plan.rate is None:
                progress(BatchProgress("measure"))
                worker_plan = measure(worker_plan, processes)
    return batch_plan(request, replace(prepared, worker_plan=worker_plan), pending)


def make_engine(
    prepared: Prepared, options: BatchOptions, context: WorkerContext, processes: Processes, cluster: Any
) -> Engine:
    """The engine that is asked for.

    Args:
        processes: that have looked at the models.
        cluster: see `batch.ray.cluster.reach`; None where the work is done here.
    """
    worker_plan = prepared.worker_plan
    if cluster is None:
        return LocalEngine(worker_plan.workers, context, processes)
    from .ray.engine import RayEngine

    processes.reduce(0)  # the cluster may need what they hold: this machine can be a node of it
    need = Need(worker_plan.threads, options.gpus_per_job, context.memory_limit or WORKER_MEMORY)
    return RayEngine(cluster, need, options.workers, len(prepared.jobs), context)


class Run:
    """The jobs of a batch, from the journal and the engine to outcomes."""

    def __init__(
        self,
        jobs: tuple[Job, ...],
        request: BatchInput,
        journal: Journal,
        engine: Engine,
        progress: BatchCallback,
        known: Mapping[str, Outcome] | None = None,
    ) -> None:
        """`known`: outcomes of jobs that need not be run."""
        self._jobs, self._out, self._retries = jobs, request.output, request.options.retries
        self._journal, self._engine, self._progress = journal, engine, progress
        self._outcomes = dict(known or {})
        self._running: dict[str, None] = {}
        self._began = time.monotonic()

    def all(self) -> tuple[Outcome, ...]:
        """Outcomes of all jobs, in their order. What may pass is tried again when all others have had their turn."""
        pending = [job for job in self._jobs if job.id not in self._outcomes]
        self._tell()
        attempt = 1
        while pending:
            pending = self._attempt(pending, attempt)
            attempt += 1
        return tuple(self._outcomes[job.id] for job in self._jobs)

    def _attempt(self, jobs: Sequence[Job], attempt: int) -> list[Job]:
        """Run jobs. Returns those to be tried again."""
        by_id = {job.id: job for job in jobs}
        again = []
        with closing(self._engine.run(self._taken(jobs))) as outcomes:  # type: ignore[type-var]
            for outcome in outcomes:
                self._running.pop(outcome.job, None)
                placed = place(replace(outcome, attempts=attempt), self._out, self._journal)
                failure = placed.failure
                if failure is not None and failure.kind is FailureKind.OUTPUT:
                    raise OutputError(self._out / failure.subject, failure.cause, failure.remedy)
                if failure is not None and failure.kind.may_pass and attempt <= self._retries:
                    again.append(by_id[outcome.job])
                    self._tell(message=f"{failure} It will be tried again.")
                    continue
                self._outcomes[outcome.job] = placed
                self._tell(placed)
        return again

    def _taken(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """What the engine takes counts as running."""
        for job in jobs:
            self._running[job.id] = None
            self._tell()
            yield job

    def _tell(self, finished: Outcome | None = None, message: str = "") -> None:
        outcomes = self._outcomes.values()
        ended = [outcome for outcome in outcomes if not outcome.earlier]
        seconds = time.monotonic() - self._began
        left = len(self._jobs) - len(outcomes)
        self._progress(
            BatchProgress(
                "run",
                total=len(self._jobs),
                done=sum(outcome.state is JobState.DONE for outcome in ended),
                failed=sum(outcome.state is JobState.FAILED for outcome in ended),
                earlier=len(outcomes) - len(ended),
                running=tuple(self._running),
                seconds=seconds,
                seconds_left=seconds / len(ended) * left if ended else None,
                finished=finished,
                message=message,
            )
        )


def _up_to_date(jobs: Iterable[Job], request: BatchInput, journal: Journal) -> dict[str, Outcome]:
    """Outcomes of the jobs that an earlier run has done."""
    kept = is_up_to_date if request.options.overwrite else is_there
    return {
        job.id: replace(journal.outcomes[job.id], earlier=True)
        for job in jobs
        if kept(job, request.output, journal)
    }


def _request(
    places: LocalFolders,
    styles: str | Path | Sequence[str | Path],
    settings: Mapping[str, Any] | None,
    options: BatchOptions,
) -> BatchInput:
    listed = [styles] if isinstance(styles, (str, Path)) else list(dict.fromkeys(styles))
    return BatchInput(
        places.source, places.output, tuple(map(str, listed)), settings or {}, options, places.from_url
    )


def _context(staging: Path, options: BatchOptions) -> WorkerContext:
    memory = None if options.memory_limit is None else int(options.memory_limit * 2**30)
    return WorkerContext(staging.absolute(), options.time_limit, memory)


def _cluster(options: BatchOptions) -> AbstractContextManager[Any]:
    """Reached before anything is looked at, which may take long."""
    return reach(options.ray_address) if options.engine == "ray" else nullcontext()


def _processes(request: BatchInput, wanted: JobSpecs, journal: Journal, context: WorkerContext) -> Processes:
    """As many as may be needed; which worker plan is fastest shows only when they have measured it."""
    worker_plan = candidates()[0]
    if request.options.engine == "local":
        worker_plan = known_worker_plan(request.options, wanted.threads, journal.threads) or worker_plan
    return Processes(worker_plan.workers, context)
